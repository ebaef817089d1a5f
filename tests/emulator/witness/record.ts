// Cases with what this host's processor made of them, kept in a file: compared where there is no compiler for the witness.
//
// A line is a JSON array: the form, 16 or 32 bits, code, EIP, the eight registers, EFLAGS, the six selectors, the memory
// (address and bytes), then what came: vector (-1: none), error code, CR2, EIP, EFLAGS, registers and selectors that
// changed (number and value), each memory's bytes, or 0 where they stayed; and the code run before. In hexadecimal.
import { readFileSync, writeFileSync } from "node:fs";
import { decode, forms } from "../../../emulator/isa/index.ts";
import { ARENA, FLAT_CODE } from "./arena.ts";
import type { Case } from "./case.ts";
import type { Outcome } from "./outcome.ts";

const file = new URL("recorded/instructions.json", import.meta.url);

type Changes = readonly (readonly [number, string])[];
type Line = readonly [
  syntax: string,
  bits: 16 | 32,
  code: string,
  eip: string,
  registers: string,
  eflags: string,
  selectors: string,
  memory: readonly (readonly [string, string])[],
  vector: number,
  error: string,
  cr2: string,
  newEip: string,
  newEflags: string,
  newRegisters: Changes,
  newSelectors: Changes,
  newMemory: readonly (string | 0)[],
  prelude: string,
];

const hex = (value: number): string => (value >>> 0).toString(16);
const bytesToHex = (bytes: Iterable<number>): string => Buffer.from([...bytes]).toString("hex");
const int = (text: string): number => Number.parseInt(text, 16) | 0;
const ints = (text: string): number[] => text.split(" ").map(int);
const changes = (before: ArrayLike<number>, after: ArrayLike<number>): Changes =>
  Array.from(after).flatMap((value, i) => (value === before[i] ? [] : [[i, hex(value)] as const]));
const changed = (before: ArrayLike<number>, list: Changes): number[] => {
  const after = Array.from(before);
  for (const [i, value] of list) after[i] = int(value);
  return after;
};

function lineOf(one: Case, outcome: Outcome): Line {
  const { vector, error, cr2, eip, eflags, registers, selectors, windows } = outcome;
  return [
    one.form.syntax,
    one.bits,
    bytesToHex(one.code),
    hex(one.eip),
    Array.from(one.registers, hex).join(" "),
    hex(one.eflags),
    one.selectors.map(hex).join(" "),
    one.windows.map(({ address, bytes }) => [hex(address), bytesToHex(bytes)] as const),
    vector,
    hex(error),
    hex(cr2),
    hex(eip),
    hex(eflags),
    changes(one.registers, registers),
    changes(one.selectors, selectors),
    windows.map((bytes, i) => (bytes.every((byte, at) => byte === one.windows[i]!.bytes[at]) ? 0 : bytesToHex(bytes))),
    bytesToHex(one.prelude),
  ];
}

function caseOf(line: Line): [Case, Outcome] {
  const [syntax, bits, codeText, eipText, registerText, eflags, selectorText, memory, ...outcome] = line;
  const [vector, error, cr2, newEip, newEflags, newRegisters, newSelectors, newMemory, prelude] = outcome;
  const code = [...Buffer.from(codeText, "hex")];
  const instruction = decode(code, 0, code.length, bits);
  // A LOCK where there can be none is no instruction; the form whose it was meant to be is known by its name.
  const form = typeof instruction === "string" ? forms.find((known) => known.syntax === syntax) : instruction.form;
  if (form === undefined) throw new Error(`recorded/instructions.json: the table has no form ${syntax}`);
  const registers = Int32Array.from(ints(registerText));
  const selectors = ints(selectorText);
  const eip = int(eipText);
  const windows = memory.map(([address, bytes]) => ({ address: int(address), bytes: Buffer.from(bytes, "hex") }));
  const place = selectors[1] === FLAT_CODE ? eip : eip + ARENA;
  return [
    {
      form,
      bits,
      code,
      prelude: [...Buffer.from(prelude, "hex")],
      place,
      eip,
      registers,
      eflags: int(eflags),
      selectors,
      windows,
      mode: "fast",
      atOnce: false,
    },
    {
      registers: Int32Array.from(changed(registers, newRegisters)),
      eip: int(newEip),
      eflags: int(newEflags),
      selectors: changed(selectors, newSelectors),
      vector,
      error: int(error),
      cr2: int(cr2),
      windows: windows.map(({ bytes }, i) => {
        const now = newMemory[i];
        return typeof now === "string" ? Buffer.from(now, "hex") : bytes;
      }),
    },
  ];
}

export function record(kept: readonly (readonly [Case, Outcome])[]): void {
  const lines = kept.map(([one, outcome]) => JSON.stringify(lineOf(one, outcome)));
  writeFileSync(file, `[\n${lines.join(",\n")}\n]\n`);
}

export const recorded = (): [Case, Outcome][] => (JSON.parse(readFileSync(file, "utf8")) as Line[]).map(caseOf);
