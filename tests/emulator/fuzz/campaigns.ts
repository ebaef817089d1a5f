// The two campaigns: random instruction strings, and mutants of real programs. A case is its number, for ever.
import type { MachineOptions } from "#emulator";
import { type Causes, runTwice, wayOf } from "./campaign.ts";
import { Mutants } from "./mutants.ts";
import { Random } from "./random.ts";
import { modes, World } from "./world.ts";

/** Runs one case twice and counts how it ended. */
export type RunCase = (number: number, causes: Causes) => void;

/** Makes the machines of a campaign, which all its cases share. */
export type Campaign = (options?: MachineOptions) => RunCase;

/**
 * Strings of instructions in real mode, ring 0 and ring 3; every eighth case on three processors at once, every sixteenth
 * with their read-modify-writes split.
 */
export const strings: Campaign = (options = {}) => {
  const [one, three, split] = [
    new World(1, options),
    new World(3, options),
    new World(3, { ...options, splitRmw: true }),
  ];
  return (number, causes) => {
    const random = new Random(number);
    const world = number % 8 !== 7 ? one : number % 16 === 7 ? three : split;
    const drawn = world.draw(random, modes[number % modes.length]);
    runTwice(() => world.enter(drawn), random, wayOf(number), causes);
  };
};

/** Programs with a few bytes changed. */
export const mutants: Campaign = (options = {}) => {
  const programs = new Mutants(options);
  return (number, causes) => {
    const random = new Random(~number);
    runTwice(programs.draw(random), random, wayOf(number), causes);
  };
};

/** One line a cause, the most frequent first. */
export function report(causes: Causes): string {
  const rows = [...causes].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  return rows.map(([cause, count]) => `${String(count).padStart(9)}  ${cause}`).join("\n");
}
