// Real programs with a few bytes changed: each is run to several points first, and goes on from there as a mutant.
import { Machine, type MachineOptions, type Snapshot } from "#emulator";
import * as L from "../../../emulator/memory/layout.ts";
import counter from "../../../tools/programs/counter.ts";
import queuedLock from "../../../tools/programs/queued-lock.ts";
import { bootSector } from "../guests/boot-sector.ts";
import { busy } from "../guests/busy.ts";
import { BUDGET } from "./campaign.ts";
import type { Random } from "./random.ts";

const MEMORY = 2 * 0x100000;

interface Program {
  readonly image: Uint8Array | { elf(): Uint8Array };
  readonly processors: number;
  /** Instructions after which mutants take over; spread over what the program does. */
  readonly points: readonly number[];
  /** Physical addresses of the code. */
  readonly code: readonly [first: number, end: number];
}

const textOf = (image: typeof counter): readonly [number, number] => {
  const text = image.sections.find((section) => section.execute);
  if (!text) throw new Error("a program without code");
  return [text.address, text.address + text.size];
};

const programs: readonly Program[] = [
  { image: counter, processors: 2, points: [0, 40, 21_000, 22_000, 25_000], code: textOf(counter) },
  { image: queuedLock, processors: 3, points: [0, 21_000, 30_000, 60_000], code: textOf(queuedLock) },
  { image: busy, processors: 1, points: [0, 21_500, 24_000, 28_000, 33_000, 38_000], code: textOf(busy) },
  { image: busy, processors: 3, points: [23_000, 26_000, 30_000, 36_000], code: textOf(busy) },
  { image: bootSector, processors: 1, points: [0, 100, 1000, 5000], code: [0x7c00, 0x7c00 + bootSector.length] },
];

/** A program run to a point; `next` is where each processor goes on. */
interface Start {
  readonly machine: Machine;
  readonly snapshot: Snapshot;
  readonly next: readonly number[];
  readonly code: readonly [first: number, end: number];
}

/** What is changed of a program, and where it starts. */
export interface Mutant {
  readonly start: number;
  readonly changes: readonly { readonly at: number; readonly bytes: readonly number[]; readonly flip: number }[];
}

/** Programs run to their points, on machines that are put back for every mutant. */
export class Mutants {
  readonly #starts: Start[] = [];

  constructor(options: MachineOptions = {}) {
    for (const { image, processors, points, code } of programs) {
      for (const point of points) {
        const machine = Machine.boot(image, { ...options, processors, memory: MEMORY });
        machine.run({ maxInstructions: point });
        for (const { number } of machine.processors) forgetRetired(machine, number);
        const next = machine.processors.map(({ cs, eip }) => cs.base + eip);
        this.#starts.push({ machine, snapshot: machine.snapshot(), next, code });
      }
    }
  }

  /** A mutant drawn at random. */
  draw(random: Random): Mutant {
    const start = random.below(this.#starts.length);
    const changes = Array.from({ length: 1 + random.below(6) }, () => {
      const bytes = Array.from({ length: random.oneIn(8) ? 4 : 1 }, () => random.corner());
      return { at: place(random, this.#starts[start]), bytes, flip: random.oneIn(3) ? 1 << random.below(8) : 0 };
    });
    return { start, changes };
  }

  /** Puts a machine where a mutant begins. */
  enter({ start, changes }: Mutant): Machine {
    const { machine, snapshot } = this.#starts[start];
    const { memory } = machine;
    machine.restore(snapshot);
    for (const { at, bytes, flip } of changes) memory.set(at, flip === 0 ? bytes : [memory.byte(at) ^ flip]);
    return machine;
  }
}

/** Counts of the way here are dropped, so that a budget counts from the point on. */
function forgetRetired(machine: Machine, processor: number): void {
  machine.core.f64[(L.PROCESSOR_TIME + processor * L.PROCESSOR_TIME_SIZE + L.T_RETIRED) >> 3] = 0;
}

/** Where to change a byte: near what a processor runs next, elsewhere in the code, or anywhere. */
function place(random: Random, { next, code: [first, end] }: Start): number {
  const kind = random.below(8);
  if (kind < 5) return clamp(random.pick(next) - 16 + random.below(BUDGET / 2));
  return clamp(kind < 7 ? first + random.below(end - first) : random.below(MEMORY));
}

const clamp = (address: number): number => Math.min(Math.max(address, 0), MEMORY - 4);
