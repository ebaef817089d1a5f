// Delivery of interrupts and exceptions: vector tables, gates, stacks, double and triple faults. Intel SDM vol. 3A, ch. 6.
import type { Instruction } from "../isa/instruction.ts";
import { CS, SS } from "../isa/operands.ts";
import {
  HALTED,
  R_ACTIVITY,
  R_CPL,
  R_CR2,
  R_EIP,
  R_ESP,
  R_IDTR_BASE,
  R_IDTR_LIMIT,
  R_SHADOW,
  R_TR,
  RUNNING,
  S_ATTRIBUTES,
  S_BASE,
  S_LIMIT,
  S_SELECTOR,
  SHUTDOWN,
} from "../memory/layout.ts";
import {
  AC,
  AC_FLAG,
  BP,
  type Core,
  DB,
  DE,
  DF,
  G_ERROR,
  G_FAULT_ADDRESS,
  G_STATUS,
  G_VECTOR,
  GP,
  IF,
  JUMPED,
  NEXT,
  NP,
  NT,
  OF,
  OF_FLAG,
  PF,
  RF,
  SS_FAULT,
  STATUS_EXCEPTION,
  STATUS_OK,
  TF,
  TS,
  VM,
} from "./core.ts";
import { nextEip } from "./operands.ts";
import {
  BIG,
  baseOf,
  type Descriptor,
  dplOf,
  faulted,
  INTERRUPT_GATE16,
  INTERRUPT_GATE32,
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
  readDescriptorAt,
  readStackDescriptor,
  setCodeSegment,
  setCpl,
  setSegmentFrom,
  systemTypeOf,
  TASK_GATE,
  TRAP_GATE16,
  TRAP_GATE32,
  TSS16_AVAILABLE,
  withinLimit,
} from "./segmentation.ts";
import { stackPointer } from "./stack.ts";
import { inLimit } from "./transfers.ts";

/** `software`: INT n, INT3, INTO, which a gate may refuse to less privileged code, and which set no EXT bit. */
export type InterruptSource = "exception" | "software" | "external";

// Error code bits (6.13).
const EXT = 1;
const IDT = 2;

/** Exceptions of these vectors push an error code in protected mode (table 6-1). */
export const pushesErrorCode = (vector: number): boolean =>
  vector === DF || (vector >= TS && vector <= PF) || vector === AC;

/** Table 6-4: these make a double fault of another one that comes up while they are delivered. */
const isContributory = (vector: number): boolean => vector === DE || (vector >= TS && vector <= GP);

/** Exceptions reported after the instruction; the others are faults (or #DF), whose EFLAGS image has RF set (17.3.1.1). */
const isTrap = (vector: number): boolean => vector === DB || vector === BP || vector === OF;

/**
 * Enters the handler of `vector`, or leaves another exception pending with nothing changed. `errorCode` is pushed when it
 * is there and protected mode is on. `returnEip` is the EIP to come back to: that of the faulting or next instruction.
 */
export function deliver(
  core: Core,
  vector: number,
  source: InterruptSource,
  errorCode: number | undefined,
  returnEip: number = core.word(R_EIP),
): void {
  const image = core.eflags() | (source === "exception" && !isTrap(vector) ? RF : 0);
  if (isProtected(core)) deliverProtected(core, vector, source, errorCode, returnEip, image);
  else deliverReal(core, vector, returnEip, image);
  if (faulted(core)) return;
  core.setWord(R_SHADOW, 0);
  if (core.word(R_ACTIVITY) === HALTED) core.setWord(R_ACTIVITY, RUNNING);
}

/**
 * Delivers the exception that is pending in `g`, and those that come up meanwhile (table 6-5): two contributory ones, or a
 * contributory one or a page fault after a page fault, make a double fault; another during that shuts the processor down.
 * When delivery needs what is not implemented, G_STATUS says so afterwards.
 */
export function deliverException(core: Core): "delivered" | "shutdown" {
  const { g } = core;
  let vector = g[G_VECTOR];
  for (;;) {
    const error = g[G_ERROR];
    if (vector === PF) core.setWord(R_CR2, g[G_FAULT_ADDRESS]);
    g[G_STATUS] = STATUS_OK;
    deliver(core, vector, "exception", pushesErrorCode(vector) ? error : undefined);
    if (g[G_STATUS] !== STATUS_EXCEPTION) return "delivered";
    const next = g[G_VECTOR];
    if (vector === DF) {
      g[G_STATUS] = STATUS_OK;
      core.setWord(R_ACTIVITY, SHUTDOWN);
      core.stopAfterThis();
      return "shutdown";
    }
    const double = isContributory(vector)
      ? isContributory(next)
      : vector === PF && (next === PF || isContributory(next));
    if (double && next === PF) core.setWord(R_CR2, g[G_FAULT_ADDRESS]);
    if (double) g[G_ERROR] = 0;
    vector = double ? DF : next;
  }
}

/** Real mode: four bytes a vector, FLAGS, CS and IP on the stack, no error code (vol. 3A, 20.1.4). */
function deliverReal(core: Core, vector: number, returnEip: number, image: number): void {
  const at = vector * 4;
  if (at + 3 > core.word(R_IDTR_LIMIT) >>> 0) {
    core.fault(GP, vector * 8 + IDT);
    return;
  }
  const pointer = core.linear.systemRead32((core.word(R_IDTR_BASE) + at) | 0);
  if (faulted(core)) return;
  const values = [image, core.segment(CS, S_SELECTOR), returnEip];
  const stack = currentStack(core);
  const slots = checkFrame(core, stack, 2, values.length, true, 0);
  if (slots === undefined) return;
  const offset = pointer & 0xffff;
  if (offset > core.segment(CS, S_LIMIT) >>> 0) {
    core.fault(GP, 0);
    return;
  }
  if (!writeFrame(core, 2, values, slots)) return;
  core.setWord(R_ESP, stackPointer(core, stack.pointer - 2 * values.length));
  loadRealSegment(core, CS, pointer >>> 16);
  core.setWord(R_EIP, offset);
  core.setEflags(image & ~(IF | TF | AC_FLAG | RF));
}

function deliverProtected(
  core: Core,
  vector: number,
  source: InterruptSource,
  errorCode: number | undefined,
  returnEip: number,
  image: number,
): void {
  const ext = source === "software" ? 0 : EXT;
  const gate = readGate(core, vector, source, ext);
  if (gate === undefined) return;
  const type = systemTypeOf(gate.high);
  const width = (type & 8) !== 0 ? 4 : 2;
  const offset = width === 4 ? (gate.high & 0xffff0000) | (gate.low & 0xffff) : gate.low & 0xffff;
  const selector = gate.low >>> 16;
  const cpl = core.word(R_CPL);
  const code = readHandlerSegment(core, selector, cpl, ext);
  if (code === undefined) return;
  const ring = isConformingCode(code.high) ? cpl : dplOf(code.high);

  // Everything that can fault comes before the first write to the stack.
  const values = [image, core.segment(CS, S_SELECTOR), returnEip];
  if (errorCode !== undefined) values.push(errorCode);
  let stack = currentStack(core);
  if (ring < cpl) {
    const inner = readInnerStack(core, ring, ext);
    if (inner === undefined) return;
    stack = inner;
    values.unshift(core.segment(SS, S_SELECTOR), core.word(R_ESP));
  }
  const stackError = (ring < cpl ? stack.selector & 0xfffc : 0) | ext;
  const slots = checkFrame(core, stack, width, values.length, ring < 3, stackError);
  if (slots === undefined || !inLimit(core, code, offset, ext) || !markAccessed(core, code)) return;
  if (stack.descriptor !== undefined && !markAccessed(core, stack.descriptor)) return;
  if (!writeFrame(core, width, values, slots)) return;

  if (stack.descriptor !== undefined) {
    setSegmentFrom(core, SS, stack.selector, stack.descriptor);
    setCpl(core, ring);
  }
  core.setWord(R_ESP, stackPointer(core, stack.pointer - width * values.length));
  setCodeSegment(core, selector, ring, code);
  core.setWord(R_EIP, offset);
  const isInterruptGate = type === INTERRUPT_GATE16 || type === INTERRUPT_GATE32;
  core.setEflags(image & ~(TF | NT | RF | VM | (isInterruptGate ? IF : 0)));
}

/** The interrupt or trap gate of a vector; a task gate stops the run by name. */
function readGate(core: Core, vector: number, source: InterruptSource, ext: number): Descriptor | undefined {
  const at = vector * 8;
  const error = at + IDT + ext;
  if (at + 7 > core.word(R_IDTR_LIMIT) >>> 0) {
    core.fault(GP, error);
    return undefined;
  }
  const gate = readDescriptorAt(core, (core.word(R_IDTR_BASE) + at) | 0);
  if (gate === undefined) return undefined;
  const type = systemTypeOf(gate.high);
  const isGate = (gate.high & NOT_SYSTEM) === 0 && gateTypes.includes(type);
  if (!isGate || (source === "software" && dplOf(gate.high) < core.word(R_CPL))) core.fault(GP, error);
  else if ((gate.high & PRESENT) === 0) core.fault(NP, error);
  else if (type === TASK_GATE) core.notImplemented("task gate");
  return faulted(core) ? undefined : gate;
}

const gateTypes: readonly number[] = [TASK_GATE, INTERRUPT_GATE16, TRAP_GATE16, INTERRUPT_GATE32, TRAP_GATE32];

/** The code segment of a handler: as privileged as the interrupted code, or more. */
function readHandlerSegment(core: Core, selector: number, cpl: number, ext: number): Descriptor | undefined {
  const error = (selector & 0xfffc) | ext;
  if (isNull(selector)) {
    core.fault(GP, ext);
    return undefined;
  }
  const d = readDescriptor(core, selector, GP, ext);
  if (d === undefined) return undefined;
  if (!isCode(d.high) || dplOf(d.high) > cpl) core.fault(GP, error);
  else if ((d.high & PRESENT) === 0) core.fault(NP, error);
  return faulted(core) ? undefined : d;
}

/** A stack to push a frame on; `descriptor` is there when SS has yet to be loaded. */
interface Stack {
  readonly selector: number;
  readonly pointer: number;
  readonly base: number;
  readonly limit: number;
  readonly attributes: number;
  readonly descriptor?: Descriptor;
}

const currentStack = (core: Core): Stack => ({
  selector: core.segment(SS, S_SELECTOR),
  pointer: core.word(R_ESP),
  base: core.segment(SS, S_BASE),
  limit: core.segment(SS, S_LIMIT),
  attributes: core.segment(SS, S_ATTRIBUTES),
});

/** The stack that the TSS, of either size, holds for an inner ring (vol. 3A, 7.2.1 and 7.6). */
function readInnerStack(core: Core, ring: number, ext: number): Stack | undefined {
  const is16 = (systemTypeOf(core.word(R_TR + S_ATTRIBUTES)) & ~2) === TSS16_AVAILABLE;
  const at = is16 ? ring * 4 + 2 : ring * 8 + 4;
  if (at + (is16 ? 3 : 5) > core.word(R_TR + S_LIMIT) >>> 0) {
    core.fault(TS, (core.word(R_TR + S_SELECTOR) & 0xfffc) | ext);
    return undefined;
  }
  const address = (core.word(R_TR + S_BASE) + at) | 0;
  const { linear } = core;
  const pointer = is16 ? linear.systemRead16(address) : linear.systemRead32(address);
  if (faulted(core)) return undefined;
  const selector = linear.systemRead16((address + (is16 ? 2 : 4)) | 0);
  if (faulted(core)) return undefined;
  const descriptor = readStackDescriptor(core, selector, ring, TS, ext);
  if (descriptor === undefined) return undefined;
  const [base, limit] = [baseOf(descriptor), limitOf(descriptor)];
  return { selector, pointer, base, limit, attributes: descriptor.high, descriptor };
}

/** The linear addresses of `count` slots below the top of a stack, all writable; else #SS with `error`, or #PF. */
function checkFrame(
  core: Core,
  stack: Stack,
  width: 2 | 4,
  count: number,
  privileged: boolean,
  error: number,
): readonly number[] | undefined {
  const mask = (stack.attributes & BIG) !== 0 ? -1 : 0xffff;
  const slots: number[] = [];
  for (let i = 1; i <= count; i++) {
    const offset = (stack.pointer - i * width) & mask;
    if (!withinLimit(stack.attributes, stack.limit, offset, width)) {
      core.fault(SS_FAULT, error);
      return undefined;
    }
    const linear = (stack.base + offset) | 0;
    core.linear.probeWrite(linear, width, privileged);
    if (faulted(core)) return undefined;
    slots.push(linear);
  }
  return slots;
}

/** Writes checked slots in one step, also for explorations: a delivery never splits. */
function writeFrame(core: Core, width: 2 | 4, values: readonly number[], slots: readonly number[]): boolean {
  for (let i = 0; i < values.length; i++) {
    if (width === 4) core.linear.systemWrite32(slots[i], values[i]);
    else core.linear.systemWrite16(slots[i], values[i] & 0xffff);
    if (faulted(core)) return false;
  }
  return true;
}

/** An interrupt instruction: the handler comes back to the next one. */
function interrupt(core: Core, instruction: Instruction, vector: number, source: InterruptSource): number {
  deliver(core, vector, source, undefined, nextEip(core, instruction));
  return JUMPED;
}

export const interruptN = (core: Core, instruction: Instruction): number =>
  interrupt(core, instruction, instruction.immediate & 0xff, "software");

export const breakpoint = (core: Core, instruction: Instruction): number =>
  interrupt(core, instruction, BP, "software");

export const interruptOnOverflow = (core: Core, instruction: Instruction): number =>
  (core.eflags() & OF_FLAG) !== 0 ? interrupt(core, instruction, OF, "software") : NEXT;

/** INT1 raises #DB like hardware: no gate refuses it, and EXT is set should its delivery fault (vol. 2, INT). */
export const debugInterrupt = (core: Core, instruction: Instruction): number =>
  interrupt(core, instruction, DB, "external");
