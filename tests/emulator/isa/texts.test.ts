// The text of instructions against what objdump and ndisasm wrote; `npm run witness:text -- --record` makes the record anew.
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { decode } from "../../../emulator/isa/index.ts";
import { judgeText, rules } from "./witness/textrules.ts";
import type { Disassembler } from "./witness/texts.ts";

type Line = readonly [tool: Disassembler, bits: 16 | 32, bytes: string, at: number, text: string];
const recorded: readonly Line[] = JSON.parse(
  readFileSync(new URL("witness/recorded/texts.json", import.meta.url), "utf8"),
);

const test = suite("text");

const verdicts = recorded.map(([tool, bits, hex, at, text]) => {
  const bytes = [...Buffer.from(hex, "hex")];
  const instruction = decode(bytes, 0, bytes.length, bits);
  return typeof instruction === "string" ? undefined : judgeText(tool, bits, bytes, instruction, at, text);
});

test("mnemonics and operands agree with objdump and ndisasm, but for the listed rules", () => {
  const differences = recorded.filter((_, i) => verdicts[i] === undefined).map((line) => line.join(" "));
  assert.equal(differences, []);
});

test("no rule is idle", () => {
  const used = new Set(verdicts);
  assert.equal(
    rules.filter(({ name }) => !used.has(name)).map(({ name }) => name),
    [],
  );
});

test.run();
