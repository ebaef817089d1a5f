// The ordinary spin lock, as the kernel has it and deliberately broken.

import { data, ecx } from "#asm";
import type { Scenario, ScenarioOptions } from "#explore";
import { KefAcquireSpinLockAtDpcLevel, KefReleaseSpinLockFromDpcLevel } from "#kernel";
import { lockScenario } from "./lock-scenario.ts";
import { spinLockMutants } from "./mutants/spin-lock.ts";

/** Every processor takes one ordinary spin lock, `rounds` times. There is no order among those who wait. */
export function spinLock(options: ScenarioOptions): Scenario {
  const lock = data("spinLock", 4);
  const mutant = options.mutant === undefined ? undefined : spinLockMutants[options.mutant];
  const acquire = mutant?.acquire ?? KefAcquireSpinLockAtDpcLevel;
  const release = mutant?.release ?? KefReleaseSpinLockFromDpcLevel;
  return lockScenario(
    {
      name: "spin-lock",
      lock,
      acquire(a) {
        a.mov(ecx, lock);
        a.call(acquire);
      },
      release(a) {
        a.mov(ecx, lock);
        a.call(release);
      },
      releasesEarly: mutant?.releasesEarly ?? false,
      fifo: false,
      handle: new Map(),
    },
    options,
  );
}
