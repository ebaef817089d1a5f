// The clock's interrupt in a scenario: it queues a DPC, each processor its own, and does the kernel's accounts.

import { type Procedure, proc } from "#asm";
import type { SetupMemory } from "#explore";
import { type BootedKernel, prepareDpc, queueingRoutine, serveVector } from "#harness";
import { CLOCK_VECTOR, KiClockInterrupt } from "#kernel";
import { variant } from "./mutants/variant.ts";

/**
 * The kernel's own routine but for the one instruction by which processor 0 sends the vector on to the others: theirs come from
 * agents, at any boundary and so also at those to which processor 0 would have sent them.
 */
const KiClockInterruptHere = proc(
  "KiClockInterruptHere",
  variant(KiClockInterrupt, { instead: "call", occurrence: 2 }).body,
);

/** BOOLEAN stdcall (Vector, TrapFrame). Queue this processor's DPC and go on in the kernel's routine, as a workload does. */
export const ScenarioClock = queueingRoutine("ScenarioClock", KiClockInterruptHere);
/** The same with the kernel's routine as it is: processor 0 sends the vector on. */
export const ScenarioBroadcastClock = queueingRoutine("ScenarioBroadcastClock", KiClockInterrupt);

/** Makes the DPC objects, and puts the service routine into the kernel's table. */
export function prepareClock(
  memory: SetupMemory,
  kernel: BootedKernel,
  processors: number,
  routine: Procedure,
  clock = ScenarioClock,
): void {
  for (let processor = 0; processor < processors; processor++) prepareDpc(memory, kernel, processor, routine);
  serveVector(memory, kernel, CLOCK_VECTOR, clock);
}
