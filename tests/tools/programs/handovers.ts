// How the schedule of a run treats a contended lock: hand-overs between processors, contention, and what the seed changes.
// As a program (npm run handovers): 20 seeds on 1, 2, 8, 16 and 32 processors, a line of figures for each.

import { fileURLToPath } from "node:url";
import { Machine } from "#emulator";
import image, { followed, sequence, spinLock, tallies, total } from "../../../tools/programs/queued-lock.ts";

const MOST = 32;

export interface Handovers {
  readonly hash: string;
  /** Hash of who was inside, in order. */
  readonly sequence: number;
  readonly acquisitions: number;
  /** Share of the acquisitions that had to wait: a PAUSE was executed in the section or in the queue. */
  readonly contended: number;
  /** Share of the ordered pairs of processors that handed the lock over. */
  readonly pairs: number;
  readonly clock: number;
  readonly seconds: number;
}

/** One run of the queued-lock program, read from the guest's own memory. */
export function handovers(processors: number, seed: number, rounds: number): Handovers {
  const started = process.hrtime.bigint();
  const machine = Machine.boot(image, { processors, seed, memory: 2 << 20, commandLine: `rounds=${rounds}` });
  const { reason, guestExit, clock } = machine.run({ maxInstructions: 2_000_000_000 });
  const word = (address: number): number => machine.memory.dword(address);
  if (reason !== "guest exit" || guestExit !== 0 || word(image.addressOf(spinLock)) !== 0)
    throw new Error(`queued-lock on ${processors} processors, seed ${seed}: ${reason} ${guestExit}`);
  let waited = 0;
  let pairs = 0;
  for (let from = 0; from < processors; from++) {
    waited += word(image.addressOf(tallies) + from * 8 + 4);
    for (let to = 0; to < processors; to++)
      if (from !== to && word(image.addressOf(followed) + (from * MOST + to) * 4) !== 0) pairs++;
  }
  const acquisitions = word(image.addressOf(total));
  return {
    hash: machine.hash(),
    sequence: word(image.addressOf(sequence)),
    acquisitions,
    contended: waited / acquisitions,
    pairs: processors === 1 ? 1 : pairs / (processors * (processors - 1)),
    clock,
    seconds: Number(process.hrtime.bigint() - started) / 1e9,
  };
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

function campaign(): void {
  for (const processors of [1, 2, 8, 16, 32]) {
    const runs = Array.from({ length: 20 }, (_, i) => handovers(processors, i + 1, 10_000));
    const again = handovers(processors, 1, 10_000);
    const distinct = new Set(runs.map((run) => run.sequence)).size;
    const least = (of: (run: Handovers) => number): number => Math.min(...runs.map(of));
    const seconds = runs.reduce((sum, run) => sum + run.seconds, 0);
    console.log(
      `${processors} processors: ${distinct} of 20 sequences distinct, pairs at least ${percent(least((run) => run.pairs))}, ` +
        `contended at least ${percent(least((run) => run.contended))}, ` +
        `seed 1 again ${again.hash === runs[0].hash ? "equal" : "DIFFERENT"}, ${seconds.toFixed(1)} s`,
    );
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) campaign();
