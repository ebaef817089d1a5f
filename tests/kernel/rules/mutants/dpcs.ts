// Mistakes with deferred procedure calls.

import { dword, eax, ebx, ecx, fs } from "#asm";
import {
  DPC_INTERRUPT_REQUESTED_BIT,
  KDPC,
  KeInsertQueueDpc,
  KiIdleLoop,
  KiReleaseSpinLock,
  KiRetireDpcList,
  KPCR,
} from "#kernel";
import { setIrql } from "../../../../kernel/hal/tpr.ts";
import { edited, type Mistake } from "./change.ts";

const Prcb = KPCR.PrcbData;

export const dpcMistakes: readonly Mistake[] = [
  ["DPC-01", "a DPC is queued again", edited(KeInsertQueueDpc, { instead: "jnz" })],
  [
    "DPC-02",
    "the arguments change places",
    edited(
      KiRetireDpcList,
      { instead: "push", occurrence: 5, write: (a) => a.push(dword(eax, argument(KDPC.SystemArgument1))) },
      { instead: "push", occurrence: 6, write: (a) => a.push(dword(eax, argument(KDPC.SystemArgument2))) },
    ),
  ],
  ["DPC-03", "a target means nothing", edited(KeInsertQueueDpc, { instead: "mov", occurrence: 3 })],
  ["DPC-04", "High goes to the end as well", edited(KeInsertQueueDpc, { instead: "je" })],
  ["DPC-05", "an insert here asks for nothing", edited(KeInsertQueueDpc, { instead: "jne", occurrence: 2 })],
  [
    "DPC-08",
    "a DPC runs at PASSIVE_LEVEL",
    edited(KiRetireDpcList, {
      instead: "call",
      occurrence: 3,
      write: (a) => {
        a.xor(ecx, ecx);
        setIrql(a);
        a.call(ebx);
        a.mov(ecx, 2);
        setIrql(a);
      },
    }),
  ],
  [
    "DPC-10",
    "the mark of a request goes after the last look",
    edited(
      KiRetireDpcList,
      { instead: "lock.btr" },
      {
        instead: "call",
        occurrence: 4,
        write: (a) => {
          a.call(KiReleaseSpinLock);
          a.lock.btr(dword(fs, Prcb.DpcRequestSummary), DPC_INTERRUPT_REQUESTED_BIT);
        },
      },
    ),
  ],
  ["DPC-14", "the idle loop does not say that it is idle", edited(KiIdleLoop, { instead: "xchg" })],
  ["DPC-21", "a drain takes its queue's lock with interrupts on", edited(KiRetireDpcList, { instead: "cli" })],
];

/** Of a DPC whose list entry is at EAX. */
function argument(field: { readonly offset: number }): number {
  return field.offset - KDPC.DpcListEntry.offset;
}
