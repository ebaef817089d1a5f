// DPCs put into a processor's queue by itself and by another, while it drains the queue; and one object that both insert.

import { dword, eax, type Procedure, proc } from "#asm";
import { type Scenario, ScenarioError, type ScenarioOptions } from "#explore";
import {
  bootKernel,
  DpcInserts,
  DpcRuns,
  dpcMonitor,
  dpcRoutine,
  insertDpc,
  levelMonitor,
  prepareDpc,
  replaceRoutine,
} from "#harness";
import { DPC_TARGETED, HighImportance } from "#kernel";
import { dpcQueueMutants } from "./mutants/dpc-queue.ts";
import { onlyOneRound } from "./rounds.ts";

/** Processor 0's own; the one that processor 1 sends it; the one that both insert, wherever it is free. */
const OWN = 0;
const SENT = 1;
const COMMON = 2;

/** Processor 0 waits for what processor 1 sends; a DPC that is lost would keep it waiting. */
export function dpcQueue(options: ScenarioOptions): Scenario {
  const { processors, mutant } = options;
  onlyOneRound("dpc-queue", options);
  if (processors !== 2)
    throw new ScenarioError(`dpc-queue: ${processors} processors asked for; its programs are for 2`);
  const routine = dpcRoutine();
  const replaced = mutant === undefined ? undefined : dpcQueueMutants[mutant];
  const programs = [
    proc("program0", (a) => {
      insertDpc(a, OWN);
      insertDpc(a, COMMON);
      a.label("wait");
      a.pause();
      a.cmp(dword(DpcRuns, 4 * SENT), 1);
      a.jne("wait");
      a.mov(eax, dword(DpcInserts, 4 * COMMON)); // the request for it may be one that processor 1 is about to send
      a.cmp(dword(DpcRuns, 4 * COMMON), eax);
      a.jne("wait");
      a.cli();
      a.hlt();
    }),
    proc("program1", (a) => {
      insertDpc(a, SENT);
      insertDpc(a, COMMON);
      a.cli();
      a.hlt();
    }),
  ];
  const include: Procedure[] = [...programs, routine];
  if (replaced) include.push(replaced.by);
  const kernel = bootKernel(processors, include);
  const { image, booted, stacks } = kernel;
  return {
    ...options,
    name: "dpc-queue",
    image,
    booted,
    stacks,
    starts: programs.map((program) => ({ eip: image.addressOf(program) })),
    setup(memory) {
      prepareDpc(memory, kernel, OWN, routine);
      prepareDpc(memory, kernel, SENT, routine, { importance: HighImportance, target: DPC_TARGETED | 0 });
      prepareDpc(memory, kernel, COMMON, routine);
      if (replaced) replaceRoutine(memory, kernel, replaced.routine, replaced.by);
    },
    monitors: [levelMonitor(kernel, new Map()), dpcMonitor(kernel, 3)],
    words: new Map([OWN, SENT, COMMON].map((number) => [kernel.physical(DpcRuns) + 4 * number, `runs${number}`])),
  };
}
