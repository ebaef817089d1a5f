// What must hold of a processor's level: level and task priority agree, and are what they should be at marked places; and that
// the kernel finds nothing wrong itself.

import type { Monitor } from "#explore";
import { KeBugCheckEx, KPCR, taskPriority } from "#kernel";
import type { BootedKernel } from "./booted.ts";

/** One for all processors, or one by processor. */
type Level = number | ((processor: number) => number);

/** At each of these addresses of code, the level that the processor must have; and PASSIVE_LEVEL when all is over. */
export function levelMonitor(kernel: BootedKernel, levels: ReadonlyMap<number, Level>, last: Level = 0): Monitor {
  return {
    words: 0,
    demands: {},
    watch(watch) {
      const check = (processor: number, wanted: Level): void => {
        const level = typeof wanted === "number" ? wanted : wanted(processor);
        const irql = watch.dword(kernel.pcr(processor) + KPCR.Irql.offset) & 0xff;
        const priority = watch.taskPriority(processor);
        if (irql === level && priority === taskPriority(level)) return;
        const found = `level ${irql} and task priority ${priority.toString(16)}h`;
        watch.violated("levels come back", `P${processor} has ${found} where its level is ${level}`);
      };
      return {
        marks: new Map<number, (processor: number) => void>([
          ...[...levels].map(([address, level]) => [address, (processor: number) => check(processor, level)] as const),
          [
            kernel.image.addressOf(KeBugCheckEx),
            (processor) => watch.violated("no bug check", `P${processor} finds the kernel broken and stops it`),
          ],
        ]),
        finished() {
          for (let processor = 0; processor < watch.processors; processor++) check(processor, last);
        },
      };
    },
  };
}
