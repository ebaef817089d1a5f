// Decimal adjustments (SDM vol. 2: AAA AAS AAM AAD DAA DAS).
import { ADJUST, AH, AL, CARRY, EAX, type Meaning, type Ops } from "./ops.ts";

const DIVIDE_ERROR = 0;
const setByteResult = <V>(m: Ops<V>, al: V): void => {
  m.setReg(AL, al, 8);
  m.flagsOfResult(m.fit(al, 8), m.const(0), m.const(0));
};

/** AL's low digit is above nine, or a carry came out of it. */
const digitOverflows = <V>(m: Ops<V>, al: V): V => m.either(m.ltU(m.const(9), m.and(al, m.const(15))), m.flag(ADJUST));

const ascii =
  (sign: 1 | -1): Meaning =>
  (m) => {
    const ax = m.reg(EAX, 16);
    const adjust = digitOverflows(m, ax);
    const moved = m.add(ax, m.const(0x106 * sign));
    const r = m.and(m.select(adjust, moved, ax), m.const(0xff0f));
    m.setReg(EAX, r, 16);
    // SF, ZF, PF and OF are undefined: taken from AL.
    m.flagsOfResult(m.fit(r, 8), adjust, m.const(0));
    m.setFlag(ADJUST, adjust);
  };

export const aaa: Meaning = ascii(1);
export const aas: Meaning = ascii(-1);

export const aam: Meaning = (m) => {
  const base = m.unsigned(m.dst, 8);
  m.faultIf(m.eq(base, m.const(0)), DIVIDE_ERROR);
  const al = m.unsigned(m.reg(AL, 8), 8);
  m.setReg(AH, m.divU(al, base), 8);
  setByteResult(m, m.remU(al, base));
};

export const aad: Meaning = (m) => {
  const base = m.unsigned(m.dst, 8);
  const al = m.and(m.add(m.mul(m.unsigned(m.reg(AH, 8), 8), base), m.reg(AL, 8)), m.const(0xff));
  m.setReg(AH, m.const(0), 8);
  setByteResult(m, al);
};

const decimal =
  (sign: 1 | -1): Meaning =>
  (m) => {
    const old = m.unsigned(m.reg(AL, 8), 8);
    const oldCarry = m.flag(CARRY);
    const low = digitOverflows(m, old);
    const high = m.either(m.ltU(m.const(0x99), old), oldCarry);
    const step1 = m.select(low, m.add(old, m.const(6 * sign)), old);
    const borrow = m.ne(m.and(step1, m.const(0xff)), step1);
    const step2 = m.select(high, m.add(step1, m.const(0x60 * sign)), step1);
    // DAS keeps a borrow out of the low digit even when the high one needs no adjustment; DAA's is implied by `high`.
    const carry = sign > 0 ? high : m.either(high, m.both(low, borrow));
    const r = m.fit(step2, 8);
    m.setReg(AL, r, 8);
    m.flagsOfResult(r, carry, m.const(0));
    m.setFlag(ADJUST, low);
  };

export const daa: Meaning = decimal(1);
export const das: Meaning = decimal(-1);
