// Instructions that ask about or use selectors: LAR LSL VERR VERW ARPL, LDS & co.; BOUND and CMPXCHG8B. Intel SDM vol. 2.
import type { Instruction } from "../isa/instruction.ts";
import { R_CPL, R_EAX, R_EBX, R_ECX, R_EDX } from "../memory/layout.ts";
import { BR, type Core, NEXT, ZF } from "./core.ts";
import {
  effectiveAddress,
  farPointer,
  operandWidth,
  readMemory,
  readOperand,
  readRegister,
  wrap,
  writeLinear,
  writeOperand,
  writeRegister,
} from "./operands.ts";
import {
  CALL_GATE16,
  CALL_GATE32,
  type Descriptor,
  descriptorAddress,
  dplOf,
  faulted,
  isConformingCode,
  isNull,
  isReadable,
  isWritableData,
  LDT,
  limitOf,
  linearAddress,
  loadDataSegment,
  NOT_SYSTEM,
  readDescriptorAt,
  rplOf,
  systemTypeOf,
  TASK_GATE,
  TSS16_AVAILABLE,
  TSS16_BUSY,
  TSS32_AVAILABLE,
  TSS32_BUSY,
} from "./segmentation.ts";
import { protectedOnly } from "./system.ts";

const limitTypes: readonly number[] = [TSS16_AVAILABLE, LDT, TSS16_BUSY, TSS32_AVAILABLE, TSS32_BUSY];
const rightsTypes: readonly number[] = [...limitTypes, CALL_GATE16, TASK_GATE, CALL_GATE32];

/** Bits of the high dword that LAR gives: type, S, DPL, P, flags, and limit 16..19, which the manual leaves undefined. */
const RIGHTS = 0x00ffff00;

/** What has only to be told: no such descriptor, or not for us. A page fault on the table is a fault all the same. */
function visibleDescriptor(core: Core, selector: number, types: readonly number[]): Descriptor | undefined {
  if (isNull(selector)) return undefined;
  const address = descriptorAddress(core, selector);
  const d = address === undefined ? undefined : readDescriptorAt(core, address);
  if (d === undefined) return undefined;
  if ((d.high & NOT_SYSTEM) === 0 && !types.includes(systemTypeOf(d.high))) return undefined;
  const dpl = dplOf(d.high);
  return isConformingCode(d.high) || (dpl >= core.word(R_CPL) && dpl >= rplOf(selector)) ? d : undefined;
}

function setZf(core: Core, zf: boolean): void {
  core.setEflags((core.eflags() & ~ZF) | (zf ? ZF : 0));
}

/** LAR and LSL: a value out of the descriptor, or the destination unchanged and ZF clear. */
const load =
  (types: readonly number[], part: (d: Descriptor) => number) =>
  (core: Core, instruction: Instruction): number => {
    if (!protectedOnly(core)) return NEXT;
    const selector = readOperand(core, instruction, 2);
    if (faulted(core)) return NEXT;
    const d = visibleDescriptor(core, selector, types);
    if (faulted(core)) return NEXT;
    if (d !== undefined) writeRegister(core, instruction.reg, operandWidth(instruction), part(d));
    setZf(core, d !== undefined);
    return NEXT;
  };

export const loadAccessRights = load(rightsTypes, (d) => d.high & RIGHTS);
export const loadSegmentLimit = load(limitTypes, limitOf);

/** VERR and VERW: would a segment register with this selector allow the access? */
const verify =
  (allows: (high: number) => boolean) =>
  (core: Core, instruction: Instruction): number => {
    if (!protectedOnly(core)) return NEXT;
    const selector = readOperand(core, instruction, 2);
    if (faulted(core)) return NEXT;
    const d = visibleDescriptor(core, selector, []);
    if (!faulted(core)) setZf(core, d !== undefined && allows(d.high));
    return NEXT;
  };

export const verifyRead = verify(isReadable);
export const verifyWrite = verify(isWritableData);

/** ARPL: raises the RPL of the first selector to that of the second; memory need be writable only if that changes it. */
export function adjustRpl(core: Core, instruction: Instruction): number {
  if (!protectedOnly(core)) return NEXT;
  const least = rplOf(readRegister(core, instruction.reg, 2));
  const selector = readOperand(core, instruction, 2);
  if (faulted(core)) return NEXT;
  const raised = rplOf(selector) < least;
  if (raised) writeOperand(core, instruction, 2, (selector & 0xfffc) | least);
  if (!faulted(core)) setZf(core, raised);
  return NEXT;
}

/** LES, LSS, LDS, LFS, LGS. */
export const loadFarPointer =
  (segment: number) =>
  (core: Core, instruction: Instruction): number => {
    const pointer = farPointer(core, instruction);
    if (pointer === undefined || !loadDataSegment(core, segment, pointer.selector)) return NEXT;
    writeRegister(core, instruction.reg, operandWidth(instruction), pointer.offset);
    return NEXT;
  };

/** BOUND: a signed index and a pair of signed bounds, both inclusive; #BR outside. */
export function checkBounds(core: Core, instruction: Instruction): number {
  const width = operandWidth(instruction);
  const at = effectiveAddress(core, instruction);
  const signed = (value: number): number => (width === 2 ? (value << 16) >> 16 : value);
  const index = signed(readRegister(core, instruction.reg, width));
  const lower = signed(readMemory(core, instruction.segment, at, width));
  if (faulted(core)) return NEXT;
  const upper = signed(readMemory(core, instruction.segment, wrap(instruction, at + width), width));
  if (faulted(core)) return NEXT;
  if (index < lower || index > upper) core.fault(BR, 0);
  return NEXT;
}

/** CMPXCHG8B: needs a writable operand, and writes it, also when EDX:EAX is not equal to it. */
export function compareExchange8(core: Core, instruction: Instruction): number {
  const linear = linearAddress(core, instruction.segment, effectiveAddress(core, instruction), 8, true);
  if (faulted(core)) return NEXT;
  const upper = (linear + 4) | 0;
  core.linear.probeWrite(linear, 8, false);
  if (faulted(core)) return NEXT;
  const low = core.linear.update32(linear);
  if (faulted(core)) return NEXT;
  const high = core.linear.update32(upper);
  if (faulted(core)) return NEXT;
  const isEqual = low === core.word(R_EAX) && high === core.word(R_EDX);
  writeLinear(core, linear, 4, isEqual ? core.word(R_EBX) : low);
  if (faulted(core)) return NEXT;
  writeLinear(core, upper, 4, isEqual ? core.word(R_ECX) : high);
  if (faulted(core)) return NEXT;
  if (!isEqual) {
    core.setWord(R_EAX, low);
    core.setWord(R_EDX, high);
  }
  setZf(core, isEqual);
  return NEXT;
}
