// What the routines cost, and that kernel/README.md says so.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { measureCosts, tableInReadme, tableOf } from "./costs.ts";

const test = suite("costs");

let measured: ReturnType<typeof measureCosts> | undefined;
const costs = () => (measured ??= measureCosts());
const of = (...names: string[]) => costs().filter(({ routine }) => names.includes(routine));
const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

test("kernel/README.md has the table of this build", () => {
  assert.is(tableInReadme(), tableOf(costs()));
});

test("an uncontended AtDpcLevel pair takes at most 20 instructions and two locked operations", () => {
  const pair = of("KeAcquireInStackQueuedSpinLockAtDpcLevel", "KeReleaseInStackQueuedSpinLockFromDpcLevel");
  assert.is(pair.length, 2);
  assert.ok(sum(pair.map(({ instructions }) => instructions)) <= 20);
  assert.is(sum(pair.map(({ locked }) => locked)), 2);
});

test("QL-32: the AtDpcLevel pair is quicker than the raising one", () => {
  const raising = of("KeAcquireInStackQueuedSpinLock", "KeReleaseInStackQueuedSpinLock");
  const plain = of("KeAcquireInStackQueuedSpinLockAtDpcLevel", "KeReleaseInStackQueuedSpinLockFromDpcLevel");
  assert.ok(sum(plain.map(({ instructions }) => instructions)) < sum(raising.map(({ instructions }) => instructions)));
});

test.run();
