// The in-stack queued spin lock, as the kernel has it and deliberately broken.

import { type Assembler, data, ecx, edx, esp, type Procedure } from "#asm";
import type { Scenario, ScenarioOptions } from "#explore";
import {
  KeAcquireInStackQueuedSpinLockAtDpcLevel,
  KeReleaseInStackQueuedSpinLockFromDpcLevel,
  KLOCK_QUEUE_HANDLE,
} from "#kernel";
import { lockScenario } from "./lock-scenario.ts";
import { queuedLockMutants } from "./mutants/queued-lock.ts";

const { Next, Lock } = KLOCK_QUEUE_HANDLE.LockQueue;

/** Every processor takes one queued lock, `rounds` times, with a handle full of garbage on its stack. */
export function queuedLock(options: ScenarioOptions): Scenario {
  const spinLock = data("spinLock", 4);
  const mutant = options.mutant === undefined ? undefined : queuedLockMutants[options.mutant];
  const acquire = mutant?.acquire ?? KeAcquireInStackQueuedSpinLockAtDpcLevel;
  const release = mutant?.release ?? KeReleaseInStackQueuedSpinLockFromDpcLevel;
  return lockScenario(
    {
      name: "queued-lock",
      lock: spinLock,
      acquire(a) {
        a.mov(ecx, spinLock);
        a.mov(edx, esp);
        a.call(acquire);
        if (mutant?.nests) takeAnother(a, acquire, release);
      },
      release(a) {
        a.mov(ecx, esp);
        a.call(release);
      },
      releasesEarly: mutant?.releasesEarly ?? false,
      reusesHandle: mutant?.reusesHandle ?? false,
      fifo: true,
      handle: new Map([
        [Next.offset, "Next"],
        [Lock.offset, "Lock"],
      ]),
    },
    options,
  );
}

const innerLock = data("innerLock", 4);

/** Takes another lock with another handle, below the first one on the stack, and gives it back. */
function takeAnother(a: Assembler, acquire: Procedure, release: Procedure): void {
  a.sub(esp, KLOCK_QUEUE_HANDLE.LockQueue.size);
  a.mov(ecx, innerLock);
  a.mov(edx, esp);
  a.call(acquire);
  a.mov(ecx, esp);
  a.call(release);
  a.add(esp, KLOCK_QUEUE_HANDLE.LockQueue.size);
}
