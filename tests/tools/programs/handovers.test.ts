// What the seeded slices make of a contended lock.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { handovers } from "./handovers.ts";

const test = suite("slices");

test("equal seeds give equal runs, other seeds other hand-overs", () => {
  for (const processors of [2, 8, 32]) {
    const runs = [1, 2, 3, 1].map((seed) => handovers(processors, seed, 100));
    assert.is(runs[0].hash, runs[3].hash);
    assert.is(new Set(runs.map((run) => run.sequence)).size, 3);
  }
});

test("one processor's run does not depend on the seed's slices", () => {
  assert.is(handovers(1, 1, 100).clock, handovers(1, 2, 100).clock);
});

test.run();
