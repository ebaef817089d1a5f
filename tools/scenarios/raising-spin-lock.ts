// The ordinary spin lock taken from PASSIVE_LEVEL, and by a DPC that the clock queues.

import { type Assembler, byte, data, ecx, edx, fs } from "#asm";
import type { Scenario, ScenarioOptions } from "#explore";
import {
  DISPATCH_LEVEL,
  KefAcquireSpinLockAtDpcLevel,
  KefReleaseSpinLockFromDpcLevel,
  KfAcquireSpinLock,
  KfRaiseIrql,
  KfReleaseSpinLock,
  KPCR,
  PASSIVE_LEVEL,
} from "#kernel";
import { kernelLockScenario } from "./kernel-lock.ts";
import { raisingSpinLockMutants } from "./mutants/raising-spin-lock.ts";

/**
 * Every processor takes one ordinary lock, raising its level; the clock interrupts the first of them once, and the DPC that it
 * queues takes the lock too.
 */
export function raisingSpinLock(options: ScenarioOptions): Scenario {
  const spinLock = data("spinLock", 4);
  const mutant = options.mutant === undefined ? undefined : raisingSpinLockMutants[options.mutant];
  const acquire = mutant?.acquire ?? KfAcquireSpinLock;
  const release = mutant?.release ?? KfReleaseSpinLock;
  return kernelLockScenario(
    {
      name: "raising-spin-lock",
      lock: spinLock,
      acquire(a) {
        a.mov(ecx, spinLock);
        a.call(acquire);
      },
      release(a) {
        a.mov(ecx, spinLock);
        a.mov(edx, PASSIVE_LEVEL);
        a.call(release);
      },
      ...(options.mutant === "P09"
        ? { prepare: raiseOdd, level: (processor: number) => (processor % 2) * DISPATCH_LEVEL }
        : {}),
      fifo: false,
      handle: new Map(),
      clocks: 1,
      dpc: {
        acquire(a) {
          a.mov(ecx, spinLock);
          a.call(KefAcquireSpinLockAtDpcLevel);
        },
        release(a) {
          a.mov(ecx, spinLock);
          a.call(KefReleaseSpinLockFromDpcLevel);
        },
      },
    },
    options,
  );
}

/** Every other processor is at DISPATCH_LEVEL already. */
function raiseOdd(a: Assembler): void {
  a.movzx(ecx, byte(fs, KPCR.Number));
  a.and(ecx, 1);
  a.shl(ecx, 1); // DISPATCH_LEVEL
  a.call(KfRaiseIrql);
}
