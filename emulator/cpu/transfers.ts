// Far transfers: JMP, CALL and RET between code segments, and IRET. Intel SDM vol. 3A, 5.8 and 6.12; vol. 2.
import type { Instruction } from "../isa/instruction.ts";
import { CS, DS, ES, FS, GS, SS } from "../isa/operands.ts";
import { R_CPL, R_EFLAGS, R_EIP, R_ESP, S_ATTRIBUTES, S_LIMIT, S_SELECTOR } from "../memory/layout.ts";
import { type Core, GP, JUMPED, NEXT, NP, NT, VIF, VIP, VM } from "./core.ts";
import { type FarPointer, farPointer, nextEip, operandWidth } from "./operands.ts";
import {
  CALL_GATE16,
  CALL_GATE32,
  CODE,
  CODE_CONFORMING,
  type Descriptor,
  dplOf,
  faulted,
  isCode,
  isConformingCode,
  isNull,
  isProtected,
  limitOf,
  loadRealSegment,
  markAccessed,
  NOT_SYSTEM,
  PRESENT,
  readDescriptor,
  readStackDescriptor,
  rplOf,
  setCodeSegment,
  setCpl,
  setNullSegment,
  setSegmentFrom,
  systemTypeOf,
  TASK_GATE,
  TSS16_AVAILABLE,
  TSS32_AVAILABLE,
} from "./segmentation.ts";
import {
  checkPushes,
  checksAlignment,
  commitPushes,
  endNmi,
  flagsLoadable,
  loadFlags,
  moveStackPointer,
  readStack,
  stackPointer,
} from "./stack.ts";

export function jumpFar(core: Core, instruction: Instruction): number {
  const target = farPointer(core, instruction);
  if (target === undefined) return NEXT;
  if (!isProtected(core)) return inRealLimit(core, target.offset) ? goReal(core, target) : NEXT;
  const d = readTarget(core, target.selector);
  if (d === undefined || !inLimit(core, d, target.offset) || !markAccessed(core, d)) return NEXT;
  setCodeSegment(core, target.selector, core.word(R_CPL), d);
  core.setWord(R_EIP, target.offset);
  return JUMPED;
}

/** The stack is checked before the target's offset, as SDM and hardware have it. */
export function callFar(core: Core, instruction: Instruction): number {
  const target = farPointer(core, instruction);
  if (target === undefined) return NEXT;
  const width = operandWidth(instruction);
  const back = [core.segment(CS, S_SELECTOR), nextEip(core, instruction)];
  if (!isProtected(core)) {
    const slots = checkPushes(core, width, 2);
    if (slots === undefined || !inRealLimit(core, target.offset)) return NEXT;
    return commitPushes(core, width, back, slots) ? goReal(core, target) : NEXT;
  }
  const d = readTarget(core, target.selector);
  if (d === undefined) return NEXT;
  const slots = checkPushes(core, width, 2);
  if (slots === undefined || !inLimit(core, d, target.offset) || !markAccessed(core, d)) return NEXT;
  if (!commitPushes(core, width, back, slots)) return NEXT;
  setCodeSegment(core, target.selector, core.word(R_CPL), d);
  core.setWord(R_EIP, target.offset);
  return JUMPED;
}

/** RETF and RETF imm16: `instruction.immediate` bytes of arguments are dropped, from both stacks on a change of ring. */
export function returnFar(core: Core, instruction: Instruction): number {
  const width = operandWidth(instruction);
  const selector = readStack(core, width, width) & 0xffff;
  if (faulted(core)) return NEXT;
  const offset = readStack(core, 0, width);
  if (faulted(core)) return NEXT;
  const released = instruction.form.trailers.length > 0 ? instruction.immediate & 0xffff : 0;
  if (!isProtected(core)) {
    if (!inRealLimit(core, offset)) return NEXT;
    moveStackPointer(core, 2 * width + released);
    return goReal(core, { selector, offset });
  }
  return returnProtected(core, width, { selector, offset }, 2 * width + released, released, undefined);
}

/** IRET and IRETD: as RETF, and EFLAGS; a nested task or virtual-8086 code would be a switch of another kind. */
export function returnFromInterrupt(core: Core, instruction: Instruction): number {
  const width = operandWidth(instruction);
  if (isProtected(core) && (core.word(R_EFLAGS) & NT) !== 0) {
    core.notImplemented("task switch");
    return NEXT;
  }
  const flags = readStack(core, 2 * width, width);
  if (faulted(core)) return NEXT;
  const selector = readStack(core, width, width) & 0xffff;
  if (faulted(core)) return NEXT;
  const offset = readStack(core, 0, width);
  if (faulted(core)) return NEXT;
  if (!isProtected(core)) {
    if (!inRealLimit(core, offset)) return NEXT;
    moveStackPointer(core, 3 * width);
    loadFlags(core, flags, flagsLoadable(core, width));
    endNmi(core);
    return goReal(core, { selector, offset });
  }
  if (width === 4 && (flags & VM) !== 0 && core.word(R_CPL) === 0) {
    core.notImplemented("virtual-8086");
    return NEXT;
  }
  return returnProtected(core, width, { selector, offset }, 3 * width, 0, flags);
}

/**
 * The common part of RETF and IRET in protected mode: `frame` bytes have been read from the stack; on a return to an
 * outer ring its ESP and SS follow, and `released` bytes are dropped from that stack as well. `flags` is IRET's image.
 */
function returnProtected(
  core: Core,
  width: 2 | 4,
  target: FarPointer,
  frame: number,
  released: number,
  flags: number | undefined,
): number {
  const cpl = core.word(R_CPL);
  const code = readReturnTarget(core, target.selector, cpl);
  if (code === undefined) return NEXT;
  const ring = rplOf(target.selector);
  let stack: Descriptor | undefined;
  let stackSelector = 0;
  let pointer = 0;
  if (ring > cpl) {
    pointer = readStack(core, frame, width);
    if (faulted(core)) return NEXT;
    stackSelector = readStack(core, frame + width, width) & 0xffff;
    if (faulted(core)) return NEXT;
    stack = readStackDescriptor(core, stackSelector, ring, GP);
    if (stack === undefined) return NEXT;
  }
  let mask = flags === undefined ? 0 : flagsLoadable(core, width);
  if (flags !== undefined && width === 4 && cpl === 0) mask |= VIF | VIP;
  if (!inLimit(core, code, target.offset) || checksAlignment(core, ring, flags ?? 0, mask)) return NEXT;
  if (!markAccessed(core, code) || (stack !== undefined && !markAccessed(core, stack))) return NEXT;

  if (flags !== undefined) {
    loadFlags(core, flags, mask);
    endNmi(core);
  }
  if (stack === undefined) moveStackPointer(core, frame);
  else {
    setSegmentFrom(core, SS, stackSelector, stack);
    core.setWord(R_ESP, stackPointer(core, pointer + released));
    setCpl(core, ring);
  }
  setCodeSegment(core, target.selector, ring, code);
  core.setWord(R_EIP, target.offset);
  if (stack !== undefined) dropInnerSegments(core, ring);
  return JUMPED;
}

/** Data segments that the outer ring may not use become null; conforming code stays. */
function dropInnerSegments(core: Core, ring: number): void {
  for (const segment of [ES, DS, FS, GS]) {
    const attributes = core.segment(segment, S_ATTRIBUTES);
    const conforming = (attributes & (CODE | CODE_CONFORMING)) === (CODE | CODE_CONFORMING);
    if (!conforming && dplOf(attributes) < ring) setNullSegment(core, segment, 0);
  }
}

/** The code descriptor of a far JMP or CALL; gates and task state segments are checked, then stop the run by name. */
function readTarget(core: Core, selector: number): Descriptor | undefined {
  const cpl = core.word(R_CPL);
  const error = selector & 0xfffc;
  if (isNull(selector)) {
    core.fault(GP, 0);
    return undefined;
  }
  const d = readDescriptor(core, selector, GP);
  if (d === undefined) return undefined;
  const dpl = dplOf(d.high);
  if ((d.high & NOT_SYSTEM) === 0) {
    stopAtGate(core, selector, d, dpl < cpl || dpl < rplOf(selector));
    return undefined;
  }
  const allowed = isConformingCode(d.high) ? dpl <= cpl : rplOf(selector) <= cpl && dpl === cpl;
  if (!isCode(d.high) || !allowed) core.fault(GP, error);
  else if ((d.high & PRESENT) === 0) core.fault(NP, error);
  return faulted(core) ? undefined : d;
}

function stopAtGate(core: Core, selector: number, d: Descriptor, tooPrivileged: boolean): void {
  const type = systemTypeOf(d.high);
  const isCallGate = type === CALL_GATE16 || type === CALL_GATE32;
  const isTask = type === TASK_GATE || type === TSS16_AVAILABLE || type === TSS32_AVAILABLE;
  const inLdt = (selector & 4) !== 0 && isTask && type !== TASK_GATE;
  if ((!isCallGate && !isTask) || tooPrivileged || inLdt) core.fault(GP, selector & 0xfffc);
  else if ((d.high & PRESENT) === 0) core.fault(NP, selector & 0xfffc);
  else core.notImplemented(isCallGate ? "call gate" : "task switch");
}

/** The code descriptor that a return goes to: its ring is the selector's RPL, never an inner one. */
function readReturnTarget(core: Core, selector: number, cpl: number): Descriptor | undefined {
  const error = selector & 0xfffc;
  if (isNull(selector)) {
    core.fault(GP, 0);
    return undefined;
  }
  const d = readDescriptor(core, selector, GP);
  if (d === undefined) return undefined;
  const ring = rplOf(selector);
  const dpl = dplOf(d.high);
  const allowed = isConformingCode(d.high) ? dpl <= ring : dpl === ring;
  if (!isCode(d.high) || ring < cpl || !allowed) core.fault(GP, error);
  else if ((d.high & PRESENT) === 0) core.fault(NP, error);
  return faulted(core) ? undefined : d;
}

/** A target beyond the new segment's limit is #GP(0), raised before the transfer. */
export function inLimit(core: Core, d: Descriptor, offset: number, ext = 0): boolean {
  if (offset >>> 0 <= limitOf(d) >>> 0) return true;
  core.fault(GP, ext);
  return false;
}

function inRealLimit(core: Core, offset: number): boolean {
  if (offset >>> 0 <= core.segment(CS, S_LIMIT) >>> 0) return true;
  core.fault(GP, 0);
  return false;
}

function goReal(core: Core, target: FarPointer): number {
  loadRealSegment(core, CS, target.selector);
  core.setWord(R_EIP, target.offset);
  return JUMPED;
}
