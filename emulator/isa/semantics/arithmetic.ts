// Addition, subtraction, logic and comparison (SDM vol. 2: ADD ADC SUB SBB CMP INC DEC NEG AND OR XOR TEST NOT).
import { CARRY, type Meaning, type Ops } from "./ops.ts";

export const add: Meaning = (m) => {
  const a = m.dst;
  const b = m.src;
  const r = m.fit(m.add(a, b));
  m.setDst(r);
  m.flagsOfAdd(a, b, r);
};

export const adc: Meaning = (m) => {
  const a = m.dst;
  const b = m.src;
  const r = m.fit(m.add(m.add(a, b), m.flag(CARRY)));
  m.setDst(r);
  m.flagsOfAdd(a, b, r);
};

export const sub: Meaning = (m) => {
  const a = m.dst;
  const b = m.src;
  const r = m.fit(m.sub(a, b));
  m.setDst(r);
  m.flagsOfCompare(a, b, r);
};

export const sbb: Meaning = (m) => {
  const a = m.dst;
  const b = m.src;
  const r = m.fit(m.sub(m.sub(a, b), m.flag(CARRY)));
  m.setDst(r);
  m.flagsOfSub(a, b, r);
};

export const cmp: Meaning = (m) => {
  const a = m.dst;
  const b = m.src;
  m.flagsOfCompare(a, b, m.fit(m.sub(a, b)));
};

export const inc: Meaning = (m) => {
  const a = m.dst;
  const r = m.fit(m.add(a, m.const(1)));
  m.setDst(r);
  m.flagsOfIncrement(a, r);
};

export const dec: Meaning = (m) => {
  const a = m.dst;
  const r = m.fit(m.sub(a, m.const(1)));
  m.setDst(r);
  m.flagsOfDecrement(a, r);
};

export const neg: Meaning = (m) => {
  const a = m.dst;
  const zero = m.const(0);
  const r = m.fit(m.sub(zero, a));
  m.setDst(r);
  m.flagsOfCompare(zero, a, r);
};

const logic = <V>(m: Ops<V>, r: V, store: boolean): void => {
  if (store) m.setDst(r);
  m.flagsOfLogic(r);
};

export const and: Meaning = (m) => logic(m, m.and(m.dst, m.src), true);
export const or: Meaning = (m) => logic(m, m.or(m.dst, m.src), true);
export const xor: Meaning = (m) => logic(m, m.xor(m.dst, m.src), true);
export const test: Meaning = (m) => logic(m, m.and(m.dst, m.src), false);
export const not: Meaning = (m) => m.setDst(m.not(m.dst));
