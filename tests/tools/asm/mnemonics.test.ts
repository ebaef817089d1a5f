// The methods' types, beside the instruction table that they come from.

import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { mnemonics, mnemonicsSource, relativeSizes } from "../../../tools/asm/forms.ts";

const test = suite("mnemonics");

test("mnemonics.ts is what the table says (node --conditions=ring0-source --import tsx tools/asm/write-mnemonics.ts)", () => {
  const written = readFileSync(new URL("../../../tools/asm/mnemonics.ts", import.meta.url), "utf8");
  assert.ok(written === mnemonicsSource(), "tools/asm/mnemonics.ts is of another table: write it anew");
});

test("every condition has its synonyms", () => {
  for (const name of ["JC", "JNC", "JZ", "JNZ", "JNAE", "JPO", "SETNC", "SETNZ", "CMOVNGE"]) {
    assert.ok(mnemonics.includes(name), name);
  }
});

test("only branches have distances, and LOOP and JECXZ only short ones", () => {
  assert.equal([...relativeSizes("JMP")].sort(), [16, 32, 8]);
  assert.equal([...relativeSizes("CALL")].sort(), [16, 32]);
  assert.equal([...relativeSizes("LOOP")], [8]);
  assert.equal([...relativeSizes("JECXZ")], [8]);
  assert.equal([...relativeSizes("MOV")], []);
});

test.run();
