// A part of the campaigns of `npm run fuzz` that takes seconds; the numbers are those of the whole ones.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Causes } from "./campaign.ts";
import { mutants, report, strings } from "./campaigns.ts";

const STRINGS = 3000;
const MUTANTS = 600;

const test = suite("random code");

const count = (causes: Causes): number => [...causes.values()].reduce((sum, n) => sum + n, 0);

test("random instruction strings end in one of the machine's ways, the same way twice", () => {
  const causes = strings(0, STRINGS);
  assert.is(count(causes), STRINGS);
  for (const cause of ["budget", "halted", "guest exit", "reset", "triple fault"])
    assert.ok(causes.has(cause), `none ended by ${cause}:\n${report(causes)}`);
});

test("mutants of real programs end in one of the machine's ways, the same way twice", () => {
  assert.is(count(mutants(0, MUTANTS)), MUTANTS);
});

test.run();
