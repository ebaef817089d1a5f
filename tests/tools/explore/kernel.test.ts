// time limit: 300 s
// The kernel's routines on the booted kernel, under every schedule with interrupts: verified, and broken variants found out.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { explore, readFailure, replay, writeFailure } from "#explore";
import { mutantsOf, scenarioByName } from "../../../tools/scenarios/index.ts";

const test = suite("the kernel under every schedule with interrupts");

const VERIFIED = [
  // scenario, processors, rounds, states
  ["raise-lower", 1, 1, 28],
  ["raise-lower", 2, 1, 82],
  ["clock", 2, 1, 1899],
  ["raising-queued-lock", 2, 1, 3589],
  ["raising-queued-lock", 2, 2, 28979],
  ["raising-spin-lock", 2, 2, 108182],
  ["raising-spin-lock-one-clock", 2, 2, 4791],
  ["raising-spin-lock-one-clock", 3, 1, 6884],
  ["dpc-queue", 2, 1, 45398],
  ["idle", 2, 1, 401],
  ["halt-wait", 1, 1, 7],
] as const;

for (const [name, processors, rounds, states] of VERIFIED) {
  test(`${name} ${processors}x${rounds} is verified`, () => {
    const found = explore(scenarioByName(name, { processors, rounds }));
    assert.equal([found.verdict, found.states, found.violations], ["verified", states, []]);
    assert.is(found.masked, "memory below the stack pointer");
  });
}

const MUTANTS = [
  // scenario, mutant, processors, rounds, what is violated
  ["raising-queued-lock", "M6", 2, 1, "no DPC while the lock is held"],
  ["raising-queued-lock", "P11", 2, 1, "no DPC while the lock is held"],
  ["raising-queued-lock", "P20", 2, 1, "no exception"],
  ["raising-spin-lock", "P09", 2, 1, "levels come back"],
  ["raising-spin-lock", "P10", 1, 1, "progress"],
  ["raising-spin-lock", "P11", 1, 1, "progress"],
  ["dpc-queue", "P13", 2, 1, "progress"],
  ["dpc-queue", "P14", 2, 1, "no exception"],
  ["idle", "P15", 2, 1, "progress"],
  ["halt-wait", "P16", 1, 1, "progress"],
  ["halt-wait", "P17", 1, 1, "progress"],
] as const;

test("every mutant is among the cases below", () => {
  for (const name of new Set(VERIFIED.map(([scenario]) => scenario))) {
    const tried = MUTANTS.filter(([scenario]) => scenario === name).map(([, mutant]) => mutant);
    assert.equal([...mutantsOf(name).keys()], tried);
  }
});

for (const [name, mutant, processors, rounds, property] of MUTANTS) {
  test(`${name} ${mutant} is violated at ${processors}x${rounds}, and its failure replays`, () => {
    const scenario = scenarioByName(name, { processors, rounds, mutant });
    const { verdict, violations } = explore(scenario);
    assert.equal([verdict, violations[0]?.property], ["violated", property]);
    const failure = readFailure(writeFailure(violations[0]!.failure));
    const { difference, stateHash } = replay(failure, scenarioByName(name, failure.scenario));
    assert.equal([difference, stateHash], [undefined, violations[0]!.stateHash]);
  });
}

test.run();
