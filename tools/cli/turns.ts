// Long runs in turns, so that the process stays alive to signals, closed pipes and a status line.
import type { Machine, RunResult } from "#emulator";
import type { Host } from "./host.ts";

const FIRST_TURN = 1_000_000;
/** A turn should take about this long. */
const TURN_SECONDS = 0.1;

/**
 * Runs a machine to its end or to `maxInstructions` in all. How the run is cut into turns changes nothing of it: budgets are
 * exact. `between` is told the instructions so far.
 */
export async function runInTurns(
  machine: Machine,
  maxInstructions: number,
  host: Host,
  between: (instructions: number) => void,
): Promise<RunResult> {
  let turn = FIRST_TURN;
  let done = 0;
  for (;;) {
    const began = host.now();
    const result = machine.run({ maxInstructions: Math.min(maxInstructions, done + turn) });
    done = totalOf(result.instructions);
    between(done);
    const seconds = host.now() - began;
    host.log.debug({ turn, seconds, instructions: result.instructions, clock: result.clock }, "turn");
    if (result.reason !== "budget" || done >= maxInstructions) {
      host.log.info({ ...result }, "end");
      return result;
    }
    if (seconds < TURN_SECONDS / 2) turn *= 2;
    else if (seconds > TURN_SECONDS * 2 && turn > FIRST_TURN) turn = Math.floor(turn / 2);
    await host.breathe();
  }
}

/** Instructions of all processors together. */
export function totalOf(instructions: readonly number[]): number {
  return instructions.reduce((sum, count) => sum + count, 0);
}
