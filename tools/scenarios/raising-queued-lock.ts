// The queued lock taken from PASSIVE_LEVEL, while the clock may interrupt anywhere and queues a DPC.

import { type Data, data, dword, ecx, edx, esp, type Procedure } from "#asm";
import type { Monitor, Scenario, ScenarioOptions } from "#explore";
import type { BootedKernel } from "#harness";
import {
  KeAcquireInStackQueuedSpinLock,
  KeReleaseInStackQueuedSpinLock,
  KLOCK_QUEUE_HANDLE,
  LOCK_QUEUE_OWNER,
  LOCK_QUEUE_WAIT,
} from "#kernel";
import { kernelLockScenario } from "./kernel-lock.ts";
import { raisingQueuedLockMutants } from "./mutants/raising-queued-lock.ts";

const { LockQueue, OldIrql } = KLOCK_QUEUE_HANDLE;

/** Every processor takes one queued lock, raising its level; the clock interrupts each of them once. */
export function raisingQueuedLock(options: ScenarioOptions): Scenario {
  const spinLock = data("spinLock", 4);
  const mutant = options.mutant === undefined ? undefined : raisingQueuedLockMutants[options.mutant];
  if (options.mutant === "P20") return belowStackPointer(spinLock, options);
  const acquire = mutant?.acquire ?? KeAcquireInStackQueuedSpinLock;
  const release = mutant?.release ?? KeReleaseInStackQueuedSpinLock;
  return kernelLockScenario(
    {
      name: "raising-queued-lock",
      lock: spinLock,
      acquire(a) {
        a.mov(ecx, spinLock);
        a.mov(edx, esp);
        a.call(acquire);
      },
      release(a) {
        a.mov(ecx, esp);
        a.call(release);
      },
      fifo: true,
      handle: new Map([
        [LockQueue.Next.offset, "Next"],
        [LockQueue.Lock.offset, "Lock"],
        [OldIrql.offset, "OldIrql"],
      ]),
      monitors: (kernel, dpc, handles) => [heldMonitor(kernel, dpc, handles)],
    },
    options,
  );
}

/** The caller lowers ESP only when its handle, below it, is in the queue already: an interrupt before that writes over it. */
function belowStackPointer(spinLock: Data, options: ScenarioOptions): Scenario {
  return kernelLockScenario(
    {
      name: "raising-queued-lock",
      lock: spinLock,
      acquire(a) {
        a.mov(ecx, spinLock);
        a.lea(edx, dword(esp, -BELOW));
        a.call(KeAcquireInStackQueuedSpinLock);
        a.sub(esp, BELOW);
      },
      release(a) {
        a.mov(ecx, esp);
        a.call(KeReleaseInStackQueuedSpinLock);
        a.add(esp, BELOW);
      },
      fifo: true,
      handle: new Map(),
      clocks: 1,
      keepsDeadStack: true,
    },
    options,
  );
}

/** Out of reach of what the routines themselves push. */
const BELOW = 64;

/** No DPC runs on a processor that has the lock. */
function heldMonitor(kernel: BootedKernel, dpc: Procedure, handles: readonly number[]): Monitor {
  return {
    words: 0,
    demands: {},
    watch: (watch) => ({
      marks: new Map([
        [
          kernel.image.addressOf(dpc),
          (processor: number) => {
            const lock = watch.dword(handles[processor]! + LockQueue.Lock.offset);
            if ((lock & (LOCK_QUEUE_OWNER | LOCK_QUEUE_WAIT)) === LOCK_QUEUE_OWNER)
              watch.violated("no DPC while the lock is held", `P${processor} runs a DPC and has the lock`);
          },
        ],
      ]),
    }),
  };
}
