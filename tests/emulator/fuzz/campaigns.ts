// The two campaigns: random instruction strings, and mutants of real programs. A case is its number, for ever.
import type { MachineOptions } from "#emulator";
import { type Causes, runTwice, wayOf } from "./campaign.ts";
import { Mutants } from "./mutants.ts";
import { Random } from "./random.ts";
import { modes, World } from "./world.ts";

/** Runs one case twice and counts how it ended. */
export type RunCase = (number: number, causes: Causes) => void;

export type Engine = NonNullable<MachineOptions["engine"]>;

/** Makes the machines of a campaign: the first run of every case is the interpreter's, the second one that of `engine`. */
export type Campaign = (engine?: Engine) => RunCase;

/**
 * Strings of instructions in real mode, ring 0 and ring 3; every eighth case on three processors at once, every sixteenth
 * with their read-modify-writes split.
 */
export const strings: Campaign = (engine = "interpreter") => {
  const worldsOf = (engine: Engine): readonly World[] => [
    new World(1, { engine }),
    new World(3, { engine }),
    new World(3, { engine, splitRmw: true }),
  ];
  const worlds = worldsOf("interpreter");
  const others = engine === "interpreter" ? worlds : worldsOf(engine);
  return (number, causes) => {
    const random = new Random(number);
    const kind = number % 8 !== 7 ? 0 : number % 16 === 7 ? 1 : 2;
    const drawn = worlds[kind].draw(random, modes[number % modes.length]);
    runTwice([() => worlds[kind].enter(drawn), () => others[kind].enter(drawn)], random, wayOf(number), causes);
  };
};

/** Programs with a few bytes changed. */
export const mutants: Campaign = (engine = "interpreter") => {
  const programs = new Mutants({ engine: "interpreter" });
  const others = engine === "interpreter" ? programs : new Mutants({ engine });
  return (number, causes) => {
    const random = new Random(~number);
    const mutant = programs.draw(random);
    runTwice([() => programs.enter(mutant), () => others.enter(mutant)], random, wayOf(number), causes);
  };
};

/** One line a cause, the most frequent first. */
export function report(causes: Causes): string {
  const rows = [...causes].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  return rows.map(([cause, count]) => `${String(count).padStart(9)}  ${cause}`).join("\n");
}
