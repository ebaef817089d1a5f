// Running ahead through private instructions loses nothing: with every access a step of its own the search finds the same.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { explore, type Scenario, type Verdict } from "#explore";
import { mutantsOf, scenarioByName } from "../../../tools/scenarios/index.ts";

const test = suite("every access a step");

/** What must not depend on which steps are visible. */
function findings({ verdict, violations, outcomes }: Verdict): unknown {
  return { verdict, violated: violations.map(({ property }) => property).sort(), outcomes };
}

for (const name of ["queued-lock", "spin-lock"]) {
  for (const mutant of [undefined, ...mutantsOf(name).keys()]) {
    test(`${name} ${mutant ?? "as it is"}: the same verdict, violations and outcomes`, () => {
      const scenario = scenarioByName(name, { mutant, processors: 2, rounds: 1 });
      const [few, all] = [explore(scenario), explore(scenario, { everyAccess: true })];
      assert.equal(findings(all), findings(few));
      assert.ok(all.states > few.states);
    });
  }
}

// On the booted kernel: a handler's accesses are steps, and so is each of the kernel's to its own structures.
const BOOTED = [
  // scenario, processors, mutants
  ["raise-lower", 1, []],
  ["halt-wait", 1, ["P16", "P17"]],
  ["idle", 2, ["P15"]],
  ["raising-spin-lock", 1, ["P10", "P11"]],
] as const;

for (const [name, processors, mutants] of BOOTED) {
  for (const mutant of name === "raising-spin-lock" ? mutants : [undefined, ...mutants]) {
    test(`${name} ${mutant ?? "as it is"} with interrupts: the same verdict, violations and outcomes`, () => {
      const scenario = scenarioByName(name, { processors, mutant });
      const [few, all] = [explore(scenario), explore(scenario, { everyAccess: true })];
      assert.equal(findings(all), findings(few));
      assert.ok(all.states > few.states);
    });
  }
}

test("two rounds and three processors agree as well", () => {
  for (const [processors, rounds] of [
    [2, 2],
    [3, 1],
  ] as const) {
    const scenario = scenarioByName("spin-lock", { processors, rounds });
    assert.equal(findings(explore(scenario, { everyAccess: true })), findings(explore(scenario)));
  }
});

test("a search stops at a violation and misses outcomes behind it; without the monitor it finds them all", () => {
  const scenario = scenarioByName("queued-lock", { mutant: "M13", processors: 2, rounds: 2 });
  const outcomesOf = (monitors: Scenario["monitors"], everyAccess: boolean) =>
    explore({ ...scenario, monitors }, { everyAccess }).outcomes;
  assert.equal(outcomesOf([], false), outcomesOf([], true));
  assert.ok(outcomesOf(scenario.monitors, false).length < outcomesOf([], false).length);
});

test.run();
