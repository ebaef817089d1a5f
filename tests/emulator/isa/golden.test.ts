// The encoder against bytes made by foreign assemblers, kept in golden/golden.json; `npm run golden` makes them anew.
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { decode, encode, encodeInstruction, format, forms, type Instruction } from "../../../emulator/isa/index.ts";
import { type Case, cases } from "./golden/cases.ts";
import { type Assembler, spell } from "./golden/spell.ts";

/** One line of golden.json: code size, row, NASM's source, NASM's bytes, and GNU as's where they differ. */
type Line = readonly [bits: 16 | 32, syntax: string, source: string, nasm: string, gas?: string];
const golden: readonly Line[] = JSON.parse(readFileSync(new URL("golden/golden.json", import.meta.url), "utf8"));

const test = suite("golden bytes");
const hex = (bytes: readonly number[]): string => Buffer.from(bytes).toString("hex");
const unhex = (text: string): number[] => [...Buffer.from(text, "hex")];
const encoded = cases.map((one) => encode(one.mnemonic, one.operands, one.options));

const prefixes = new Set([0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65]);
function split(bytes: readonly number[]): { prefixes: string; rest: string } {
  const length = bytes.findIndex((byte) => !prefixes.has(byte));
  return { prefixes: hex(bytes.slice(0, length).sort()), rest: hex(bytes.slice(length)) };
}

/** What an assembler may do differently, and why; `allows` recognises exactly that. */
const rules: readonly {
  readonly name: string;
  readonly reason: string;
  readonly allows: (assembler: Assembler, one: Case, ours: number[], theirs: string) => boolean;
}[] = [
  {
    name: "prefix order",
    reason: "NASM puts 66 before 67, GNU as puts 66 before F0; the processor does not mind",
    allows: (_, __, ours, theirs) => {
      const [a, b] = [split(ours), split(unhex(theirs))];
      return a.rest === b.rest && a.prefixes === b.prefixes;
    },
  },
  {
    name: "XCHG of two registers",
    reason: "NASM puts the first operand into reg, we and GNU as the second; the exchange is the same",
    allows: (assembler, one, ours, theirs) => {
      const exchanged = [...ours];
      const last = exchanged.pop()!;
      exchanged.push(0xc0 | ((last & 7) << 3) | ((last >> 3) & 7));
      return assembler === "nasm" && one.form.mnemonic === "XCHG" && last >= 0xc0 && hex(exchanged) === theirs;
    },
  },
  {
    name: "operand size of LOOP and JCXZ",
    reason: "GNU as drops data16 and data32 there, though they decide whether EIP is cut to 16 bits",
    allows: (assembler, one, ours, theirs) =>
      assembler === "gas" &&
      /^(?:LOOP|JE?CXZ)/.test(one.mnemonic) &&
      hex(ours.filter((byte) => byte !== 0x66)) === theirs,
  },
  {
    name: "SALC",
    reason: "GNU as does not know the undocumented instruction",
    allows: (assembler, one, _, theirs) => assembler === "gas" && one.mnemonic === "SALC" && theirs.startsWith("!"),
  },
];

test("the golden file has the cases, in their order", () => {
  assert.is(golden.length, cases.length);
  golden.forEach(([bits, syntax, source], i) => {
    const one = cases[i]!;
    assert.equal([bits, syntax, source], [one.options.bits, one.form.syntax, spell("nasm", one, "$$")]);
  });
});

test("the encoder agrees with NASM and with GNU as, but for four rules", () => {
  const used = new Map<string, number>();
  const differences: string[] = [];
  cases.forEach((one, i) => {
    const [, , source, nasm, gas = nasm] = golden[i]!;
    const ours = encoded[i]!.bytes;
    for (const [assembler, theirs] of [
      ["nasm", nasm],
      ["gas", gas],
    ] as const) {
      if (hex(ours) === theirs) continue;
      const rule = rules.find(({ allows }) => allows(assembler, one, ours, theirs));
      if (rule === undefined)
        differences.push(`${one.options.bits} ${source}: ours ${hex(ours)}, ${assembler} ${theirs}`);
      else used.set(rule.name, (used.get(rule.name) ?? 0) + 1);
    }
  });
  assert.equal(differences, []);
  assert.equal([...used.keys()].sort(), rules.map(({ name }) => name).sort(), "a rule that nothing needs");
});

test("every row that the encoder may choose is chosen by a case, in code of both sizes", () => {
  const chosen = new Set(cases.map((one, i) => `${encoded[i]!.form.id} ${one.options.bits}`));
  const rows = forms.filter((form) => !form.alias).flatMap((form) => [`${form.id} 32`, `${form.id} 16`]);
  const missing = rows
    .filter((row) => !chosen.has(row))
    .map((row) => `${forms[Number.parseInt(row, 10)]!.syntax} ${row}`);
  assert.equal(missing, []);
});

function decoded(bytes: readonly number[], bits: 16 | 32): Instruction {
  const result = decode(bytes, 0, bytes.length, bits);
  if (typeof result === "string") throw new Error(`${hex(bytes)} is ${result}`);
  return result;
}

test("what is encoded is decoded to the same form, and encodes to the same bytes again", () => {
  cases.forEach((one, i) => {
    const { bits } = one.options;
    const { bytes, form } = encoded[i]!;
    const instruction = decoded(bytes, bits);
    assert.is(instruction.length, bytes.length);
    // XCHG of the accumulator with itself is the byte 90, NOP.
    assert.is(instruction.form.syntax, bytes.at(-1) === 0x90 && form.plusRegister ? "NOP" : form.syntax);
    assert.is(hex(encodeInstruction(instruction, bits)), hex(bytes));
  });
});

test("both assemblers' bytes mean what ours mean", () => {
  cases.forEach((one, i) => {
    const { bits } = one.options;
    const [, , source, nasm, gas = nasm] = golden[i]!;
    const ours = decoded(encoded[i]!.bytes, bits);
    for (const theirs of [nasm, gas]) {
      if (theirs.startsWith("!") || (/loop|cxz/.test(source) && theirs !== nasm)) continue;
      const other = decoded(unhex(theirs), bits);
      const text = format(other, 0, { bits }).replace(/^xchg (\w+), (\w+)$/, "xchg $2, $1");
      assert.ok([format(other, 0, { bits }), text].includes(format(ours, 0, { bits })), `${source}: ${text}`);
    }
  });
});

test.run();
