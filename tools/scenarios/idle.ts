// A processor in its idle loop, and another one that queues a DPC for it: it must not sleep on.

import { dword, proc } from "#asm";
import { type Scenario, ScenarioError, type ScenarioOptions } from "#explore";
import { bootKernel, DpcRuns, insertDpc, prepareDpc, replaceRoutine } from "#harness";
import { DPC_TARGETED, KiIdleLoop } from "#kernel";
import { idleMutants } from "./mutants/dpc-queue.ts";
import { onlyOneRound } from "./rounds.ts";

/** Processor 0 idles; processor 1 inserts a DPC for it, of medium importance, which asks for a drain only where it idles. */
export function idle(options: ScenarioOptions): Scenario {
  const { processors, mutant } = options;
  onlyOneRound("idle", options);
  if (processors !== 2) throw new ScenarioError(`idle: ${processors} processors asked for; its programs are for 2`);
  const replaced = mutant === undefined ? undefined : idleMutants[mutant];
  // The DPC ends processor 0's program: an idle loop has no end of its own.
  const routine = proc("LastDpc", (a) => {
    a.inc(dword(DpcRuns));
    a.cli();
    a.hlt();
  });
  const programs = [
    proc("program0", (a) => {
      a.jmp(KiIdleLoop);
    }),
    proc("program1", (a) => {
      insertDpc(a, 0);
      a.cli();
      a.hlt();
    }),
  ];
  const kernel = bootKernel(processors, [...programs, routine, ...(replaced ? [replaced.by] : [])]);
  const { image, booted, stacks } = kernel;
  return {
    ...options,
    name: "idle",
    image,
    booted,
    stacks,
    starts: programs.map((program) => ({ eip: image.addressOf(program) })),
    setup(memory) {
      prepareDpc(memory, kernel, 0, routine, { target: DPC_TARGETED });
      if (replaced) replaceRoutine(memory, kernel, replaced.routine, replaced.by);
    },
    monitors: [],
    words: new Map([[kernel.physical(DpcRuns), "runs"]]),
  };
}
