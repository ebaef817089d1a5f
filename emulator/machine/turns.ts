// Which processors can run, and whose turn it is: slices drawn by the generator (slices.ts), kept in the machine's memory.
import { type Core, G_PROCESSOR, IF } from "../cpu/core.ts";
import * as L from "../memory/layout.ts";
import { draw, drawSlice, LONGEST_SLICE } from "./slices.ts";

/** What may wake a processor that halted. */
export interface Wakers {
  nmiPending(processor: number): boolean;
  interruptPending(processor: number): boolean;
}

export interface Turns {
  /** It runs, or has halted and something is there to wake it. */
  canRun(processor: number): boolean;
  /** Some processor but the current one can run. */
  othersCanRun(): boolean;
  someCanRun(): boolean;
  /** Some halted processor has interrupts enabled, so a timer could wake it. */
  couldWake(): boolean;
  /** The processor whose turn it is, drawing the next one and its slice when the last is over; -1 when none can run. */
  pick(): number;
}

/** The turns of a machine's processors. Made of functions over its views: V8 takes those for constants. */
export function makeTurns(core: Core, wakers: Wakers): Turns {
  const { i32, g } = core;
  const count = core.layout.processors;

  const canRun = (processor: number): boolean => {
    const block = (L.PROCESSOR_BASE + processor * L.PROCESSOR_SIZE) >> 2;
    const activity = i32[block + L.R_ACTIVITY];
    if (activity === L.RUNNING) return true;
    if (activity !== L.HALTED) return false;
    if (wakers.nmiPending(processor)) return true;
    return (i32[block + L.R_EFLAGS] & IF) !== 0 && wakers.interruptPending(processor);
  };

  /** How many can run, one of them left out. */
  const howMany = (but: number): number => {
    let found = 0;
    for (let processor = 0; processor < count; processor++) if (processor !== but && canRun(processor)) found++;
    return found;
  };

  /** Starts a slice; a processor that has nobody beside it gets a long one. */
  const give = (processor: number, alone: boolean): number => {
    i32[L.SLICE_ALONE >> 2] = alone ? 1 : 0;
    i32[L.SLICE_PROCESSOR >> 2] = processor;
    i32[L.SLICE_LEFT >> 2] = alone ? LONGEST_SLICE : drawSlice(i32);
    return processor;
  };

  return {
    canRun,
    othersCanRun: () => howMany(g[G_PROCESSOR]) > 0,
    someCanRun: () => howMany(-1) > 0,

    couldWake: () => {
      for (let processor = 0; processor < count; processor++) {
        const block = (L.PROCESSOR_BASE + processor * L.PROCESSOR_SIZE) >> 2;
        if (i32[block + L.R_ACTIVITY] === L.HALTED && (i32[block + L.R_EFLAGS] & IF) !== 0) return true;
      }
      return false;
    },

    pick: () => {
      const current = i32[L.SLICE_PROCESSOR >> 2];
      if (i32[L.SLICE_LEFT >> 2] > 0 && canRun(current)) return current;
      // Mostly all can run, and the first draw is good: it is as likely to be any of them.
      const first = draw(i32, count);
      if (first !== current && canRun(first) && canRun(current)) return give(first, false);
      const others = howMany(current);
      if (others === 0) return canRun(current) ? give(current, true) : -1;
      // Any other processor that can run, each as likely as the next: fixed turns would hand locks round in a ring.
      let chosen = draw(i32, others);
      let processor = -1;
      while (chosen >= 0) {
        processor++;
        if (processor !== current && canRun(processor)) chosen--;
      }
      return give(processor, others === 1 && !canRun(current));
    },
  };
}
