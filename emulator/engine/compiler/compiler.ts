// Tier 1: which code is hot, its regions, and when they may be entered. Everything here is derived: a machine without it runs the same.
import { type Core, G_CPU, G_KEY, G_LEFT, G_OBSERVED, G_PROCESSOR, G_TLB_READ, G_YIELD } from "../../cpu/core.ts";
import { CS } from "../../isa/operands.ts";
import * as L from "../../memory/layout.ts";
import { type CodeCache, KEY_32, KEY_STACK, keyFlat } from "../interpreter/codecache.ts";
import type { Handler } from "../interpreter/environment.ts";
import * as F from "../interpreter/record.ts";
import { emitRegion } from "./emit.ts";
import { formRegion, type Region } from "./region.ts";
import {
  JUMP_ENTRIES,
  JUMPS,
  jumpOffset,
  REASON_INTERPRET,
  REASON_LINK,
  REASON_MASK,
  REASON_MEMORY,
  REASON_SLOT_SHIFT,
  REASON_WORD,
  REASON_YIELD,
  REASONS,
  runtimeModule,
  USER_DISTANCE,
} from "./runtime.ts";
import {
  SLICE_AHEAD,
  SLICE_LEAVING,
  SLICE_MISSED,
  SLICES_LOCALS,
  SLICES_RUN,
  type SliceRules,
  sliceLoop,
} from "./slices.ts";

import { CodeSource } from "./source.ts";

export interface CompilerOptions {
  /** Times an entry is met before its region is compiled. */
  readonly threshold: number;
  /** Every instruction can be entered, and is looked at: for tests. */
  readonly everywhere: boolean;
  readonly slices: SliceRules;
  /** False: budgets are not kept to. For benchmarks of what exactness costs; runs are then not repeatable. */
  readonly exact: boolean;
}

/** What the interpreter offers. */
export interface Host {
  readonly core: Core;
  readonly cache: CodeCache;
  readonly handlers: readonly Handler[];
  /** Handlers below this index are data flow. */
  readonly handlerCount: number;
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
  /** Slices that regions ran from end to end, one after the other. */
  readonly slices: number;
  /** Ways back to the interpreter, by reason. */
  readonly exits: Readonly<Record<string, number>>;
}

/** A compiled region. */
interface Compiled {
  readonly slot: number;
  readonly region: Region;
  readonly key: number;
  readonly bytes: number;
  /** Places where it was made the code to enter; others may have taken some over since. */
  readonly entries: Entry[];
  /** Linear page and the physical page it was compiled from, by number. */
  readonly pages: ReadonlyMap<number, number>;
  /** 64-byte granules of physical pages that hold its code. */
  readonly granules: ReadonlyMap<number, Int32Array>;
  /** By processor and privilege: the generation of translations that was found to have these pages. */
  readonly validFor: Int32Array;
  readonly refilled: Set<number>;
  /** Targets of its indirect jumps that were seen, and how often one was. */
  readonly others: Set<number>;
  samples: number;
  isAlive: boolean;
}

/** A place where compiled code can be entered: bytes at a physical address, run at one EIP. */
interface Entry {
  readonly eip: number;
  compiled: Compiled | null;
  target: number;
}

const REASON_NAMES = ["interpret", "link", "yield", "budget", "memory"];
/** Interpreted instructions that take as long as to enter and leave a region; bounds of the account kept of each entry. */
const ENTRY_COST = 12;
const LEAST_GAIN = -2000;
const MOST_GAIN = 10_000;
/** Times a place that could not be compiled, or did not pay, is met before that is tried again. */
const TRY_AGAIN = 100_000;
/** Below this budget regions are not entered: they would soon have to be left again. */
const SMALL_BUDGET = 32;
const SLOTS = 4096;
const MOST_BYTES = 4 << 20;
const MOST_ENTRIES = 50_000;
/** Memory exits at one instruction before its translations are looked up in place. */
const MANY_MISSES = 50;
/** Samples of jumps that leave a region before it is compiled again with their targets in it. */
const MANY_SAMPLES = 16;
const MOST_OTHERS = 64;
/** Failures of `runSlices` to wait for before it is tried again, at most. */
const LONGEST_PAUSE = 64;
/** Each invalidation of a page makes its code so many times harder to get compiled, up to a limit. */
const BACK_OFF_LIMIT = 8;

export class Compiler {
  private readonly host: Host;
  private readonly options: CompilerOptions;
  private readonly table: WebAssembly.Table;
  private readonly run: (cpu: number, tlb: number, budget: number, entry: number) => number;
  private readonly sliceLoop: (ticks: number, slices: number) => number;
  private readonly imports: WebAssembly.Imports;
  private readonly freeSlots: number[] = [];
  private nextSlot = 1;
  /** By record: the handler that was replaced; times until it is hot; number of its entry. */
  private readonly replaced: Uint16Array;
  private readonly left: Int32Array;
  private readonly entryOf: Int32Array;
  /** By record: what entering regions there has gained, in interpreted instructions. */
  private readonly gain: Int32Array;
  private entries: Entry[] = [];
  private readonly entryAt = new Map<number, number>();
  private readonly regionsOfPage = new Map<number, Set<Compiled>>();
  private readonly invalidations = new Map<number, number>();
  private readonly misses = new Map<number, number>();
  /** Regions by their place in the table. */
  private readonly bySlot: (Compiled | undefined)[] = [];
  /** Records that are or were watched, so that all can be let go. */
  private watched: number[] = [];
  /** By processor: how often its translations, or what its code is decoded under, have changed. */
  private readonly generations: Int32Array;
  /** Everything that can be is compiled at once and entered whenever it can be, whether that pays or not. */
  readonly isEager: boolean;
  private alive = new Set<Compiled>();
  private compiledRegions = 0;
  private bytes = 0;
  private invalidated = 0;
  private flushes = 0;
  private instructions = 0;
  private slices = 0;
  /** How often to do without `runSlices` yet, and how often after its next failure. */
  private slicesPaused = 0;
  private slicesPause = 1;
  private readonly slicesRun = { ticks: 0, slices: 0, ahead: 0 };
  /** The slice that begins now stands where a PAUSE ended another, and no entry was found there. */
  private isWanted = false;
  private readonly exits = new Array<number>(REASONS).fill(0);

  constructor(host: Host, options: CompilerOptions) {
    this.host = host;
    this.options = options;
    const { core, cache } = host;
    const { layout, memory } = core;
    this.table = new WebAssembly.Table({ element: "anyfunc", initial: SLOTS });
    const m = memory as WebAssembly.Memory;
    const e = { m, t: this.table };
    const shared = runtimeModule(layout, sliceLoop(layout, options.slices), SLICES_LOCALS);
    const runtime = new WebAssembly.Instance(new WebAssembly.Module(shared), { e }).exports;
    this.run = runtime.run as Compiler["run"];
    this.sliceLoop = runtime.slices as Compiler["sliceLoop"];
    this.imports = { e: { m, f: runtime.refill } };
    const records = cache.code.length / F.STRIDE;
    this.replaced = new Uint16Array(records);
    this.left = new Int32Array(records);
    this.entryOf = new Int32Array(records);
    this.gain = new Int32Array(records);
    this.generations = new Int32Array(layout.processors).fill(1);
    this.isEager = options.threshold === 1;
  }

  get statistics(): CompilerStatistics {
    const exits = Object.fromEntries(REASON_NAMES.map((name, reason) => [name, this.exits[reason]]));
    const { compiledRegions, bytes, invalidated, flushes, instructions, slices } = this;
    return {
      compiled: compiledRegions,
      regions: this.alive.size,
      bytes,
      invalidated,
      flushes,
      instructions,
      slices,
      exits,
    };
  }

  // --- records that are entries ---

  /** The record's own handler, whatever stands in its place. */
  handlerOf(p: number): number {
    const handler = this.host.cache.code[p];
    return handler >= this.host.countHandler ? this.replaced[p / F.STRIDE] : handler;
  }

  /** Counts how often the record is met from now on. */
  watch(p: number): void {
    const { core, cache, handlerCount, countHandler } = this.host;
    const handler = cache.code[p];
    if (handler >= handlerCount || p === cache.scratch || core.g[G_OBSERVED] !== 0) return;
    const number = p / F.STRIDE;
    this.watched.push(p);
    this.replaced[number] = handler;
    this.left[number] = this.options.threshold << this.backOff();
    cache.code[p] = countHandler;
  }

  /** Execution goes on at a record. Where a slice begins says nothing about the code, unless PAUSE ended the one before. */
  arrive(p: number, atSliceStart: boolean): void {
    if (!atSliceStart || this.isWanted || this.isEager) this.watch(p);
    this.isWanted = false;
  }

  /** Every record has its own handler again: the run is going to be observed. */
  letGo(): void {
    const { code } = this.host.cache;
    for (const p of this.watched) code[p] = this.handlerOf(p);
  }

  /** Watches again what was let go: jumps that know their target do not tell of it a second time. */
  resume(): void {
    const { watched } = this;
    this.watched = [];
    for (const p of watched) this.watch(p);
  }

  private backOff(): number {
    if (this.options.everywhere) return 0;
    return Math.min(this.invalidations.get(this.host.currentPage()) ?? 0, BACK_OFF_LIMIT);
  }

  /** The counting handler. */
  count(p: number): number {
    const { cache, handlers, enterHandler } = this.host;
    const number = p / F.STRIDE;
    if (--this.left[number] > 0) return handlers[this.replaced[number]](p);
    const eip = this.host.eipOf(p);
    const entry = this.entryFor(eip);
    if (entry < 0) {
      this.left[number] = TRY_AGAIN;
      return handlers[this.replaced[number]](p);
    }
    this.entryOf[number] = entry;
    cache.code[p] = enterHandler;
    return this.enter(p);
  }

  /** The entering handler: runs regions until the interpreter has to go on. */
  enter(p: number): number {
    const { host, run, exits } = this;
    const { core, handlers } = host;
    const { g, i32 } = core;
    if (g[G_LEFT] < SMALL_BUDGET && !this.isEager) return handlers[this.handlerOf(p)](p);
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
    if (reason !== REASON_YIELD) this.weigh(p, budget - rest);
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
   * A slice has ended in PAUSE: goes on with those that follow for as long as regions run them from end to end. The last one may
   * be under way or only drawn. `ticks` and `slices` are how many there may be at most; those used are accounted for.
   * Null if nothing has been tried. Nobody may be watching.
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
    this.isWanted = i32[SLICE_MISSED >> 2] !== 0;
    if (slicesRun.slices > 0) this.slicesPause = 1;
    else {
      this.slicesPaused = this.slicesPause;
      this.slicesPause = Math.min(this.slicesPause * 2, LONGEST_PAUSE);
    }
    return slicesRun;
  }

  /** The processor that it stopped at has been selected: what there is to learn from why it did. */
  afterSlices(): void {
    const { core } = this.host;
    if (core.i32[SLICE_LEAVING >> 2] === 0) return;
    const left = core.i32[((core.g[G_TLB_READ] << 2) + REASON_WORD) >> 2];
    const reason = left & REASON_MASK;
    this.exits[reason]++;
    const eip = core.word(L.R_EIP);
    const next = this.host.find(eip);
    this.learn(reason, next);
    if (reason === REASON_LINK && next >= 0) this.sample(left >>> REASON_SLOT_SHIFT, eip);
  }

  /**
   * Keeps account of an entry: one that is left again after a few instructions costs more than it brings. It is tried again much
   * later: what it is left for may be over, as the first touch of pages is.
   */
  private weigh(p: number, instructions: number): void {
    const number = p / F.STRIDE;
    const gain = this.gain[number] + Math.min(instructions, MOST_GAIN) - ENTRY_COST;
    this.gain[number] = Math.min(gain, MOST_GAIN);
    if (gain > LEAST_GAIN || this.isEager) return;
    this.gain[number] = 0;
    const { cache, enterHandler, countHandler } = this.host;
    if (cache.code[p] !== enterHandler) return;
    this.left[number] = TRY_AGAIN;
    cache.code[p] = countHandler;
  }

  /** The entry at a record for the jump cache, which gets it; 0 where there is none. */
  private lookUp(p: number, eip: number): number {
    const { core, cache, enterHandler } = this.host;
    if (cache.code[p] !== enterHandler) return 0;
    const entry = this.entries[this.entryOf[p / F.STRIDE]];
    const { compiled } = entry;
    if (compiled === null || entry.eip !== eip || compiled.key !== core.g[G_KEY] || !this.isValid(compiled)) {
      if (compiled === null) {
        cache.code[p] = this.replaced[p / F.STRIDE];
        this.watch(p);
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
    if (count !== MANY_MISSES) return;
    for (const compiled of [...(this.regionsOfPage.get(host.currentPage()) ?? [])]) {
      if (compiled.key !== host.core.g[G_KEY] || !hasInstruction(compiled.region, eip)) continue;
      compiled.refilled.add(eip);
      this.compileAgain(compiled);
    }
  }

  /** A jump that left a region; where it went may belong to the region. */
  private sample(slot: number, target: number): void {
    const region = this.bySlot[slot];
    if (region === undefined || region.others.size >= MOST_OTHERS) return;
    if (region.region.targets.includes(target)) return;
    region.others.add(target);
    if (++region.samples < MANY_SAMPLES) return;
    this.compileAgain(region);
  }

  // --- validity ---

  /** Do the region's pages lie where they lay when it was compiled, as this processor would fetch them? */
  private isValid(compiled: Compiled): boolean {
    const { core } = this.host;
    const processor = core.g[G_PROCESSOR];
    const user = core.word(L.R_CPL) === 3 ? 1 : 0;
    const generation = this.generations[processor];
    if (compiled.validFor[processor * 2 + user] === generation) return true;
    for (const [page, physical] of compiled.pages)
      if (core.linear.peekFetch(page * L.PAGE) !== physical * L.PAGE) return false;
    // Looking may have marked page tables, which is no change of translations.
    compiled.validFor[processor * 2 + user] = generation;
    return true;
  }

  /** Translations of a processor (-1: of all), or what its code is decoded under, have changed. */
  translationsChanged(processor: number): void {
    const { layout } = this.host.core;
    for (let n = 0; n < layout.processors; n++) {
      if (processor >= 0 && n !== processor) continue;
      this.generations[n]++;
      this.clearJumps(n);
    }
  }

  private clearJumps(processor: number): void {
    const { i32 } = this.host.core;
    const tlb = L.TLB_BASE + processor * L.TLB_SIZE + JUMPS;
    for (const at of [tlb, tlb + USER_DISTANCE]) i32.fill(0, at >> 2, (at >> 2) + JUMP_ENTRIES * 2);
  }

  private clearAllJumps(): void {
    for (let n = 0; n < this.host.core.layout.processors; n++) this.clearJumps(n);
  }

  /** Bytes of RAM changed: regions made from them go. */
  written(physical: number, bytes: number): void {
    const page = Math.floor(physical / L.PAGE);
    const regions = this.regionsOfPage.get(page);
    if (!regions) return;
    const first = (physical & (L.PAGE - 1)) >> 6;
    const last = Math.min(63, ((physical & (L.PAGE - 1)) + bytes - 1) >> 6);
    let hit = false;
    for (const compiled of [...regions]) {
      const bits = compiled.granules.get(page);
      let overlaps = false;
      for (let granule = first; granule <= last; granule++)
        if (bits !== undefined && (bits[granule >> 5] & (1 << (granule & 31))) !== 0) overlaps = true;
      if (!overlaps) continue;
      hit = true;
      this.drop(compiled);
      this.invalidated++;
    }
    if (!hit) return;
    this.invalidations.set(page, (this.invalidations.get(page) ?? 0) + 1);
    this.clearAllJumps();
  }

  private drop(compiled: Compiled): void {
    compiled.isAlive = false;
    this.alive.delete(compiled);
    this.bytes -= compiled.bytes;
    this.table.set(compiled.slot, null);
    this.bySlot[compiled.slot] = undefined;
    this.freeSlots.push(compiled.slot);
    for (const page of compiled.pages.values()) this.regionsOfPage.get(page)?.delete(compiled);
    for (const entry of compiled.entries) if (entry.compiled === compiled) entry.compiled = null;
  }

  /** Drops everything: decoded code is gone, or there is no room. Records that were entries must be gone too. */
  clear(): void {
    for (const compiled of [...this.alive]) this.drop(compiled);
    this.entries = [];
    this.entryAt.clear();
    this.regionsOfPage.clear();
    this.misses.clear();
    this.gain.fill(0);
    this.watched = [];
    this.clearAllJumps();
  }

  // --- compiling ---

  /** Number of the entry at an EIP in the current page whose region exists or can be made, else -1. */
  private entryFor(eip: number): number {
    const { core } = this.host;
    const key = core.g[G_KEY];
    const needed = KEY_32 | KEY_STACK | keyFlat(CS);
    if ((key & needed) !== needed) return -1;
    const id = this.identify(this.host.currentPage(), eip, key);
    const known = this.entryAt.get(id);
    if (known !== undefined) {
      const entry = this.entries[known];
      if (entry.eip !== eip) return -1;
      if (entry.compiled !== null && this.isValid(entry.compiled)) return known;
    }
    this.compile(eip, key, new Set(), new Set());
    const made = this.entryAt.get(id);
    return made !== undefined && this.entries[made].compiled !== null ? made : -1;
  }

  private identify(page: number, eip: number, key: number): number {
    return (page * L.PAGE + (eip & (L.PAGE - 1))) * 0x100 + key;
  }

  private compileAgain(compiled: Compiled): void {
    const { region, key, refilled, others, isAlive } = compiled;
    if (!isAlive) return;
    this.drop(compiled);
    this.clearAllJumps();
    this.compile(region.entry, key, refilled, others);
  }

  private compile(eip: number, key: number, refilled: Set<number>, others: Set<number>): void {
    const { core } = this.host;
    if (
      this.bytes > MOST_BYTES ||
      this.entries.length > MOST_ENTRIES ||
      (this.freeSlots.length === 0 && this.nextSlot >= SLOTS)
    ) {
      this.flush();
      return;
    }
    const source = new CodeSource(core);
    const { pages, granules } = source;
    const region = formRegion(eip, (at) => source.instructionAt(at), [...others], this.options.everywhere);
    if (region.instructions === 0 || region.blocks.get(eip)?.instructions.length === 0) return;
    const slot = this.freeSlots.pop() ?? this.nextSlot++;
    const { bytes, targets } = emitRegion(region, {
      key,
      slot,
      pages: core.layout.totalBytes / 0x10000,
      refilled,
      exact: this.options.exact,
    });
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), this.imports);
    this.table.set(slot, instance.exports.r);
    const compiled: Compiled = {
      slot,
      region,
      key,
      bytes: bytes.length,
      entries: [],
      pages,
      granules,
      validFor: new Int32Array(core.layout.processors * 2),
      refilled,
      others,
      samples: 0,
      isAlive: true,
    };
    this.bySlot[slot] = compiled;
    this.alive.add(compiled);
    this.compiledRegions++;
    this.bytes += bytes.length;
    for (const page of pages.values()) {
      const regions = this.regionsOfPage.get(page) ?? new Set();
      regions.add(compiled);
      this.regionsOfPage.set(page, regions);
      this.protect(page);
    }
    targets.forEach((eip, target) => {
      const entry = this.entryAtAddress(pages.get(eip >>> 12) ?? 0, eip, key);
      if (entry.eip !== eip) return;
      entry.compiled = compiled;
      entry.target = target;
      compiled.entries.push(entry);
    });
  }

  /** The entry of a physical address, made if there is none; it may be of another EIP. */
  private entryAtAddress(page: number, eip: number, key: number): Entry {
    const id = this.identify(page, eip, key);
    const known = this.entryAt.get(id);
    if (known !== undefined) return this.entries[known];
    const entry: Entry = { eip, compiled: null, target: 0 };
    this.entryAt.set(id, this.entries.length);
    this.entries.push(entry);
    return entry;
  }

  /** Writes to a page with code must be seen. */
  private protect(page: number): void {
    const { core } = this.host;
    const at = core.layout.attributeBase + page;
    if ((core.u8[at] & L.ATTRIBUTE_CODE) !== 0) return;
    core.u8[at] |= L.ATTRIBUTE_CODE;
    core.linear.dropWritable();
  }

  private flush(): void {
    this.flushes++;
    this.letGo();
    const { watched } = this;
    this.clear();
    this.watched = watched;
    this.resume();
  }
}

function hasInstruction(region: Region, eip: number): boolean {
  for (const block of region.blocks.values()) {
    let at = block.start;
    for (const { length } of block.instructions) {
      if (at === eip) return true;
      at = (at + length) | 0;
    }
  }
  return false;
}
