// What rules about levels are checked against, spelled out again from the tables and not from the kernel.

import type { HarnessProcessor } from "#harness";
import { KfLowerIrql, KfRaiseIrql } from "#kernel";

/** Task priority for each level. */
export const TASK_PRIORITY: readonly number[] = [
  ...[0x00, 0x3d, 0x41, 0x41, 0x51, 0x61, 0x71, 0x81, 0x91, 0xa1, 0xb1],
  ...new Array<number>(16).fill(0xb1),
  ...[0xc1, 0xd1, 0xe1, 0xef, 0xff],
];

/** Vectors that a device, the clock or another processor can raise, with the level at which each is served. */
export const SERVED: readonly (readonly [vector: number, irql: number])[] = [
  [0x53, 4],
  [0x63, 5],
  [0x73, 6],
  [0x83, 7],
  [0x93, 8],
  [0xa3, 9],
  [0xb3, 10],
  [0xd1, 28],
  [0xe1, 29],
];

export const LEVELS: readonly number[] = TASK_PRIORITY.map((_, irql) => irql);

/** Level and task priority of a processor; a pair that belongs together. */
export function levelOf({ irql, tpr }: HarnessProcessor): readonly [irql: number, tpr: number] {
  return [irql, tpr];
}

/** From PASSIVE_LEVEL to a level. */
export function raise(processor: HarnessProcessor, irql: number): void {
  processor.call(KfRaiseIrql, irql);
}

export function lower(processor: HarnessProcessor, irql: number): void {
  processor.call(KfLowerIrql, irql);
}
