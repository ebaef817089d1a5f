// Reads a meaning as plain numbers: the reference that the generated engines are compared with. Flat 32-bit code, no paging.
import type { Form, Instruction } from "../instruction.ts";
import { meaningOf } from "./index.ts";
import { ADJUST, CARRY, EBP, ESP, type Ops, OVERFLOW, PARITY, SIGN, type Size, ZERO } from "./ops.ts";

/** What an evaluated instruction works on; addresses are unsigned, values of memory signed or not as they come. */
export interface FlatState {
  /** EAX to EDI. */
  readonly registers: Int32Array;
  eflags: number;
  eip: number;
  load(address: number, size: Size): number;
  store(address: number, size: Size, value: number): void;
}

const FIXED = ["AL CL DL BL AH CH DH BH", "AX CX DX BX SP BP SI DI", "EAX ECX EDX EBX ESP EBP ESI EDI"].map((names) =>
  names.split(" "),
);
const SIZES: readonly Size[] = [8, 16, 32];
const STATUS = CARRY | PARITY | ADJUST | ZERO | SIGN | OVERFLOW;

/**
 * Runs one data-flow instruction at `state.eip`. Returns the vector of the exception it raises, and has then changed
 * nothing; or undefined. Throws for an instruction that is not data flow.
 */
export function evaluate(instruction: Instruction, state: FlatState): number | undefined {
  const meaning = meaningOf(instruction.form);
  if (!meaning) throw new Error(`${instruction.form.syntax} is not data flow: it has no meaning to evaluate`);
  const ops = new NumberOps(instruction, state);
  meaning(ops);
  return ops.finish();
}

const truncate = (value: number, size: Size): number => (value << (32 - size)) >> (32 - size);

class NumberOps implements Ops<number> {
  readonly form: Form;
  readonly size: Size;
  readonly srcSize: Size;
  readonly addressSize: 16 | 32;
  private readonly instruction: Instruction;
  private readonly state: FlatState;
  /** Changes to make when nothing has faulted: memory first, then the rest in order. */
  private readonly stores: (() => void)[] = [];
  private readonly effects: (() => void)[] = [];
  private readonly read: (number | undefined)[] = [];
  private vector: number | undefined;
  private displacement = 0;
  private target: number | undefined;
  private top = 0;

  constructor(instruction: Instruction, state: FlatState) {
    this.instruction = instruction;
    this.state = state;
    this.form = instruction.form;
    this.addressSize = instruction.addressSize;
    this.size = this.sizeOf(0) ?? instruction.operandSize;
    this.srcSize = this.sizeOf(1) ?? this.size;
  }

  finish(): number | undefined {
    if (this.vector !== undefined) return this.vector;
    for (const change of [...this.stores, ...this.effects]) change();
    this.state.eip = this.target ?? this.nextEip;
    return undefined;
  }

  // --- operands ---
  private sizeOf(index: number): Size | undefined {
    const spec = this.form.operands[index] ?? "";
    const bits = Number(/^(?:r|r\/m|m|moffs)(8|16|32)$/.exec(spec)?.[1] ?? 0);
    const fixed = FIXED.findIndex((names) => names.includes(spec.toUpperCase()));
    return SIZES.find((size) => size === bits) ?? SIZES[fixed];
  }

  private getRegister(number: number, size: Size): number {
    const { registers } = this.state;
    if (size === 8) return truncate(registers[number & 3] >> (number > 3 ? 8 : 0), 8);
    return truncate(registers[number], size);
  }

  private putRegister(number: number, size: Size, value: number): void {
    const { registers } = this.state;
    const shift = size === 8 && number > 3 ? 8 : 0;
    const at = size === 8 ? number & 3 : number;
    const mask = size === 32 ? -1 : ((1 << size) - 1) << shift;
    registers[at] = (registers[at] & ~mask) | ((value << shift) & mask);
  }

  get address(): number {
    const { base, index, scale, displacement, addressSize } = this.instruction;
    const { registers } = this.state;
    // POP to memory forms its address with ESP already raised.
    const raised = this.form.mnemonic === "POP" && base === ESP ? this.instruction.operandSize / 8 : 0;
    const sum = displacement + raised + (base < 0 ? 0 : registers[base]) + (index < 0 ? 0 : registers[index] << scale);
    return addressSize === 16 ? sum & 0xffff : sum | 0;
  }

  private get place(): number {
    const moved = this.address + this.displacement;
    return this.addressSize === 16 ? moved & 0xffff : moved >>> 0;
  }

  private operand(index: number): number {
    this.read[index] ??= this.fetch(index);
    return this.read[index];
  }

  private fetch(index: number): number {
    const spec = this.form.operands[index];
    const size = this.sizeOf(index) ?? this.size;
    const fixed = FIXED.find((names) => names.includes(spec.toUpperCase()));
    if (fixed) return this.getRegister(fixed.indexOf(spec.toUpperCase()), size);
    if (/^(imm|rel)/.test(spec)) return this.instruction.immediate;
    if (/^\d$/.test(spec)) return Number(spec);
    if (/^r\d/.test(spec)) return this.getRegister(this.instruction.reg, size);
    if (!this.instruction.memory) return this.getRegister(this.instruction.rm, size);
    return truncate(this.state.load(this.place, size), size);
  }

  private assign(index: number, value: number): void {
    const spec = this.form.operands[index];
    const size = this.sizeOf(index) ?? this.size;
    const fixed = FIXED.find((names) => names.includes(spec.toUpperCase()));
    const { reg, rm, memory } = this.instruction;
    if (fixed) this.setReg(fixed.indexOf(spec.toUpperCase()), value, size);
    else if (/^r\d/.test(spec)) this.setReg(reg, value, size);
    else if (!memory) this.setReg(rm, value, size);
    else {
      const at = this.place;
      this.stores.push(() => this.state.store(at, size, value));
    }
  }

  get dst(): number {
    return this.operand(0);
  }
  get src(): number {
    return this.operand(1);
  }
  get third(): number {
    return this.operand(2);
  }
  setDst(value: number): void {
    this.assign(0, value);
  }
  setSrc(value: number): void {
    this.assign(1, value);
  }
  displace(bytes: number): void {
    if (this.instruction.memory) this.displacement = bytes;
  }
  loadByte(offset: number): number {
    return truncate(this.state.load(this.addressSize === 16 ? offset & 0xffff : offset >>> 0, 8), 8);
  }
  reg(number: number, size: Size = 32): number {
    return this.getRegister(number, size);
  }
  setReg(number: number, value: number, size: Size = 32): void {
    this.effects.push(() => this.putRegister(number, size, value));
  }

  // --- arithmetic ---
  const = (value: number): number => value | 0;
  add = (a: number, b: number): number => (a + b) | 0;
  sub = (a: number, b: number): number => (a - b) | 0;
  and = (a: number, b: number): number => a & b;
  or = (a: number, b: number): number => a | b;
  xor = (a: number, b: number): number => a ^ b;
  not = (a: number): number => ~a;
  mul = (a: number, b: number): number => Math.imul(a, b);
  mulHighSigned = (a: number, b: number): number => Number((BigInt(a) * BigInt(b)) >> 32n);
  mulHighUnsigned = (a: number, b: number): number => Number((BigInt(a >>> 0) * BigInt(b >>> 0)) >> 32n) | 0;
  shl = (a: number, b: number): number => a << b;
  shr = (a: number, b: number): number => (a >>> b) | 0;
  sar = (a: number, b: number): number => a >> b;
  clz = (a: number): number => Math.clz32(a);
  divU = (a: number, b: number): number => ((a >>> 0) / (b >>> 0)) | 0;
  remU = (a: number, b: number): number => ((a >>> 0) % (b >>> 0)) | 0;
  divide64(high: number, low: number, divisor: number, signed: boolean): { quotient: number; remainder: number } {
    const dividend = (BigInt(signed ? high : high >>> 0) << 32n) | BigInt(low >>> 0);
    const by = BigInt(signed ? divisor : divisor >>> 0);
    const quotient = by === 0n ? 0n : dividend / by;
    const fits = signed ? BigInt.asIntN(32, quotient) === quotient : BigInt.asUintN(32, quotient) === quotient;
    this.faultIf(by === 0n || !fits ? 1 : 0, 0);
    if (by === 0n) return { quotient: 0, remainder: 0 };
    return { quotient: Number(BigInt.asIntN(32, quotient)), remainder: Number(BigInt.asIntN(32, dividend % by)) };
  }
  fit = (a: number, size: Size = this.size): number => truncate(a, size);
  unsigned = (a: number, size: Size = this.size): number => (size === 32 ? a : a & ((1 << size) - 1));
  eq = (a: number, b: number): number => (a === b ? 1 : 0);
  ne = (a: number, b: number): number => (a !== b ? 1 : 0);
  ltS = (a: number, b: number): number => (a < b ? 1 : 0);
  ltU = (a: number, b: number): number => (a >>> 0 < b >>> 0 ? 1 : 0);
  either = (a: number, b: number): number => a | b;
  both = (a: number, b: number): number => a & b;
  select = (condition: number, a: number, b: number): number => (condition !== 0 ? a : b);

  // --- flags: computed and put in place at once ---
  flag(flag: number): number {
    return (this.state.eflags & flag) !== 0 ? 1 : 0;
  }
  condition(code: number): number {
    const [o, c, z, s, p] = [OVERFLOW, CARRY, ZERO, SIGN, PARITY].map((flag) => this.flag(flag));
    return [o, c, z, c | z, s, p, s ^ o, z | (s ^ o)][code >> 1] ^ (code & 1);
  }
  private put(mask: number, bits: number): void {
    this.effects.push(() => {
      this.state.eflags = (this.state.eflags & ~mask) | (bits & mask);
    });
  }
  private static ofResult(r: number): number {
    let ones = 0;
    for (let bit = 0; bit < 8; bit++) ones += (r >> bit) & 1;
    return (r === 0 ? ZERO : 0) | (r < 0 ? SIGN : 0) | (ones % 2 === 0 ? PARITY : 0);
  }
  /** Carries out of each bit of a sum; of a difference, borrows. Operands are sign-extended, so bit 31 stands for the top bit. */
  private arithmetic(a: number, b: number, r: number, carries: number, overflows: number, mask: number): void {
    const bits = (carries < 0 ? CARRY : 0) | (overflows < 0 ? OVERFLOW : 0) | ((a ^ b ^ r) & ADJUST);
    this.put(mask, bits | NumberOps.ofResult(r));
  }
  flagsOfAdd(a: number, b: number, r: number, mask = STATUS): void {
    this.arithmetic(a, b, r, (a & b) | ((a | b) & ~r), (a ^ r) & (b ^ r), mask);
  }
  flagsOfSub(a: number, b: number, r: number, mask = STATUS): void {
    this.arithmetic(a, b, r, (~a & b) | ((~a | b) & r), (a ^ b) & (a ^ r), mask);
  }
  flagsOfCompare(a: number, b: number, r: number): void {
    this.flagsOfSub(a, b, r);
  }
  flagsOfIncrement(a: number, r: number): void {
    this.flagsOfAdd(a, 1, r, STATUS & ~CARRY);
  }
  flagsOfDecrement(a: number, r: number): void {
    this.flagsOfSub(a, 1, r, STATUS & ~CARRY);
  }
  flagsOfLogic(r: number): void {
    this.put(STATUS, NumberOps.ofResult(r));
  }
  flagsOfResult(r: number, carry: number, overflow: number): void {
    this.put(STATUS, NumberOps.ofResult(r) | (carry !== 0 ? CARRY : 0) | (overflow !== 0 ? OVERFLOW : 0));
  }
  setFlag(flag: number, value: number): void {
    this.put(flag, value !== 0 ? flag : 0);
  }
  setZero(r: number): void {
    this.put(ZERO, r === 0 ? ZERO : 0);
  }
  setFlagByte(bits: number): void {
    this.put(STATUS & ~OVERFLOW, bits);
  }
  flagByte(): number {
    return 2 | (this.state.eflags & STATUS & ~OVERFLOW);
  }
  when(condition: number, effects: () => void): void {
    if (condition !== 0) effects();
  }
  faultIf(condition: number, vector: number): void {
    if (condition !== 0) this.vector ??= vector;
  }

  // --- stack and control ---
  private get stackSize(): 16 | 32 {
    return this.instruction.operandSize;
  }
  private moveStack(top: number): void {
    this.top = top;
    this.setReg(ESP, top);
  }
  push(value: number): void {
    const top = (this.state.registers[ESP] - this.stackSize / 8) | 0;
    this.stores.push(() => this.state.store(top >>> 0, this.stackSize, value));
    this.moveStack(top);
  }
  private popAt(pointer: number): number {
    this.moveStack((pointer + this.stackSize / 8) | 0);
    return truncate(this.state.load(pointer >>> 0, this.stackSize), this.stackSize);
  }
  pop(): number {
    return this.popAt(this.state.registers[ESP]);
  }
  popFromFrame(): number {
    return this.popAt(this.state.registers[EBP]);
  }
  release(bytes: number): void {
    this.moveStack((this.top + bytes) | 0);
  }
  private offset(value: number): number {
    return this.instruction.operandSize === 16 && this.form.operandSize === 16 ? value & 0xffff : value | 0;
  }
  get nextEip(): number {
    return (this.state.eip + this.instruction.length) | 0;
  }
  jumpRelative(): void {
    this.target = this.offset(this.nextEip + this.instruction.immediate);
  }
  jumpRelativeIf(condition: number): void {
    if (condition !== 0) this.jumpRelative();
  }
  jumpTo(offset: number): void {
    this.target = this.offset(offset);
  }
  yield(): void {}
}
