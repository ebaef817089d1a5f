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
 * Every processor takes one ordinary lock, raising its level; the clock interrupts each of them once, and the DPC that it queues
 * takes the lock too.
 */
export function raisingSpinLock(options: ScenarioOptions): Scenario {
  return scenario("raising-spin-lock", options, options.processors);
}

/** The same, but that the clock interrupts processor 0 alone: as many processors again would have states beyond number. */
export function raisingSpinLockOneClock(options: ScenarioOptions): Scenario {
  return scenario("raising-spin-lock-one-clock", options, 1);
}

function scenario(name: string, options: ScenarioOptions, clocks: number): Scenario {
  const spinLock = data("spinLock", 4);
  const mutant = options.mutant === undefined ? undefined : raisingSpinLockMutants[options.mutant];
  const acquire = mutant?.acquire ?? KfAcquireSpinLock;
  const release = mutant?.release ?? KfReleaseSpinLock;
  return kernelLockScenario(
    {
      name,
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
      clocks,
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
