// System instructions: descriptor tables, control and debug registers, interrupt flag, halting. Intel SDM vol. 3A, ch. 2.
import type { Instruction } from "../isa/instruction.ts";
import {
  HALTED,
  R_ACTIVITY,
  R_CPL,
  R_CR0,
  R_CR2,
  R_CR3,
  R_CR4,
  R_DR,
  R_EFLAGS,
  R_GDTR_BASE,
  R_IDTR_BASE,
  R_LDTR,
  R_SHADOW,
  R_TR,
  S_SELECTOR,
  SHADOW_STI,
} from "../memory/layout.ts";
import {
  type Core,
  CR0_AM,
  CR0_CD,
  CR0_EM,
  CR0_ET,
  CR0_MP,
  CR0_NE,
  CR0_NW,
  CR0_PE,
  CR0_PG,
  CR0_TS,
  CR0_WP,
  CR4_PCE,
  CR4_PGE,
  CR4_PSE,
  CR4_TSD,
  G_MODE_CHANGED,
  G_YIELD,
  GP,
  IF,
  IOPL,
  NEXT,
  NM,
  UD,
} from "./core.ts";
import {
  checkedForWrite,
  effectiveAddress,
  operandWidth,
  readMemory,
  readOperand,
  readRegister,
  wrap,
  writeLinear,
  writeMemory,
  writeRegister,
} from "./operands.ts";
import { faulted, isProtected, linearBase, loadLdt, loadTaskRegister } from "./segmentation.ts";

/** CR0 as MOV leaves it: bits that the P6 has, ET always set. */
const CR0_BITS = CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG;
/** CR4 has the bits of the features that CPUID claims; setting another is #GP(0). */
const CR4_BITS = CR4_TSD | CR4_PSE | CR4_PGE | CR4_PCE;
/** CR3: the page directory, PCD and PWT. */
const CR3_BITS = 0xfffff018 | 0;
/** DR7: breakpoint enables and general detect, which are later work; bit 10 is always one, 11, 12, 14 and 15 are zero. */
const DR7_ACTIVE = 0x20ff;
const DR7_ONE = 0x400;
const DR7_BITS = 0xffff23ff | 0;
/** DR6: what software may write, and the bits that always read as one. */
const DR6_BITS = 0xe00f;
const DR6_ONES = 0xffff0ff0 | 0;

/** Raises #GP(0) outside ring 0; true there. Real mode is ring 0. */
export function privileged(core: Core): boolean {
  if (core.word(R_CPL) === 0) return true;
  core.fault(GP, 0);
  return false;
}

/** Raises #UD in real mode, where selectors mean nothing. */
export function protectedOnly(core: Core): boolean {
  if (isProtected(core)) return true;
  core.fault(UD, 0);
  return false;
}

// --- descriptor-table registers ---

const loadTable =
  (register: number) =>
  (core: Core, instruction: Instruction): number => {
    if (!privileged(core)) return NEXT;
    const { segment } = instruction;
    const at = effectiveAddress(core, instruction);
    const limit = readMemory(core, segment, at, 2);
    if (faulted(core)) return NEXT;
    const base = readMemory(core, segment, wrap(instruction, at + 2), 4);
    if (faulted(core)) return NEXT;
    // A 16-bit operand size brings the 80286's 24 bits of base.
    core.setWord(register, instruction.operandSize === 32 ? base : base & 0xffffff);
    core.setWord(register + 1, limit);
    return NEXT;
  };

const storeTable =
  (register: number) =>
  (core: Core, instruction: Instruction): number => {
    const { segment } = instruction;
    const at = effectiveAddress(core, instruction);
    const limit = checkedForWrite(core, segment, at, 2);
    if (limit === undefined) return NEXT;
    const base = checkedForWrite(core, segment, wrap(instruction, at + 2), 4);
    if (base === undefined) return NEXT;
    writeLinear(core, limit, 2, core.word(register + 1) & 0xffff);
    // Every processor since the 80386 stores 32 bits of base, whatever the operand size.
    if (!faulted(core)) writeLinear(core, base, 4, core.word(register));
    return NEXT;
  };

export const lgdt = loadTable(R_GDTR_BASE);
export const lidt = loadTable(R_IDTR_BASE);
export const sgdt = storeTable(R_GDTR_BASE);
export const sidt = storeTable(R_IDTR_BASE);

/** SLDT, STR, SMSW: 16 bits to memory; a register of 32 bits takes the whole value. */
function storeSystemWord(core: Core, instruction: Instruction, value: number): number {
  if (!instruction.memory) writeRegister(core, instruction.rm, operandWidth(instruction), value);
  else writeMemory(core, instruction.segment, effectiveAddress(core, instruction), 2, value & 0xffff);
  return NEXT;
}

export const sldt = (core: Core, instruction: Instruction): number =>
  protectedOnly(core) ? storeSystemWord(core, instruction, core.word(R_LDTR + S_SELECTOR)) : NEXT;

export const str = (core: Core, instruction: Instruction): number =>
  protectedOnly(core) ? storeSystemWord(core, instruction, core.word(R_TR + S_SELECTOR)) : NEXT;

export const smsw = (core: Core, instruction: Instruction): number =>
  storeSystemWord(core, instruction, core.word(R_CR0));

export function lldt(core: Core, instruction: Instruction): number {
  if (!protectedOnly(core) || !privileged(core)) return NEXT;
  const selector = readOperand(core, instruction, 2);
  if (!faulted(core)) loadLdt(core, selector);
  return NEXT;
}

export function ltr(core: Core, instruction: Instruction): number {
  if (!protectedOnly(core) || !privileged(core)) return NEXT;
  const selector = readOperand(core, instruction, 2);
  if (!faulted(core)) loadTaskRegister(core, selector);
  return NEXT;
}

// --- control and debug registers ---

/** LMSW: the low four bits of CR0; PE can be set, not cleared. */
export function lmsw(core: Core, instruction: Instruction): number {
  if (!privileged(core)) return NEXT;
  const word = readOperand(core, instruction, 2);
  if (faulted(core)) return NEXT;
  const old = core.word(R_CR0);
  setCr0(core, (old & ~(CR0_MP | CR0_EM | CR0_TS)) | (word & (CR0_PE | CR0_MP | CR0_EM | CR0_TS)));
  return NEXT;
}

export function clearTaskSwitched(core: Core): number {
  if (privileged(core)) core.setWord(R_CR0, core.word(R_CR0) & ~CR0_TS);
  return NEXT;
}

const controlRegisters: Readonly<Record<number, number>> = { 0: R_CR0, 2: R_CR2, 3: R_CR3, 4: R_CR4 };

export function moveFromControl(core: Core, instruction: Instruction): number {
  if (privileged(core)) writeRegister(core, instruction.rm, 4, core.word(controlRegisters[instruction.reg]));
  return NEXT;
}

export function moveToControl(core: Core, instruction: Instruction): number {
  if (!privileged(core)) return NEXT;
  const value = readRegister(core, instruction.rm, 4);
  switch (instruction.reg) {
    case 0:
      moveToCr0(core, value);
      break;
    case 2:
      core.setWord(R_CR2, value);
      break;
    case 3:
      core.setWord(R_CR3, value & CR3_BITS);
      core.linear.paging.flushNonGlobal();
      break;
    default:
      moveToCr4(core, value);
  }
  return NEXT;
}

/** Paging needs protected mode, and NW needs CD: else #GP(0). */
function moveToCr0(core: Core, value: number): void {
  const pagingAlone = (value & (CR0_PG | CR0_PE)) === CR0_PG;
  const notWriteThroughAlone = (value & (CR0_NW | CR0_CD)) === CR0_NW;
  if (pagingAlone || notWriteThroughAlone) core.fault(GP, 0);
  else setCr0(core, (value & CR0_BITS) | CR0_ET);
}

function setCr0(core: Core, value: number): void {
  const changed = core.word(R_CR0) ^ value;
  core.setWord(R_CR0, value);
  if ((changed & (CR0_PE | CR0_PG | CR0_WP)) === 0) return;
  core.linear.paging.flushAll();
  core.g[G_MODE_CHANGED] = 1;
}

function moveToCr4(core: Core, value: number): void {
  if ((value & ~CR4_BITS) !== 0) {
    core.fault(GP, 0);
    return;
  }
  const changed = core.word(R_CR4) ^ value;
  core.setWord(R_CR4, value);
  if ((changed & (CR4_PSE | CR4_PGE)) !== 0) core.linear.paging.flushAll();
}

/** DR0 to DR3, DR6, DR7; without CR4.DE, 4 and 5 are other names of 6 and 7 (vol. 3B, 17.2.2). */
const debugRegister = (reg: number): number => R_DR + (reg < 4 ? reg : 4 + (reg & 1));

export function moveFromDebug(core: Core, instruction: Instruction): number {
  if (privileged(core)) writeRegister(core, instruction.rm, 4, core.word(debugRegister(instruction.reg)));
  return NEXT;
}

/** Breakpoints may be described; arming one stops the run by name. */
export function moveToDebug(core: Core, instruction: Instruction): number {
  if (!privileged(core)) return NEXT;
  let value = readRegister(core, instruction.rm, 4);
  const register = debugRegister(instruction.reg);
  if (register === debugRegister(7)) {
    if ((value & DR7_ACTIVE) !== 0) {
      core.notImplemented("debug registers");
      return NEXT;
    }
    value = (value & DR7_BITS) | DR7_ONE;
  } else if (register === debugRegister(6)) value = (value & DR6_BITS) | DR6_ONES;
  core.setWord(register, value);
  return NEXT;
}

// --- caches and translations ---

/** INVLPG: only the address counts; it need not be mapped or within the segment's limit. */
export function invalidatePage(core: Core, instruction: Instruction): number {
  if (privileged(core))
    core.linear.paging.invalidatePage(linearBase(core, instruction.segment, effectiveAddress(core, instruction)));
  return NEXT;
}

/** INVD and WBINVD: there is no cache to empty. */
export function invalidateCaches(core: Core): number {
  privileged(core);
  return NEXT;
}

/** LFENCE, MFENCE, SFENCE: accesses are in order anyway. */
export const fence = (): number => NEXT;

// --- interrupt flag and halting ---

function mayChangeIf(core: Core): boolean {
  if (core.word(R_CPL) <= (core.word(R_EFLAGS) & IOPL) >>> 12) return true;
  core.fault(GP, 0);
  return false;
}

export function clearInterruptFlag(core: Core): number {
  if (mayChangeIf(core)) core.setWord(R_EFLAGS, core.word(R_EFLAGS) & ~IF);
  return NEXT;
}

/** STI: if IF was clear, interrupts wait for the end of the following instruction. */
export function setInterruptFlag(core: Core): number {
  if (!mayChangeIf(core)) return NEXT;
  const flags = core.word(R_EFLAGS);
  if ((flags & IF) !== 0) return NEXT;
  core.setWord(R_EFLAGS, flags | IF);
  core.setWord(R_SHADOW, core.word(R_SHADOW) | SHADOW_STI);
  core.stopAfterThis();
  return NEXT;
}

export function halt(core: Core): number {
  if (!privileged(core)) return NEXT;
  core.setWord(R_ACTIVITY, HALTED);
  core.g[G_YIELD] = 1;
  core.stopAfterThis();
  return NEXT;
}

// --- what a processor without a floating-point unit, or out of place, answers ---

export function undefinedInstruction(core: Core): number {
  core.fault(UD, 0);
  return NEXT;
}

/**
 * Opcodes of extensions that are not built. Where CR0 would make hardware fault first it does so here as well: x87 code with
 * EM or TS set is #NM (WAIT: MP and TS), MMX and SSE code with EM set #UD. Else the run stops by name.
 */
export function unimplemented(core: Core, instruction: Instruction): number {
  const { mnemonic, unimplemented: name } = instruction.form;
  const cr0 = core.word(R_CR0);
  if (mnemonic === "FWAIT" && (cr0 & (CR0_MP | CR0_TS)) === (CR0_MP | CR0_TS)) core.fault(NM, 0);
  else if (name === "x87" && mnemonic !== "FWAIT" && (cr0 & (CR0_EM | CR0_TS)) !== 0) core.fault(NM, 0);
  else if ((name === "MMX" || name.startsWith("SSE")) && (cr0 & CR0_EM) !== 0) core.fault(UD, 0);
  else core.notImplemented(name);
  return NEXT;
}
