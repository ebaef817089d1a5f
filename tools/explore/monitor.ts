// What a monitor sees of an exploration, and where it keeps what it must remember: in words of the machine's memory.

import type { Image } from "#asm";
import type { StepKind } from "./failure.ts";

/** Words of the one memory that belong to a monitor: undone and hashed with the rest. All zero at the start. */
export interface MonitorWords {
  get(index: number): number;
  set(index: number, value: number): void;
}

/** What a monitor works with during one exploration. */
export interface Watch {
  readonly image: Image;
  readonly processors: number;
  readonly rounds: number;
  readonly words: MonitorWords;
  /** A doubleword of RAM, unsigned. */
  dword(address: number): number;
  /** A processor's task priority register. */
  taskPriority(processor: number): number;
  /** Whether processors are known to share a doubleword. */
  isShared(address: number): boolean;
  /** A name for an address of data. */
  nameOf(address: number): string;
  /** A property does not hold now: why, in a sentence. Only the first one of a step counts. */
  violated(property: string, message: string): void;
  /** Something was seen that the monitor demands to be seen. Kept over all schedules. */
  saw(evidence: string): void;
}

/** What a monitor wants to be told. It may remember things between calls in its words alone. */
export interface Hooks {
  /** A processor is about to run the instruction at an address: called for these addresses, perhaps more than once. */
  readonly marks?: ReadonlyMap<number, (processor: number) => void>;
  /** A processor is about to take a visible step. */
  step?(processor: number): void;
  /** A processor has accessed data, shared or its own. `value` is what was read or written. */
  access?(processor: number, kind: StepKind, address: number, value: number): void;
  /** Every processor's program is over. */
  finished?(): void;
}

/** Properties that are watched together. */
export interface Monitor {
  /** Words to remember things in. */
  readonly words: number;
  /** What must be seen in some schedule, and what is wrong with a scenario where it never is. */
  readonly demands: Readonly<Record<string, string>>;
  watch(watch: Watch): Hooks;
}
