// What generated handlers may use: views on the state, and the long ways for everything that is not the common case.

/** Runs the instruction of the record at `p`; returns the next record, or EXIT, FAULT, RELOCATE. */
export type Handler = (p: number) => number;

/** `p` is always the word index of the current record in `code`. Every function may raise: G_STATUS is then not OK. */
export interface Environment {
  readonly code: Int32Array;
  readonly g: Int32Array;
  readonly i8: Int8Array;
  readonly i16: Int16Array;
  readonly i32: Int32Array;
  /** Linear address of an offset that is not flat: 16-bit addressing, segment base, limits. `write` is 0 or 1. */
  segmented(p: number, offset: number, width: number, write: number): number;
  read8(linear: number): number;
  read16(linear: number): number;
  read32(linear: number): number;
  write8(linear: number, value: number): void;
  write16(linear: number, value: number): void;
  write32(linear: number, value: number): void;
  update8(linear: number): number;
  update16(linear: number): number;
  update32(linear: number): number;
  /** Linear address of a push of `width` bytes on a stack that is not flat; the new pointer goes to G_NEW_TOP. */
  pushAddress(width: number): number;
  /** The same for a pop from offset `pointer` (ESP, or EBP for LEAVE). */
  popAddress(width: number, pointer: number): number;
  /** The stack pointer after dropping `bytes` more on a stack that is not flat. */
  released(top: number, bytes: number): number;
  raise(vector: number): void;
  /** #GP(0) if a near target lies outside the code segment. */
  checkTarget(offset: number): void;
  /** Goes on at a relative target of the record, remembering its record if it lies in the same page. */
  jump(p: number, target: number): number;
  jumpTo(target: number): number;
  divideUnsigned(high: number, low: number, divisor: number): number;
  divideSigned(high: number, low: number, divisor: number): number;
}
