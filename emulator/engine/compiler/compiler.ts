// Tier 1: which code is hot, its regions, and when they may be entered. Everything here is derived: a machine without it runs the same.
import { type Core, G_CPU, G_KEY, G_LEFT, G_OBSERVED, G_TLB_READ, G_YIELD } from "../../cpu/core.ts";
import * as L from "../../memory/layout.ts";
import type { CodeCache } from "../interpreter/codecache.ts";
import type { Handler } from "../interpreter/environment.ts";
import * as F from "../interpreter/record.ts";
import { hasMeaning } from "./lower.ts";
import { type Compiled, type Entry, Regions, SLOTS } from "./regions.ts";
import {
  BUDGET_END,
  jumpOffset,
  type PlainRegister,
  REASON_BUDGET,
  REASON_INTERPRET,
  REASON_LINK,
  REASON_MASK,
  REASON_MEMORY,
  REASON_SLOT_SHIFT,
  REASON_WORD,
  REASON_YIELD,
  REASONS,
  runtimeModule,
  stepOffset,
} from "./runtime.ts";
import {
  SLICE_AHEAD,
  SLICE_LEAVING,
  SLICE_MISSED,
  SLICE_REFUSED,
  SLICES_LOCALS,
  SLICES_RUN,
  type SliceRules,
  sliceLoop,
} from "./slices.ts";

export interface CompilerOptions {
  /** Times an entry is met before its region is compiled. */
  readonly threshold: number;
  /** Every instruction can be entered, and is looked at: for tests. */
  readonly everywhere: boolean;
  readonly slices: SliceRules;
  readonly plainRegister: PlainRegister;
  /** False: budgets are not kept to. For benchmarks of what exactness costs; runs are then not repeatable. */
  readonly exact: boolean;
}

/** What the interpreter offers. */
export interface Host {
  readonly core: Core;
  readonly cache: CodeCache;
  readonly handlers: readonly Handler[];
  /** Handlers below this index are data flow; this one runs instructions that are written by hand. */
  readonly handlerCount: number;
  readonly plainHandler: number;
  /** Handlers that replace those of entries: one that counts, one that enters. */
  readonly countHandler: number;
  readonly enterHandler: number;
  eipOf(p: number): number;
  /** Record at an EIP in decoded code, or EXIT; makes its page the current one. */
  find(eip: number): number;
  /** Physical page (number) that the current code page is. */
  currentPage(): number;
}

/** What was run of slices at once. */
export interface SlicesRun {
  readonly ticks: number;
  /** Whole slices. */
  readonly slices: number;
  /** Ticks of the slice that is under way. */
  readonly ahead: number;
  /** It can go on at once: what it stopped for has been seen to. */
  readonly isReady: boolean;
}

/** How often what happened, since the machine was made. */
export interface CompilerStatistics {
  /** Regions compiled, those of them still there, and the bytes of WebAssembly of these. */
  readonly compiled: number;
  readonly regions: number;
  readonly bytes: number;
  /** Regions dropped because their code was written. */
  readonly invalidated: number;
  /** Times that all regions were dropped: no room for more. */
  readonly flushes: number;
  /** Instructions run by regions. */
  readonly instructions: number;
  /** Slices that regions ran to their ends, one after the other. */
  readonly slices: number;
  /** Ways back to the interpreter, by reason. */
  readonly exits: Readonly<Record<string, number>>;
}

const REASON_NAMES = ["interpret", "link", "yield", "budget", "memory"];
/** Interpreted instructions that take as long as to enter and leave a region; bounds of the account kept of each entry. */
const ENTRY_COST = 12;
const LEAST_GAIN = -2000;
/** A slice that regions end by PAUSE saves at least this much: what the next ones that begin there need is remembered then. */
const YIELD_GAIN = 30;
const MOST_GAIN = 10_000;
/** Ticks after which places that could not be compiled, or did not pay, are watched again. */
const TRY_AGAIN = 500_000;
/** How often they may fail to pay then: most are no better than they were. */
const SECOND_CHANCE = 20;
/** In the place of times that a record is to be met: it is not watched until then. */
const GIVEN_UP = -1;
/** Below this budget regions are not entered: they would soon have to be left again. */
const SMALL_BUDGET = 32;
/** Memory exits at one instruction before its translations are looked up in place. */
const MANY_MISSES = 50;
/** Memory exits at others by then: theirs are looked up too, which saves a compilation. */
const SOME_MISSES = 10;
/**
 * Slices that begin or end within a region, for each of its instructions, before that is compiled in steps too. Each saves some
 * 0.6 us; steps hold the run up for some 0.1 ms an instruction, and V8's other threads, whose end a process waits for, for 2 ms.
 */
const MANY_ENDS = 200;
/**
 * Times for other entries than heads of loops: loops come first. A loop's region has the routines it calls in it, which need none of
 * their own then.
 */
const NOT_A_LOOP = 2;
/** How often a record that is counted is looked for among the entries of regions. */
const LOOK_EVERY = 32;
/** Samples of jumps that leave a region before it is compiled again with their targets in it. */
const MANY_SAMPLES = 16;
const MOST_OTHERS = 64;
/** Failures of `runSlices` to wait for before it is tried again, at most. */
const LONGEST_PAUSE = 64;
/** Each invalidation of a page makes its code so many times harder to get compiled, up to a limit. */
const BACK_OFF_LIMIT = 8;

/**
 * Why a record is watched, the best reason first: a loop begins there; something else does that jumps lead to; slices begin there, no
 * more; to enter there did not pay.
 */
export const LOOP = 1;
const ROUTINE = 2;
const SLICE = 3;
const RETRY = 4;
type Why = typeof LOOP | typeof ROUTINE | typeof SLICE | typeof RETRY;

export class Compiler {
  private readonly host: Host;
  private readonly options: CompilerOptions;
  private readonly regions: Regions;
  private readonly run: (cpu: number, tlb: number, budget: number, entry: number) => number;
  private readonly sliceLoop: (ticks: number, slices: number) => number;
  /** By record: the handler that was replaced; times until it is hot; number of its entry. */
  private readonly replaced: Uint16Array;
  private readonly left: Int32Array;
  private readonly entryOf: Int32Array;
  /** Records that are not worth an entry, as it looks, each with its page, and when they get another chance. */
  private givenUp: { readonly p: number; readonly page: number; readonly entry: Entry | null }[] = [];
  private tryAgainAt = TRY_AGAIN;
  private readonly misses = new Map<number, number>();
  /** Records that are or were watched, so that all can be let go. */
  private watched: number[] = [];
  /** By record: why it is among them, 0 where it is not. */
  private readonly watchedFor: Uint8Array;
  /** Everything that can be is compiled at once and entered whenever it can be, whether that pays or not. */
  private readonly isEager: boolean;
  private flushes = 0;
  /** Since decoded code went for another reason. */
  private recentFlushes = 0;
  private instructions = 0;
  private slices = 0;
  /** How often to do without `runSlices` yet, and how often after its next failure. */
  private slicesPaused = 0;
  private slicesPause = 1;
  private readonly slicesRun = { ticks: 0, slices: 0, ahead: 0, isReady: false };
  /** The slice under way begins where no entry was found, and one would be of use: others will begin there. */
  private isWanted = false;
  private readonly exits = new Array<number>(REASONS).fill(0);

  constructor(host: Host, options: CompilerOptions) {
    this.host = host;
    this.options = options;
    const { core, cache } = host;
    const { layout, memory } = core;
    const table = new WebAssembly.Table({ element: "anyfunc", initial: SLOTS });
    const m = memory as WebAssembly.Memory;
    const e = { m, t: table };
    const shared = runtimeModule(layout, options.plainRegister, sliceLoop(layout, options.slices), SLICES_LOCALS);
    const runtime = new WebAssembly.Instance(new WebAssembly.Module(shared), { e }).exports;
    this.run = runtime.run as Compiler["run"];
    this.sliceLoop = runtime.slices as Compiler["sliceLoop"];
    const records = cache.code.length / F.STRIDE;
    this.replaced = new Uint16Array(records);
    this.left = new Int32Array(records);
    this.entryOf = new Int32Array(records);
    this.watchedFor = new Uint8Array(records);
    this.isEager = options.threshold === 1;
    const { everywhere, exact } = options;
    const manyEnds = this.isEager ? 0 : MANY_ENDS;
    this.regions = new Regions(core, table, {
      everywhere,
      exact,
      manyEnds,
      imports: { e: { m, f: runtime.refill, d: runtime.poke } },
    });
  }

  get statistics(): CompilerStatistics {
    const exits = Object.fromEntries(REASON_NAMES.map((name, reason) => [name, this.exits[reason]]));
    const { regions, flushes, instructions, slices } = this;
    const { compiled, bytes, invalidated } = regions;
    return { compiled, regions: regions.alive.size, bytes, invalidated, flushes, instructions, slices, exits };
  }

  // --- records that are entries ---

  /** The record's own handler, whatever stands in its place. */
  handlerOf(p: number): number {
    const handler = this.host.cache.code[p];
    return handler >= this.host.countHandler ? this.replaced[p / F.STRIDE] : handler;
  }

  /** Counts how often the record, which is in the current page, is met from now on. */
  watch(p: number, why: Why = ROUTINE): void {
    this.watchIn(p, this.host.currentPage(), why);
  }

  private watchIn(p: number, page: number, why: Why): void {
    const { core, cache, countHandler } = this.host;
    const handler = cache.code[p];
    const number = p / F.STRIDE;
    if (p === cache.scratch || core.g[G_OBSERVED] !== 0 || this.left[number] === GIVEN_UP) return;
    const { threshold } = this.options;
    const times = (why === LOOP || this.isEager ? threshold : threshold * NOT_A_LOOP) << this.backOff(page);
    if (handler === countHandler && why < this.watchedFor[number]) {
      this.watchedFor[number] = why;
      this.left[number] = Math.min(this.left[number], times);
    }
    if (!this.canBegin(p, handler)) return;
    if (this.watchedFor[number] === 0) this.watched.push(p);
    this.watchedFor[number] = why;
    this.replaced[number] = handler;
    this.left[number] = times;
    cache.code[p] = countHandler;
  }

  /** Can a region begin at a record with a handler? With data flow, and with what is compiled though it is written by hand. */
  private canBegin(p: number, handler: number): boolean {
    const { cache, handlerCount, plainHandler } = this.host;
    if (handler !== plainHandler) return handler < handlerCount;
    return hasMeaning(cache.instructions[cache.code[p + F.F_INSTRUCTION]].form);
  }

  /** Execution goes on at a record. Where a slice begins says nothing about the code, unless an entry is wanted there. */
  arrive(p: number, atSliceStart: boolean): void {
    if (!atSliceStart || this.isEager) this.watch(p);
    else if (this.isWanted) this.watch(p, SLICE);
    this.isWanted = false;
  }

  /** Every record has its own handler again: the run is going to be observed. */
  letGo(): void {
    const { code } = this.host.cache;
    for (const p of this.watched) code[p] = this.handlerOf(p);
  }

  /** Watches again what was let go: jumps that know their target do not tell of it a second time. */
  resume(): void {
    this.watchAgain(this.takeWatched());
  }

  /** What is watched, and why; it is forgotten. */
  private takeWatched(): { p: number; why: Why }[] {
    const taken = this.watched.map((p) => ({ p, why: this.watchedFor[p / F.STRIDE] as Why }));
    this.forgetWatched();
    return taken;
  }

  private watchAgain(watched: readonly { p: number; why: Why }[]): void {
    for (const { p, why } of watched) this.watch(p, why);
  }

  private forgetWatched(): void {
    for (const p of this.watched) {
      this.watchedFor[p / F.STRIDE] = 0;
      this.left[p / F.STRIDE] = 0;
    }
    this.watched = [];
    this.givenUp = [];
    this.tryAgainAt = 0;
  }

  private backOff(page: number): number {
    // An eager engine on code that fills the table again and again would do nothing else for minutes.
    const thrashing = this.isEager ? Math.min(this.recentFlushes, BACK_OFF_LIMIT) : 0;
    if (this.options.everywhere) return thrashing;
    return Math.min((this.regions.invalidations.get(page) ?? 0) + thrashing, BACK_OFF_LIMIT);
  }

  /** The counting handler. */
  count(p: number): number {
    const number = p / F.STRIDE;
    const left = --this.left[number];
    if (left > 0 && left % LOOK_EVERY !== 0) return this.host.handlers[this.replaced[number]](p);
    const { cache, handlers, enterHandler, currentPage, eipOf } = this.host;
    const hasEntry = this.regions.hasEntry(currentPage(), eipOf(p));
    if (!this.deservesEntry(p, left, hasEntry)) return handlers[this.replaced[number]](p);
    if (!hasEntry && !this.regions.hasRoom) this.flush();
    const entry = this.regions.entryFor(currentPage(), eipOf(p));
    if (entry < 0) {
      this.giveUp(p, null);
      return handlers[this.replaced[number]](p);
    }
    this.entryOf[number] = entry;
    cache.code[p] = enterHandler;
    return this.enter(p);
  }

  /** A counted record is to be entered at: it was met often enough, or now and then while a region is there already. */
  private deservesEntry(p: number, left: number, hasEntry: boolean): boolean {
    const { core, cache, eipOf } = this.host;
    const number = p / F.STRIDE;
    // With a small budget it is not entered, so this time does not count.
    if (core.g[G_LEFT] < SMALL_BUDGET && !this.isEager) {
      this.left[number]++;
      return false;
    }
    const why = this.watchedFor[number];
    if (left > 0) return hasEntry && why !== RETRY;
    if (why !== SLICE || !this.isInside(eipOf(p))) return true;
    cache.code[p] = this.replaced[number]; // code in steps does
    return false;
  }

  /** Code in steps of a region can go on at an EIP: it is one of its instructions, and does not follow PAUSE. */
  private isInside(eip: number): boolean {
    const around = this.regions.around(this.host.currentPage(), eip);
    return around.some((compiled) => compiled.places.get(eip) === false && this.regions.isValid(compiled));
  }

  /** The entering handler: runs regions until the interpreter has to go on. */
  enter(p: number): number {
    const { host, run, exits } = this;
    const { core, handlers } = host;
    const { g, i32 } = core;
    if (g[G_LEFT] < SMALL_BUDGET && !this.isEager) return handlers[this.handlerOf(p)](p);
    const own = this.regions.entries[this.entryOf[p / F.STRIDE]];
    const tlb = g[G_TLB_READ] << 2;
    const cpu = g[G_CPU] << 2;
    const eip = host.eipOf(p);
    const jump = (tlb + jumpOffset(eip)) >> 2;
    let entry = i32[jump] === eip ? i32[jump + 1] : 0;
    if (entry >>> 16 === 0) {
      entry = this.lookUp(p, eip);
      if (entry === 0) return handlers[this.handlerOf(p)](p);
    }
    const budget = g[G_LEFT];
    core.f64[(tlb + BUDGET_END) >> 3] = core.now() + budget;
    let rest = budget;
    let reason = REASON_LINK;
    let next = F.EXIT as number;
    for (;;) {
      rest = run(cpu, tlb, rest, entry);
      const left = i32[(tlb + REASON_WORD) >> 2];
      reason = left & REASON_MASK;
      exits[reason]++;
      if (reason === REASON_YIELD) break;
      const at = i32[(cpu >> 2) + L.R_EIP];
      next = host.find(at);
      if (reason !== REASON_LINK) break;
      if (next < 0) break;
      this.sample(left >>> REASON_SLOT_SHIFT, at);
      entry = this.lookUp(next, at);
      if (entry === 0) {
        this.watch(next);
        break;
      }
    }
    this.instructions += budget - rest;
    this.learn(reason, next);
    this.weigh(p, own, reason === REASON_YIELD ? Math.max(YIELD_GAIN, budget - rest) : budget - rest);
    if (rest === budget) return handlers[this.handlerOf(p)](p);
    // Whoever called counts one more instruction.
    g[G_LEFT] = rest + 1;
    if (reason !== REASON_YIELD) return next;
    g[G_YIELD] = 1;
    return F.EXIT;
  }

  /** A region was left before the record `next`, which the interpreter does: what follows it may be worth an entry. */
  private learn(reason: number, next: number): void {
    if (reason === REASON_MEMORY) this.missed(next);
    else if (reason === REASON_INTERPRET && next > 0) this.watch(next + F.STRIDE);
  }

  // --- whole slices ---

  /**
   * Goes on with the slice under way, if there is one, and those that follow for as long as regions run them from end to end.
   * The last one may be under way or only drawn. `ticks` and `slices` are how many there may be at most; those used are
   * accounted for. Null if nothing has been tried. Nobody may be watching.
   */
  runSlices(ticks: number, slices: number): SlicesRun | null {
    if (this.slicesPaused > 0 && !this.isEager) {
      this.slicesPaused--;
      return null;
    }
    const { i32 } = this.host.core;
    const { slicesRun } = this;
    slicesRun.ticks = this.sliceLoop(ticks, slices);
    slicesRun.slices = i32[SLICES_RUN >> 2];
    slicesRun.ahead = i32[SLICE_AHEAD >> 2];
    this.instructions += slicesRun.ticks;
    this.slices += slicesRun.slices;
    return slicesRun;
  }

  /** The processor that it stopped at has been selected: what there is to learn from why it did. */
  afterSlices(): void {
    const { core, find } = this.host;
    const { slicesRun } = this;
    const hasLeft = core.i32[SLICE_LEAVING >> 2] !== 0;
    const hasMissed = core.i32[SLICE_MISSED >> 2] !== 0;
    let found: "ready" | "counted" | "nothing" = "nothing";
    if (hasLeft || hasMissed) {
      const left = hasLeft ? core.i32[((core.g[G_TLB_READ] << 2) + REASON_WORD) >> 2] : REASON_BUDGET;
      const reason = left & REASON_MASK;
      if (hasLeft) this.exits[reason]++;
      const eip = core.word(L.R_EIP);
      const next = find(eip);
      this.learn(reason, next);
      if (reason === REASON_LINK && next >= 0) this.sample(left >>> REASON_SLOT_SHIFT, eip);
      const isRefused = core.i32[SLICE_REFUSED >> 2] !== 0;
      if (reason === REASON_BUDGET && next >= 0 && !isRefused) found = this.findSteps(eip, hasMissed);
    }
    slicesRun.isReady = found === "ready";
    if (slicesRun.slices > 0 || found !== "nothing") this.slicesPause = 1;
    else {
      this.slicesPaused = this.slicesPause;
      this.slicesPause = Math.min(this.slicesPause * 2, LONGEST_PAUSE);
    }
  }

  /**
   * A slice ends at an EIP before its code as a whole does, or begins there: the code in steps that can go on from there, if
   * there is some, or is now, gets its place in the cache and is ready. Where there may be some later the times are counted.
   */
  private findSteps(eip: number, isBeginning: boolean): "ready" | "counted" | "nothing" {
    const { regions } = this;
    const { core, currentPage } = this.host;
    let isInside = false;
    const around = regions.around(currentPage(), eip);
    // By index: this is done at slices' ends, in short runs by code that V8 has not compiled yet.
    for (let i = 0; i < around.length; i++) {
      const compiled = around[i];
      if (!regions.isValid(compiled)) continue;
      const followsPause = compiled.places.get(eip) as boolean;
      isInside = !followsPause;
      if (followsPause) break;
      const target = regions.stepsOf(compiled)?.targets.get(eip);
      if (target === undefined || compiled.steps === null) continue;
      const at = ((core.g[G_TLB_READ] << 2) + stepOffset(eip)) >> 2;
      core.i32[at] = eip;
      core.i32[at + 1] = (compiled.steps.slot << 16) | target;
      return "ready";
    }
    // Slices that begin behind PAUSE do so again and again, as they may where no region is yet: that deserves an entry.
    this.isWanted = isBeginning && !isInside;
    return isInside ? "counted" : "nothing";
  }

  /**
   * Keeps account of an entry: one that is left again after a few instructions costs more than it brings. It is tried again much
   * later: what it is left for may be over, as the first touch of pages is.
   */
  private weigh(p: number, entry: Entry, instructions: number): void {
    const gain = entry.gain + Math.min(instructions, MOST_GAIN) - ENTRY_COST;
    entry.gain = Math.min(gain, MOST_GAIN);
    if (gain > LEAST_GAIN || this.isEager) return;
    entry.gain = 0;
    const { cache, enterHandler } = this.host;
    if (cache.code[p] === enterHandler) this.giveUp(p, entry);
  }

  /** Puts the record's own handler back: to count it costs as much as to run it. */
  private giveUp(p: number, entry: Entry | null): void {
    const number = p / F.STRIDE;
    this.host.cache.code[p] = this.replaced[number];
    this.left[number] = GIVEN_UP;
    this.givenUp.push({ p, page: this.host.currentPage(), entry });
  }

  /** A slice begins: what was given up is watched again from time to time. */
  beginSlice(): void {
    const { core } = this.host;
    const now = core.f64[L.CLOCK >> 3];
    if (now < this.tryAgainAt || core.g[G_OBSERVED] !== 0) return;
    this.tryAgainAt = now + TRY_AGAIN;
    const { givenUp } = this;
    this.givenUp = [];
    for (const { p, page, entry } of givenUp) {
      const number = p / F.STRIDE;
      this.left[number] = 0;
      this.watchIn(p, page, RETRY);
      if (entry !== null) entry.gain = LEAST_GAIN + SECOND_CHANCE * ENTRY_COST;
    }
  }

  /** The entry at a record for the jump cache, which gets it; 0 where there is none. */
  private lookUp(p: number, eip: number): number {
    const { core, cache, enterHandler } = this.host;
    if (cache.code[p] !== enterHandler) return 0;
    const entry = this.regions.entries[this.entryOf[p / F.STRIDE]];
    const { compiled } = entry;
    if (compiled === null || entry.eip !== eip || compiled.key !== core.g[G_KEY] || !this.regions.isValid(compiled)) {
      if (compiled === null) {
        cache.code[p] = this.replaced[p / F.STRIDE];
        this.watch(p, this.watchedFor[p / F.STRIDE] as Why);
      }
      return 0;
    }
    const found = ((compiled.slot << 16) | entry.target) >>> 0;
    const jump = ((core.g[G_TLB_READ] << 2) + jumpOffset(eip)) >> 2;
    core.i32[jump] = eip;
    core.i32[jump + 1] = found;
    return found;
  }

  /** After an access without a translation: what comes next is worth an entry, and often the translation a look. */
  private missed(p: number): void {
    if (p < 0) return;
    const { host } = this;
    const eip = host.eipOf(p);
    this.watch(p + F.STRIDE);
    const count = (this.misses.get(eip) ?? 0) + 1;
    this.misses.set(eip, count);
    const { refilled } = this.regions;
    if (this.isEager && count === 2) refilled.add(eip);
    if (count !== MANY_MISSES) return;
    // Those that would come next, too: every time costs a compilation.
    for (const [other, misses] of this.misses) if (misses >= SOME_MISSES) refilled.add(other);
    for (const compiled of this.regions.around(host.currentPage(), eip))
      if (!compiled.lookups.has(eip)) this.compileAgain(compiled);
  }

  /** A jump that left a region; where it went may belong to the region. */
  private sample(slot: number, target: number): void {
    const region = this.regions.inSlot(slot);
    if (region === undefined || region.others.size >= MOST_OTHERS) return;
    if (region.region.routines.includes(target)) return;
    region.others.add(target);
    if (++region.samples < MANY_SAMPLES) return;
    this.compileAgain(region);
  }

  private compileAgain(compiled: Compiled): void {
    if (!compiled.isAlive) return;
    if (this.regions.hasRoom) this.regions.compileAgain(compiled);
    else this.flush();
  }

  /** Translations of a processor (-1: of all), or what its code is decoded under, have changed. */
  translationsChanged(processor: number): void {
    this.regions.translationsChanged(processor);
  }

  /** Bytes of RAM changed: regions made from them go. */
  written(physical: number, bytes: number): void {
    this.regions.written(physical, bytes);
  }

  /** Drops everything: decoded code is gone, or there is no room. Records that were entries must be gone too. */
  clear(): void {
    this.regions.clear();
    this.misses.clear();
    this.forgetWatched();
    this.recentFlushes = 0;
  }

  private flush(): void {
    this.flushes++;
    this.letGo();
    const { recentFlushes } = this;
    const watched = this.takeWatched();
    this.clear();
    this.recentFlushes = recentFlushes + 1;
    this.watchAgain(watched);
  }
}
