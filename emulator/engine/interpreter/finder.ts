// Where the code at an EIP lies decoded: translated, found in the code cache, or decoded now.
import {
  type Core,
  G_CODE_MAP,
  G_CODE_PAGE,
  G_CPU,
  G_EIP_BASE,
  G_KEY,
  G_PROCESSOR,
  GP,
  NO_CODE_PAGE,
  UD,
} from "../../cpu/core.ts";
import { decode } from "../../isa/decode.ts";
import { CS } from "../../isa/operands.ts";
import * as L from "../../memory/layout.ts";
import { type CodeCache, KEY_32, keyFlat, type SpecialHandlers } from "./codecache.ts";
import * as F from "./record.ts";

/** Slots of a processor's fetch cache: linear page to offset map. */
const FETCH_SLOTS = 64;

export class CodeFinder {
  private readonly core: Core;
  private readonly cache: CodeCache;
  private readonly special: SpecialHandlers;
  private readonly dropped: () => void;
  private readonly fetchTags: Int32Array;
  private readonly fetchMaps: Int32Array;

  /** `dropped` is told when all decoded code has gone. */
  constructor(core: Core, cache: CodeCache, special: SpecialHandlers, dropped: () => void) {
    this.core = core;
    this.cache = cache;
    this.special = special;
    this.dropped = dropped;
    this.fetchTags = new Int32Array(core.layout.processors * FETCH_SLOTS).fill(1);
    this.fetchMaps = new Int32Array(core.layout.processors * FETCH_SLOTS);
  }

  /** Where a processor's code pages lie is translated again; -1: every processor's. */
  forget(processor: number): void {
    const from = processor < 0 ? 0 : processor * FETCH_SLOTS;
    const to = processor < 0 ? this.fetchTags.length : from + FETCH_SLOTS;
    this.fetchTags.fill(1, from, to);
    this.core.g[G_CODE_PAGE] = NO_CODE_PAGE;
  }

  /** EIP of a record of the current page. */
  eipOf(p: number): number {
    const { core } = this;
    const eip = (core.g[G_EIP_BASE] + this.cache.code[p + F.F_OFFSET]) | 0;
    return (core.g[G_KEY] & KEY_32) !== 0 ? eip : eip & 0xffff;
  }

  /** Record of the instruction at R_EIP, or -1 after raising a fault. */
  locate(): number {
    const { core } = this;
    const eip = core.word(L.R_EIP);
    if ((core.g[G_KEY] & keyFlat(CS)) === 0 && eip >>> 0 > core.segment(CS, L.S_LIMIT) >>> 0) {
      core.fault(GP, 0);
      return -1;
    }
    const known = this.find(eip);
    if (known >= 0) return known;
    return this.locateSlowly(eip);
  }

  /** 16-bit code above 64 KiB: whatever follows in sequence lies below, so each instruction is looked up by itself. */
  isBeyond16(eip: number): boolean {
    return eip >>> 16 !== 0 && (this.core.g[G_KEY] & KEY_32) === 0;
  }

  /** Record of the instruction at `eip` if it is decoded and its page is at hand, else -1. Sets what the current page is. */
  find(eip: number): number {
    const { core, cache } = this;
    const { g } = core;
    if (eip >>> 16 !== 0 && (g[G_KEY] & KEY_32) === 0) return F.EXIT;
    const linear = (core.i32[g[G_CPU] + L.R_SEGMENTS + CS * L.SEGMENT_WORDS + L.S_BASE] + eip) | 0;
    const page = linear & -L.PAGE;
    if (page !== g[G_CODE_PAGE]) {
      const slot = g[G_PROCESSOR] * FETCH_SLOTS + ((linear >>> 12) & (FETCH_SLOTS - 1));
      if (this.fetchTags[slot] !== page) return F.EXIT;
      g[G_CODE_PAGE] = page;
      g[G_CODE_MAP] = this.fetchMaps[slot];
    }
    g[G_EIP_BASE] = (eip - (linear & (L.PAGE - 1))) | 0;
    const p = cache.maps[g[G_CODE_MAP] + (linear & (L.PAGE - 1))];
    return p === 0 ? F.EXIT : p;
  }

  private locateSlowly(eip: number): number {
    const { core, cache } = this;
    const { g } = core;
    const linear = (core.segment(CS, L.S_BASE) + eip) | 0;
    const physical = core.linear.paging.translateFetch(linear);
    if (physical < 0) return -1;
    const offset = linear & (L.PAGE - 1);
    g[G_EIP_BASE] = (eip - offset) | 0;
    const page = Math.floor(physical / L.PAGE);
    if ((page + 1) * L.PAGE > core.layout.ramSize) return this.decodeOnce(offset, linear) ? cache.scratch : -1;
    if (cache.full) {
      cache.clear();
      this.dropped();
      this.forget(-1);
    }
    const map = cache.mapOf(page, g[G_KEY]);
    const slot = g[G_PROCESSOR] * FETCH_SLOTS + ((linear >>> 12) & (FETCH_SLOTS - 1));
    this.fetchTags[slot] = linear & -L.PAGE;
    this.fetchMaps[slot] = map;
    g[G_CODE_PAGE] = linear & -L.PAGE;
    g[G_CODE_MAP] = map;
    return cache.maps[map + offset] || cache.decodeRun(map, offset);
  }

  /** Decodes into the scratch record an instruction that crosses pages or does not lie in RAM; false after a fault. */
  private decodeOnce(offset: number, linear: number): boolean {
    const { core, cache } = this;
    const bytes = new Uint8Array(15);
    const bits = (core.g[G_KEY] & KEY_32) !== 0 ? 32 : 16;
    core.g[G_CODE_PAGE] = NO_CODE_PAGE;
    let have = 0;
    for (;;) {
      // All of one page at a time: the next page is touched only if the instruction needs it.
      const physical = core.linear.paging.translateFetch((linear + have) | 0);
      if (physical < 0) return false;
      const room = Math.min(15 - have, L.PAGE - ((linear + have) & (L.PAGE - 1)));
      for (let i = 0; i < room; i++) bytes[have + i] = core.linear.physical.load(physical + i, 1);
      have += room;
      const found = decode(bytes, 0, have, bits);
      if (found === "truncated" && have < 15) continue;
      if (found === "invalid") core.fault(UD, 0);
      else if (typeof found === "string") core.fault(GP, 0);
      else {
        cache.write(cache.scratch, found, offset, core.g[G_KEY]);
        return true;
      }
      return false;
    }
  }

  /** Decodes into the scratch record what the record at `p` only begins, in the next page; false after a fault. */
  decodeAcross(p: number): boolean {
    const { core } = this;
    const { code, scratch } = this.cache;
    const eip = this.eipOf(p);
    if (!this.decodeOnce(code[p + F.F_OFFSET], (core.segment(CS, L.S_BASE) + eip) | 0)) return false;
    const end = (eip >>> 0) + code[scratch + F.F_LENGTH] - 1;
    if ((core.g[G_KEY] & keyFlat(CS)) !== 0 || end <= core.segment(CS, L.S_LIMIT) >>> 0) return true;
    core.fault(GP, 0);
    return false;
  }

  /** Code segments that are not flat: all bytes that tell an instruction, or that it is none, must lie within the limit. */
  withinLimit(p: number): boolean {
    const { core } = this;
    const { code } = this.cache;
    let at = p;
    while (code[at] === this.special.goto) at = code[at + F.F_TARGET];
    const room = this.roomInSegment();
    if (code[at] === this.special.invalid) {
      const linear = (core.segment(CS, L.S_BASE) + core.word(L.R_EIP)) | 0;
      const start = core.layout.ramBase + core.linear.paging.translateFetch(linear);
      if (decode(core.u8, start, room, (core.g[G_KEY] & KEY_32) !== 0 ? 32 : 16) !== "truncated") return true;
    } else if (code[at + F.F_LENGTH] <= room) return true;
    core.fault(GP, 0);
    return false;
  }

  /** Bytes from R_EIP to the limit of the code segment. */
  private roomInSegment(): number {
    const { core } = this;
    return (core.segment(CS, L.S_LIMIT) >>> 0) - (core.word(L.R_EIP) >>> 0) + 1;
  }
}
