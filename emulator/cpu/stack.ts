// The stack: pushes and pops of plain code, PUSHA, PUSHF, ENTER, segment registers. Intel SDM vol. 1, ch. 6; vol. 2.
import type { Instruction } from "../isa/instruction.ts";
import { SS } from "../isa/operands.ts";
import {
  R_CPL,
  R_CR0,
  R_EAX,
  R_EBP,
  R_EBX,
  R_ECX,
  R_EDI,
  R_EDX,
  R_EFLAGS,
  R_ESI,
  R_ESP,
  R_NMI_MASKED,
  R_SHADOW,
  S_ATTRIBUTES,
  S_SELECTOR,
  SHADOW_SS,
} from "../memory/layout.ts";
import {
  AC_FLAG,
  type Core,
  CR0_AM,
  DF_FLAG,
  ID,
  IF,
  IOPL,
  NEXT,
  NT,
  RF,
  STATUS_FLAGS,
  TF,
  VIF,
  VIP,
  VM,
} from "./core.ts";
import {
  checkedForWrite,
  effectiveAddress,
  operandWidth,
  readMemory,
  readOperand,
  writeLinear,
  writeMemory,
  writeRegister,
} from "./operands.ts";
import { BIG, faulted, loadDataSegment } from "./segmentation.ts";

type StackWidth = 2 | 4;

/** The bits of ESP that the stack segment uses: its B flag. */
export const stackMask = (core: Core): number => ((core.segment(SS, S_ATTRIBUTES) & BIG) !== 0 ? -1 : 0xffff);

/** The offset `distance` bytes from the top of the stack (negative: not yet pushed). */
export const stackOffset = (core: Core, distance: number): number => (core.word(R_ESP) + distance) & stackMask(core);

/** What ESP becomes when the stack pointer is set to `value`: with a 16-bit stack its upper half stays. */
export function stackPointer(core: Core, value: number): number {
  const mask = stackMask(core);
  return (core.word(R_ESP) & ~mask) | (value & mask);
}

/** Moves the stack pointer by `distance`. */
export const moveStackPointer = (core: Core, distance: number): void =>
  core.setWord(R_ESP, stackPointer(core, core.word(R_ESP) + distance));

/** Reads `distance` bytes above the top of the stack; meaningless when `faulted`. */
export const readStack = (core: Core, distance: number, width: StackWidth): number =>
  readMemory(core, SS, stackOffset(core, distance), width);

/** Pushes one value. False: faulted. */
export function push(core: Core, width: StackWidth, value: number): boolean {
  writeMemory(core, SS, stackOffset(core, -width), width, width === 2 ? value & 0xffff : value);
  if (faulted(core)) return false;
  moveStackPointer(core, -width);
  return true;
}

/** Pushes values in order, all or none: every slot is checked before the first is written. False: faulted. */
export function pushAll(core: Core, width: StackWidth, values: readonly number[]): boolean {
  const slots = checkPushes(core, width, values.length);
  return slots !== undefined && commitPushes(core, width, values, slots);
}

/** The linear addresses of the next `count` slots, all writable. Undefined: faulted. */
export function checkPushes(core: Core, width: StackWidth, count: number): readonly number[] | undefined {
  const slots: number[] = [];
  for (let i = 1; i <= count; i++) {
    const at = checkedForWrite(core, SS, stackOffset(core, -i * width), width);
    if (at === undefined) return undefined;
    slots.push(at);
  }
  return slots;
}

/** Writes checked slots and moves the stack pointer. False: an exploration stopped between two writes. */
export function commitPushes(
  core: Core,
  width: StackWidth,
  values: readonly number[],
  slots: readonly number[],
): boolean {
  for (let i = 0; i < values.length; i++) {
    writeLinear(core, slots[i], width, width === 2 ? values[i] & 0xffff : values[i]);
    if (faulted(core)) return false;
  }
  moveStackPointer(core, -values.length * width);
  return true;
}

export function pushAllRegisters(core: Core, instruction: Instruction): number {
  const registers = [R_EAX, R_ECX, R_EDX, R_EBX, R_ESP, R_EBP, R_ESI, R_EDI];
  pushAll(
    core,
    operandWidth(instruction),
    registers.map((register) => core.word(register)),
  );
  return NEXT;
}

/** POPA: the image of ESP is read, which may fault, and passed over. */
export function popAllRegisters(core: Core, instruction: Instruction): number {
  const width = operandWidth(instruction);
  const registers = [R_EDI, R_ESI, R_EBP, R_ESP, R_EBX, R_EDX, R_ECX, R_EAX];
  const values: number[] = [];
  for (let i = 0; i < registers.length; i++) {
    values.push(readStack(core, i * width, width));
    if (faulted(core)) return NEXT;
  }
  moveStackPointer(core, 8 * width);
  registers.forEach((register, i) => {
    if (register !== R_ESP) writeRegister(core, register, width, values[i]);
  });
  return NEXT;
}

/** PUSHF: VM and RF are never seen set. */
export function pushFlags(core: Core, instruction: Instruction): number {
  push(core, operandWidth(instruction), core.eflags() & ~(VM | RF));
  return NEXT;
}

/** POPF: IF needs CPL <= IOPL, IOPL needs ring 0; VM stays, RF, VIP and VIF end as 0 (vol. 2, table of POPF). */
export function popFlags(core: Core, instruction: Instruction): number {
  const width = operandWidth(instruction);
  const image = readStack(core, 0, width);
  if (faulted(core)) return NEXT;
  let mask = flagsLoadable(core, width);
  if (width === 4) mask |= VIP | VIF | RF;
  if (checksAlignment(core, core.word(R_CPL), image, mask)) return NEXT;
  moveStackPointer(core, width);
  loadFlags(core, image & ~(VIP | VIF | RF), mask);
  return NEXT;
}

/** The bits of EFLAGS that POPF or IRET of this operand size may load at the current privilege level. */
export function flagsLoadable(core: Core, width: StackWidth): number {
  const cpl = core.word(R_CPL);
  let mask = STATUS_FLAGS | TF | DF_FLAG | NT;
  if (width === 4) mask |= AC_FLAG | ID;
  if (cpl <= (core.word(R_EFLAGS) & IOPL) >>> 12) mask |= IF;
  if (cpl === 0) mask |= IOPL;
  return mask;
}

/** Stops the run by name when code of ring `cpl` with these flags would have its accesses checked for alignment. */
export function checksAlignment(core: Core, cpl: number, image: number, mask: number): boolean {
  const flags = (core.word(R_EFLAGS) & ~mask) | (image & mask);
  if (cpl !== 3 || (flags & AC_FLAG) === 0 || (core.word(R_CR0) & CR0_AM) === 0) return false;
  core.notImplemented("alignment check");
  return true;
}

/** Replaces the bits of `mask`. What had to wait for IF, or a single step, is looked at before the next instruction. */
export function loadFlags(core: Core, image: number, mask: number): void {
  const old = core.eflags();
  const flags = (old & ~mask) | (image & mask);
  core.setEflags(flags);
  if ((flags & ~old & IF) !== 0 || (flags & TF) !== 0) core.stopAfterThis();
}

/** IRET lets NMIs in again; one that waited comes at the next boundary. */
export function endNmi(core: Core): void {
  if (core.word(R_NMI_MASKED) === 0) return;
  core.setWord(R_NMI_MASKED, 0);
  core.stopAfterThis();
}

/**
 * ENTER: a frame with `level` - 1 copied frame pointers and its own. Pushes and reads take turns, and the new top of the
 * stack must be writable, though nothing is written there.
 */
export function enterFrame(core: Core, instruction: Instruction): number {
  const width = operandWidth(instruction);
  const size = instruction.immediate & 0xffff;
  const level = instruction.immediate2 & 31;
  const frame = stackPointer(core, core.word(R_ESP) - width);
  const values: number[] = [];
  const slots: number[] = [];
  const later = (value: number): boolean => {
    values.push(value);
    const slot = checkedForWrite(core, SS, stackOffset(core, -values.length * width), width);
    if (slot !== undefined) slots.push(slot);
    return slot !== undefined;
  };
  if (!later(core.word(R_EBP))) return NEXT;
  for (let i = 1; i < level; i++) {
    const offset = (core.word(R_EBP) - i * width) & stackMask(core);
    const value = readMemory(core, SS, offset, width);
    if (faulted(core) || !later(afterPushes(core, offset, width, value, values))) return NEXT;
  }
  if (level > 0 && !later(frame)) return NEXT;
  const top = stackPointer(core, core.word(R_ESP) - values.length * width - size);
  if (checkedForWrite(core, SS, top & stackMask(core), width) === undefined) return NEXT;
  if (!commitPushes(core, width, values, slots)) return NEXT;
  core.setWord(R_ESP, top);
  writeRegister(core, R_EBP, width, frame);
  return NEXT;
}

/** What a read gives once `pushed` lies on the stack: a frame pointer to copy may be among what ENTER itself has pushed. */
function afterPushes(core: Core, offset: number, width: StackWidth, value: number, pushed: readonly number[]): number {
  for (let byte = 0; byte < width; byte++) {
    const below = (stackOffset(core, -offset - byte) & stackMask(core)) >>> 0;
    const slot = Math.ceil(below / width);
    if (slot < 1 || slot > pushed.length) continue;
    const stored = (pushed[slot - 1] >>> (8 * (slot * width - below))) & 0xff;
    value = (value & ~(0xff << (8 * byte))) | (stored << (8 * byte));
  }
  return value;
}

/** PUSH of a segment register: with 32-bit operands the selector is zero-extended. */
export const pushSegment =
  (segment: number) =>
  (core: Core, instruction: Instruction): number => {
    push(core, operandWidth(instruction), core.segment(segment, S_SELECTOR));
    return NEXT;
  };

export const popSegment =
  (segment: number) =>
  (core: Core, instruction: Instruction): number => {
    const width = operandWidth(instruction);
    const selector = readStack(core, 0, width);
    if (faulted(core)) return NEXT;
    // The old stack segment says how much of ESP moves.
    const pointer = stackPointer(core, core.word(R_ESP) + width);
    if (!loadDataSegment(core, segment, selector)) return NEXT;
    core.setWord(R_ESP, pointer);
    if (segment === SS) shadowAfterSs(core);
    return NEXT;
  };

/** MOV SS and POP SS hold off interrupts until the next instruction, which is to load ESP, has ended (vol. 3A, 6.8.3). */
export function shadowAfterSs(core: Core): void {
  core.setWord(R_SHADOW, core.word(R_SHADOW) | SHADOW_SS);
  core.stopAfterThis();
}

/** MOV from a segment register: 16 bits to memory, zero-extended into a 32-bit register. */
export function moveFromSegment(core: Core, instruction: Instruction): number {
  const selector = core.segment(instruction.reg, S_SELECTOR);
  if (!instruction.memory) writeRegister(core, instruction.rm, operandWidth(instruction), selector);
  else writeMemory(core, instruction.segment, effectiveAddress(core, instruction), 2, selector);
  return NEXT;
}

export function moveToSegment(core: Core, instruction: Instruction): number {
  const selector = readOperand(core, instruction, 2);
  if (faulted(core) || !loadDataSegment(core, instruction.reg, selector)) return NEXT;
  if (instruction.reg === SS) shadowAfterSs(core);
  return NEXT;
}
