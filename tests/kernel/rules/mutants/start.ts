// Mistakes in the start and the stop, in where things lie, and in what routines keep.

import { byte, cl, dword, eax, ebx, ecx, edx, esi, fs } from "#asm";
import { APIC_TPR, KeTestSpinLock, KfLowerIrql, KPCR } from "#kernel";
import { HalpStartClock } from "../../../../kernel/hal/time.ts";
import { KiBugCheck, KiFreezeOthers } from "../../../../kernel/ke/bugcheck.ts";
import { KiInitializeProcessor } from "../../../../kernel/ke/pcr.ts";
import { edited, type Mistake, other } from "./change.ts";

const EXIT_PORT = 0xf4;
/** The input that the timer is on as a rule. */
const TIMER_INPUT = 2;

export const startMistakes: readonly Mistake[] = [
  [
    "APIC-03",
    "a lower has interrupts off while it writes",
    edited(
      KfLowerIrql,
      {
        instead: "mov",
        write: (a) => {
          a.cli();
          a.mov(byte(fs, KPCR.Irql), cl);
        },
      },
      {
        instead: "mov",
        occurrence: 3,
        write: (a) => {
          a.mov(dword(edx, APIC_TPR), ecx);
          a.sti();
        },
      },
    ),
  ],
  [
    "HW-01",
    "the tables are not asked",
    edited(HalpStartClock, { instead: "movzx", write: (a) => a.mov(ecx, TIMER_INPUT) }),
  ],
  ["HW-04", "no processor is given a number", edited(KiInitializeProcessor, { instead: "mov", occurrence: 18 })],
  [
    "LAY-01",
    "the bounds of a stack change places",
    edited(
      KiInitializeProcessor,
      { instead: "mov", occurrence: 4, write: (a) => a.mov(dword(esi, KPCR.StackLimit), ecx) },
      { instead: "mov", occurrence: 5, write: (a) => a.mov(dword(esi, KPCR.StackBase), ecx) },
    ),
  ],
  [
    "CC-01",
    "KeTestSpinLock uses EBX",
    edited(KeTestSpinLock, {
      instead: "xor",
      write: (a) => {
        a.xor(ebx, ebx);
        a.mov(eax, ebx);
      },
    }),
  ],
  ["BC-01", "who stops second says so", edited(KiBugCheck, { instead: "jne" })],
  ["BC-02", "nobody is frozen", other(KiFreezeOthers, (a) => a.ret())],
];

/** In the checked build, as the rule's own test has it. */
export const checkedStartMistakes: readonly Mistake[] = [
  [
    "BC-05",
    "a stop leaves as if a test had failed",
    edited(KiBugCheck, {
      instead: "out",
      write: (a) => {
        a.mov(eax, 1);
        a.out(EXIT_PORT, eax);
      },
    }),
  ],
];
