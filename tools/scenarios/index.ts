// The built-in scenarios by name, as the command line asks for them.

import type { Scenario, ScenarioOptions } from "#explore";
import { dpcQueue } from "./dpc-queue.ts";
import { haltWait, haltWaitMutants } from "./halt-wait.ts";
import { idle } from "./idle.ts";
import { dpcQueueMutants, idleMutants } from "./mutants/dpc-queue.ts";
import { queuedLockMutants } from "./mutants/queued-lock.ts";
import { raisingQueuedLockMutants } from "./mutants/raising-queued-lock.ts";
import { raisingSpinLockMutants } from "./mutants/raising-spin-lock.ts";
import { spinLockMutants } from "./mutants/spin-lock.ts";
import type { Size } from "./mutants/variant.ts";
import { queuedLock } from "./queued-lock.ts";
import { clock, raiseLower } from "./raise-lower.ts";
import { raisingQueuedLock } from "./raising-queued-lock.ts";
import { raisingSpinLock, raisingSpinLockOneClock } from "./raising-spin-lock.ts";
import { spinLock } from "./spin-lock.ts";
import { twoLocks, twoLocksMutants } from "./two-locks.ts";

interface Entry {
  readonly make: (options: ScenarioOptions) => Scenario;
  readonly mutants: Readonly<Record<string, { readonly summary: string; readonly needs?: Size }>>;
}

const entries: ReadonlyMap<string, Entry> = new Map([
  ["queued-lock", { make: queuedLock, mutants: queuedLockMutants }],
  ["clock", { make: clock, mutants: {} }],
  ["dpc-queue", { make: dpcQueue, mutants: dpcQueueMutants }],
  ["halt-wait", { make: haltWait, mutants: haltWaitMutants }],
  ["idle", { make: idle, mutants: idleMutants }],
  ["raise-lower", { make: raiseLower, mutants: {} }],
  ["raising-queued-lock", { make: raisingQueuedLock, mutants: raisingQueuedLockMutants }],
  ["raising-spin-lock", { make: raisingSpinLock, mutants: raisingSpinLockMutants }],
  ["raising-spin-lock-one-clock", { make: raisingSpinLockOneClock, mutants: {} }],
  ["spin-lock", { make: spinLock, mutants: spinLockMutants }],
  ["two-locks", { make: twoLocks, mutants: twoLocksMutants }],
]);

/** Names that `scenarioByName` knows. */
export const scenarioNames: readonly string[] = [...entries.keys()];

/** More processors or rounds than any search will end with. */
const MOST_PROCESSORS = 8;
const MOST_ROUNDS = 1000;

/** The deliberately broken variants of a scenario, by name: what is wrong with each. None for an unknown scenario. */
export function mutantsOf(name: string): ReadonlyMap<string, string> {
  const mutants = Object.entries(entries.get(name)?.mutants ?? {});
  return new Map(mutants.map(([mutant, { summary }]) => [mutant, summary]));
}

/** A request that no built-in scenario answers: a mistake of the caller, not of a scenario. */
export class ScenarioNameError extends Error {
  override readonly name = "ScenarioNameError";
}

/**
 * A built-in scenario; 2 processors and 1 round unless told, or as many more as the mutant needs to show itself. Throws
 * ScenarioNameError for what there is not.
 */
export function scenarioByName(name: string, options: Partial<ScenarioOptions> = {}): Scenario {
  const { mutant } = options;
  const entry = entries.get(name);
  if (!entry) throw new ScenarioNameError(`no scenario "${name}"; there are ${scenarioNames.join(", ")}`);
  if (mutant !== undefined && !Object.hasOwn(entry.mutants, mutant)) {
    const others = scenarioNames.filter((other) => mutantsOf(other).has(mutant));
    const known = Object.keys(entry.mutants).join(", ") || "none";
    const instead = others.length > 0 ? `there is one of ${others.join(", ")}` : `it has ${known}`;
    throw new ScenarioNameError(`${name} has no mutant "${mutant}"; ${instead}`);
  }
  const needs = mutant === undefined ? undefined : entry.mutants[mutant]?.needs;
  const { processors = needs?.processors ?? 2, rounds = needs?.rounds ?? 1 } = options;
  demand("processors", processors, MOST_PROCESSORS);
  demand("rounds", rounds, MOST_ROUNDS);
  return entry.make({ processors, rounds, ...(mutant === undefined ? {} : { mutant }) });
}

function demand(what: string, count: number, most: number): void {
  if (Number.isInteger(count) && count >= 1 && count <= most) return;
  throw new ScenarioNameError(`${count} ${what} asked for; 1 to ${most} will do`);
}
