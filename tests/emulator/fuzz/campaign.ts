// Runs cases twice and compares: a run ends in one of the ways a run may end, uses no more than its budget, and depends on
// nothing but the case, whether it runs at once, in pieces, watched, or from a snapshot taken half-way.
import * as assert from "uvu/assert";
import type { Machine, RunResult, StopReason } from "#emulator";
import * as L from "../../../emulator/memory/layout.ts";
import type { Random } from "./random.ts";

/** Instructions a case may retire. */
export const BUDGET = 256;

const ends: readonly StopReason[] = ["budget", "halted", "guest exit", "reset", "triple fault", "not implemented"];

/** Ways to run a case a second time. */
export type Again = "at once" | "in pieces" | "watched" | "from a snapshot half-way" | "hashed from scratch";

/** The way for a case by its number: mostly the quick one, and seldom those that cost as much as ten others. */
export function wayOf(number: number): Again {
  const kind = (number >>> 4) % 64;
  if (kind < 38) return "at once";
  if (kind < 50) return "in pieces";
  if (kind < 62) return "watched";
  return kind === 62 ? "from a snapshot half-way" : "hashed from scratch";
}

/** How many cases ended how. */
export type Causes = Map<string, number>;

function finish(machine: Machine): RunResult {
  return machine.run({ maxInstructions: BUDGET });
}

/** Runs in pieces of random sizes up to the budget. */
function runInPieces(machine: Machine, random: Random): RunResult {
  for (let limit = random.below(20); ; limit += random.below(60)) {
    const result = machine.run({ maxInstructions: Math.min(limit, BUDGET) });
    if (result.reason !== "budget" || limit >= BUDGET) return result;
  }
}

function runWatched(machine: Machine): RunResult {
  machine.observe({ read() {}, write() {} });
  const result = finish(machine);
  machine.observe(null);
  return result;
}

/** Runs on from half-way, goes back there, and runs on again. */
function runFromHalfWay(machine: Machine, random: Random): RunResult {
  const result = machine.run({ maxInstructions: random.below(BUDGET) });
  if (result.reason !== "budget") return result;
  const snapshot = machine.snapshot();
  finish(machine);
  machine.restore(snapshot);
  return finish(machine);
}

/** Forgets every page's sum, so that the hash is taken over all of RAM. */
function runUnsummed(machine: Machine): RunResult {
  const result = finish(machine);
  const { u8, layout } = machine.core;
  for (let page = 0; page < layout.ramSize / L.PAGE; page++) u8[layout.attributeBase + page] |= L.ATTRIBUTE_DIRTY;
  return result;
}

function runAgain(machine: Machine, random: Random, way: Again): RunResult {
  if (way === "in pieces") return runInPieces(machine, random);
  if (way === "watched") return runWatched(machine);
  if (way === "hashed from scratch") return runUnsummed(machine);
  return way === "at once" ? finish(machine) : runFromHalfWay(machine, random);
}

/** What a run came to, as one line that two equal runs share. */
function summary(machine: Machine, { reason, guestExit, detail, instructions, clock }: RunResult): string {
  const retired = instructions.reduce((sum, count) => sum + count, 0);
  assert.ok(ends.includes(reason), `ended by "${reason}"`);
  assert.ok(retired <= BUDGET, `${retired} instructions retired, ${BUDGET} allowed`);
  if (reason === "budget") assert.is(retired, BUDGET);
  assert.ok(Number.isSafeInteger(clock), `the clock is at ${clock}`);
  return `${reason} ${guestExit ?? ""} ${detail ?? ""} after ${instructions.join("+")} at ${clock}: ${machine.hash()}`;
}

/** The cause that a case is counted under: addresses and processors left out. */
function causeOf({ reason, detail }: RunResult): string {
  return reason === "not implemented" ? `not implemented: ${detail?.replace(/ at 0x.*/, "")}` : reason;
}

/**
 * Runs a case twice, the second time in another way, counts how it ended, and returns its line. `enter` and `enterAgain` begin
 * the case, on machines that may differ in nothing but their engine.
 */
export function runTwice(
  [enter, enterAgain]: readonly [enter: () => Machine, enterAgain: () => Machine],
  random: Random,
  way: Again,
  causes: Causes,
): string {
  const machine = enter();
  const result = finish(machine);
  const first = summary(machine, result);
  const again = enterAgain();
  assert.is(summary(again, runAgain(again, random, way)), first, `run ${way}`);
  const cause = causeOf(result);
  causes.set(cause, (causes.get(cause) ?? 0) + 1);
  return first;
}
