// Shifts and rotates (SDM vol. 2: SAL/SHL SHR SAR ROL ROR RCL RCR SHLD SHRD).
// Where the manual leaves OF undefined (counts above 1) the value here is what the last one-bit step would give.
import { CARRY, type Meaning, type Ops, OVERFLOW } from "./ops.ts";

const count5 = <V>(m: Ops<V>): V => m.and(m.src, m.const(31));
const one = <V>(m: Ops<V>): V => m.const(1);
const bit = <V>(m: Ops<V>, v: V, index: V): V => m.and(m.shr(v, index), one(m));
const topBit = <V>(m: Ops<V>, v: V): V => m.shr(m.fit(v), m.const(31));

export const shl: Meaning = (m) => {
  const value = m.dst;
  const n = count5(m);
  const r = m.fit(m.shl(value, n));
  m.setDst(r);
  m.when(m.ne(n, m.const(0)), () => {
    // Bit (size - count) goes out last; for counts beyond a narrow operand's size that bit is zero.
    const wide = m.unsigned(value);
    const carry = m.size === 32 ? bit(m, wide, m.sub(m.const(32), n)) : bit(m, m.shl(wide, n), m.const(m.size)); // the operand fits with room to spare: the bit above it is the carry
    m.flagsOfResult(r, carry, m.xor(carry, topBit(m, r)));
  });
};

export const shr: Meaning = (m) => {
  const value = m.unsigned(m.dst);
  const n = count5(m);
  const r = m.fit(m.shr(value, n));
  m.setDst(r);
  m.when(m.ne(n, m.const(0)), () => {
    const before = m.shr(value, m.sub(n, one(m)));
    m.flagsOfResult(r, m.and(before, one(m)), topBit(m, before));
  });
};

export const sar: Meaning = (m) => {
  const value = m.dst;
  const n = count5(m);
  const r = m.sar(value, n);
  m.setDst(r);
  m.when(m.ne(n, m.const(0)), () => {
    m.flagsOfResult(r, m.and(m.sar(value, m.sub(n, one(m))), one(m)), m.const(0));
  });
};

/** Rotates narrow operands by going round in a doubled copy. */
const rotateLeft = <V>(m: Ops<V>, value: V, n: V): V => {
  if (m.size === 32)
    return m.or(m.shl(value, n), m.select(m.eq(n, m.const(0)), m.const(0), m.shr(value, m.sub(m.const(32), n))));
  const wide = m.unsigned(value);
  return m.fit(m.or(m.shl(wide, n), m.shr(wide, m.sub(m.const(m.size), n))));
};

export const rol: Meaning = (m) => {
  const value = m.dst;
  const n = count5(m);
  const r = rotateLeft(m, value, m.and(n, m.const(m.size - 1)));
  m.setDst(r);
  m.when(m.ne(n, m.const(0)), () => {
    const carry = m.and(r, one(m));
    m.setFlag(CARRY, carry);
    m.setFlag(OVERFLOW, m.xor(carry, topBit(m, r)));
  });
};

export const ror: Meaning = (m) => {
  const value = m.dst;
  const n = count5(m);
  const left = m.and(m.sub(m.const(m.size), n), m.const(m.size - 1));
  const r = rotateLeft(m, value, left);
  m.setDst(r);
  m.when(m.ne(n, m.const(0)), () => {
    m.setFlag(CARRY, topBit(m, r));
    m.setFlag(OVERFLOW, m.xor(topBit(m, r), topBit(m, m.shl(r, one(m)))));
  });
};

/** Count of a rotate through carry: modulo size + 1. */
const countThroughCarry = <V>(m: Ops<V>): V => {
  const n = count5(m);
  return m.size === 32 ? n : m.remU(n, m.const(m.size + 1));
};

/** n >> k without the host's modulo-32 surprise at k = 32. */
const shrWide = <V>(m: Ops<V>, v: V, k: V): V => m.select(m.eq(k, m.const(32)), m.const(0), m.shr(v, k));
const shlWide = <V>(m: Ops<V>, v: V, k: V): V => m.select(m.eq(k, m.const(32)), m.const(0), m.shl(v, k));

export const rcl: Meaning = (m) => {
  const value = m.unsigned(m.dst);
  const n = countThroughCarry(m);
  const carryIn = m.flag(CARRY);
  const size = m.const(m.size);
  const moved = m.or(
    m.or(m.shl(value, n), m.shl(carryIn, m.sub(n, one(m)))),
    shrWide(m, value, m.sub(m.const(m.size + 1), n)),
  );
  const some = m.ne(n, m.const(0));
  const r = m.fit(m.select(some, moved, value));
  m.setDst(r);
  m.when(some, () => {
    const carry = bit(m, value, m.sub(size, n));
    m.setFlag(CARRY, carry);
    m.setFlag(OVERFLOW, m.xor(carry, topBit(m, r)));
  });
};

export const rcr: Meaning = (m) => {
  const value = m.unsigned(m.dst);
  const n = countThroughCarry(m);
  const carryIn = m.flag(CARRY);
  const moved = m.or(
    m.or(m.shr(value, n), m.shl(carryIn, m.sub(m.const(m.size), n))),
    shlWide(m, value, m.sub(m.const(m.size + 1), n)),
  );
  const some = m.ne(n, m.const(0));
  const r = m.fit(m.select(some, moved, value));
  m.setDst(r);
  m.when(some, () => {
    m.setFlag(CARRY, bit(m, value, m.sub(n, one(m))));
    m.setFlag(OVERFLOW, m.xor(topBit(m, r), topBit(m, m.shl(r, one(m)))));
  });
};

const doubleCount = <V>(m: Ops<V>): V => m.and(m.third, m.const(31));

export const shld: Meaning = (m) => {
  const value = m.dst;
  const filler = m.unsigned(m.src);
  const n = doubleCount(m);
  const some = m.ne(n, m.const(0));
  let r: typeof n;
  let carry: typeof n;
  if (m.size === 32) {
    r = m.select(some, m.or(m.shl(value, n), m.shr(filler, m.sub(m.const(32), n))), value);
    carry = bit(m, value, m.sub(m.const(32), n));
  } else {
    // 16 bits: value:filler as one doubleword; counts above 16 go on with the value's bits again (undefined by the manual).
    const pair = m.or(m.shl(value, m.const(16)), filler);
    const wide = m.or(
      m.shl(pair, n),
      m.select(some, m.shr(m.shl(m.unsigned(value), m.const(16)), m.sub(m.const(32), n)), m.const(0)),
    );
    r = m.sar(wide, m.const(16));
    carry = bit(m, pair, m.sub(m.const(32), n));
  }
  m.setDst(r);
  m.when(some, () => m.flagsOfResult(r, carry, m.xor(topBit(m, r), topBit(m, value))));
};

export const shrd: Meaning = (m) => {
  const value = m.dst;
  const filler = m.unsigned(m.src);
  const n = doubleCount(m);
  const some = m.ne(n, m.const(0));
  let r: typeof n;
  let carry: typeof n;
  if (m.size === 32) {
    r = m.select(some, m.or(m.shr(value, n), m.shl(filler, m.sub(m.const(32), n))), value);
    carry = bit(m, value, m.sub(n, one(m)));
  } else {
    const pair = m.or(m.shl(filler, m.const(16)), m.unsigned(value));
    const wide = m.or(m.shr(pair, n), m.select(some, m.shl(m.unsigned(value), m.sub(m.const(32), n)), m.const(0)));
    r = m.fit(wide);
    carry = bit(m, pair, m.sub(n, one(m)));
  }
  m.setDst(r);
  m.when(some, () => m.flagsOfResult(r, carry, m.xor(topBit(m, r), topBit(m, value))));
};
