// The raising forms of the ordinary spin lock with one mistake each, to show that the exploration sees it.

import { al, byte, cl, data, ecx, fs, proc } from "#asm";
import {
  KfAcquireSpinLock as acquire,
  DISPATCH_LEVEL,
  KefAcquireSpinLockAtDpcLevel,
  KefReleaseSpinLockFromDpcLevel,
  KfLowerIrql,
  KfRaiseIrql,
  KPCR,
  KfReleaseSpinLock as release,
} from "#kernel";
import type { Mutant } from "./variant.ts";

const oldIrql = data("oldIrql", 4);

/** By name. P09 needs two processors, of which one is at DISPATCH_LEVEL all the time. */
export const raisingSpinLockMutants: Readonly<Record<string, Mutant>> = {
  P09: {
    summary: "the level to go back to is kept with the lock, and written there before the lock is won",
    acquire: proc(`${acquire.name}P09`, (a) => {
      a.mov(al, byte(fs, KPCR.Irql));
      a.mov(byte(oldIrql), al);
      a.jmp(acquire);
    }),
    release: proc(`${release.name}P09`, (a) => {
      a.call(KefReleaseSpinLockFromDpcLevel);
      a.mov(cl, byte(oldIrql));
      a.jmp(KfLowerIrql);
    }),
  },
  P10: {
    summary: "the lock is taken at PASSIVE_LEVEL, by the call that is for DISPATCH_LEVEL",
    acquire: KefAcquireSpinLockAtDpcLevel,
    release: KefReleaseSpinLockFromDpcLevel,
  },
  P11: {
    summary: "acquire raises the level when it has the lock already",
    acquire: proc(`${acquire.name}P11`, (a) => {
      a.call(KefAcquireSpinLockAtDpcLevel);
      a.mov(ecx, DISPATCH_LEVEL);
      a.jmp(KfRaiseIrql);
    }),
  },
};
