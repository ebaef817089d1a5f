// The state after power-on, INIT and SIPI. Intel SDM vol. 3A, 8.4 and table 9-1.

import { CS } from "../isa/operands.ts";
import {
  MICRO_VALUES,
  PROCESSOR_TIME,
  PROCESSOR_TIME_SIZE,
  R_ACTIVITY,
  R_APIC_BASE,
  R_CPL,
  R_CR0,
  R_CR2,
  R_CR3,
  R_CR4,
  R_DELIVERING,
  R_DR,
  R_EAX,
  R_EDX,
  R_EFLAGS,
  R_EIP,
  R_GDTR_BASE,
  R_GDTR_LIMIT,
  R_IDTR_BASE,
  R_IDTR_LIMIT,
  R_LDTR,
  R_MICRO_INDEX,
  R_MICRO_VALUES,
  R_MSR,
  R_NMI_MASKED,
  R_NMI_PENDING,
  R_SEGMENTS,
  R_SHADOW,
  R_TR,
  RUNNING,
  S_ATTRIBUTES,
  S_BASE,
  S_LIMIT,
  S_SELECTOR,
  SEGMENT_WORDS,
  T_TSC_OFFSET,
  WAIT_FOR_SIPI,
} from "../memory/layout.ts";
import { type Core, CR0_CD, CR0_ET, CR0_NW, G_CPU, G_MODE_CHANGED, G_PROCESSOR } from "./core.ts";
import { APIC_BASE_BSP, APIC_BASE_DEFAULT, APIC_BASE_ENABLE, SIGNATURE } from "./identification.ts";
import { LDT, PRESENT, REAL_MODE_ATTRIBUTES, REAL_MODE_LIMIT, TSS32_BUSY } from "./segmentation.ts";

const RESET_SELECTOR = 0xf000;
const RESET_BASE = 0xffff0000 | 0;
const RESET_EIP = 0xfff0;
const DR6_RESET = 0xffff0ff0 | 0;
const DR7_RESET = 0x400;
const MSR_WORDS = 8;

/**
 * Puts a processor into its state after power-on or INIT: the boot processor runs from the reset vector, the others wait
 * for a SIPI. INIT keeps CD and NW, IA32_APIC_BASE, the model-specific registers and the time-stamp counter; the local
 * APIC's own words are its device's business.
 */
export function resetProcessor(
  core: Core,
  processor: number,
  kind: "power-on" | "init",
  isBootProcessor: boolean,
): void {
  const block = core.blockOf(processor) >> 2;
  const set = (word: number, value: number): void => {
    core.i32[block + word] = value;
  };
  const cacheBits = kind === "init" ? core.i32[block + R_CR0] & (CR0_CD | CR0_NW) : CR0_CD | CR0_NW;

  core.i32.fill(0, block + R_EAX, block + R_SEGMENTS);
  set(R_EDX, SIGNATURE);
  set(R_EIP, RESET_EIP);
  set(R_EFLAGS, 2);
  set(R_CPL, 0);

  const setSegment = (at: number, selector: number, base: number, attributes: number): void => {
    set(at + S_SELECTOR, selector);
    set(at + S_BASE, base);
    set(at + S_LIMIT, REAL_MODE_LIMIT);
    set(at + S_ATTRIBUTES, attributes);
  };
  for (let segment = 0; segment < 6; segment++)
    setSegment(R_SEGMENTS + segment * SEGMENT_WORDS, 0, 0, REAL_MODE_ATTRIBUTES);
  setSegment(R_SEGMENTS + CS * SEGMENT_WORDS, RESET_SELECTOR, RESET_BASE, REAL_MODE_ATTRIBUTES);
  setSegment(R_LDTR, 0, 0, PRESENT | (LDT << 8));
  setSegment(R_TR, 0, 0, PRESENT | (TSS32_BUSY << 8));
  set(R_GDTR_BASE, 0);
  set(R_GDTR_LIMIT, 0xffff);
  set(R_IDTR_BASE, 0);
  set(R_IDTR_LIMIT, 0xffff);

  set(R_CR0, CR0_ET | cacheBits);
  set(R_CR2, 0);
  set(R_CR3, 0);
  set(R_CR4, 0);
  core.i32.fill(0, block + R_DR, block + R_DR + 4);
  set(R_DR + 4, DR6_RESET);
  set(R_DR + 5, DR7_RESET);
  set(R_ACTIVITY, isBootProcessor ? RUNNING : WAIT_FOR_SIPI);
  for (const word of [R_SHADOW, R_NMI_PENDING, R_NMI_MASKED, R_DELIVERING, R_MICRO_INDEX]) set(word, 0);
  core.i32.fill(0, block + R_MICRO_VALUES, block + R_MICRO_VALUES + MICRO_VALUES);

  if (kind === "power-on") {
    set(R_APIC_BASE, APIC_BASE_DEFAULT | APIC_BASE_ENABLE | (isBootProcessor ? APIC_BASE_BSP : 0));
    core.i32.fill(0, block + R_MSR, block + R_MSR + MSR_WORDS);
    core.f64[(PROCESSOR_TIME + processor * PROCESSOR_TIME_SIZE + T_TSC_OFFSET) >> 3] = 0;
  }
  flushTranslations(core, processor);
}

/** A SIPI starts a processor that waits for one at `vector` * 4 KiB; others do not hear it. */
export function startFromSipi(core: Core, processor: number, vector: number): void {
  const block = core.blockOf(processor) >> 2;
  if (core.i32[block + R_ACTIVITY] !== WAIT_FOR_SIPI) return;
  const cs = block + R_SEGMENTS + CS * SEGMENT_WORDS;
  core.i32[cs + S_SELECTOR] = (vector & 0xff) << 8;
  core.i32[cs + S_BASE] = (vector & 0xff) << 12;
  core.i32[block + R_EIP] = 0;
  core.i32[block + R_ACTIVITY] = RUNNING;
  if (processor === core.g[G_PROCESSOR]) core.g[G_MODE_CHANGED] = 1;
}

/** The TLBs of a processor that need not be the one whose turn it is. */
function flushTranslations(core: Core, processor: number): void {
  const { g } = core;
  const [block, current] = [g[G_CPU], g[G_PROCESSOR]];
  g[G_CPU] = core.blockOf(processor) >> 2;
  g[G_PROCESSOR] = processor;
  core.linear.paging.flushAll();
  g[G_CPU] = block;
  g[G_PROCESSOR] = current;
  if (processor === current) g[G_MODE_CHANGED] = 1;
}
