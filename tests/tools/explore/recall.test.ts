// time limit: 300 s
// Steps that are recalled instead of run again lose nothing: the same states, transitions, verdicts, violations and final states.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { explore, type Verdict } from "#explore";
import { scenarioByName } from "../../../tools/scenarios/index.ts";

const test = suite("recalled steps");

function findings({ verdict, states, transitions, violations, outcomes, shared, passes }: Verdict): unknown {
  const violated = violations.map(({ property, schedule, stateHash }) => [property, schedule, stateHash]);
  return { verdict, states, transitions, violated, outcomes, shared, passes };
}

const CASES = [
  // scenario, mutant, processors, rounds
  ["queued-lock", undefined, 2, 2],
  ["queued-lock", undefined, 3, 1],
  ["queued-lock", "M3", 2, 1],
  ["queued-lock", "M8", 2, 1],
  ["queued-lock", "M13", 2, 2],
  ["spin-lock", undefined, 3, 1],
  ["spin-lock", "P01", 2, 1],
  ["two-locks", "P19", 2, 1],
  ["raise-lower", undefined, 2, 1],
  ["raising-queued-lock", "P11", 2, 1],
  ["raising-spin-lock", undefined, 2, 1],
  ["raising-spin-lock", "P10", 1, 1],
  ["dpc-queue", undefined, 2, 1],
  ["idle", undefined, 2, 1],
  ["idle", "P15", 2, 1],
  ["halt-wait", undefined, 1, 1],
  ["halt-wait", "P16", 1, 1],
] as const;

for (const [name, mutant, processors, rounds] of CASES) {
  test(`${name} ${mutant ?? "as it is"} ${processors}x${rounds}: the same as when every step is run`, () => {
    const scenario = scenarioByName(name, { processors, rounds, mutant });
    assert.equal(findings(explore(scenario)), findings(explore(scenario, { recall: false })));
  });
}

test.run();
