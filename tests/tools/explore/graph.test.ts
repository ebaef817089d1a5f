// The simplest schedule through a graph of states: fewest switches between processors, then fewest steps.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Graph } from "../../../tools/explore/graph.ts";
import { States } from "../../../tools/explore/states.ts";
import { scheduleText } from "../../../tools/explore/text.ts";

const test = suite("schedules");

type Edge = readonly [from: number, processor: number, to: number];

const GRAPHS: readonly (readonly [
  title: string,
  edges: readonly Edge[],
  goal: number,
  last: number | undefined,
  schedule: string,
])[] = [
  ["the start needs no steps", [], 0, undefined, ""],
  [
    "a longer way without a switch is simpler than a short one with one",
    [
      [0, 0, 1],
      [1, 1, 2],
      [1, 0, 3],
      [3, 0, 4],
      [4, 0, 2],
    ],
    2,
    undefined,
    "0x4",
  ],
  [
    "of two ways with as many switches the shorter one",
    [
      [0, 0, 1],
      [1, 1, 2],
      [0, 1, 3],
      [3, 1, 4],
      [4, 0, 2],
    ],
    2,
    undefined,
    "0 1",
  ],
  [
    "the processor that steps on at the goal counts as a switch too",
    [
      [0, 0, 1],
      [1, 1, 2],
      [0, 1, 3],
      [3, 0, 2],
    ],
    2,
    0,
    "1 0",
  ],
  [
    "a detour through a state known already is found",
    [
      [0, 0, 1],
      [1, 0, 2],
      [0, 1, 2],
      [2, 1, 3],
    ],
    3,
    undefined,
    "1x2",
  ],
];

for (const [title, edges, goal, last, schedule] of GRAPHS) {
  test(title, () => {
    const graph = new Graph();
    for (const edge of edges) graph.add(...edge);
    const [route] = graph.simplest([{ state: goal, action: last }], 5, [0, 1]);
    assert.is(scheduleText(route!.schedule), schedule);
  });
}

test("a hundred thousand steps are told apart from a switch", () => {
  const graph = new Graph();
  const steps = 100_000;
  for (let state = 0; state < steps; state++) graph.add(state, 0, state + 1);
  graph.add(0, 1, steps + 1);
  graph.add(steps + 1, 0, steps);
  const [route] = graph.simplest([{ state: steps }], steps + 2, [0, 1]);
  assert.is(scheduleText(route!.schedule), `0x${steps}`);
});

test("states are numbered in the order of their first sight, both halves of the hash counting", () => {
  const states = new States();
  const hashes = Array.from({ length: 20_000 }, (_, i) => [(i * 0x9e3779b1) >>> 0, i % 3] as const);
  for (const [i, [low, high]] of hashes.entries()) {
    assert.is(states.number(low, high), i);
    assert.ok(states.isNew);
  }
  for (const [i, [low, high]] of hashes.entries()) assert.is(states.number(low, high), i);
  assert.not(states.isNew);
  assert.is(states.number(0, 77), hashes.length);
  assert.is(states.count, hashes.length + 1);
});

test.run();
