// Footprints: single instructions, and the whole table against what its notes column says.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { decode, forms, type Instruction, NONE } from "../../../../emulator/isa/index.ts";
import { type Footprint, footprintOf } from "../../../../emulator/isa/semantics/footprint.ts";

const test = suite("footprint");

const EAX = 1;
const ECX = 2;
const EDX = 4;
const EBX = 8;
const ESP = 16;
const EBP = 32;
const OSZAPC = 0x8d5;

function of(text: string): Footprint | undefined {
  const bytes = text.split(" ").map((byte) => Number.parseInt(byte, 16));
  const instruction = decode(bytes, 0, bytes.length, 32);
  if (typeof instruction === "string") throw new Error(`${text}: ${instruction}`);
  return footprintOf(instruction);
}

const none = {
  registersRead: 0,
  registersWritten: 0,
  flagsRead: 0,
  flagsWritten: 0,
  memoryRead: 0,
  memoryWritten: 0,
  stack: 0,
  jumps: false,
};
const cases: readonly (readonly [bytes: string, text: string, footprint: Partial<Footprint>])[] = [
  ["90", "nop", {}],
  ["89 c8", "mov eax, ecx", { registersRead: ECX, registersWritten: EAX }],
  ["88 25 00 10 00 00", "mov [0x1000], ah", { registersRead: EAX, memoryWritten: 1 }],
  ["8d 44 88 04", "lea eax, [eax+ecx*4+4]", { registersRead: EAX | ECX, registersWritten: EAX }],
  ["01 0b", "add [ebx], ecx", { registersRead: EBX | ECX, memoryRead: 4, memoryWritten: 4, flagsWritten: OSZAPC }],
  ["11 c8", "adc eax, ecx", { registersRead: EAX | ECX, registersWritten: EAX, flagsRead: 1, flagsWritten: OSZAPC }],
  ["40", "inc eax", { registersRead: EAX, registersWritten: EAX, flagsRead: 0, flagsWritten: OSZAPC & ~1 }],
  ["7c 00", "jl", { flagsRead: 0x880, jumps: true }],
  ["ff 33", "push dword [ebx]", { registersRead: EBX | ESP, registersWritten: ESP, memoryRead: 4, stack: 4 }],
  ["66 58", "pop ax", { registersRead: ESP, registersWritten: ESP | EAX, stack: -2 }],
  ["c9", "leave", { registersRead: EBP | ESP, registersWritten: ESP | EBP, stack: -4 }],
  ["c3", "ret", { registersRead: ESP, registersWritten: ESP, stack: -4, jumps: true }],
  ["f7 e1", "mul ecx", { registersRead: EAX | ECX, registersWritten: EAX | EDX, flagsWritten: 0x801 }],
  [
    "f0 0f b1 11",
    "lock cmpxchg [ecx], edx",
    { registersRead: EAX | ECX | EDX, registersWritten: EAX, memoryRead: 4, memoryWritten: 4, flagsWritten: OSZAPC },
  ],
];
test("an instruction's registers, flags, memory and stack", () => {
  for (const [bytes, text, footprint] of cases) assert.equal(of(bytes), { ...none, ...footprint }, text);
});

test("what is not data flow has none", () => {
  for (const bytes of ["cf", "a4", "0f 20 c0", "8e d8", "cd 20"]) assert.is(of(bytes), undefined, bytes);
});

/** An instruction of every data-flow form, with a memory operand at [EBX] where the form can have one. */
const samples = forms.flatMap((form) => {
  const memory = form.operands.some((spec) => /^(r\/m|m)/.test(spec)) && form.rmMemory;
  const size = form.operandSize === 16 ? 16 : 32;
  const instruction: Instruction = {
    form,
    length: 2,
    operandSize: size,
    addressSize: 32,
    lock: false,
    repeat: 0,
    segmentOverride: NONE,
    segment: 3,
    reg: 1,
    rm: memory ? NONE : 3,
    memory,
    base: memory ? 3 : NONE,
    index: NONE,
    scale: 0,
    displacement: 0,
    immediate: 0,
    immediate2: 0,
  };
  const footprint = footprintOf(instruction);
  return footprint ? [{ form, footprint, memory }] : [];
});

test("the meanings write the memory operands that the table says are written, and read those that are read", () => {
  assert.ok(samples.length > 400);
  for (const { form, footprint, memory } of samples) {
    if (!memory || form.mnemonic === "LEA" || form.mnemonic === "NOP") continue;
    const at = form.operands.findIndex((spec) => /^(r\/m|m)/.test(spec));
    assert.is(footprint.memoryRead > 0, form.access[at].includes("r"), `${form.syntax}: reads`);
    assert.is(footprint.memoryWritten > 0, form.access[at].includes("w"), `${form.syntax}: writes`);
  }
});

const letters: Readonly<Record<string, number>> = { o: 0x800, s: 0x80, z: 0x40, a: 0x10, p: 4, c: 1, d: 0x400 };
const mask = (flags: string): number => [...flags].reduce((bits, letter) => bits | (letters[letter] ?? 0), 0);

test("the meanings set every flag that the table says is set, and no flag it does not speak of", () => {
  for (const { form, footprint } of samples) {
    const set = mask(form.flagsSet);
    assert.is(footprint.flagsWritten & set, set, `${form.syntax}: sets`);
    assert.is(footprint.flagsWritten & ~(set | mask(form.flagsUndefined)), 0, `${form.syntax}: sets more`);
  }
});

test.run();
