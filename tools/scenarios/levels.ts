// What must hold of a processor's level: level and task priority agree, and are what they should be at marked places.

import type { Monitor } from "#explore";
import { KPCR, taskPriority } from "#kernel";
import type { BootedKernel } from "./booted.ts";

/** At each of these addresses of code, the level that the processor must have; and PASSIVE_LEVEL when all is over. */
export function levelMonitor(kernel: BootedKernel, levels: ReadonlyMap<number, number>, last = 0): Monitor {
  return {
    words: 0,
    demands: {},
    watch(watch) {
      const check = (processor: number, level: number): void => {
        const irql = watch.dword(kernel.pcr(processor) + KPCR.Irql.offset) & 0xff;
        const priority = watch.taskPriority(processor);
        if (irql === level && priority === taskPriority(level)) return;
        const found = `level ${irql} and task priority ${priority.toString(16)}h`;
        watch.violated("levels come back", `P${processor} has ${found} where its level is ${level}`);
      };
      return {
        marks: new Map(
          [...levels].map(([address, level]) => [address, (processor: number) => check(processor, level)]),
        ),
        finished() {
          for (let processor = 0; processor < watch.processors; processor++) check(processor, last);
        },
      };
    },
  };
}
