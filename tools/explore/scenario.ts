// A scenario: guest programs, one a processor, the memory they share, and the properties that must hold on every schedule.

import type { Image } from "#asm";
import type { Snapshot } from "#emulator";
import type { Monitor } from "./monitor.ts";

/** What a scenario can be made with. */
export interface ScenarioOptions {
  readonly processors: number;
  /** How often each processor goes through its section. */
  readonly rounds: number;
  /** A deliberately broken variant: `M3`. */
  readonly mutant?: string;
}

/**
 * Where a processor begins: on a bare machine in flat 32-bit protected mode without paging, interrupts off; on a booted one as it
 * stands there, with interrupts on.
 */
export interface Start {
  readonly eip: number;
  /** Top of its stack; a booted processor has one, and stays on it unless this says where. */
  readonly esp?: number;
}

/** A source of interrupts: its vector may reach the processor at any boundary where IF and priority let it in, so many times. */
export interface InterruptAgent {
  readonly processor: number;
  readonly vector: number;
  readonly budget: number;
}

/** Physical addresses of a stack. */
export interface StackRange {
  readonly start: number;
  readonly end: number;
}

/** Physical memory, for a callback that prepares it. */
export interface SetupMemory {
  dword(address: number): number;
  setDword(address: number, value: number): void;
}

export interface Scenario extends ScenarioOptions {
  readonly name: string;
  /** A machine that has been booted, to begin on; without one the machine is bare and the image is put into its memory. */
  readonly booted?: Snapshot;
  /** Interrupts that may come, on a booted machine. */
  readonly interrupts?: readonly InterruptAgent[];
  /**
   * The stacks of each processor, the one it starts on first. Where they are given, memory below the stack pointer is left out
   * of the states, the verdict says so, and a program that reads it is not explored.
   */
  readonly stacks?: readonly (readonly StackRange[])[];
  /** All programs and their data; on a bare machine linked below 1 MiB at the physical addresses at which they run. */
  readonly image: Image;
  /** One a processor. A program is over when its processor halts. */
  readonly starts: readonly Start[];
  /** Called once before the start; it keeps no state. */
  readonly setup?: (memory: SetupMemory) => void;
  readonly monitors: readonly Monitor[];
  /** RDTSC may be executed, and gives the same every time; otherwise a program that reads the clock is not explored. */
  readonly clock?: "frozen";
  /** Names for words of memory, by address. Their final values are an execution's outcome. */
  readonly words: ReadonlyMap<number, string>;
}

/** What is wrong with a scenario: it would be a proof of nothing. */
export class ScenarioError extends Error {
  override readonly name = "ScenarioError";
}
