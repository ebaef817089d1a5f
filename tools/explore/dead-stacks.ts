// Memory below the stack pointer, left out of an exploration: overwritten as soon as it is left, and watched for readers.
//
// What calls and interrupts leave there tells states apart that have the same future. So it is replaced by one value,
// which is sound as long as nobody reads it: whoever does is noticed by that value, and the search ends unfinished.

import { type AccessKind, layout, type Rewinder } from "#emulator";
import type { StackRange } from "./scenario.ts";

/** What is left of a word that was on the stack. */
const DEAD = 0x5eadbee5;

interface Stack extends StackRange {
  /** Nothing below this has been used since the start. */
  lowest: number;
}

export class DeadStacks {
  private readonly rewinder: Rewinder;
  private readonly stacks: readonly (readonly Stack[])[];
  /** What to add to a stack pointer for a physical address. */
  private readonly load: number;

  /** Stacks by physical address, the ones of each processor; of these the first is the one that it starts on. */
  constructor(rewinder: Rewinder, stacks: readonly (readonly StackRange[])[], load: number) {
    this.rewinder = rewinder;
    this.load = load;
    this.stacks = stacks.map((own) => own.map((stack) => ({ ...stack, lowest: stack.end })));
    const { memory } = rewinder.machine;
    for (const [processor, own] of this.stacks.entries()) {
      for (const { start, end } of own) {
        const top = this.pointer(processor);
        const used = top >= start && top <= end ? top : end;
        for (let address = start; address < used; address += 4) memory.setDword(address, DEAD);
      }
    }
  }

  /** Overwrites what a processor has left: below its stack pointer, and while it is on its first stack, all of the others. */
  clear(processor: number): void {
    const { core } = this.rewinder.machine;
    if (core.i32[(core.blockOf(processor) >> 2) + layout.R_MICRO_INDEX] !== 0) return;
    const top = this.pointer(processor);
    const own = this.stacks[processor]!;
    const isFirst = contains(own[0]!, top);
    for (const stack of own) {
      if (contains(stack, top)) this.overwrite(stack, top);
      else if (isFirst) this.overwrite(stack, stack.end);
    }
  }

  /** After a step: overwrites what was left below the pointer before it, if that was on another stack than the pointer now. */
  leave(processor: number, before: number): void {
    const now = this.pointer(processor);
    if (now === before) return;
    for (const stack of this.stacks[processor]!)
      if (contains(stack, before) && !contains(stack, now)) this.overwrite(stack, before);
  }

  private overwrite({ lowest }: Stack, end: number): void {
    const { rewinder } = this;
    for (let address = lowest; address < end; address += 4)
      if (rewinder.dword(address) !== DEAD) rewinder.setDword(address, DEAD);
  }

  /** Follows a processor's accesses; true if this one reads what had been left. */
  accessed(processor: number, kind: AccessKind, address: number): boolean {
    const stack = this.stacks[processor]!.find(({ start, end }) => address >= start && address < end);
    if (!stack) return false;
    if (kind === "read") return this.rewinder.dword(address - (address % 4)) === DEAD;
    stack.lowest = Math.min(stack.lowest, address - (address % 4));
    return false;
  }

  /** Where a processor's stack pointer points to. */
  pointer(processor: number): number {
    const { core } = this.rewinder.machine;
    const esp = core.i32[(core.blockOf(processor) >> 2) + layout.R_ESP]!;
    return (esp + this.load) >>> 0;
  }
}

/** An empty stack's pointer is its end. */
function contains({ start, end }: StackRange, pointer: number): boolean {
  return pointer > start && pointer <= end;
}
