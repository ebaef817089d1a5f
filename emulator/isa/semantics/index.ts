// Meanings by mnemonic: everything that is data flow. What is not (far transfers, system instructions, strings) is plain code.
import type { Form } from "../instruction.ts";
import * as arithmetic from "./arithmetic.ts";
import * as bits from "./bits.ts";
import * as control from "./control.ts";
import * as decimal from "./decimal.ts";
import * as exchange from "./exchange.ts";
import * as move from "./move.ts";
import * as multiply from "./multiply.ts";
import type { Meaning } from "./ops.ts";
import * as shift from "./shift.ts";

export type { Meaning, Ops, Size } from "./ops.ts";

const { add, adc, sub, sbb, cmp, inc, dec, neg, and, or, xor, test, not } = arithmetic;
const { mov, movzx, movsx, lea, xlat, cbw, cwde, cwd, cdq, lahf, sahf, salc } = move;
const { clc, stc, cmc, cld, std, nop, pause } = move;
const { xchg, xadd, cmpxchg, bswap } = exchange;
const { shl, shr, sar, rol, ror, rcl, rcr, shld, shrd } = shift;
const { bt, bts, btr, btc, bsf, bsr } = bits;
const { mul, imul, div, idiv } = multiply;
const { aaa, aas, aam, aad, daa, das } = decimal;
const { jmp, jcxz, loop, call, ret, push, pop, leave } = control;

// biome-ignore format: by family
const named: Record<string, Meaning> = {
  add,
  adc,
  sub,
  sbb,
  cmp,
  inc,
  dec,
  neg,
  and,
  or,
  xor,
  test,
  not,
  mov,
  movzx,
  movsx,
  lea,
  xlat,
  xlatb: xlat,
  cbw,
  cwde,
  cwd,
  cdq,
  lahf,
  sahf,
  salc,
  clc,
  stc,
  cmc,
  cld,
  std,
  nop,
  pause,
  lfence: nop,
  mfence: nop,
  sfence: nop,
  xchg,
  xadd,
  cmpxchg,
  bswap,
  shl,
  sal: shl,
  shr,
  sar,
  rol,
  ror,
  rcl,
  rcr,
  shld,
  shrd,
  bt,
  bts,
  btr,
  btc,
  bsf,
  bsr,
  mul,
  imul,
  div,
  idiv,
  aaa,
  aas,
  aam,
  aad,
  daa,
  das,
  jmp,
  jcxz,
  jecxz: jcxz,
  loop: loop(null),
  loope: loop(1),
  loopz: loop(1),
  loopne: loop(0),
  loopnz: loop(0),
  call,
  ret,
  push,
  pop,
  leave,
};

/** Operand notations that take a form out of data flow: segment, control and debug registers, far pointers. */
const NOT_DATA_FLOW = /^(Sreg|CR\d?|DR\d?|TR\d?|[CDEFGS]S|ptr.*|m16:.*)$/i;

/** The meaning of a form, or undefined when it is not data flow (or not an instruction of this machine). */
export function meaningOf(form: Form): Meaning | undefined {
  if (form.unimplemented !== "" || form.operands.some((operand) => NOT_DATA_FLOW.test(operand))) return undefined;
  const name = form.mnemonic.toLowerCase();
  const meaning = Object.hasOwn(named, name) ? named[name] : undefined;
  if (meaning) return meaning;
  const code = form.opcode & 15;
  if (form.map === 1 && (form.opcode & 0xf0) === 0x70) return control.jcc(code);
  if (form.map === 2 && (form.opcode & 0xf0) === 0x80) return control.jcc(code);
  if (form.map === 2 && (form.opcode & 0xf0) === 0x90) return move.set(code);
  if (form.map === 2 && (form.opcode & 0xf0) === 0x40) return move.cmov(code);
  return undefined;
}
