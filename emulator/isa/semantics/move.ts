// Data movement and conversion (SDM vol. 2: MOV MOVZX MOVSX LEA XLAT CMOVcc SETcc CBW CWDE CWD CDQ LAHF SAHF, flag bits).
import { AH, AL, CARRY, DIRECTION, EAX, EBX, EDX, type Meaning } from "./ops.ts";

export const mov: Meaning = (m) => m.setDst(m.src);
export const movzx: Meaning = (m) => m.setDst(m.unsigned(m.src, m.srcSize));
export const movsx: Meaning = (m) => m.setDst(m.src);
export const lea: Meaning = (m) => m.setDst(m.fit(m.address));

export const xlat: Meaning = (m) => {
  const offset = m.add(m.reg(EBX), m.unsigned(m.reg(AL, 8), 8));
  m.setReg(AL, m.loadByte(offset), 8);
};

/** The source is read (and may fault) whether or not the condition holds; the destination is written in either case. */
export const cmov =
  (code: number): Meaning =>
  (m) => {
    const value = m.src;
    m.setDst(m.select(m.condition(code), value, m.dst));
  };

export const set =
  (code: number): Meaning =>
  (m) =>
    m.setDst(m.condition(code));

export const cbw: Meaning = (m) => m.setReg(EAX, m.reg(AL, 8), 16);
export const cwde: Meaning = (m) => m.setReg(EAX, m.reg(EAX, 16));
export const cwd: Meaning = (m) => m.setReg(EDX, m.sar(m.reg(EAX, 16), m.const(31)), 16);
export const cdq: Meaning = (m) => m.setReg(EDX, m.sar(m.reg(EAX), m.const(31)));

export const lahf: Meaning = (m) => m.setReg(AH, m.fit(m.flagByte(), 8), 8);
export const sahf: Meaning = (m) => m.setFlagByte(m.reg(AH, 8));
export const salc: Meaning = (m) => m.setReg(AL, m.sub(m.const(0), m.flag(CARRY)), 8);
export const clc: Meaning = (m) => m.setFlag(CARRY, m.const(0));
export const stc: Meaning = (m) => m.setFlag(CARRY, m.const(1));
export const cmc: Meaning = (m) => m.setFlag(CARRY, m.xor(m.flag(CARRY), m.const(1)));
export const cld: Meaning = (m) => m.setFlag(DIRECTION, m.const(0));
export const std: Meaning = (m) => m.setFlag(DIRECTION, m.const(1));
export const nop: Meaning = () => {};
export const pause: Meaning = (m) => m.yield();
