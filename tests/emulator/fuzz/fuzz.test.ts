// A part of the campaigns of `npm run fuzz` that takes seconds; the numbers are those of the whole ones.
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { filesUnder, ROOT } from "../../house/tree.ts";
import type { Causes } from "./campaign.ts";
import { type Campaign, type Engine, mutants, report, strings } from "./campaigns.ts";

const STRINGS = 3000;
const MUTANTS = 600;
const COMPILED = 100;

const test = suite("random code");

function first(cases: number, campaign: Campaign, engine?: Engine): Causes {
  const causes: Causes = new Map();
  const runCase = campaign(engine);
  for (let number = 0; number < cases; number++) runCase(number, causes);
  return causes;
}

const count = (causes: Causes): number => [...causes.values()].reduce((sum, n) => sum + n, 0);

test("random instruction strings end in one of the machine's ways, the same way twice", () => {
  const causes = first(STRINGS, strings);
  assert.is(count(causes), STRINGS);
  for (const cause of ["budget", "halted", "guest exit", "reset", "triple fault"])
    assert.ok(causes.has(cause), `none ended by ${cause}:\n${report(causes)}`);
});

test("mutants of real programs end in one of the machine's ways, the same way twice", () => {
  assert.is(count(first(MUTANTS, mutants)), MUTANTS);
});

test("compiled code comes to what the interpreter comes to, with an entry at every instruction too", () => {
  for (const engine of ["compiled", "everywhere"] as const) {
    assert.is(count(first(COMPILED, strings, engine)), COMPILED);
    assert.is(count(first(COMPILED, mutants, engine)), COMPILED);
  }
});

test("no exception is caught anywhere in the machine: none can hide", () => {
  const sources = filesUnder("emulator", /\.ts$/);
  assert.ok(sources.length > 50);
  assert.equal(
    sources.filter((file) => /\bcatch\b/.test(readFileSync(ROOT + file, "utf8"))),
    [],
  );
});

test.run();
