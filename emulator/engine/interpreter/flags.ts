// Status flags read out of the lazily kept operands and result of the last flag-setting operation (SDM vol. 1, 3.4.3.1).
import * as ops from "../../isa/semantics/ops.ts";
import * as layout from "../../memory/layout.ts";
import * as lazyBits from "./lazy.ts";

// V8 looks an imported constant up at every use; one of this module it knows.
const { ADJUST, CARRY, OVERFLOW, PARITY, SIGN, ZERO } = ops;
const { R_EFLAGS, R_FA, R_FB, R_FRES, R_LAZY } = layout;
const { LAZY_EXACT, LAZY_SUBTRACTION } = lazyBits;

/** What a comparison leaves: every flag lazy, and a - b exact. */
const COMPARED = CARRY | PARITY | ADJUST | ZERO | SIGN | OVERFLOW | LAZY_SUBTRACTION | LAZY_EXACT;

/** Parity of the low four bits, as a bit table: 1 where the number of ones is even. */
const EVEN = 0x9669;

/** Flag readers over `i32`; `c` is the word index of the processor's block. */
export function flagReaders(i32: Int32Array) {
  const carry = (c: number): boolean => {
    const lazy = i32[c + R_LAZY];
    if ((lazy & CARRY) === 0) return (i32[c + R_EFLAGS] & CARRY) !== 0;
    const a = i32[c + R_FA];
    const b = i32[c + R_FB];
    if ((lazy & LAZY_EXACT) !== 0) return a >>> 0 < b >>> 0;
    const r = i32[c + R_FRES];
    return ((lazy & LAZY_SUBTRACTION) !== 0 ? (~a & b) | ((~a | b) & r) : (a & b) | ((a | b) & ~r)) < 0;
  };
  const zero = (c: number): boolean =>
    (i32[c + R_LAZY] & ZERO) !== 0 ? i32[c + R_FRES] === 0 : (i32[c + R_EFLAGS] & ZERO) !== 0;
  const sign = (c: number): boolean =>
    (i32[c + R_LAZY] & SIGN) !== 0 ? i32[c + R_FRES] < 0 : (i32[c + R_EFLAGS] & SIGN) !== 0;
  const parity = (c: number): boolean => {
    if ((i32[c + R_LAZY] & PARITY) === 0) return (i32[c + R_EFLAGS] & PARITY) !== 0;
    const r = i32[c + R_FRES];
    return ((EVEN >>> ((r ^ (r >>> 4)) & 15)) & 1) !== 0;
  };
  const overflow = (c: number): boolean => {
    const lazy = i32[c + R_LAZY];
    if ((lazy & OVERFLOW) === 0) return (i32[c + R_EFLAGS] & OVERFLOW) !== 0;
    const a = i32[c + R_FA];
    const r = i32[c + R_FRES];
    return ((lazy & LAZY_SUBTRACTION) !== 0 ? (a ^ i32[c + R_FB]) & (a ^ r) : (a ^ r) & (i32[c + R_FB] ^ r)) < 0;
  };
  const adjust = (c: number): boolean =>
    (i32[c + R_LAZY] & ADJUST) !== 0
      ? ((i32[c + R_FA] ^ i32[c + R_FB] ^ i32[c + R_FRES]) & ADJUST) !== 0
      : (i32[c + R_EFLAGS] & ADJUST) !== 0;
  const belowEqual = (c: number): boolean =>
    i32[c + R_LAZY] === COMPARED ? i32[c + R_FA] >>> 0 <= i32[c + R_FB] >>> 0 : carry(c) || zero(c);
  const less = (c: number): boolean =>
    i32[c + R_LAZY] === COMPARED ? i32[c + R_FA] < i32[c + R_FB] : sign(c) !== overflow(c);
  const lessEqual = (c: number): boolean =>
    i32[c + R_LAZY] === COMPARED ? i32[c + R_FA] <= i32[c + R_FB] : zero(c) || sign(c) !== overflow(c);
  /** The low byte of EFLAGS as LAHF gives it: SF ZF 0 AF 0 PF 1 CF. */
  const flagBits = (c: number): number =>
    2 |
    (carry(c) ? CARRY : 0) |
    (parity(c) ? PARITY : 0) |
    (adjust(c) ? ADJUST : 0) |
    (zero(c) ? ZERO : 0) |
    (sign(c) ? SIGN : 0);
  return { carry, zero, sign, parity, overflow, adjust, belowEqual, less, lessEqual, flagBits };
}
