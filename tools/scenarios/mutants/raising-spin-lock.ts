// The raising forms of the ordinary spin lock with one mistake each, to show that the exploration sees it.

import { ecx, proc } from "#asm";
import {
  KfAcquireSpinLock as acquire,
  DISPATCH_LEVEL,
  KefAcquireSpinLockAtDpcLevel,
  KefReleaseSpinLockFromDpcLevel,
  KfRaiseIrql,
} from "#kernel";
import type { Mutant } from "./variant.ts";

/** By name. */
export const raisingSpinLockMutants: Readonly<Record<string, Mutant>> = {
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
