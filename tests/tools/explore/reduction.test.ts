// time limit: 300 s
// Looking at a processor's own choices alone loses nothing: with everybody's steps in between the search finds the same.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { explore, type Verdict } from "#explore";
import { scenarioByName } from "../../../tools/scenarios/index.ts";

const test = suite("choices that are one processor's own affair");

/** What must not depend on whether they are looked at alone. */
function findings({ verdict, violations, outcomes }: Verdict): unknown {
  return { verdict, violated: violations.map(({ property }) => property).sort(), outcomes };
}

const CASES = [
  // scenario, processors, rounds, mutants
  ["raise-lower", 2, 2, [undefined]],
  ["clock", 2, 1, [undefined]],
  ["raising-queued-lock", 2, 1, [undefined, "M6", "P11"]],
  ["raising-spin-lock", 2, 1, [undefined, "P10", "P11"]],
  ["idle", 2, 1, [undefined, "P15"]],
  ["halt-wait", 2, 1, [undefined, "P16", "P17"]],
] as const;

for (const [name, processors, rounds, mutants] of CASES) {
  for (const mutant of mutants) {
    test(`${name} ${mutant ?? "as it is"} ${processors}x${rounds}: the same verdict, violations and outcomes`, () => {
      const scenario = scenarioByName(name, { processors, rounds, mutant });
      const [reduced, whole] = [explore(scenario), explore(scenario, { reduction: false })];
      assert.equal(findings(whole), findings(reduced));
      assert.ok(whole.states >= reduced.states);
    });
  }
}

test.run();
