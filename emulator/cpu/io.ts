// Port I/O: IN and OUT, IOPL and the permission bitmap of the TSS. Intel SDM vol. 1, ch. 19 (Input/Output).
import type { Instruction } from "../isa/instruction.ts";
import { R_CPL, R_EAX, R_EDX, R_EFLAGS, R_TR, S_ATTRIBUTES, S_BASE, S_LIMIT } from "../memory/layout.ts";
import { type Core, GP, IOPL, NEXT } from "./core.ts";
import { readRegister, type Width, writeRegister } from "./operands.ts";
import { faulted, isProtected, PRESENT, systemTypeOf, TSS32_AVAILABLE } from "./segmentation.ts";

/** Offset in a 32-bit TSS of the word that says where its I/O permission bitmap begins. */
const BITMAP_POINTER = 0x66;

/**
 * May the running code touch `width` ports from `port` on? Code less privileged than IOPL needs a clear bit for each in the
 * bitmap of a 32-bit TSS. False: #GP(0), or a page fault on the TSS, is pending.
 */
export function portAllowed(core: Core, port: number, width: Width): boolean {
  if (!isProtected(core) || core.word(R_CPL) <= (core.word(R_EFLAGS) & IOPL) >>> 12) return true;
  const attributes = core.word(R_TR + S_ATTRIBUTES);
  const limit = core.word(R_TR + S_LIMIT) >>> 0;
  const isTss32 = (attributes & PRESENT) !== 0 && (systemTypeOf(attributes) & ~2) === TSS32_AVAILABLE;
  if (!isTss32 || limit < BITMAP_POINTER + 1) return refuse(core);
  const base = core.word(R_TR + S_BASE);
  const bitmap = core.linear.systemRead16((base + BITMAP_POINTER) | 0);
  if (faulted(core)) return false;
  // Two bytes are read always: four ports may straddle them. Hence the byte of ones behind a bitmap.
  const at = bitmap + (port >>> 3);
  if (at + 1 > limit) return refuse(core);
  const bits = core.linear.systemRead16((base + at) | 0);
  if (faulted(core)) return false;
  return ((bits >>> (port & 7)) & ((1 << width) - 1)) === 0 || refuse(core);
}

function refuse(core: Core): false {
  core.fault(GP, 0);
  return false;
}

/** Bytes an I/O form moves, by its accumulator or, in string forms, its operand size. */
export function portWidth(instruction: Instruction): Width {
  const { form, operandSize } = instruction;
  if (form.operands.includes("AL") || form.mnemonic.endsWith("B")) return 1;
  return operandSize === 32 ? 4 : 2;
}

const portOf = (core: Core, instruction: Instruction): number =>
  instruction.form.trailers.length > 0 ? instruction.immediate & 0xff : core.word(R_EDX) & 0xffff;

export function input(core: Core, instruction: Instruction): number {
  const port = portOf(core, instruction);
  const width = portWidth(instruction);
  if (portAllowed(core, port, width)) writeRegister(core, R_EAX, width, core.bus.readPort(port, width));
  return NEXT;
}

export function output(core: Core, instruction: Instruction): number {
  const port = portOf(core, instruction);
  const width = portWidth(instruction);
  if (!portAllowed(core, port, width)) return NEXT;
  writePort(core, port, width, readRegister(core, R_EAX, width));
  return NEXT;
}

/** Writes a port; devices may have raised or lowered an interrupt line meanwhile. */
export function writePort(core: Core, port: number, width: Width, value: number): void {
  core.bus.writePort(port, width, value);
  core.stopAfterThis();
}
