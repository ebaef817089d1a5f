// time limit: 300 s
// The kernel's routines on the booted kernel, under every schedule with interrupts: verified, and broken variants found out.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { explore, readFailure, replay, writeFailure } from "#explore";
import { mutantsOf, scenarioByName } from "../../../tools/scenarios/index.ts";
import { KERNEL, KERNEL_MUTANTS } from "./cases.ts";

const test = suite("the kernel under every schedule with interrupts");

for (const [name, processors, rounds, states] of KERNEL) {
  test(`${name} ${processors}x${rounds} is verified`, () => {
    const found = explore(scenarioByName(name, { processors, rounds }));
    assert.equal([found.verdict, found.states, found.violations], ["verified", states, []]);
    assert.is(found.masked, "memory below the stack pointer");
  });
}

test("every mutant is among the cases", () => {
  for (const name of new Set(KERNEL.map(([scenario]) => scenario))) {
    const tried = KERNEL_MUTANTS.filter(([scenario]) => scenario === name).map(([, mutant]) => mutant);
    assert.equal([...mutantsOf(name).keys()], tried);
  }
});

for (const [name, mutant, processors, rounds, property] of KERNEL_MUTANTS) {
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
