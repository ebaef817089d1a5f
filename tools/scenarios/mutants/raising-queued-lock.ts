// The raising forms of the queued lock with one mistake each, to show that the exploration sees it.

import { al, byte, dword, ecx, edx, proc } from "#asm";
import {
  KeAcquireInStackQueuedSpinLock as acquire,
  DISPATCH_LEVEL,
  KeAcquireInStackQueuedSpinLockAtDpcLevel,
  KeReleaseInStackQueuedSpinLockFromDpcLevel,
  KfLowerIrql,
  KfRaiseIrql,
  KLOCK_QUEUE_HANDLE,
  KeReleaseInStackQueuedSpinLock as release,
} from "#kernel";
import type { Mutant } from "./variant.ts";

const { OldIrql } = KLOCK_QUEUE_HANDLE;

/** By name. */
export const raisingQueuedLockMutants: Readonly<Record<string, Mutant>> = {
  M6: {
    summary: "release lowers the level before it hands the lock over",
    release: proc(`${release.name}M6`, (a) => {
      a.push(ecx);
      a.mov(ecx, dword(ecx, OldIrql));
      a.call(KfLowerIrql);
      a.pop(ecx);
      a.jmp(KeReleaseInStackQueuedSpinLockFromDpcLevel);
    }),
  },
  P11: {
    summary: "acquire raises the level when it has the lock already",
    acquire: proc(`${acquire.name}P11`, (a) => {
      a.push(edx);
      a.call(KeAcquireInStackQueuedSpinLockAtDpcLevel);
      a.mov(ecx, DISPATCH_LEVEL);
      a.call(KfRaiseIrql);
      a.pop(edx);
      a.mov(byte(edx, OldIrql), al);
      a.ret();
    }),
  },
  P20: { summary: "the caller's handle lies below its stack pointer until it is in the queue" },
};
