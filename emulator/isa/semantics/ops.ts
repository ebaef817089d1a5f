// The abstract machine that instruction meanings are written for: one meaning, read as numbers, program text or WebAssembly.
import type { Form } from "../instruction.ts";

export type Size = 8 | 16 | 32;

// General registers by encoding, for implicit operands.
export const EAX = 0;
export const ECX = 1;
export const EDX = 2;
export const EBX = 3;
export const ESP = 4;
export const EBP = 5;
/** 8-bit encodings: AL is 0, AH is 4. */
export const AL = 0;
export const AH = 4;

/** Status flags that single-flag operations name, by EFLAGS bit. */
export const CARRY = 1;
export const PARITY = 4;
export const ADJUST = 0x10;
export const ZERO = 0x40;
export const SIGN = 0x80;
export const DIRECTION = 0x400;
export const OVERFLOW = 0x800;

/**
 * What a meaning may do. Values are 32-bit integers; an operand narrower than 32 bits is held sign-extended from its size.
 * Operand reads come first, then memory writes, and only then do registers and flags change, whatever the order in which
 * the meaning asks for them: an instruction that faults leaves no trace. Conditions are values that are 0 or 1.
 */
export interface Ops<V> {
  readonly form: Form;
  /** Bits of the first operand (of the operation, where there is none). */
  readonly size: Size;
  /** Bits of the second operand. */
  readonly srcSize: Size;
  /** The address size of this instruction, for implicit count and address registers. */
  readonly addressSize: 16 | 32;

  /** Operands by place, read once. */
  readonly dst: V;
  readonly src: V;
  readonly third: V;
  setDst(value: V): void;
  setSrc(value: V): void;
  /** Offset of the memory operand (LEA). */
  readonly address: V;
  /** The memory operand lies `bytes` (signed) further on: bit strings of BT and its kin. Ask before reading `dst`. */
  displace(bytes: V): void;
  /** Reads the byte at segment:offset of the memory operand's segment (XLAT). */
  loadByte(offset: V): V;
  reg(number: number, size?: Size): V;
  setReg(number: number, value: V, size?: Size): void;

  const(value: number): V;
  add(a: V, b: V): V;
  sub(a: V, b: V): V;
  and(a: V, b: V): V;
  or(a: V, b: V): V;
  xor(a: V, b: V): V;
  not(a: V): V;
  /** Low 32 bits of the product. */
  mul(a: V, b: V): V;
  /** High 32 bits of the 64-bit product. */
  mulHighSigned(a: V, b: V): V;
  mulHighUnsigned(a: V, b: V): V;
  /** Shifts take a count of 0..31 (higher bits are ignored). */
  shl(a: V, count: V): V;
  shr(a: V, count: V): V;
  sar(a: V, count: V): V;
  /** Number of leading zero bits, 32 for zero. */
  clz(a: V): V;
  /** Unsigned quotient and remainder of 32-bit values; the divisor is not zero. */
  divU(a: V, b: V): V;
  remU(a: V, b: V): V;
  /** Divides high:low (64 bits) by a 32-bit divisor; raises #DE on zero or overflow. */
  divide64(high: V, low: V, divisor: V, signed: boolean): { quotient: V; remainder: V };
  /** Sign-extends from `size` (default: the operation's). */
  fit(a: V, size?: Size): V;
  /** Zero-extends from `size`. */
  unsigned(a: V, size?: Size): V;

  eq(a: V, b: V): V;
  ne(a: V, b: V): V;
  ltS(a: V, b: V): V;
  ltU(a: V, b: V): V;
  /** Of conditions. */
  either(a: V, b: V): V;
  both(a: V, b: V): V;
  select(condition: V, whenTrue: V, whenFalse: V): V;

  /** The condition encoded in the low four bits of Jcc, SETcc, CMOVcc (SDM vol. 1, appendix B). */
  condition(code: number): V;
  /** A status flag as 0 or 1. */
  flag(flag: number): V;
  /** All six status flags follow from an addition or subtraction (with or without carry) of a and b with result r. */
  flagsOfAdd(a: V, b: V, r: V): void;
  flagsOfSub(a: V, b: V, r: V): void;
  /** As flagsOfSub with r = a - b exactly (no borrow in): lets conditions compare a and b directly. */
  flagsOfCompare(a: V, b: V, r: V): void;
  /** As flagsOfAdd/Sub but CF stays: INC and DEC. */
  flagsOfIncrement(a: V, r: V): void;
  flagsOfDecrement(a: V, r: V): void;
  /** ZF, SF, PF from r; CF, OF, AF clear. */
  flagsOfLogic(r: V): void;
  /** ZF, SF, PF from r; CF and OF as given (0 or 1), AF clear. */
  flagsOfResult(r: V, carry: V, overflow: V): void;
  /** One flag, from a 0/1 value; the others stay. */
  setFlag(flag: number, value: V): void;
  /** ZF alone says whether r is zero; the other flags stay. */
  setZero(r: V): void;
  /** Low byte of EFLAGS (SF ZF AF PF CF) replaced by these bits, OF stays: SAHF. And the same byte read: LAHF. */
  setFlagByte(bits: V): void;
  flagByte(): V;

  /** Register and flag changes inside happen only when the condition holds. */
  when(condition: V, effects: () => void): void;
  /** #DE, #BR ... before anything is changed. */
  faultIf(condition: V, vector: number): void;

  /** Stack at SS:(E)SP in the instruction's operand size; at most one push and one pop an instruction. */
  push(value: V): void;
  pop(): V;
  /** LEAVE: the stack pointer becomes (E)BP first. */
  popFromFrame(): V;
  /** Drops bytes above the popped value: RET imm16. */
  release(bytes: V): void;
  /** EIP of the next instruction. */
  readonly nextEip: V;
  /** Near jump to the relative target of this instruction, or to an offset (truncated to the operand size). */
  jumpRelative(): void;
  jumpRelativeIf(condition: V): void;
  jumpTo(offset: V): void;
  /** Gives up the rest of the slice: PAUSE. */
  yield(): void;
}

/** What one mnemonic does. */
export type Meaning = <V>(m: Ops<V>) => void;
