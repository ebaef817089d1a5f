// The whole guest-visible state as one thing: copied, put back and hashed page by page, touching no more than has changed.
import { type Core, G_CPU } from "../cpu/core.ts";
import { addWords, type Hash64, hashText } from "../memory/hash.ts";
import * as L from "../memory/layout.ts";

/** The whole guest-visible state at an instruction boundary. */
export interface Snapshot {
  readonly bytes: Uint8Array;
  readonly layout: L.Layout;
  /** Serial input that waits for room. */
  readonly input: Uint8Array;
}

/** What is known of a snapshot's pages: their sums, low and high word of each, and whether they have been taken. */
interface PageSums {
  readonly words: Uint32Array;
  readonly known: Uint8Array;
}

const FOUR_GIB = 2 ** 32;
/** DIRTY in each of four attribute bytes. */
const DIRTY_WORD = (L.ATTRIBUTE_DIRTY * 0x01010101) | 0;

export class WholeState {
  private readonly core: Core;
  private readonly pages: number;
  /** Sums of RAM pages as they were when their DIRTY bit was last cleared, low and high word of each; and the sum of these. */
  private readonly sums: Uint32Array;
  private readonly total: Hash64 = { low: 0, high: 0 };
  /** The snapshot from which RAM differs in DIRTY and in cleaned pages alone: what a second restore has to copy. */
  private base: Snapshot | null = null;
  private readonly sumsOf = new WeakMap<Snapshot, PageSums>();
  /** Pages that were DIRTY until a hash was taken, since the last restore: 1 each. */
  private readonly cleaned: Uint8Array;
  private readonly cleanedWords: Int32Array;

  /** Where words outside RAM lie on a machine of this shape, as byte offsets; all others are zero for ever. */
  private readonly regions: readonly (readonly [from: number, to: number])[];

  constructor(core: Core) {
    this.core = core;
    const { processors } = core.layout;
    this.regions = [
      [L.TIME_BASE, L.PROCESSOR_TIME + processors * L.PROCESSOR_TIME_SIZE],
      [L.PROCESSOR_BASE, core.blockOf(processors)],
      [L.DEVICE_BASE, L.DEVICE_END],
      [L.MONITOR_BASE, L.MONITOR_BASE + L.MONITOR_SIZE],
    ];
    this.pages = core.layout.ramSize / L.PAGE;
    this.sums = new Uint32Array(2 * this.pages);
    this.cleaned = new Uint8Array(this.pages);
    this.cleanedWords = new Int32Array(this.cleaned.buffer);
  }

  /** A copy of all guest-visible state; `input` goes with it. */
  snapshot(input: Uint8Array): Snapshot {
    const { u8, layout } = this.core;
    const bytes = new Uint8Array(L.TLB_BASE + layout.ramSize);
    bytes.set(u8.subarray(0, L.TLB_BASE));
    bytes.set(u8.subarray(layout.ramBase, layout.ramBase + layout.ramSize), L.TLB_BASE);
    return { bytes, layout, input };
  }

  /** Puts back a snapshot of a machine of the same shape. Whoever calls this drops what engines and TLBs have derived. */
  restore(snapshot: Snapshot): void {
    const { u8, layout } = this.core;
    if (snapshot.layout.ramSize !== layout.ramSize || snapshot.layout.processors !== layout.processors)
      throw new RangeError("restore: the snapshot is of a machine with other processors or memory");
    for (const [from, to] of this.regions) u8.set(snapshot.bytes.subarray(from, to), from);
    if (snapshot === this.base) this.restoreChangedPages(snapshot);
    else this.restoreAllPages(snapshot);
    this.base = snapshot;
    this.cleaned.fill(0);
  }

  private restoreAllPages(snapshot: Snapshot): void {
    const { u8, layout } = this.core;
    u8.set(snapshot.bytes.subarray(L.TLB_BASE), layout.ramBase);
    const taken = this.sumsOf.get(snapshot);
    for (let page = 0; page < this.pages; page++) {
      u8[layout.attributeBase + page] |= L.ATTRIBUTE_DIRTY;
      if (taken?.known[page] === 1) this.setSum(page, taken.words[2 * page], taken.words[2 * page + 1]);
    }
  }

  /** The way back to the snapshot restored last. A page's sum is taken once for every snapshot it goes back to. */
  private restoreChangedPages(snapshot: Snapshot): void {
    const { u8, i32, layout } = this.core;
    const attributes = layout.attributeBase;
    let taken = this.sumsOf.get(snapshot);
    if (!taken) {
      taken = { words: new Uint32Array(2 * this.pages), known: new Uint8Array(this.pages) };
      this.sumsOf.set(snapshot, taken);
    }
    for (let four = 0; four < this.pages; four += 4) {
      if ((i32[(attributes + four) >> 2] & DIRTY_WORD) === 0 && this.cleanedWords[four >> 2] === 0) continue;
      for (let page = four; page < four + 4; page++) {
        if ((u8[attributes + page] & L.ATTRIBUTE_DIRTY) === 0 && this.cleaned[page] === 0) continue;
        const from = L.TLB_BASE + page * L.PAGE;
        u8.set(snapshot.bytes.subarray(from, from + L.PAGE), layout.ramBase + page * L.PAGE);
        if (taken.known[page] === 1) this.setSum(page, taken.words[2 * page], taken.words[2 * page + 1]);
        else {
          this.sumPage(page);
          taken.words[2 * page] = this.sums[2 * page];
          taken.words[2 * page + 1] = this.sums[2 * page + 1];
          taken.known[page] = 1;
        }
      }
    }
  }

  /** Takes the sum of a page, which is then no longer DIRTY; whoever calls this drops the write TLBs. */
  private sumPage(page: number): void {
    const { i32, layout } = this.core;
    const sum: Hash64 = { low: 0, high: 0 };
    const from = (layout.ramBase + page * L.PAGE) / 4;
    addWords(sum, i32, from, from + L.PAGE / 4);
    this.setSum(page, sum.low, sum.high);
  }

  private setSum(page: number, low: number, high: number): void {
    const { core, sums, total } = this;
    const newLow = total.low - sums[2 * page] + low;
    total.high = (total.high - sums[2 * page + 1] + high + Math.floor(newLow / FOUR_GIB)) >>> 0;
    total.low = newLow >>> 0;
    sums[2 * page] = low;
    sums[2 * page + 1] = high;
    core.u8[core.layout.attributeBase + page] &= ~L.ATTRIBUTE_DIRTY;
  }

  /** Hash of everything, time included: sixteen hexadecimal digits. */
  hash(): string {
    const sum = this.stateSum();
    const [[from, to]] = this.regions;
    addWords(sum, this.core.i32, from >> 2, to >> 2);
    return hashText(sum);
  }

  /** Hash of processors, devices, monitors and RAM. */
  stateHash(): string {
    return hashText(this.stateSum());
  }

  private stateSum(): Hash64 {
    const { core, pages } = this;
    const { i32, u8, layout } = core;
    const current = core.g[G_CPU];
    for (let processor = 0; processor < layout.processors; processor++) {
      core.g[G_CPU] = core.blockOf(processor) >> 2;
      core.materialiseFlags();
    }
    core.g[G_CPU] = current;
    let isAnyDirty = false;
    for (let four = 0; four < pages; four += 4) {
      if ((i32[(layout.attributeBase + four) >> 2] & DIRTY_WORD) === 0) continue;
      isAnyDirty = true;
      for (let page = four; page < four + 4; page++) {
        if ((u8[layout.attributeBase + page] & L.ATTRIBUTE_DIRTY) === 0) continue;
        this.sumPage(page);
        this.cleaned[page] = 1;
      }
    }
    if (isAnyDirty) core.linear.tlbs.dropWritable();
    const sum: Hash64 = { low: this.total.low, high: this.total.high };
    for (let region = 1; region < this.regions.length; region++) {
      const [from, to] = this.regions[region];
      addWords(sum, i32, from >> 2, to >> 2);
    }
    return sum;
  }
}
