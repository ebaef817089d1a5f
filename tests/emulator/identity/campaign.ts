// Many programs by their seeds, one after the other, until one differs.
import type { Lockstep } from "./lockstep.ts";
import { type Program, programOf } from "./program.ts";

/** What came of a campaign so far. */
export interface Tally {
  programs: number;
  instructions: number;
  steps: number;
  /** How programs ended, by reason. */
  readonly ends: Map<string, number>;
}

export const emptyTally = (): Tally => ({ programs: 0, instructions: 0, steps: 0, ends: new Map() });

/** Runs one program in all engines; the program if they differ. */
export function runOne(lockstep: Lockstep, seed: number, tally: Tally, omitted?: ReadonlySet<number>): Program | null {
  const program = programOf(seed, omitted);
  const { result, steps, difference } = lockstep.run(program);
  if (difference !== null) return program;
  tally.programs++;
  tally.steps += steps;
  tally.instructions += result.instructions.reduce((sum, count) => sum + count, 0);
  const how =
    result.detail === undefined ? result.reason : `${result.reason}: ${result.detail.replace(/ at 0x.*/, "")}`;
  tally.ends.set(how, (tally.ends.get(how) ?? 0) + 1);
  return null;
}

/** A tally in a sentence. */
export function describe({ programs, instructions, steps, ends }: Tally): string {
  const how = [...ends].sort(([, m], [, n]) => n - m).map(([end, count]) => `${end} ${count}`);
  return (
    `${programs} programs, ${(instructions / 1e6).toFixed(1)} M instructions, compared ${steps} times; ` +
    `ended by ${how.join(", ")}`
  );
}
