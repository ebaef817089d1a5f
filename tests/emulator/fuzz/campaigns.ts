// The two campaigns: random instruction strings, and mutants of real programs. A case is its number, for ever.
import { type Causes, runTwice, wayOf } from "./campaign.ts";
import { Mutants } from "./mutants.ts";
import { Random } from "./random.ts";
import { modes, World } from "./world.ts";

/** Runs cases `from` up to, not including, `to`; `at` is told of each before it runs. */
export type Campaign = (from: number, to: number, at?: (number: number) => void) => Causes;

/**
 * Strings of instructions in real mode, ring 0 and ring 3; every eighth case on three processors at once, every sixteenth
 * with their read-modify-writes split.
 */
export const strings: Campaign = (from, to, at = () => {}) => {
  const causes: Causes = new Map();
  const [one, three, split] = [new World(1), new World(3), new World(3, true)];
  for (let number = from; number < to; number++) {
    at(number);
    const random = new Random(number);
    const world = number % 8 !== 7 ? one : number % 16 === 7 ? three : split;
    const drawn = world.draw(random, modes[number % modes.length]);
    runTwice(() => world.enter(drawn), random, wayOf(number), causes);
  }
  return causes;
};

/** Programs with a few bytes changed. */
export const mutants: Campaign = (from, to, at = () => {}) => {
  const causes: Causes = new Map();
  const programs = new Mutants();
  for (let number = from; number < to; number++) {
    at(number);
    const random = new Random(~number);
    runTwice(programs.draw(random), random, wayOf(number), causes);
  }
  return causes;
};

/** One line a cause, the most frequent first. */
export function report(causes: Causes): string {
  const rows = [...causes].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  return rows.map(([cause, count]) => `${String(count).padStart(9)}  ${cause}`).join("\n");
}
