// The two readings of a meaning, numbers and generated text, agree on every data-flow form.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { layout, Machine } from "#emulator";
import { encodeInstruction, forms, type Instruction, NONE } from "../../../../emulator/isa/index.ts";
import { evaluate, type FlatState } from "../../../../emulator/isa/semantics/evaluate.ts";
import { meaningOf } from "../../../../emulator/isa/semantics/index.ts";

const test = suite("readings of a meaning");

const CODE = 0x8000;
const DATA = 0x10000;
const STACK = 0x20000;
const CASES = 24;
const STATUS_AND_DIRECTION = 0xcd5;

/** A small generator (xorshift32), so that the cases are the same every time. */
let seed = 0x2545f491;
function random(): number {
  seed ^= seed << 13;
  seed ^= seed >>> 17;
  seed ^= seed << 5;
  return seed;
}
const edges = [0, 1, -1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0x7fffffff, -0x80000000, 31, 32, 9, 0x99];
const value = (): number => (random() & 1 ? random() : edges[(random() >>> 8) % edges.length]);

/** A boot sector image is the simplest way into a machine; the processor is then made flat. */
const machine = new Machine({ memory: 1 << 20 });
const [processor] = machine.processors;
machine.load(Uint8Array.from([0xf4]), { name: "reading" });

function flatten(): void {
  const { i32 } = machine.core;
  const block = machine.core.blockOf(0) / 4;
  for (let segment = 0; segment < 6; segment++) {
    const at = block + layout.R_SEGMENTS + segment * layout.SEGMENT_WORDS;
    i32.set([0x10, 0, -1, segment === 1 ? 0xc09b00 : 0xc09300], at);
  }
  i32[block + layout.R_CR0] |= 1; // PE
}

const immediateOf = (spec: string | undefined, size: number): number => {
  const bits = Number(/^(?:imm|rel)(\d+)$/.exec(spec ?? "")?.[1] ?? 0);
  const drawn = value();
  return bits === 0 ? 0 : (drawn << (32 - Math.min(bits, size))) >> (32 - Math.min(bits, size));
};

function instructionOf(form: (typeof forms)[number], memory: boolean): Instruction {
  const operandSize = form.operandSize === 16 ? 16 : 32;
  const immediate = form.operands.map((spec) => immediateOf(spec, operandSize)).find((drawn) => drawn !== 0) ?? 0;
  const moffs = form.operands.some((spec) => spec.startsWith("moffs"));
  const plain = {
    form,
    length: 0,
    operandSize,
    addressSize: form.addressSize === 16 ? 16 : 32,
    lock: false,
    repeat: 0,
    segmentOverride: NONE,
    segment: 3,
    reg: form.plusRegister || form.modrm === "/r" ? random() & 7 : typeof form.modrm === "number" ? form.modrm : NONE,
    rm: !memory && form.modrm !== "none" ? random() & 7 : NONE,
    memory: memory || moffs,
    base: memory ? 3 : NONE,
    index: NONE,
    scale: 0,
    displacement: moffs ? DATA : memory ? (random() & 0xff) - 128 : 0,
    immediate,
    immediate2: 0,
  } as const;
  return { ...plain, length: encodeInstruction(plain, 32).length };
}

function compare(instruction: Instruction, what: string): void {
  const bytes = encodeInstruction(instruction, 32);
  const registers = Int32Array.from({ length: 8 }, value);
  registers[5] = STACK + 64;
  if (instruction.form.mnemonic.startsWith("BT") && instruction.memory) registers[instruction.reg & 7] &= 0x7ff;
  if (instruction.memory) registers[3] = DATA;
  registers[4] = STACK;
  const eflags = (random() & STATUS_AND_DIRECTION) | 2;
  const memory = new Map<number, number>();
  for (let at = DATA - 256; at < DATA + 512; at += 4) if (instruction.memory) machine.memory.setDword(at, value());
  for (let at = STACK - 8; at < STACK + 128; at += 8) machine.memory.setDword(at, value());
  machine.memory.set(CODE, bytes);
  flatten();
  for (let i = 0; i < 8; i++) processor.setRegister(i, registers[i]);
  processor.setEip(CODE);
  machine.core.g[0] = machine.core.blockOf(0) / 4;
  machine.core.setEflags(eflags);

  const byteAt = (address: number): number => memory.get(address) ?? machine.memory.byte(address);
  const state: FlatState = {
    registers: registers.slice(),
    eflags,
    eip: CODE,
    load: (address, size) => {
      let read = 0;
      for (let i = 0; i < size / 8; i++) read |= byteAt(address + i) << (8 * i);
      return read;
    },
    store: (address, size, stored) => {
      for (let i = 0; i < size / 8; i++) memory.set(address + i, (stored >> (8 * i)) & 0xff);
    },
  };
  const vector = evaluate(instruction, state);
  let raised: number | undefined;
  machine.observe({ interrupt: (_, number) => (raised ??= number) });
  machine.interpreter.forgetModes();
  machine.step(0);
  machine.observe(null);
  assert.is(raised, vector, `${what}: exception`);
  if (vector !== undefined) {
    machine.restore(fresh);
    return;
  }
  const ours = Array.from({ length: 8 }, (_, i) => processor.register(i) | 0);
  assert.equal(ours, [...state.registers], `${what}: registers`);
  assert.is(processor.eflags, state.eflags >>> 0, `${what}: flags`);
  assert.is(processor.eip, state.eip >>> 0, `${what}: eip`);
  for (const [address, byte] of memory) assert.is(machine.memory.byte(address), byte, `${what}: memory`);
}

const fresh = machine.snapshot();

test("numbers and generated text come to the same registers, flags, memory and exceptions", () => {
  let compared = 0;
  for (const form of forms) {
    if (!meaningOf(form) || form.alias || form.mnemonic.startsWith("XLAT")) continue;
    const canBeMemory = form.operands.some((spec) => /^(r\/m|m\d*$)/.test(spec)) && form.rmMemory;
    const canBeRegister = form.modrm === "none" || form.rmRegister || !canBeMemory;
    for (const memory of [false, true]) {
      if (memory ? !canBeMemory : !canBeRegister) continue;
      for (let i = 0; i < CASES; i++) compare(instructionOf(form, memory), form.syntax);
      compared += CASES;
    }
  }
  assert.ok(compared > 14_000, `${compared}`);
});

test.run();
