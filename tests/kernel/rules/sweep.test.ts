// Every vector with a level at every level on two processors, and before every instruction of every raise and lower.
// time limit: 300 s

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { boot, type HarnessProcessor } from "#harness";
import { KfLowerIrql, KfRaiseIrql } from "#kernel";
import { LEVELS, levelOf, lower, raise, SERVED, TASK_PRIORITY } from "./levels.ts";

const test = suite("sweep of levels");

const APC: readonly [number, number] = [0x3d, 1];
const DPC: readonly [number, number] = [0x41, 2];
const APIC_ERROR: readonly [number, number] = [0xe3, 29];
const PROCESSORS = [0, 1];
/** Instructions within which a handler has raised the level, and within which it is over. */
const [RAISED, OVER] = [20, 200];
/** Instructions that neither routine can do without. */
const SHORTEST = 5;
/** From every level to every other. */
const CHANGES: readonly (readonly [from: number, to: number])[] = LEVELS.flatMap((from) =>
  LEVELS.filter((to) => to !== from).map((to) => [from, to] as const),
);

/** The first instruction of an entry, which comes with the vector in one step: PUSH 0. */
const FIRST_BYTES = 2;

/** A task priority keeps out the vectors of its class and of those below. */
function passes(vector: number, taskPriority: number): boolean {
  return vector >> 4 > taskPriority >> 4;
}

/** One step of a processor; whether it took the vector whose entry is there. */
function takes(processor: HarnessProcessor, entry: number): boolean {
  processor.step();
  return processor.registers.eip === entry + FIRST_BYTES;
}

/** Runs what a processor has begun to its end; how often it takes the vector. */
function timesTaken(processor: HarnessProcessor, entry: number): number {
  let taken = 0;
  for (let step = 0; !processor.returned && step < OVER; step++) if (takes(processor, entry)) taken++;
  processor.finish(0);
  return taken;
}

/** A vector before one instruction of a change of level; false: the change has no such instruction. */
function interrupted(
  processor: HarnessProcessor,
  vector: number,
  entry: number,
  from: number,
  to: number,
  boundary: number,
): boolean {
  const where = `from ${from} to ${to}, before instruction ${boundary}`;
  raise(processor, from);
  processor.begin(from < to ? KfRaiseIrql : KfLowerIrql, to);
  processor.steps(boundary);
  const isWithin = !processor.returned;
  let taken = 0;
  if (isWithin) {
    assert.ok(
      [from, to].some((level) => TASK_PRIORITY[level] === processor.tpr),
      where,
    );
    const isOpen = passes(vector, processor.tpr);
    processor.interrupt(vector);
    taken = takes(processor, entry) ? 1 : 0;
    assert.is(taken === 1, isOpen, where);
    taken += timesTaken(processor, entry);
    assert.is(taken, isOpen || passes(vector, TASK_PRIORITY[to]!) ? 1 : 0, where);
  } else {
    assert.ok(boundary > SHORTEST, where);
    processor.finish(0);
  }
  assert.equal(levelOf(processor), [to, TASK_PRIORITY[to]], where);
  processor.begin(KfLowerIrql, 0);
  taken += timesTaken(processor, entry);
  assert.equal([taken, ...levelOf(processor)], [isWithin ? 1 : 0, 0, 0], where);
  return isWithin;
}

for (const number of PROCESSORS)
  for (const [vector, own] of [APC, DPC, ...SERVED, APIC_ERROR]) {
    const name = `${vector.toString(16).toUpperCase()}h`;

    test(`IRQL-06, IRQL-07: ${name} is taken at once below level ${own}, there and above when the level falls (processor ${number})`, () => {
      const nt = boot({ processors: 2 });
      const processor = nt.processors[number]!;
      const entry = nt.addressOf(`KiVector${name.slice(0, 2)}`);
      for (const irql of LEVELS) {
        raise(processor, irql);
        const { eip } = processor.registers;
        processor.interrupt(vector);
        assert.is(takes(processor, entry), own > irql, `at ${irql}`);
        if (own <= irql) {
          for (let step = 0; step < RAISED; step++) assert.is(takes(processor, entry), false, `at ${irql}`);
          processor.begin(KfLowerIrql, 0);
          for (let step = 0; !takes(processor, entry); step++) assert.ok(step < RAISED, `from ${irql}`);
        }
        processor.stepUntil(() => levelOf(processor).join() === `${own},${TASK_PRIORITY[own]}`, `level ${own}`, RAISED);
        if (own <= irql) processor.finish(OVER);
        else {
          processor.stepUntil(() => processor.registers.eip === eip, "where it was", OVER);
          assert.equal(levelOf(processor), [irql, TASK_PRIORITY[irql]]);
          lower(processor, 0);
        }
        assert.equal(levelOf(processor), [0, 0]);
      }
    });

    test(`IRQL-06, IRQL-07, IRQL-09: ${name} anywhere in a raise or a lower is taken where the tables say (processor ${number})`, () => {
      const nt = boot({ processors: 2 });
      const processor = nt.processors[number]!;
      const entry = nt.addressOf(`KiVector${name.slice(0, 2)}`);
      for (const [from, to] of CHANGES)
        for (let boundary = 0; interrupted(processor, vector, entry, from, to, boundary); boundary++)
          assert.ok(boundary < RAISED);
    });
  }

test.run();
