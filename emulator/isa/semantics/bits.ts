// Bit tests and scans (SDM vol. 2: BT BTS BTR BTC BSF BSR).
import { CARRY, type Meaning, type Ops } from "./ops.ts";

/** The bit's place within the operand. A register offset into memory is a signed bit string index and moves the operand. */
const place = <V>(m: Ops<V>): V => {
  const offset = m.src;
  if (m.form.operands[1] !== "imm8") {
    const log = m.size === 32 ? 5 : 4;
    m.displace(m.shl(m.sar(offset, m.const(log)), m.const(log - 3)));
  }
  return m.and(offset, m.const(m.size - 1));
};

const bitOperation =
  (change: (<V>(m: Ops<V>, value: V, mask: V) => V) | null): Meaning =>
  (m) => {
    const at = place(m);
    const value = m.dst;
    const carry = m.and(m.shr(value, at), m.const(1)); // at is below the size, where sign extension does not reach
    if (change) m.setDst(m.fit(change(m, value, m.shl(m.const(1), at))));
    m.setFlag(CARRY, carry);
  };

export const bt: Meaning = bitOperation(null);
export const bts: Meaning = bitOperation((m, value, mask) => m.or(value, mask));
export const btr: Meaning = bitOperation((m, value, mask) => m.and(value, m.not(mask)));
export const btc: Meaning = bitOperation((m, value, mask) => m.xor(value, mask));

/** With a zero source the destination stays (documented by AMD, true of Intel's). Flags but ZF are undefined: they stay. */
const scan =
  (index: <V>(m: Ops<V>, value: V) => V): Meaning =>
  (m) => {
    const value = m.unsigned(m.src);
    const some = m.ne(value, m.const(0));
    m.when(some, () => m.setDst(index(m, value)));
    m.setZero(value);
  };

export const bsf: Meaning = scan((m, v) => m.sub(m.const(31), m.clz(m.and(v, m.sub(m.const(0), v)))));
export const bsr: Meaning = scan((m, v) => m.sub(m.const(31), m.clz(v)));
