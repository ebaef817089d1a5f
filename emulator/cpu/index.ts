// The hand-written instructions by mnemonic: everything that is not simple data flow. Intel SDM vol. 2.
import type { Form, Instruction } from "../isa/instruction.ts";
import { CS, DS, ES, FS, GS, SS } from "../isa/operands.ts";
import type { Core } from "./core.ts";
import {
  cpuid,
  readModelSpecific,
  readPerformanceCounter,
  readTimeStampCounter,
  writeModelSpecific,
} from "./identification.ts";
import { breakpoint, debugInterrupt, interruptN, interruptOnOverflow } from "./interrupts.ts";
import { input, output } from "./io.ts";
import {
  adjustRpl,
  checkBounds,
  compareExchange8,
  loadAccessRights,
  loadFarPointer,
  loadSegmentLimit,
  verifyRead,
  verifyWrite,
} from "./protection.ts";
import {
  enterFrame,
  moveFromSegment,
  moveToSegment,
  popAllRegisters,
  popFlags,
  popSegment,
  pushAllRegisters,
  pushFlags,
  pushSegment,
} from "./stack.ts";
import {
  compareString,
  inputString,
  loadString,
  moveString,
  outputString,
  scanString,
  storeString,
} from "./strings.ts";
import {
  clearInterruptFlag,
  clearTaskSwitched,
  fence,
  halt,
  invalidateCaches,
  invalidatePage,
  lgdt,
  lidt,
  lldt,
  lmsw,
  ltr,
  moveFromControl,
  moveFromDebug,
  moveToControl,
  moveToDebug,
  setInterruptFlag,
  sgdt,
  sidt,
  sldt,
  smsw,
  str,
  undefinedInstruction,
  unimplemented,
} from "./system.ts";
import { callFar, jumpFar, returnFar, returnFromInterrupt } from "./transfers.ts";

export { deliver, deliverException, type InterruptSource } from "./interrupts.ts";
export { nextEip } from "./operands.ts";
export { makeQuick, NO_ERROR_CODE, type Quick } from "./quick.ts";
export { resetProcessor, startFromSipi } from "./reset.ts";
export { linearAddress } from "./segmentation.ts";

/**
 * Executes one instruction at R_EIP. Returns NEXT (the caller moves EIP on), JUMPED (EIP is set) or AGAIN (a REP stopped
 * between iterations); the result has no meaning when G_STATUS is set, and then no register has changed but by earlier
 * iterations of a REP.
 */
export type PlainInstruction = (core: Core, instruction: Instruction) => number;

/** Mnemonics whose every form is plain. */
export const plain: Readonly<Record<string, PlainInstruction>> = {
  ARPL: adjustRpl,
  BOUND: checkBounds,
  CLI: clearInterruptFlag,
  CLTS: clearTaskSwitched,
  CMPSB: compareString,
  CMPSD: compareString,
  CMPSW: compareString,
  CMPXCHG8B: compareExchange8,
  CPUID: cpuid,
  ENTER: enterFrame,
  HLT: halt,
  IN: input,
  INSB: inputString,
  INSD: inputString,
  INSW: inputString,
  INT: interruptN,
  INT1: debugInterrupt,
  INT3: breakpoint,
  INTO: interruptOnOverflow,
  INVD: invalidateCaches,
  INVLPG: invalidatePage,
  IRET: returnFromInterrupt,
  IRETD: returnFromInterrupt,
  LAR: loadAccessRights,
  LDS: loadFarPointer(DS),
  LES: loadFarPointer(ES),
  LFENCE: fence,
  LFS: loadFarPointer(FS),
  LGDT: lgdt,
  LGS: loadFarPointer(GS),
  LIDT: lidt,
  LLDT: lldt,
  LMSW: lmsw,
  LODSB: loadString,
  LODSD: loadString,
  LODSW: loadString,
  LSL: loadSegmentLimit,
  LSS: loadFarPointer(SS),
  LTR: ltr,
  MFENCE: fence,
  MOVSB: moveString,
  MOVSD: moveString,
  MOVSW: moveString,
  OUT: output,
  OUTSB: outputString,
  OUTSD: outputString,
  OUTSW: outputString,
  POPA: popAllRegisters,
  POPAD: popAllRegisters,
  POPF: popFlags,
  POPFD: popFlags,
  PUSHA: pushAllRegisters,
  PUSHAD: pushAllRegisters,
  PUSHF: pushFlags,
  PUSHFD: pushFlags,
  RDMSR: readModelSpecific,
  RDPMC: readPerformanceCounter,
  RDTSC: readTimeStampCounter,
  RETF: returnFar,
  // Outside system management mode there is nothing to resume.
  RSM: undefinedInstruction,
  SCASB: scanString,
  SCASD: scanString,
  SCASW: scanString,
  SFENCE: fence,
  SGDT: sgdt,
  SIDT: sidt,
  SLDT: sldt,
  SMSW: smsw,
  STI: setInterruptFlag,
  STOSB: storeString,
  STOSD: storeString,
  STOSW: storeString,
  STR: str,
  UD1: undefinedInstruction,
  UD2: undefinedInstruction,
  VERR: verifyRead,
  VERW: verifyWrite,
  WBINVD: invalidateCaches,
  WRMSR: writeModelSpecific,
};

/** Forms that are plain though others of their mnemonic are data flow, by mnemonic and the operand that tells. */
const plainForms: Readonly<Record<string, PlainInstruction>> = {
  "MOV Sreg,": moveToSegment,
  "MOV ,Sreg": moveFromSegment,
  "MOV CR,": moveToControl,
  "MOV ,CR": moveFromControl,
  "MOV DR,": moveToDebug,
  "MOV ,DR": moveFromDebug,
};

const segmentNames: Readonly<Record<string, number>> = { ES, CS, SS, DS, FS, GS };

/** The hand-written instruction of a form; undefined where the form is data flow and has its meaning in isa/semantics. */
export function plainOf(form: Form): PlainInstruction | undefined {
  const { mnemonic, operands } = form;
  if (form.unimplemented !== "") return unimplemented;
  if (Object.hasOwn(plain, mnemonic)) return plain[mnemonic];
  const [first = "", second = ""] = operands;
  if (mnemonic === "MOV") return plainForms[`MOV ${first},`] ?? plainForms[`MOV ,${second}`];
  if (mnemonic === "PUSH" && first in segmentNames) return pushSegment(segmentNames[first]);
  if (mnemonic === "POP" && first in segmentNames) return popSegment(segmentNames[first]);
  if (/^(?:m|ptr)16:/.test(first)) return mnemonic === "JMP" ? jumpFar : callFar;
  return undefined;
}
