// What the processor says of itself, and its clock and model-specific registers. Intel SDM vol. 2, CPUID; vol. 3A, ch. 9.
import {
  PROCESSOR_TIME,
  PROCESSOR_TIME_SIZE,
  R_APIC_BASE,
  R_CR4,
  R_EAX,
  R_EBX,
  R_ECX,
  R_EDX,
  R_MSR,
  T_TSC_OFFSET,
} from "../memory/layout.ts";
import { type Core, CR4_TSD, G_PROCESSOR, GP, NEXT } from "./core.ts";
import { privileged } from "./system.ts";

/** Family 6, model 1, stepping 9: a Pentium Pro, the P6 without MMX and SSE. Reset leaves it in EDX. */
export const SIGNATURE = 0x619;

// Feature bits of CPUID leaf 1, EDX.
const PSE = 1 << 3;
const TSC = 1 << 4;
const MSR = 1 << 5;
const CX8 = 1 << 8;
const APIC = 1 << 9;
const PGE = 1 << 13;
const CMOV = 1 << 15;
const FEATURES = PSE | TSC | MSR | CX8 | PGE | CMOV;
/** What leaf 1 says in EDX where the local APIC has not been turned off. */
export const FEATURES_WITH_APIC = FEATURES | APIC;

// Model-specific registers (vol. 4).
const IA32_TIME_STAMP_COUNTER = 0x10;
const IA32_APIC_BASE = 0x1b;
const IA32_SYSENTER_CS = 0x174;
const IA32_SYSENTER_EIP = 0x176;

/** Bits of IA32_APIC_BASE: the boot processor's mark is not written, the enable bit and the base are. */
export const APIC_BASE_BSP = 0x100;
export const APIC_BASE_ENABLE = 0x800;
export const APIC_BASE_DEFAULT = 0xfee00000 | 0;
const APIC_BASE_WRITABLE = 0xfffff800 | 0;

/** CPUID: leaves 0 and 1; a higher one answers as the highest there is. */
export function cpuid(core: Core): number {
  if (core.word(R_EAX) === 0) setFour(core, 1, 0x756e6547, 0x6c65746e, 0x49656e69);
  else {
    const hasApic = (core.word(R_APIC_BASE) & APIC_BASE_ENABLE) !== 0;
    setFour(core, SIGNATURE, core.g[G_PROCESSOR] << 24, 0, FEATURES | (hasApic ? APIC : 0));
  }
  return NEXT;
}

function setFour(core: Core, eax: number, ebx: number, ecx: number, edx: number): void {
  core.setWord(R_EAX, eax);
  core.setWord(R_EBX, ebx);
  core.setWord(R_ECX, ecx);
  core.setWord(R_EDX, edx);
}

/** Index in `f64` of what the time-stamp counter is ahead of the machine clock. */
const tscOffset = (core: Core): number =>
  (PROCESSOR_TIME + core.g[G_PROCESSOR] * PROCESSOR_TIME_SIZE + T_TSC_OFFSET) >> 3;

function readTimeStamp(core: Core): void {
  const ticks = core.now() + core.f64[tscOffset(core)];
  const high = Math.floor(ticks / 0x100000000);
  core.setWord(R_EAX, ticks - high * 0x100000000); // a remainder of doubles would be the slow way
  core.setWord(R_EDX, high);
}

/** RDTSC: CR4.TSD keeps it for ring 0. */
export function readTimeStampCounter(core: Core): number {
  if ((core.word(R_CR4) & CR4_TSD) !== 0 && !privileged(core)) return NEXT;
  readTimeStamp(core);
  return NEXT;
}

/** RDPMC: there are no counters, so every index is out of range. */
export function readPerformanceCounter(core: Core): number {
  core.fault(GP, 0);
  return NEXT;
}

export function readModelSpecific(core: Core): number {
  if (!privileged(core)) return NEXT;
  const register = core.word(R_ECX);
  if (register === IA32_TIME_STAMP_COUNTER) readTimeStamp(core);
  else if (register === IA32_APIC_BASE) setPair(core, core.word(R_APIC_BASE));
  else if (isSysenter(register)) setPair(core, core.word(R_MSR + register - IA32_SYSENTER_CS));
  else core.fault(GP, 0);
  return NEXT;
}

export function writeModelSpecific(core: Core): number {
  if (!privileged(core)) return NEXT;
  const register = core.word(R_ECX);
  const [low, high] = [core.word(R_EAX), core.word(R_EDX)];
  if (register === IA32_TIME_STAMP_COUNTER) {
    // The P6 writes the low half and clears the high one (vol. 3B, 17.17.3).
    core.f64[tscOffset(core)] = (low >>> 0) - core.now();
  } else if (register === IA32_APIC_BASE) writeApicBase(core, low, high);
  else if (isSysenter(register)) core.setWord(R_MSR + register - IA32_SYSENTER_CS, low);
  else core.fault(GP, 0);
  return NEXT;
}

const isSysenter = (register: number): boolean => register >= IA32_SYSENTER_CS && register <= IA32_SYSENTER_EIP;

function setPair(core: Core, low: number): void {
  core.setWord(R_EAX, low);
  core.setWord(R_EDX, 0);
}

function writeApicBase(core: Core, low: number, high: number): void {
  if ((low & ~(APIC_BASE_WRITABLE | APIC_BASE_BSP)) !== 0 || high !== 0) {
    core.fault(GP, 0);
    return;
  }
  if ((low & 0xfffff000) >>> 0 < core.layout.ramSize) {
    core.notImplemented("local APIC registers over RAM");
    return;
  }
  core.setWord(R_APIC_BASE, (low & APIC_BASE_WRITABLE) | (core.word(R_APIC_BASE) & APIC_BASE_BSP));
  core.bus.apicBaseChanged(core.g[G_PROCESSOR]);
  core.stopAfterThis();
}
