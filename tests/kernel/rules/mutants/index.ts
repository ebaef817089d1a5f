// For each rule of Milestone 1 a mistake that breaks it: the rule's own test must fail where it is made.

import type { Build, Mistake } from "./change.ts";
import { dpcMistakes } from "./dpcs.ts";
import { levelMistakes } from "./levels.ts";
import { machineMistakes } from "./machine.ts";
import { checkedQueuedLockMistakes, queuedLockMistakes } from "./queuedlocks.ts";
import { checkedSpinLockMistakes, spinLockMistakes } from "./spinlocks.ts";
import { checkedStartMistakes, startMistakes } from "./start.ts";

export interface RuleMutant {
  readonly rule: string;
  /** What is wrong, as a newcomer would be told. */
  readonly summary: string;
  /** Makes the mistake in this process, before anything is linked or run. */
  readonly apply: () => void;
}

const of =
  (build: Build) =>
  ([rule, summary, change]: Mistake): RuleMutant => ({ rule, summary, apply: () => change(build) });

export const mutants: readonly RuleMutant[] = [
  ...[...levelMistakes, ...spinLockMistakes, ...queuedLockMistakes, ...dpcMistakes, ...startMistakes].map(of("free")),
  ...[...checkedSpinLockMistakes, ...checkedQueuedLockMistakes, ...checkedStartMistakes].map(of("checked")),
  ...machineMistakes.map(of("free")),
];
