// What the tables of rules and mutants say of each other.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { mutants } from "./mutants/index.ts";
import { taggedTests } from "./runs.ts";
import { MILESTONE_1, PARTLY_WAITING, rules, WAITING } from "./table.ts";

const test = suite("tables of rules");

const firstRules = [...MILESTONE_1].filter((id) => !WAITING.has(id)).sort();

test("Milestone 1 has 85 rules, of which four wait for the verifier as a whole", () => {
  const known = rules.map(({ id }) => id);
  assert.equal([MILESTONE_1.size, firstRules.length, known.length, new Set(known).size], [85, 81, 159, 159]);
  assert.ok([...MILESTONE_1, ...WAITING.keys(), ...PARTLY_WAITING.keys()].every((id) => known.includes(id)));
});

test("every rule of Milestone 1 that need not wait has tests, and one mutant", () => {
  const tagged = new Set(taggedTests().flatMap(({ ids }) => ids));
  assert.equal(
    firstRules.filter((id) => !tagged.has(id)),
    [],
  );
  const broken = mutants.map(({ rule }) => rule).filter((rule) => MILESTONE_1.has(rule));
  assert.equal(broken.sort(), firstRules);
});

test.run();
