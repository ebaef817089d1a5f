// Operands of the hand-written instructions: registers, effective addresses, memory. Intel SDM vol. 2, 2.1.5; vol. 1, 3.7.
import type { Instruction } from "../isa/instruction.ts";
import { CS } from "../isa/operands.ts";
import { R_EIP, S_ATTRIBUTES } from "../memory/layout.ts";
import { type Core, G_CPU } from "./core.ts";
import { BIG, faulted, linearAddress } from "./segmentation.ts";

export type Width = 1 | 2 | 4;

/** Bytes of the instruction's operand size. */
export const operandWidth = (instruction: Instruction): 2 | 4 => (instruction.operandSize === 32 ? 4 : 2);

/** EIP of the following instruction; 16-bit code wraps. */
export function nextEip(core: Core, instruction: Instruction): number {
  const eip = core.word(R_EIP) + instruction.length;
  return (core.segment(CS, S_ATTRIBUTES) & BIG) !== 0 ? eip | 0 : eip & 0xffff;
}

/** A register by its encoding, zero-extended (8, 16 bits) or int32. In the 8-bit file 4..7 are AH CH DH BH. */
export function readRegister(core: Core, register: number, width: Width): number {
  const at = core.g[G_CPU];
  if (width === 4) return core.i32[at + register];
  if (width === 2) return core.u16[(at + register) * 2];
  return core.u8[(at + (register & 3)) * 4 + (register >> 2)];
}

/** Writes a register; the rest of a 32-bit register stays. */
export function writeRegister(core: Core, register: number, width: Width, value: number): void {
  const at = core.g[G_CPU];
  if (width === 4) core.i32[at + register] = value;
  else if (width === 2) core.u16[(at + register) * 2] = value;
  else core.u8[(at + (register & 3)) * 4 + (register >> 2)] = value;
}

/** The offset part of the memory operand's address: int32, or 0..FFFF with 16-bit addressing. */
export function effectiveAddress(core: Core, instruction: Instruction): number {
  let offset = instruction.displacement;
  if (instruction.base >= 0) offset += core.word(instruction.base);
  if (instruction.index >= 0) offset += core.word(instruction.index) << instruction.scale;
  return wrap(instruction, offset);
}

/** An offset cut to the instruction's address size. */
export const wrap = (instruction: Instruction, offset: number): number =>
  instruction.addressSize === 32 ? offset | 0 : offset & 0xffff;

/** Reads through a segment register with all checks; meaningless when `faulted`. */
export function readMemory(core: Core, segment: number, offset: number, width: Width): number {
  const linear = linearAddress(core, segment, offset, width, false);
  return faulted(core) ? 0 : readLinear(core, linear, width);
}

/** Writes through a segment register with all checks. */
export function writeMemory(core: Core, segment: number, offset: number, width: Width, value: number): void {
  const linear = linearAddress(core, segment, offset, width, true);
  if (!faulted(core)) writeLinear(core, linear, width, value);
}

export function readLinear(core: Core, linear: number, width: Width): number {
  if (width === 4) return core.linear.read32(linear);
  return width === 2 ? core.linear.read16(linear) : core.linear.read8(linear);
}

export function writeLinear(core: Core, linear: number, width: Width, value: number): void {
  if (width === 4) core.linear.write32(linear, value);
  else if (width === 2) core.linear.write16(linear, value);
  else core.linear.write8(linear, value);
}

/** Checks everything about a later write, which then cannot fault. Undefined: it would (the fault is pending). */
export function checkedForWrite(core: Core, segment: number, offset: number, width: Width): number | undefined {
  const linear = linearAddress(core, segment, offset, width, true);
  if (faulted(core)) return undefined;
  core.linear.probeWrite(linear, width, false);
  return faulted(core) ? undefined : linear;
}

/** The r/m operand; meaningless when `faulted`. */
export function readOperand(core: Core, instruction: Instruction, width: Width): number {
  if (!instruction.memory) return readRegister(core, instruction.rm, width);
  return readMemory(core, instruction.segment, effectiveAddress(core, instruction), width);
}

export function writeOperand(core: Core, instruction: Instruction, width: Width, value: number): void {
  if (!instruction.memory) writeRegister(core, instruction.rm, width, value);
  else writeMemory(core, instruction.segment, effectiveAddress(core, instruction), width, value);
}

export interface FarPointer {
  readonly selector: number;
  /** int32; cut to 16 bits with a 16-bit operand size. */
  readonly offset: number;
}

/** The far pointer of JMP, CALL or LDS & co.: in the instruction, or in memory with the offset first. Undefined: faulted. */
export function farPointer(core: Core, instruction: Instruction): FarPointer | undefined {
  const width = operandWidth(instruction);
  if (!instruction.memory) {
    const offset = width === 4 ? instruction.immediate : instruction.immediate & 0xffff;
    return { selector: instruction.immediate2 & 0xffff, offset };
  }
  const at = effectiveAddress(core, instruction);
  const offset = readMemory(core, instruction.segment, at, width);
  if (faulted(core)) return undefined;
  const selector = readMemory(core, instruction.segment, wrap(instruction, at + width), 2);
  return faulted(core) ? undefined : { selector, offset };
}
