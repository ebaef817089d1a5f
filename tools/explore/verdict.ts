// What an exploration says: a verdict with its evidence, and for every violation a failure that can be replayed.

import type { Failure } from "./failure.ts";
import type { InterruptAgent, ScenarioOptions } from "./scenario.ts";

/** Memory models (DESIGN: sequential consistency now, store buffers later). */
export const MODELS = ["sc"] as const;
export type Model = (typeof MODELS)[number];

export interface ExploreOptions {
  /** Default: `sc`. */
  readonly model?: Model;
  /** Stop with the verdict `bounded` after so many states of one pass; default: no bound. */
  readonly maxStates?: number;
  /** Every access to data is a visible step, also to words that nobody else touches: slower, and must find the same. */
  readonly everyAccess?: boolean;
  /**
   * Choices that are one processor's own affair are looked at alone: the default. Without, everybody's steps come in between:
   * slower, and must find the same.
   */
  readonly reduction?: boolean;
  /** Steps seen before are not run again but recalled: the default. Without, each one is run: slower, and must find the same. */
  readonly recall?: boolean;
  /** Called now and then with the number of states found, for a status line. */
  readonly progress?: (states: number) => void;
}

/** One property that does not hold, and how to see it fail. */
export interface Violation {
  /** The property's name: `mutual exclusion`, `deadlock`, ... */
  readonly property: string;
  /** What happened, in one sentence, with symbols. */
  readonly message: string;
  /** Who ran for how many visible steps, in order: `0x5 1x3 0`. */
  readonly schedule: string;
  /** Hash of the state in which it was seen: sixteen hexadecimal digits. */
  readonly stateHash: string;
  readonly failure: Failure;
}

/** Words that a scenario names, and what they hold when all is over; addresses in them as symbols. */
export type Outcome = Readonly<Record<string, string>>;

export interface Verdict {
  /**
   * `verified`: the search ended, and every property holds in every state. `bounded`: it met a bound before. `violated`:
   * some property fails. `unfinished`: the scenario does what cannot be explored (yet); `reason` says what and where.
   */
  readonly verdict: "verified" | "bounded" | "violated" | "unfinished";
  readonly scenario: ScenarioOptions & { readonly name: string };
  readonly model: Model;
  /** Distinct states in front of visible steps, of the last pass. */
  readonly states: number;
  /** Visible steps taken from them; the rereading of a word by a processor that waits for its change is not counted. */
  readonly transitions: number;
  /** Wall-clock time of all passes. */
  readonly seconds: number;
  readonly violations: readonly Violation[];
  /** The scenario lets programs read a clock that stands still: what the verdict says is said of that clock only. */
  readonly clock?: "frozen";
  /** What is left out of the states. A program that reads it is not explored, so nothing is missed. */
  readonly masked?: "memory below the stack pointer";
  /** Interrupts that could come at every boundary that lets them in. */
  readonly interrupts?: readonly InterruptAgent[];
  /** Why a search did not end. */
  readonly reason?: string;
  /**
   * The distinct outcomes of complete executions, in alphabetical order of their text. All there are, unless an execution was
   * violated: a search does not go on behind a violation.
   */
  readonly outcomes: readonly Outcome[];
  /** Words that two processors touch, one of them writing, by symbol. */
  readonly shared: readonly string[];
  /** Searches until no further word turned out to be shared. */
  readonly passes: number;
  /** Upper bound of the probability that two states were taken for one: states^2 / 2^65. */
  readonly collisionBound: number;
}
