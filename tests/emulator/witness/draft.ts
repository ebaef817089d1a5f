// A case in the making: registers, bytes in memory and fields of the instruction, until they are laid down.
import { emit, type Fields } from "../../../emulator/isa/emit.ts";
import { type Form, NONE } from "../../../emulator/isa/index.ts";
import * as A from "./arena.ts";
import type { Window } from "./case.ts";
import { baseOf, dataOffset, isMapped, isWide } from "./places.ts";
import type { Random } from "./random.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export const EAX = 0;
export const ECX = 1;
export const EDX = 2;
export const EBX = 3;
export const ESP = 4;
export const EBP = 5;
export const ESI = 6;
export const EDI = 7;
export const ES = 0;
export const CS = 1;
export const SS = 2;
export const DS = 3;

export class Draft implements Mutable<Fields> {
  readonly random: Random;
  readonly form: Form;
  readonly bits: 16 | 32;
  operandSize: 16 | 32;
  addressSize: 16 | 32;
  lock = false;
  repeat: 0 | 0xf2 | 0xf3 = 0;
  segmentOverride = NONE;
  reg = NONE;
  rm = NONE;
  memory = false;
  base = NONE;
  index = NONE;
  scale = 0;
  displacement = 0;
  immediate = 0;
  immediate2 = 0;
  readonly registers = new Int32Array(8);
  readonly selectors: number[];
  eflags = 0;
  eip = 0;
  /** Offset of the memory operand in its segment, and its linear address. */
  #offset = 0;
  #stackOffset = 0;
  linear = 0;
  /** Registers (a bit each) whose value something relies on already. */
  #taken = 0;
  readonly #bytes = new Map<number, number>();

  constructor(random: Random, form: Form, bits: 16 | 32, selectors: number[]) {
    this.random = random;
    this.form = form;
    this.bits = bits;
    this.selectors = selectors;
    this.operandSize = form.operandSize || this.#usually(bits, 92);
    this.addressSize = form.addressSize || this.#usually(bits, form.rmMemory || form.repeatable ? 80 : 92);
    for (let i = 0; i < 8; i++) this.registers[i] = random.value();
  }

  #usually(bits: 16 | 32, percent: number): 16 | 32 {
    return this.random.chance(percent) ? bits : bits === 32 ? 16 : 32;
  }

  /** Operand size in bytes. */
  get width(): 2 | 4 {
    return this.operandSize === 32 ? 4 : 2;
  }

  isTaken(register: number): boolean {
    return (this.#taken & (1 << register)) !== 0;
  }

  take(register: number): void {
    this.#taken |= 1 << register;
  }

  /** Gives a register a value that must stay; with 16 bits its upper half is whatever it was. */
  set(register: number, value: number, bits: 16 | 32 = 32): void {
    this.registers[register] = bits === 16 ? (this.registers[register]! & ~0xffff) | (value & 0xffff) : value;
    this.take(register);
  }

  /** The low byte, word or doubleword of an operand register in encoding order. */
  setPart(register: number, bytes: number, value: number): void {
    const whole = bytes === 1 ? register & 3 : register;
    if (this.isTaken(whole)) return;
    const shift = bytes === 1 && register >= 4 ? 8 : 0;
    const mask = bytes === 4 ? -1 : bytes === 2 ? 0xffff : 0xff << shift;
    this.registers[whole] = (this.registers[whole]! & ~mask) | ((value << shift) & mask);
  }

  part(register: number, bytes: number): number {
    if (bytes === 1) return (this.registers[register & 3]! >> (register >= 4 ? 8 : 0)) & 0xff;
    return bytes === 2 ? this.registers[register]! & 0xffff : this.registers[register]!;
  }

  // --- memory ---

  /** Bytes at a linear address are known on both sides; values as instructions like them. */
  fill(linear: number, bytes: number): void {
    for (let i = 0; i < bytes; i += 4) this.poke(linear + i, Math.min(4, bytes - i), this.random.value());
  }

  poke(linear: number, bytes: number, value: number): void {
    for (let i = 0; i < bytes; i++) if (isMapped(linear + i)) this.#bytes.set(linear + i, (value >> (8 * i)) & 0xff);
  }

  peek(linear: number, bytes: number): number {
    let value = 0;
    for (let i = 0; i < bytes; i++) value |= (this.#bytes.get(linear + i) ?? 0) << (8 * i);
    return value;
  }

  windows(): Window[] {
    const addresses = [...this.#bytes.keys()].sort((a, b) => a - b);
    const windows: Window[] = [];
    for (let from = 0; from < addresses.length; ) {
      let to = from + 1;
      while (to < addresses.length && addresses[to] === addresses[to - 1]! + 1) to++;
      const run = addresses.slice(from, to);
      windows.push({ address: run[0]!, bytes: Uint8Array.from(run, (address) => this.#bytes.get(address)!) });
      from = to;
    }
    return windows;
  }

  /** Selector that the memory operand goes through. */
  get operandSelector(): number {
    const stack = this.base === ESP || this.base === EBP;
    return this.selectors[this.segmentOverride !== NONE ? this.segmentOverride : stack ? SS : DS]!;
  }

  /** Linear address of an offset in a segment. */
  linearOf(selector: number, offset: number): number {
    return (baseOf(selector) + offset) >>> 0;
  }

  /** The memory operand lies at an offset: fills it. */
  operand(offset: number, bytes: number): void {
    this.#offset = offset;
    this.linear = this.linearOf(this.operandSelector, offset);
    this.fill(this.linear - 2, bytes + 4);
    for (let i = 0; i < bytes; i += 2) this.fill(this.operandAt(i), 2);
  }

  /** Linear address of a part of the memory operand: 16-bit addresses wrap. */
  operandAt(distance: number): number {
    const offset = this.#offset + distance;
    return this.linearOf(this.operandSelector, this.addressSize === 16 ? offset & 0xffff : offset);
  }

  // --- the stack ---

  /** Linear address of a slot of the stack just filled: 16-bit stacks wrap. */
  stackAt(distance: number): number {
    const offset = this.#stackOffset + distance;
    return this.linearOf(this.selectors[SS]!, this.stackIsWide ? offset : offset & 0xffff);
  }

  get stackIsWide(): boolean {
    return isWide(this.selectors[SS]!);
  }

  /** A place for `bytes` bytes of stack, filled. Its linear address; the offset goes into ESP, or is where ESP comes from. */
  stack(bytes: number, how: "push" | "pop", register = ESP): number {
    const selector = this.selectors[SS]!;
    const bits = this.stackIsWide ? 32 : 16;
    const offset = dataOffset(this.random, selector, bits, bytes);
    this.#stackOffset = offset;
    this.set(register, how === "push" ? offset + bytes : offset, bits);
    const linear = this.linearOf(selector, offset);
    this.fill(linear, bytes);
    const wrapped = (offset >>> 0) + bytes - A.ARENA_SIZE;
    if (bits === 16 && wrapped > 0) this.fill(baseOf(selector), wrapped);
    return linear;
  }

  // --- the memory operand ---

  /** Draws base, index and scale; the operand's segment follows from them. */
  drawAddressing(): void {
    const { random } = this;
    this.memory = true;
    if (this.addressSize === 16) {
      const [base, index] = random.pick(addressing16);
      this.base = base!;
      this.index = index!;
      return;
    }
    const kind = random.below(20);
    this.base = kind < 3 ? NONE : random.below(8);
    this.index = kind < 2 || (kind >= 3 && kind < 11) ? NONE : random.pick([0, 1, 2, 3, 5, 6, 7]);
    this.scale = this.index === NONE ? 0 : random.below(4);
  }

  /** Makes the drawn addressing give `offset`, through the base where it is free, else through the displacement. */
  aim(offset: number, stackMoves = 0): void {
    const { random, registers, base, index, addressSize } = this;
    const kind = random.below(4);
    this.displacement = kind === 0 ? 0 : kind === 1 ? (random.bits() << 24) >> 24 : random.value();
    if (addressSize === 16) this.displacement = (this.displacement << 16) >> 16;
    const indexed = index === NONE ? 0 : registers[index]! << this.scale;
    if (base !== NONE && base !== index && !this.isTaken(base))
      this.set(base, offset - indexed - this.displacement, addressSize);
    else
      this.displacement =
        (offset - indexed - (base === NONE ? 0 : registers[base]! + (base === ESP ? stackMoves : 0))) | 0;
    if (addressSize === 16) this.displacement = (this.displacement << 16) >> 16;
    if (base !== NONE) this.take(base);
    if (index !== NONE) this.take(index);
  }

  /** The instruction's bytes. */
  code(): number[] {
    return emit(this, this.bits).bytes;
  }
}

/** Base and index pairs of 16-bit addressing (vol. 2, table 2-1). */
const addressing16 = [
  [EBX, ESI],
  [EBX, EDI],
  [EBP, ESI],
  [EBP, EDI],
  [NONE, ESI],
  [NONE, EDI],
  [EBP, NONE],
  [EBX, NONE],
  [NONE, NONE],
];
