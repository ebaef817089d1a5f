// DPC queues with one mistake each, to show that the exploration sees it.

import { dword, ebp, esi, fs, type Procedure, proc } from "#asm";
import { KDPC, KeInsertQueueDpc, KiRequestDpcInterrupt, KiRetireDpcList, KPCR } from "#kernel";
import { variant } from "./variant.ts";

/** A routine of the kernel, and the one that takes its place. */
export interface Replacement {
  readonly summary: string;
  readonly routine: Procedure;
  readonly by: Procedure;
}

const REQUESTED_BIT = 1;

export const dpcQueueMutants: Readonly<Record<string, Replacement>> = {
  P13: {
    summary: "the drain clears the request's mark when it has seen the queue empty, not before it looks",
    routine: KiRetireDpcList,
    by: named(
      "KiRetireDpcListP13",
      variant(
        KiRetireDpcList,
        { instead: "lock.btr" },
        {
          instead: "sti",
          occurrence: 2,
          write: (a) => {
            a.lock.btr(dword(fs, KPCR.PrcbData.DpcRequestSummary), REQUESTED_BIT);
            a.sti();
          },
        },
      ),
    ),
  },
  P14: {
    summary: "insert looks whether the object is queued and marks it in two steps",
    routine: KeInsertQueueDpc,
    by: named(
      "KeInsertQueueDpcP14",
      variant(KeInsertQueueDpc, {
        instead: "lock.cmpxchg",
        write: (a) => {
          a.cmp(dword(esi, KDPC.DpcData), 0);
          a.jnz("queued");
          a.mov(dword(esi, KDPC.DpcData), ebp);
        },
      }),
    ),
  },
};

export const idleMutants: Readonly<Record<string, Replacement>> = {
  P15: {
    summary: "the request for another processor's queue goes to the processor that inserts",
    routine: KiRequestDpcInterrupt,
    by: named("KiRequestDpcInterruptP15", variant(KiRequestDpcInterrupt, { instead: "jne" })),
  },
};

function named(name: string, { body, align }: Procedure): Procedure {
  return proc(name, body, { align });
}
