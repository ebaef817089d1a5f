// Exchanges: one locked access each when LOCKed (SDM vol. 2: XCHG XADD CMPXCHG BSWAP).
import { EAX, type Meaning } from "./ops.ts";

export const xchg: Meaning = (m) => {
  const a = m.dst;
  const b = m.src;
  m.setDst(b);
  m.setSrc(a);
};

export const xadd: Meaning = (m) => {
  const a = m.dst;
  const b = m.src;
  const r = m.fit(m.add(a, b));
  m.setSrc(a);
  m.setDst(r); // after the source: with one register for both, the sum stays
  m.flagsOfAdd(a, b, r);
};

export const cmpxchg: Meaning = (m) => {
  const old = m.dst;
  const expected = m.reg(EAX, m.size);
  const same = m.eq(expected, old);
  m.setReg(EAX, m.select(same, expected, old), m.size);
  m.setDst(m.select(same, m.src, old)); // written back even when unequal, as the manual says
  m.flagsOfCompare(expected, old, m.fit(m.sub(expected, old)));
};

export const bswap: Meaning = (m) => {
  const v = m.dst;
  const c = (n: number) => m.const(n);
  const swapped = m.or(
    m.or(m.shl(v, c(24)), m.shr(v, c(24))),
    m.or(m.and(m.shl(v, c(8)), c(0xff0000)), m.and(m.shr(v, c(8)), c(0xff00))),
  );
  // With a 16-bit operand the result is undefined by the manual; processors clear the word.
  m.setDst(m.size === 16 ? c(0) : swapped);
};
