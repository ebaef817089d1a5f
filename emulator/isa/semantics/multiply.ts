// Multiplication and division (SDM vol. 2: MUL IMUL DIV IDIV).
import { AH, AL, CARRY, EAX, EDX, type Meaning, type Ops, OVERFLOW } from "./ops.ts";

/** #DE. */
const DIVIDE_ERROR = 0;

/** CF and OF tell whether the high half means anything; SF, ZF, AF and PF are undefined and stay. */
const overflowed = <V>(m: Ops<V>, lost: V): void => {
  m.setFlag(CARRY, lost);
  m.setFlag(OVERFLOW, lost);
};

const wideProduct =
  (signed: boolean): Meaning =>
  (m) => {
    const factor = signed ? m.dst : m.unsigned(m.dst);
    const accumulator = signed ? m.reg(EAX, m.size) : m.unsigned(m.reg(EAX, m.size));
    const low = m.mul(accumulator, factor);
    if (m.size === 32) {
      const high = signed ? m.mulHighSigned(accumulator, factor) : m.mulHighUnsigned(accumulator, factor);
      m.setReg(EAX, low);
      m.setReg(EDX, high);
      overflowed(m, m.ne(high, signed ? m.sar(low, m.const(31)) : m.const(0)));
      return;
    }
    if (m.size === 16) {
      m.setReg(EAX, low, 16);
      m.setReg(EDX, m.shr(low, m.const(16)), 16);
    } else {
      m.setReg(EAX, low, 16);
    }
    overflowed(m, m.ne(low, signed ? m.fit(low) : m.unsigned(low)));
  };

export const mul: Meaning = wideProduct(false);

/** One, two or three operands. */
export const imul: Meaning = (m) => {
  if (m.form.operands.length === 1) return wideProduct(true)(m);
  const a = m.form.operands.length === 3 ? m.third : m.dst;
  const b = m.src;
  const low = m.mul(a, b);
  const r = m.fit(low);
  m.setDst(r);
  overflowed(m, m.size === 32 ? m.ne(m.mulHighSigned(a, b), m.sar(low, m.const(31))) : m.ne(low, r));
};

export const div: Meaning = (m) => {
  const divisor = m.unsigned(m.dst);
  if (m.size === 32) {
    const { quotient, remainder } = m.divide64(m.reg(EDX), m.reg(EAX), divisor, false);
    m.setReg(EAX, quotient);
    m.setReg(EDX, remainder);
    return;
  }
  const dividend =
    m.size === 16
      ? m.or(m.shl(m.reg(EDX, 16), m.const(16)), m.unsigned(m.reg(EAX, 16), 16))
      : m.unsigned(m.reg(EAX, 16), 16);
  m.faultIf(m.eq(divisor, m.const(0)), DIVIDE_ERROR);
  const quotient = m.divU(dividend, divisor);
  m.faultIf(m.ne(quotient, m.unsigned(quotient)), DIVIDE_ERROR);
  store(m, quotient, m.remU(dividend, divisor));
};

export const idiv: Meaning = (m) => {
  const divisor = m.dst;
  const dividend =
    m.size === 16
      ? m.or(m.shl(m.reg(EDX, 16), m.const(16)), m.unsigned(m.reg(EAX, 16), 16))
      : m.reg(EAX, m.size === 8 ? 16 : 32);
  const high = m.size === 32 ? m.reg(EDX) : m.sar(dividend, m.const(31));
  const { quotient, remainder } = m.divide64(high, dividend, divisor, true);
  if (m.size === 32) {
    m.setReg(EAX, quotient);
    m.setReg(EDX, remainder);
    return;
  }
  m.faultIf(m.ne(quotient, m.fit(quotient)), DIVIDE_ERROR);
  store(m, quotient, remainder);
};

const store = <V>(m: Ops<V>, quotient: V, remainder: V): void => {
  m.setReg(m.size === 16 ? EAX : AL, quotient, m.size);
  m.setReg(m.size === 16 ? EDX : AH, remainder, m.size);
};
