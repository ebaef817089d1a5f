// Compiled regions: how they are made, where they may be entered, when they are still good. All of it is derived state.
import { type Core, G_KEY, G_PROCESSOR } from "../../cpu/core.ts";
import { CS } from "../../isa/operands.ts";
import * as L from "../../memory/layout.ts";
import { KEY_32, KEY_STACK, keyFlat } from "../interpreter/codecache.ts";
import { emitRegion } from "./emit.ts";
import { formRegion, inSteps, placesOf, type Region } from "./region.ts";
import { JUMP_ENTRIES, JUMPS, STEP_ENTRIES, STEPS, USER_DISTANCE } from "./runtime.ts";
import { CodeSource } from "./source.ts";

/** A region's code in steps. */
export interface Steps {
  readonly slot: number;
  /** By EIP of an instruction: its dispatch target. */
  readonly targets: ReadonlyMap<number, number>;
}

/** A compiled region. */
export interface Compiled {
  readonly slot: number;
  readonly region: Region;
  readonly key: number;
  /** Bytes of WebAssembly, those in steps too. */
  bytes: number;
  /** EIPs of its instructions; true for those that follow PAUSE. */
  readonly places: ReadonlyMap<number, boolean>;
  /** Budgets its heads need, by EIP. */
  readonly heads: ReadonlyMap<number, number>;
  steps: Steps | null;
  /** Slices that began or ended within it, until it gets its steps. */
  ends: number;
  /** Places where it was made the code to enter; others may have taken some over since. */
  readonly entries: Entry[];
  /** Linear page and the physical page it was compiled from, by number. */
  readonly pages: ReadonlyMap<number, number>;
  /** 64-byte granules of physical pages that hold its code. */
  readonly granules: ReadonlyMap<number, Int32Array>;
  /** By processor and privilege: the generation of translations that was found to have these pages. */
  readonly validFor: Int32Array;
  /** Targets of its indirect jumps that were seen, and how often one was. */
  readonly others: Set<number>;
  samples: number;
  /** EIPs of instructions that do something about missing translations themselves, as its steps do. */
  readonly lookups: ReadonlySet<number>;
  isAlive: boolean;
}

/** A place where compiled code can be entered: bytes at a physical address, run at one EIP. */
export interface Entry {
  readonly eip: number;
  compiled: Compiled | null;
  target: number;
  /** What entering there has gained, in interpreted instructions. */
  gain: number;
}

/** What regions are made for. */
export interface RegionOptions {
  /** Every instruction can be entered: for tests. */
  readonly everywhere: boolean;
  /** False: budgets are not kept to. */
  readonly exact: boolean;
  /** Slices that begin or end within a region, for each of its instructions, before that is compiled in steps too. */
  readonly manyEnds: number;
  /** Imports of a region's module. */
  readonly imports: WebAssembly.Imports;
}

/** Places in the table of functions, and what all regions together may come to. */
export const SLOTS = 4096;
const MOST_BYTES = 4 << 20;
const MOST_ENTRIES = 50_000;
/** Below this budget code in steps does not go over to the region as a whole. */
const SMALL_REST = 48;

/** EIPs for which it is remembered which regions are around them. */
const MOST_KEPT = 4096;

const NOTHING: readonly Compiled[] = [];

export class Regions {
  readonly alive = new Set<Compiled>();
  /** Bytes of WebAssembly of all that are alive. */
  bytes = 0;
  compiled = 0;
  invalidated = 0;
  entries: Entry[] = [];
  /** EIPs of instructions whose translations are looked up in place when they are missing: in regions compiled from now on. */
  readonly refilled = new Set<number>();
  /** By physical page: times that its code was written. */
  readonly invalidations = new Map<number, number>();
  private readonly core: Core;
  private readonly table: WebAssembly.Table;
  private readonly options: RegionOptions;
  private readonly entryAt = new Map<number, number>();
  private readonly ofPage = new Map<number, Set<Compiled>>();
  /** What was found around EIPs that were asked about, as slices' ends are again and again, since regions came or went. */
  private readonly lastAround = new Map<number, { page: number; key: number; regions: readonly Compiled[] }>();
  private readonly bySlot: (Compiled | undefined)[] = [];
  private readonly freeSlots: number[] = [];
  private nextSlot = 1;
  /** By processor: how often its translations, or what its code is decoded under, have changed. */
  private readonly generations: Int32Array;

  constructor(core: Core, table: WebAssembly.Table, options: RegionOptions) {
    this.core = core;
    this.table = table;
    this.options = options;
    this.generations = new Int32Array(core.layout.processors).fill(1);
  }

  /** The region in a place of the table. */
  inSlot(slot: number): Compiled | undefined {
    return this.bySlot[slot];
  }

  /** Regions of the code as the current processor runs it that have an instruction of a physical page (number) in them. */
  around(page: number, eip: number): readonly Compiled[] {
    const key = this.core.g[G_KEY];
    const kept = this.lastAround.get(eip);
    if (kept !== undefined && kept.page === page && kept.key === key) return kept.regions;
    const regions = [...(this.ofPage.get(page) ?? NOTHING)].filter((one) => one.key === key && one.places.has(eip));
    if (this.lastAround.size >= MOST_KEPT) this.lastAround.clear();
    this.lastAround.set(eip, { page, key, regions });
    return regions;
  }

  // --- validity ---

  /** Do the region's pages lie where they lay when it was compiled, as this processor would fetch them? */
  isValid(compiled: Compiled): boolean {
    const { core } = this;
    const processor = core.g[G_PROCESSOR];
    const user = core.word(L.R_CPL) === 3 ? 1 : 0;
    const generation = this.generations[processor];
    if (compiled.validFor[processor * 2 + user] === generation) return true;
    for (const [page, physical] of compiled.pages)
      if (core.linear.paging.peekFetch(page * L.PAGE) !== physical * L.PAGE) return false;
    // Looking may have marked page tables, which is no change of translations.
    compiled.validFor[processor * 2 + user] = generation;
    return true;
  }

  /** Translations of a processor (-1: of all), or what its code is decoded under, have changed. */
  translationsChanged(processor: number): void {
    const { layout } = this.core;
    for (let n = 0; n < layout.processors; n++) {
      if (processor >= 0 && n !== processor) continue;
      this.generations[n]++;
      this.clearJumps(n);
    }
  }

  private clearJumps(processor: number): void {
    const { i32 } = this.core;
    const supervisor = L.TLB_BASE + processor * L.TLB_SIZE;
    for (const tlb of [supervisor, supervisor + USER_DISTANCE]) {
      i32.fill(0, (tlb + JUMPS) >> 2, ((tlb + JUMPS) >> 2) + JUMP_ENTRIES * 2);
      i32.fill(0, (tlb + STEPS) >> 2, ((tlb + STEPS) >> 2) + STEP_ENTRIES * 2);
    }
  }

  private clearAllJumps(): void {
    for (let n = 0; n < this.core.layout.processors; n++) this.clearJumps(n);
  }

  /** Bytes of RAM changed: regions made from them go. */
  written(physical: number, bytes: number): void {
    const page = Math.floor(physical / L.PAGE);
    const regions = this.ofPage.get(page);
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
    this.lastAround.clear();
    this.bytes -= compiled.bytes;
    this.bySlot[compiled.slot] = undefined;
    for (const slot of [compiled.slot, ...(compiled.steps ? [compiled.steps.slot] : [])]) {
      this.table.set(slot, null);
      this.freeSlots.push(slot);
    }
    for (const page of compiled.pages.values()) this.ofPage.get(page)?.delete(compiled);
    for (const entry of compiled.entries) if (entry.compiled === compiled) entry.compiled = null;
  }

  /** Drops everything. */
  clear(): void {
    for (const compiled of [...this.alive]) this.drop(compiled);
    this.entries = [];
    this.entryAt.clear();
    this.ofPage.clear();
    this.refilled.clear();
    this.clearAllJumps();
  }

  // --- compiling ---

  /** Number of the entry at an EIP in a physical page whose region exists or can be made, else -1. There must be room. */
  entryFor(page: number, eip: number): number {
    const key = this.core.g[G_KEY];
    const needed = KEY_32 | KEY_STACK | keyFlat(CS);
    if ((key & needed) !== needed) return -1;
    const id = this.identify(page, eip, key);
    const known = this.entryAt.get(id);
    if (known !== undefined) {
      const entry = this.entries[known];
      if (entry.eip !== eip) return -1;
      if (entry.compiled !== null && this.isValid(entry.compiled)) return known;
    }
    this.compile(eip, key, new Set());
    const made = this.entryAt.get(id);
    return made !== undefined && this.entries[made].compiled !== null ? made : -1;
  }

  /** An EIP in a physical page has an entry of a region that is there and good: others wanted it. */
  hasEntry(page: number, eip: number): boolean {
    const entry = this.entries[this.entryAt.get(this.identify(page, eip, this.core.g[G_KEY])) ?? -1];
    return entry !== undefined && entry.eip === eip && entry.compiled !== null && this.isValid(entry.compiled);
  }

  private identify(page: number, eip: number, key: number): number {
    return (page * L.PAGE + (eip & (L.PAGE - 1))) * 0x100 + key;
  }

  /** Compiles a region anew, with what has been learned of it since. There must be room. */
  compileAgain(compiled: Compiled): void {
    const { region, key, others } = compiled;
    this.drop(compiled);
    this.clearAllJumps();
    this.compile(region.entry, key, others);
  }

  private compile(eip: number, key: number, others: Set<number>): void {
    const { core } = this;
    const source = new CodeSource(core);
    const { pages, granules } = source;
    const region = formRegion(eip, (at) => source.instructionAt(at), [...others], this.options.everywhere);
    if (region.instructions === 0 || region.blocks.get(eip)?.instructions.length === 0) return;
    const { slot, targets, heads, lookups, bytes } = this.install(region, key, this.refilled);
    const compiled: Compiled = {
      slot,
      region,
      key,
      bytes,
      places: placesOf(region),
      heads,
      steps: null,
      ends: 0,
      entries: [],
      pages,
      granules,
      validFor: new Int32Array(core.layout.processors * 2),
      others,
      samples: 0,
      lookups,
      isAlive: true,
    };
    this.bySlot[slot] = compiled;
    this.alive.add(compiled);
    this.lastAround.clear();
    this.compiled++;
    for (const page of pages.values()) {
      const regions = this.ofPage.get(page) ?? new Set();
      regions.add(compiled);
      this.ofPage.set(page, regions);
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

  /** One more region can be compiled. */
  get hasRoom(): boolean {
    const hasSlots = this.freeSlots.length > 0 || this.nextSlot < SLOTS;
    return this.bytes <= MOST_BYTES && this.entries.length <= MOST_ENTRIES && hasSlots;
  }

  /** Compiles a region into a slot of the table. There must be room. */
  private install(region: Region, key: number, refilled: ReadonlySet<number>, handOver?: ReadonlyMap<number, number>) {
    const slot = this.freeSlots.pop() ?? this.nextSlot++;
    const { exact } = this.options;
    const pages = this.core.layout.totalBytes / 0x10000;
    const emitted = emitRegion(region, { key, slot, pages, refilled, exact, handOver });
    const instance = new WebAssembly.Instance(new WebAssembly.Module(emitted.bytes), this.options.imports);
    this.table.set(slot, instance.exports.r);
    this.bytes += emitted.bytes.length;
    const { targets, heads, lookups } = emitted;
    return { slot, targets, heads, lookups, bytes: emitted.bytes.length };
  }

  /** A region's code in steps, made when it has been asked for often enough. */
  stepsOf(compiled: Compiled): Steps | null {
    if (compiled.steps !== null) return compiled.steps;
    if (!this.options.exact) return null; // they would have no way out of a loop
    if (++compiled.ends < this.options.manyEnds * compiled.region.instructions) return null;
    if (!this.hasRoom) return null;
    const handOver = new Map([...compiled.heads].map(([eip, needed]) => [eip, Math.max(needed, SMALL_REST)]));
    // Steps know no constants: what the region knows to be a device's must be said.
    const refilled = new Set([...this.refilled, ...compiled.lookups]);
    const { slot, targets, bytes } = this.install(inSteps(compiled.region), compiled.key, refilled, handOver);
    compiled.bytes += bytes;
    compiled.steps = { slot, targets: new Map(targets.map((eip, target) => [eip, target])) };
    return compiled.steps;
  }

  /** The entry of a physical address, made if there is none; it may be of another EIP. */
  private entryAtAddress(page: number, eip: number, key: number): Entry {
    const id = this.identify(page, eip, key);
    const known = this.entryAt.get(id);
    if (known !== undefined) return this.entries[known];
    const entry: Entry = { eip, compiled: null, target: 0, gain: 0 };
    this.entryAt.set(id, this.entries.length);
    this.entries.push(entry);
    return entry;
  }

  /** Writes to a page with code must be seen. */
  private protect(page: number): void {
    const { core } = this;
    const at = core.layout.attributeBase + page;
    if ((core.u8[at] & L.ATTRIBUTE_CODE) !== 0) return;
    core.u8[at] |= L.ATTRIBUTE_CODE;
    core.linear.tlbs.dropWritable();
  }
}
