// time limit: 300 s
// The kernel's locks under every schedule: verified, in agreement with abstract models; and their mutants found out.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { explore, formatFailure, readFailure, replay, ScenarioError, writeFailure } from "#explore";
import { mutantsOf, scenarioByName } from "../../../tools/scenarios/index.ts";
import { LARGE_LOCKS, LOCK_MUTANTS } from "./cases.ts";
import { searchModel } from "./model.ts";

const test = suite("locks under every schedule");

// What a model leaves out and the machine has makes states of its own: tools/explore/README.md says what.
const LOCKS = [
  // lock, processors, rounds, states, transitions, states of the model without dead locals, and with them
  ["queued-lock", 2, 1, 207, 312, 162, 177],
  ["queued-lock", 2, 2, 2347, 4068, 729, 1917],
  ["queued-lock", 3, 1, 4158, 8523, 2413, 2916],
  ["spin-lock", 2, 1, 37, 48, 24, 25],
  ["spin-lock", 2, 2, 203, 308, 77, 107],
  ["spin-lock", 3, 1, 310, 558, 101, 121],
] as const;

for (const [name, processors, rounds, states, transitions, least, most] of LOCKS) {
  test(`${name} ${processors}x${rounds} is verified, with the same counts every time`, () => {
    for (let run = 0; run < 2; run++) {
      const verdict = explore(scenarioByName(name, { processors, rounds }));
      assert.is(verdict.verdict, "verified");
      assert.is(verdict.states, states);
      assert.is(verdict.transitions, transitions);
      assert.equal(verdict.violations, []);
      assert.ok(verdict.collisionBound < 1e-9);
    }
  });

  test(`${name} ${processors}x${rounds} ends as its abstract model does`, () => {
    const { outcomes, verdict } = explore(scenarioByName(name, { processors, rounds }));
    const options = { processors, rounds, grain: "instructions", poisons: true } as const;
    const lean = searchModel(name, { ...options, keepsLocals: false });
    const full = searchModel(name, { ...options, keepsLocals: true });
    assert.is(verdict, lean.verdict);
    assert.equal(
      outcomes.map((outcome) => JSON.stringify(outcome)),
      lean.outcomes,
    );
    assert.equal([lean.states, full.states], [least, most]);
    assert.equal(full.outcomes, lean.outcomes);
  });
}

for (const [name, processors, rounds, states] of LARGE_LOCKS) {
  test(`${name} ${processors}x${rounds} is verified`, () => {
    const verdict = explore(scenarioByName(name, { processors, rounds }));
    assert.equal([verdict.verdict, verdict.states, verdict.violations], ["verified", states, []]);
  });
}

test("every mutant is among the cases", () => {
  for (const name of ["queued-lock", "spin-lock", "two-locks"]) {
    const tried = LOCK_MUTANTS.filter(([lock]) => lock === name).map(([, mutant]) => mutant);
    assert.equal([...mutantsOf(name).keys()], tried);
  }
});

for (const [name, mutant, processors, rounds, property] of LOCK_MUTANTS) {
  test(`${name} ${mutant} is violated at ${processors}x${rounds}, and its failure replays ten times of ten`, () => {
    const scenario = scenarioByName(name, { processors, rounds, mutant });
    const { verdict, violations } = explore(scenario);
    assert.is(verdict, "violated");
    assert.is(violations[0]?.property, property);
    const failure = readFailure(writeFailure(violations[0]!.failure));
    for (let run = 0; run < 10; run++) {
      const { difference, stateHash } = replay(failure, scenarioByName(name, failure.scenario));
      assert.is(difference, undefined);
      assert.is(stateHash, violations[0]!.stateHash);
    }
  });
}

for (const [name, mutant] of [
  ["queued-lock", "M9"],
  ["spin-lock", "P02"],
] as const) {
  test(`${name} ${mutant} cannot show itself to two processors`, () =>
    assert.is(explore(scenarioByName(name, { processors: 2, mutant })).verdict, "verified"));

  test(`${name} ${mutant} takes part in the size that it needs, unless another is asked for`, () =>
    assert.is(explore(scenarioByName(name, { mutant })).verdict, "violated"));
}

test("mutual exclusion is violated by every mutant that lets two in", () => {
  for (const mutant of ["M5", "M8", "M12"]) {
    const { violations } = explore(scenarioByName("queued-lock", { mutant }));
    assert.ok(
      violations.some(({ property }) => property === "mutual exclusion"),
      mutant,
    );
  }
});

test("a failure is told by property, schedule, command, and the last steps with their source lines", () => {
  const scenario = scenarioByName("queued-lock", { mutant: "M3" });
  const [violation] = explore(scenario).violations;
  const text = formatFailure(violation!.failure, scenario, { command: "ring0 replay here.json", last: 12 });
  assert.match(text, 'queued-lock with mutant M3, 2 processors x 1: violates "progress"');
  assert.match(text, "nobody can go on: P0 is over; P1 at KeAcquireInStackQueuedSpinLockAtDpcLevel");
  assert.match(text, `schedule  ${violation!.schedule}\n`);
  assert.match(text, "replay    ring0 replay here.json\n");
  assert.match(
    text,
    /P1 in KeAcquireInStackQueuedSpinLockAtDpcLevel\n {4}\+0x1e {2}test .* queuedspinlock\.ts:\d+ +reads handle1\.Lock/,
  );
  assert.match(text, /\n {4}\+0x11 {2}mov \[edx\], ecx .*queued-lock\.ts:\d+ +spinLock = 0\n/);
});

test("a failure of another program does not replay, and says so", () => {
  const { failure } = explore(scenarioByName("queued-lock", { mutant: "M3" })).violations[0]!;
  const { reproduced, difference } = replay(failure, scenarioByName("queued-lock"));
  assert.is(reproduced, false);
  assert.match(difference ?? "", /^the program is another one/);
});

test("one processor alone proves nothing about a lock", () => {
  for (const name of ["queued-lock", "spin-lock"])
    assert.throws(
      () => explore(scenarioByName(name, { processors: 1 })),
      (error: Error) => error instanceof ScenarioError,
    );
});

test("a bound that was met is a verdict of its own", () => {
  const { verdict, states, reason } = explore(scenarioByName("queued-lock"), { maxStates: 100 });
  assert.is(verdict, "bounded");
  assert.is(states, 101);
  assert.is(reason, "100 states");
});

const REQUESTS = [
  ["no-lock", {}, /^no scenario "no-lock"; there are queued-lock, .*two-locks$/],
  ["queued-lock", { mutant: "M99" }, /^queued-lock has no mutant "M99"; it has M1, /],
  ["queued-lock", { mutant: "M6" }, /^queued-lock has no mutant "M6"; there is one of raising-queued-lock$/],
  ["queued-lock", { mutant: "toString" }, /^queued-lock has no mutant "toString"/],
  ["spin-lock", { processors: 0 }, /^0 processors asked for; 1 to 8 will do$/],
  ["spin-lock", { rounds: 1.5 }, /^1.5 rounds asked for; 1 to 1000 will do$/],
] as const;

for (const [name, options, complaint] of REQUESTS) {
  test(`${name} ${JSON.stringify(options)} is refused in a sentence`, () =>
    assert.throws(() => scenarioByName(name, options), complaint));
}

test.run();
