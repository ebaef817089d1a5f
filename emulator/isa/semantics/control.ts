// Near control transfer and the stack (SDM vol. 2: JMP Jcc JCXZ LOOP CALL RET PUSH POP LEAVE).
import { EBP, ECX, type Meaning, type Ops, ZERO } from "./ops.ts";

const relative = <V>(m: Ops<V>): boolean => m.form.operands[0]?.startsWith("rel") ?? false;

export const jmp: Meaning = (m) => {
  if (relative(m)) m.jumpRelative();
  else m.jumpTo(m.dst);
};

export const jcc =
  (code: number): Meaning =>
  (m) =>
    m.jumpRelativeIf(m.condition(code));

export const jcxz: Meaning = (m) => m.jumpRelativeIf(m.eq(m.reg(ECX, m.addressSize), m.const(0)));

/** LOOP, LOOPE (zero: 1), LOOPNE (zero: 0). The count is the register of the address size. */
export const loop =
  (zero: 0 | 1 | null): Meaning =>
  (m) => {
    const count = m.fit(m.sub(m.reg(ECX, m.addressSize), m.const(1)), m.addressSize);
    const more = m.ne(count, m.const(0));
    const flag = zero === null ? null : m.eq(m.flag(ZERO), m.const(zero));
    m.setReg(ECX, count, m.addressSize);
    m.jumpRelativeIf(flag === null ? more : m.both(more, flag));
  };

export const call: Meaning = (m) => {
  if (relative(m)) {
    m.push(m.nextEip);
    m.jumpRelative();
    return;
  }
  const target = m.dst;
  m.push(m.nextEip);
  m.jumpTo(target);
};

export const ret: Meaning = (m) => {
  const target = m.pop();
  if (m.form.operands.length > 0) m.release(m.unsigned(m.dst, 16));
  m.jumpTo(target);
};

export const push: Meaning = (m) => m.push(m.dst);
export const pop: Meaning = (m) => m.setDst(m.pop());
export const leave: Meaning = (m) => m.setReg(EBP, m.popFromFrame(), m.size);
