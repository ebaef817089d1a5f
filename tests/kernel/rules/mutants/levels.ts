// Mistakes in changes of level and in the entry and exit of interrupts.

import { byte, dword, ecx, edx, fs, type Procedure } from "#asm";
import {
  APIC_BASE,
  APIC_ICR_LOW,
  APIC_TPR,
  HIGH_LEVEL,
  ICR_ALL_BUT_SELF,
  ICR_INIT,
  KeInsertQueueDpc,
  KeRaiseIrqlToDpcLevel,
  KfLowerIrql,
  KfRaiseIrql,
  KiRetireDpcList,
  KPCR,
} from "#kernel";
import { KiInterrupt } from "../../../../kernel/ke/trap.ts";
import { both, type Change, edited, type Mistake } from "./change.ts";

export const levelMistakes: readonly Mistake[] = [
  ["IRQL-01", "a raise leaves the task priority", edited(KfRaiseIrql, { instead: "mov", occurrence: 3 })],
  ["IRQL-02", "a raise downwards is a lower", edited(KfRaiseIrql, { instead: "jb" })],
  ["IRQL-03", "a lower upwards is a raise", edited(KfLowerIrql, { instead: "ja" })],
  [
    "IRQL-04",
    "a raise to the present level is refused",
    edited(KfRaiseIrql, { instead: "jb", write: (a) => a.jbe("downwards") }),
  ],
  [
    "IRQL-05",
    "KeRaiseIrqlToDpcLevel raises to 3",
    edited(KeRaiseIrqlToDpcLevel, { instead: "mov", write: (a) => a.mov(ecx, 3) }),
  ],
  [
    "IRQL-06",
    "a raise masks nothing",
    edited(KfRaiseIrql, { instead: "mov", occurrence: 3, write: (a) => a.mov(dword(edx, APIC_TPR), 0) }),
  ],
  [
    "IRQL-07",
    "a raise masks everything",
    edited(KfRaiseIrql, { instead: "mov", occurrence: 3, write: (a) => a.mov(dword(edx, APIC_TPR), 0xff) }),
  ],
  [
    "IRQL-08",
    "a raise to HIGH_LEVEL stops the other processors",
    edited(KfRaiseIrql, {
      instead: "ret",
      write: (a) => {
        a.cmp(byte(fs, KPCR.Irql), HIGH_LEVEL);
        a.jne("done");
        a.mov(dword(edx, APIC_ICR_LOW), ICR_ALL_BUT_SELF | ICR_INIT);
        a.label("done");
        a.ret();
      },
    }),
  ],
  [
    "IRQL-09",
    "the task priority is changed before the level",
    both(priorityFirst(KfRaiseIrql), priorityFirst(KfLowerIrql)),
  ],
  ["IRQL-10", "a lower leaves the task priority", edited(KfLowerIrql, { instead: "mov", occurrence: 3 })],
  [
    "IRQL-11",
    "an insert drains the queue itself",
    edited(KeInsertQueueDpc, { instead: "call", occurrence: 3, write: (a) => a.call(KiRetireDpcList) }),
  ],
  ["IRQL-12", "an interrupt's exit leaves its task priority", edited(KiInterrupt, { instead: "mov", occurrence: 10 })],
  ["IRQL-13", "a service routine runs with interrupts off", edited(KiInterrupt, { instead: "sti" })],
  ["IRQL-16", "a handler keeps the direction flag it finds", edited(KiInterrupt, { instead: "cld" })],
  [
    "IRQL-17",
    "the level is stored as a doubleword",
    edited(KfRaiseIrql, { instead: "mov", occurrence: 1, write: (a) => a.mov(dword(fs, KPCR.Irql), ecx) }),
  ],
  ["IRQL-18", "an insert leaves interrupts on", edited(KeInsertQueueDpc, { instead: "cli" })],
];

/** The two stores of a change of level in the other order. */
function priorityFirst(routine: Procedure): Change {
  return edited(
    routine,
    { instead: "mov", occurrence: 1, write: (a) => a.push(ecx) },
    {
      instead: "mov",
      occurrence: 3,
      write: (a) => {
        a.mov(edx, APIC_BASE);
        a.mov(dword(edx, APIC_TPR), ecx);
        a.pop(ecx);
        a.mov(dword(fs, KPCR.Irql), ecx);
      },
    },
  );
}
