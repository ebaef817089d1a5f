// Slices that compiled code fills from end to end, one after the other: draws, entry, accounts, all without JavaScript.
//
// A PAUSE ends a slice, so where processors wait for each other slices are a handful of instructions long. What is done here is
// what the machine's loop does between two of them, to the bit, as long as regions do all there is to do: activity, interrupts
// and modes stay as they are then. At anything else the way out leaves a slice that the machine's loop can go on with.
import { IF, TF } from "../../cpu/core.ts";
import * as L from "../../memory/layout.ts";
import {
  BUDGET_END,
  JUMP_ENTRIES,
  JUMPS,
  pushJump,
  REASON_BUDGET,
  REASON_MASK,
  REASON_WORD,
  REASON_YIELD,
  RUN_FUNCTION,
  STEP_ENTRIES,
  STEPS,
} from "./runtime.ts";
import { Code, OP } from "./wasm.ts";

/** How the machine draws slices, and how it knows that nothing waits for a processor. */
export interface SliceRules {
  /** Ticks: of a slice that nobody shares, and the longest there is. */
  readonly longest: number;
  readonly shortest: number;
  readonly longestShort: number;
  /** One slice in this many is a long one: longestShort to longest. */
  readonly longEvery: number;
  /**
   * Words of a processor's block: no maskable interrupt is pending while `line` is 0 and none of the eight words of requests
   * has a vector of a class above that of the task priority. A bit in the summary stands for a word that is not 0.
   */
  readonly interrupts: {
    readonly line: number;
    readonly requests: number;
    readonly summary: number;
    readonly taskPriority: number;
  };
}

// What a call leaves behind, in words that no other processor's area has.
const WORDS = L.MODES_KNOWN + L.MAX_PROCESSORS * 4;
/** Whole slices run. */
export const SLICES_RUN = WORDS;
/** Ticks used of the slice that the machine's loop has to go on with. */
export const SLICE_AHEAD = WORDS + 4;
/** Not 0: compiled code has been left, and REASON_WORD says why; else nothing has been tried, for want of an entry. */
export const SLICE_LEAVING = WORDS + 8;
/** Not 0: the next processor stands where no entry is known, nor code in steps. */
export const SLICE_MISSED = WORDS + 12;
/** Not 0: code in steps went over to a region at once, and that needs more than is left of the budget. Only others get on. */
export const SLICE_REFUSED = WORDS + 16;

const [TICKS, SLICES] = [0, 1];
const [BLOCK, TLB, EIP, ENTRY, BUDGET, REST, LEFT] = [2, 3, 4, 5, 6, 7, 8];
const [PROCESSOR, CURRENT, RUNNABLE, OTHERS, CHOSEN, GIVEN, SLICES_GIVEN, DRAWN] = [9, 10, 11, 12, 13, 14, 15, 16];
const STEPPED = 17;
/** Locals beside the parameters, all i32. */
export const SLICES_LOCALS = 16;

/** The function's code. It draws a slice first if the last one is used up, as whoever draws does. */
export function sliceLoop(layout: L.Layout, rules: SliceRules): Code {
  return new SliceEmitter(layout, rules).whole();
}

class SliceEmitter {
  private readonly code = new Code();
  private readonly processors: number;
  private readonly rules: SliceRules;

  constructor(layout: L.Layout, rules: SliceRules) {
    this.processors = layout.processors;
    this.rules = rules;
  }

  whole(): Code {
    const { code } = this;
    for (const word of [SLICES_RUN, SLICE_AHEAD, SLICE_LEAVING, SLICE_MISSED, SLICE_REFUSED]) this.storeConst(word, 0);
    code.get(TICKS);
    code.set(GIVEN);
    code.get(SLICES);
    code.set(SLICES_GIVEN);
    const out = code.depth;
    code.block();
    this.countRunnable(out);
    const again = code.depth;
    code.loop();
    this.leaveIfNot(TICKS, OP.i32_gt_s, out);
    this.leaveIfNot(SLICES, OP.i32_gt_s, out);
    this.pick();
    this.checkBoundary(out);
    this.findEntry(out);
    this.runSlice();
    this.account();
    this.endSlice(again);
    code.end();
    code.end();
    code.const(0);
    code.get(SLICES_GIVEN);
    code.get(SLICES);
    code.op(OP.i32_sub);
    code.store(SLICES_RUN);
    code.get(GIVEN);
    code.get(TICKS);
    code.op(OP.i32_sub);
    return code;
  }

  private leaveIfNot(local: number, compare: number, out: number): void {
    const { code } = this;
    code.get(local);
    code.const(0);
    code.op(compare);
    code.op(OP.i32_eqz);
    code.brIf(out);
  }

  private loadWord(address: number): void {
    this.code.const(0);
    this.code.load(address);
  }

  private storeConst(address: number, value: number): void {
    this.code.const(0);
    this.code.const(value);
    this.code.store(address);
  }

  /** Several words of the processor at BLOCK, or-ed together. */
  private anyOf(words: readonly number[]): void {
    const { code } = this;
    words.forEach((word, index) => {
      code.get(BLOCK);
      code.load(word * 4);
      if (index > 0) code.op(OP.i32_or);
    });
  }

  /** BLOCK: where the block of the processor in a local lies. */
  private locate(processor: number): void {
    const { code } = this;
    code.get(processor);
    code.const(31 - Math.clz32(L.PROCESSOR_SIZE));
    code.op(OP.i32_shl);
    code.const(L.PROCESSOR_BASE);
    code.op(OP.i32_add);
    code.set(BLOCK);
  }

  /** 1 if the processor in a local can run: none of those that halted can, or we would not be here. */
  private canRun(processor: number): void {
    const { code } = this;
    code.get(processor);
    code.const(31 - Math.clz32(L.PROCESSOR_SIZE));
    code.op(OP.i32_shl);
    code.load(L.PROCESSOR_BASE + L.R_ACTIVITY * 4);
    code.const(L.RUNNING);
    code.op(OP.i32_eq);
  }

  /** RUNNABLE: how many run. Out if there are none, or one that halted might be woken. */
  private countRunnable(out: number): void {
    const { code } = this;
    code.loop();
    const next = code.depth - 1;
    this.locate(PROCESSOR);
    code.get(BLOCK);
    code.load(L.R_ACTIVITY * 4);
    code.const(L.HALTED);
    code.op(OP.i32_eq);
    code.if();
    this.anyOf([L.R_NMI_PENDING, this.rules.interrupts.line, this.rules.interrupts.summary]);
    code.brIf(out);
    code.end();
    code.get(RUNNABLE);
    this.canRun(PROCESSOR);
    code.op(OP.i32_add);
    code.set(RUNNABLE);
    this.increment(PROCESSOR);
    code.get(PROCESSOR);
    code.const(this.processors);
    code.op(OP.i32_lt_u);
    code.brIf(next);
    code.end();
    code.get(RUNNABLE);
    code.op(OP.i32_eqz);
    code.brIf(out);
  }

  private increment(local: number): void {
    const { code } = this;
    code.get(local);
    code.const(1);
    code.op(OP.i32_add);
    code.set(local);
  }

  // --- whose turn it is, as machine/turns.ts finds it ---

  private pick(): void {
    const { code } = this;
    this.loadWord(L.SLICE_PROCESSOR);
    code.tee(CURRENT);
    code.set(PROCESSOR);
    this.loadWord(L.SLICE_LEFT);
    code.tee(LEFT);
    code.const(0);
    code.op(OP.i32_gt_s);
    this.canRun(CURRENT);
    code.op(OP.i32_and);
    code.op(OP.i32_eqz);
    code.if();
    this.drawProcessor();
    code.const(0);
    code.get(PROCESSOR);
    code.store(L.SLICE_PROCESSOR);
    code.const(0);
    code.get(LEFT);
    code.store(L.SLICE_LEFT);
    code.end();
  }

  private drawProcessor(): void {
    const { code } = this;
    this.draw(() => code.const(this.processors));
    code.set(PROCESSOR);
    code.get(PROCESSOR);
    code.get(CURRENT);
    code.op(OP.i32_ne);
    this.canRun(PROCESSOR);
    code.op(OP.i32_and);
    this.canRun(CURRENT);
    code.op(OP.i32_and);
    code.if();
    this.giveShared();
    code.else();
    code.get(RUNNABLE);
    this.canRun(CURRENT);
    code.op(OP.i32_sub);
    code.tee(OTHERS);
    code.if();
    this.chooseOther();
    code.get(OTHERS);
    code.const(1);
    code.op(OP.i32_eq);
    this.canRun(CURRENT);
    code.op(OP.i32_gt_u);
    code.if();
    this.giveAlone();
    code.else();
    this.giveShared();
    code.end();
    code.else();
    code.get(CURRENT);
    code.set(PROCESSOR);
    this.giveAlone();
    code.end();
    code.end();
  }

  /** PROCESSOR: any other one that can run. */
  private chooseOther(): void {
    const { code } = this;
    this.draw(() => code.get(OTHERS));
    code.set(CHOSEN);
    code.const(-1);
    code.set(PROCESSOR);
    code.loop();
    const next = code.depth - 1;
    this.increment(PROCESSOR);
    code.get(CHOSEN);
    code.get(PROCESSOR);
    code.get(CURRENT);
    code.op(OP.i32_ne);
    this.canRun(PROCESSOR);
    code.op(OP.i32_and);
    code.op(OP.i32_sub);
    code.tee(CHOSEN);
    code.const(0);
    code.op(OP.i32_ge_s);
    code.brIf(next);
    code.end();
  }

  private giveAlone(): void {
    const { code } = this;
    this.storeConst(L.SLICE_ALONE, 1);
    code.const(this.rules.longest);
    code.set(LEFT);
  }

  private giveShared(): void {
    const { code } = this;
    const { longest, shortest, longestShort, longEvery } = this.rules;
    this.storeConst(L.SLICE_ALONE, 0);
    this.draw(() => code.const(longEvery));
    code.op(OP.i32_eqz);
    code.if();
    this.draw(() => code.const(longest - longestShort + 1));
    code.const(longestShort);
    code.op(OP.i32_add);
    code.set(LEFT);
    code.else();
    this.draw(() => code.const(longestShort - shortest + 1));
    code.const(shortest);
    code.op(OP.i32_add);
    code.set(LEFT);
    code.end();
  }

  /** The generator's next number (xorshift128, as the machine's), below what `below` leaves on the stack. */
  private draw(below: () => void): void {
    const { code } = this;
    const state = (word: number): number => L.SLICE_GENERATOR + word * 4;
    const shifted = (opcode: number, by: number): void => {
      code.get(DRAWN);
      code.get(DRAWN);
      code.const(by);
      code.op(opcode);
      code.op(OP.i32_xor);
      code.set(DRAWN);
    };
    this.loadWord(state(0));
    code.set(DRAWN);
    for (const word of [0, 1, 2]) {
      code.const(0);
      this.loadWord(state(word + 1));
      code.store(state(word));
    }
    shifted(OP.i32_shl, 11);
    shifted(OP.i32_shr_u, 8);
    code.get(DRAWN);
    this.loadWord(state(2));
    this.loadWord(state(2));
    code.const(19);
    code.op(OP.i32_shr_u);
    code.op(OP.i32_xor);
    code.op(OP.i32_xor);
    code.set(DRAWN);
    code.const(0);
    code.get(DRAWN);
    code.store(state(3));
    code.get(DRAWN);
    below();
    code.op(OP.i32_rem_u);
  }

  // --- one slice ---

  /** Out unless the boundary that PROCESSOR stands at is a plain one. Interpreter.execute looks at the same things. */
  private checkBoundary(out: number): void {
    const { code } = this;
    this.locate(PROCESSOR);
    code.get(PROCESSOR);
    code.const(2);
    code.op(OP.i32_shl);
    code.load(L.MODES_KNOWN);
    code.tee(TLB);
    code.op(OP.i32_eqz);
    code.brIf(out);
    this.anyOf([L.R_SHADOW, L.R_NMI_PENDING, L.R_MICRO_INDEX]);
    code.brIf(out);
    code.get(BLOCK);
    code.load(L.R_EFLAGS * 4);
    code.const(IF | TF);
    code.op(OP.i32_and);
    code.if();
    code.get(BLOCK);
    code.load(L.R_EFLAGS * 4);
    code.const(TF);
    code.op(OP.i32_and);
    this.anyOf([this.rules.interrupts.line]);
    code.op(OP.i32_or);
    code.brIf(out);
    this.checkRequests(out);
    code.end();
  }

  /** Out if the highest vector requested may be delivered: those in service are not looked at. */
  private checkRequests(out: number): void {
    const { code } = this;
    const { requests, summary, taskPriority } = this.rules.interrupts;
    code.get(BLOCK);
    code.load(summary * 4);
    code.tee(CHOSEN);
    code.if();
    code.const(31);
    code.get(CHOSEN);
    code.op(OP.i32_clz);
    code.op(OP.i32_sub);
    code.tee(CHOSEN);
    code.const(5);
    code.op(OP.i32_shl);
    code.const(31);
    code.op(OP.i32_add);
    code.get(BLOCK);
    code.get(CHOSEN);
    code.const(2);
    code.op(OP.i32_shl);
    code.op(OP.i32_add);
    code.load(requests * 4);
    code.op(OP.i32_clz);
    code.op(OP.i32_sub);
    code.const(4);
    code.op(OP.i32_shr_u);
    code.get(BLOCK);
    code.load(taskPriority * 4);
    code.const(4);
    code.op(OP.i32_shr_u);
    code.op(OP.i32_gt_u);
    code.brIf(out);
    code.end();
  }

  /** ENTRY: from the processor's jump cache, or else where code in steps goes on from there. */
  private findEntry(out: number): void {
    const { code } = this;
    code.get(BLOCK);
    code.load(L.R_EIP * 4);
    code.set(EIP);
    this.lookUp(JUMPS, JUMP_ENTRIES);
    code.op(OP.i32_eqz);
    code.if();
    this.lookUp(STEPS, STEP_ENTRIES);
    code.op(OP.i32_eqz);
    code.if();
    this.storeConst(SLICE_MISSED, 1);
    code.br(out);
    code.end();
    code.end();
  }

  /** ENTRY, and on the stack: what a cache has for EIP, 0 for nothing. */
  private lookUp(cache: number, entries: number): void {
    const { code } = this;
    pushJump(code, TLB, EIP, entries);
    code.tee(ENTRY);
    code.load(cache + 4);
    code.const(0);
    code.get(ENTRY);
    code.load(cache);
    code.get(EIP);
    code.op(OP.i32_eq);
    code.op(OP.select);
    code.tee(ENTRY);
  }

  /** Runs regions, and code in steps where the budget does not last for more of them. */
  private runSlice(): void {
    const { code } = this;
    code.get(LEFT);
    code.get(TICKS);
    code.get(LEFT);
    code.get(TICKS);
    code.op(OP.i32_lt_s);
    code.op(OP.select);
    code.tee(BUDGET);
    code.set(REST);
    code.get(TLB);
    code.const(0);
    code.access(OP.f64_load, 3, L.CLOCK);
    code.get(BUDGET);
    code.op(OP.f64_convert_i32_s);
    code.op(OP.f64_add);
    code.access(OP.f64_store, 3, BUDGET_END);
    code.const(-1);
    code.set(STEPPED);
    const out = code.depth;
    code.block();
    const again = code.depth;
    code.loop();
    code.get(BLOCK);
    code.get(TLB);
    code.get(REST);
    code.get(ENTRY);
    code.call(RUN_FUNCTION);
    code.set(REST);
    code.get(REST);
    code.const(0);
    code.op(OP.i32_le_s);
    this.pushReason();
    code.const(REASON_BUDGET);
    code.op(OP.i32_ne);
    code.op(OP.i32_or);
    code.brIf(out);
    code.get(REST);
    code.get(STEPPED);
    code.op(OP.i32_eq);
    code.if();
    this.storeConst(SLICE_REFUSED, 1);
    code.br(out);
    code.end();
    code.get(REST);
    code.set(STEPPED);
    code.get(BLOCK);
    code.load(L.R_EIP * 4);
    code.set(EIP);
    this.lookUp(STEPS, STEP_ENTRIES);
    code.brIf(again);
    code.end();
    code.end();
  }

  /** Why the processor at BLOCK left compiled code. */
  private pushReason(): void {
    const { code } = this;
    code.get(TLB);
    code.load(REASON_WORD);
    code.const(REASON_MASK);
    code.op(OP.i32_and);
  }

  /** BUDGET becomes what was used of it. */
  private account(): void {
    const { code } = this;
    const add = (address: () => void, offset: number): void => {
      address();
      address();
      code.access(OP.f64_load, 3, offset);
      code.get(BUDGET);
      code.op(OP.f64_convert_i32_s);
      code.op(OP.f64_add);
      code.access(OP.f64_store, 3, offset);
    };
    code.get(BUDGET);
    code.get(REST);
    code.op(OP.i32_sub);
    code.set(BUDGET);
    code.get(TICKS);
    code.get(BUDGET);
    code.op(OP.i32_sub);
    code.set(TICKS);
    add(() => code.const(0), L.CLOCK);
    add(() => {
      code.get(PROCESSOR);
      code.const(31 - Math.clz32(L.PROCESSOR_TIME_SIZE));
      code.op(OP.i32_shl);
    }, L.PROCESSOR_TIME + L.T_RETIRED);
  }

  /** After PAUSE, or when the budget is used up exactly, comes the next slice; else the machine goes on with this one. */
  private endSlice(again: number): void {
    const { code } = this;
    code.const(0);
    code.const(0);
    code.get(LEFT);
    code.get(BUDGET);
    code.op(OP.i32_sub);
    code.tee(LEFT);
    code.get(LEFT);
    code.const(0);
    code.op(OP.i32_lt_s);
    this.pushReason();
    code.const(REASON_YIELD);
    code.op(OP.i32_eq);
    code.tee(CHOSEN);
    code.op(OP.i32_or);
    code.op(OP.select);
    code.store(L.SLICE_LEFT);
    code.get(CHOSEN);
    code.get(REST);
    code.const(0);
    code.op(OP.i32_le_s);
    code.op(OP.i32_or);
    code.if();
    code.get(SLICES);
    code.const(1);
    code.op(OP.i32_sub);
    code.set(SLICES);
    code.br(again);
    code.end();
    code.const(0);
    code.get(BUDGET);
    code.store(SLICE_AHEAD);
    this.storeConst(SLICE_LEAVING, 1);
  }
}
