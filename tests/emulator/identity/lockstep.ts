// Machines of several engines that run the same program side by side, and are compared at the end of every slice.
import { Machine, type RunResult, type Snapshot } from "#emulator";
import { seedSlices } from "../../../emulator/machine/slices.ts";
import * as L from "../../../emulator/memory/layout.ts";
import { Random } from "../fuzz/random.ts";
import { type Engine, reference } from "./engines.ts";
import { MEMORY } from "./places.ts";
import type { Program } from "./program.ts";
import { hex, nameOfMemory, nameOfWord } from "./words.ts";

/** What two machines disagree about: a line each. */
export interface Difference {
  readonly engine: Engine;
  /** Steps up to and with the one after which they differ. */
  readonly step: number;
  /** Instructions of all processors before that step, and after it by the reference. */
  readonly before: number;
  readonly after: number;
  readonly lines: readonly string[];
}

/** What a run came to. */
export interface Outcome {
  readonly result: RunResult;
  readonly steps: number;
  readonly difference: Difference | null;
}

/** How runs are compared. */
export interface Plan {
  /** Ends of the machine's own slices, each or some of them (engines may then run several at once), or also any instruction in between. */
  readonly cut: "slices" | "some slices" | "anywhere";
  /** The hashes are taken after each step, and not only the words compared: it makes the machines look at more again. */
  readonly hashes: boolean;
  readonly seed: number;
  readonly maxInstructions: number;
  readonly maxSteps: number;
}

const MOST_LINES = 24;
/** Slices between two comparisons, where not every one is looked at. */
const MOST_SLICES = 60;
const total = ({ instructions }: RunResult): number => instructions.reduce((sum, count) => sum + count, 0);

/** Runs machines in the same state side by side, to their end or to the first difference from the first one. */
export function runSideBySide(engines: readonly Engine[], machines: readonly Machine[], plan: Plan): Outcome {
  const { cut, hashes, maxInstructions, maxSteps } = plan;
  const random = new Random(~plan.seed);
  const [first, ...others] = machines as [Machine, ...Machine[]];
  let before = 0;
  for (let step = 1; ; step++) {
    const maxSlices = cut === "some slices" ? 1 + random.below(MOST_SLICES) : 1;
    const distance = cut !== "anywhere" ? maxInstructions : 1 + random.below(random.oneIn(3) ? 300 : 20_000);
    const limits = { maxSlices, maxInstructions: Math.min(maxInstructions, before + distance) };
    const result = first.run(limits);
    const after = total(result);
    const isOver = result.reason !== "budget" || after >= maxInstructions || step >= maxSteps;
    const hash = hashes || isOver ? first.hash() : "";
    for (const [i, machine] of others.entries()) {
      const lines = [...compareResults(result, machine.run(limits)), ...compareStates(first, machine)];
      if (hash !== "" && machine.hash() !== hash && lines.length === 0)
        lines.push("the hashes differ, and no word that was written does");
      if (lines.length === 0) continue;
      return { result, steps: step, difference: { engine: engines[i + 1] as Engine, step, before, after, lines } };
    }
    if (isOver) return { result, steps: step, difference: null };
    before = after;
  }
}

// --- random programs ---

/** How a program is compared, which follows from its seed. */
export function planOf({ seed, maxInstructions, maxSlices }: Program): Plan {
  const cut = seed % 2 === 1 ? "anywhere" : seed % 4 === 0 ? "some slices" : "slices";
  return { cut, hashes: seed % 5 === 0, seed, maxInstructions, maxSteps: maxSlices };
}

interface Place {
  readonly machine: Machine;
  readonly base: Snapshot;
}

export class Lockstep {
  readonly engines: readonly Engine[];
  readonly #places = new Map<number, readonly Place[]>();

  /** The reference and the engines that are compared with it. */
  constructor(engines: readonly Engine[]) {
    this.engines = [reference, ...engines];
  }

  /** The machines of all engines, with the program in them, the reference first. */
  enter(program: Program): Machine[] {
    const { processors } = program.shape;
    let places = this.#places.get(processors);
    if (!places) {
      places = this.engines.map(({ options }) => {
        const machine = new Machine({ processors, memory: MEMORY, ...options });
        return { machine, base: machine.snapshot() };
      });
      this.#places.set(processors, places);
    }
    return places.map(({ machine, base }) => {
      machine.restore(base);
      for (const [address, bytes] of program.memory) machine.memory.set(address, bytes);
      for (const [index, value] of program.words) machine.core.i32[index] = value;
      seedSlices(machine.core.i32, program.sliceSeed);
      return machine;
    });
  }

  /** Runs a program to its end or to the first difference. `most` cuts it short: so many instructions at most. */
  run(program: Program, most = program.maxInstructions): Outcome {
    return runSideBySide(this.engines, this.enter(program), { ...planOf(program), maxInstructions: most });
  }
}

// --- what differs ---

function compareResults(a: RunResult, b: RunResult): string[] {
  const lines: string[] = [];
  for (const key of ["reason", "detail", "guestExit", "clock"] as const)
    if (a[key] !== b[key]) lines.push(`${key}: ${a[key]} / ${b[key]}`);
  a.instructions.forEach((count, n) => {
    if (count !== b.instructions[n]) lines.push(`processor ${n} instructions: ${count} / ${b.instructions[n]}`);
  });
  return lines;
}

/** Words of a processor's block that only together say what its flags are. */
const FLAGS_FROM = Math.min(L.R_EFLAGS, L.R_LAZY, L.R_FA, L.R_FB, L.R_FRES);
const FLAGS_TO = Math.max(L.R_EFLAGS, L.R_LAZY, L.R_FA, L.R_FB, L.R_FRES) + 1;

/** Stretches of words of guest-visible state below RAM, flags left out. */
function stretches(machine: Machine): [from: number, to: number][] {
  const found: [number, number][] = [];
  let from = L.TIME_BASE >> 2;
  for (const { number } of machine.processors) {
    const block = (L.PROCESSOR_BASE + number * L.PROCESSOR_SIZE) >> 2;
    found.push([from, block + FLAGS_FROM]);
    from = block + FLAGS_TO;
  }
  found.push([from, L.TLB_BASE >> 2]);
  return found;
}

/** The words of guest-visible state that differ, by name. Nothing is changed: flags stay as lazy as they are. */
export function compareStates(a: Machine, b: Machine): string[] {
  const lines: string[] = [];
  const [x, y] = [a.core.i32, b.core.i32];
  const compare = (from: number, to: number, nameOf: (offset: number) => string): void => {
    if (areEqual(a, b, from * 4, to * 4)) return;
    for (let word = from; word < to; word++) {
      if (x[word] === y[word]) continue;
      if (lines.length === MOST_LINES) lines.push("and more");
      if (lines.length > MOST_LINES) return;
      lines.push(`${nameOf(word * 4)}: ${hex(x[word] as number)} / ${hex(y[word] as number)}`);
    }
  };
  for (const [i, { number, eflags }] of a.processors.entries()) {
    const other = b.processors[i]?.eflags ?? 0;
    if (eflags !== other) lines.push(`processor ${number} eflags: ${hex(eflags)} / ${hex(other)}`);
  }
  for (const [from, to] of stretches(a)) compare(from, to, nameOfWord);
  const { layout, u8 } = a.core;
  for (let page = 0; page < layout.ramSize / L.PAGE; page++) {
    const at = layout.attributeBase + page;
    if ((((u8[at] as number) | (b.core.u8[at] as number)) & L.ATTRIBUTE_DIRTY) === 0) continue;
    const from = (layout.ramBase + page * L.PAGE) >> 2;
    compare(from, from + (L.PAGE >> 2), (offset) => nameOfMemory(offset - layout.ramBase));
  }
  return lines;
}

function areEqual(a: Machine, b: Machine, from: number, to: number): boolean {
  return Buffer.compare(a.core.u8.subarray(from, to), b.core.u8.subarray(from, to)) === 0;
}
