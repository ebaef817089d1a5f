// Interrupts, IRETD and changes of IF in one go, where everything they touch is at hand. Intel SDM vol. 3A, 6.8 and 6.12.
//
// What the general way (interrupts.ts, transfers.ts, stack.ts) checks step by step is asked here at once: a 32-bit gate, flat code
// of the current ring already marked accessed, a 32-bit stack, and every byte in a TLB. Nothing can fault then and nobody
// watches, so the order of accesses does not show. Whatever is otherwise is left, untouched, to the general way.
//
// The functions are closures over the machine's views, which lets a compiler take those for constants: kernels live here.
import { CS, SS } from "../isa/operands.ts";
import * as L from "../memory/layout.ts";
import {
  AC_FLAG,
  type Core,
  CR0_PE,
  DF_FLAG,
  G_CPU,
  G_MODE_CHANGED,
  G_OBSERVED,
  G_TLB_READ,
  G_TLB_WRITE,
  ID,
  IF,
  IOPL,
  NT,
  RF,
  STATUS_FLAGS,
  TF,
  VIF,
  VIP,
  VM,
} from "./core.ts";
import {
  ACCESSED,
  ATTRIBUTES,
  BIG,
  CODE,
  DATA_EXPAND_DOWN,
  DATA_WRITABLE,
  dplOf,
  NOT_SYSTEM,
  PRESENT,
  rplOf,
} from "./segmentation.ts";

/** Each returns true when it did all there was to do, and false, having touched nothing, when the general way must be taken. */
export interface Quick {
  /**
   * Enters the handler of `vector` in the current ring, to come back to `returnEip`; `refusable` says that the gate's DPL
   * counts, `errorCode` may be NO_ERROR_CODE.
   */
  enter(vector: number, refusable: boolean, errorCode: number, returnEip: number): boolean;
  /** IRETD to the current ring; where it lets interrupts in, the inner loop stops. */
  leave(): boolean;
  /** PUSHFD. */
  pushFlags(): boolean;
  /** POPFD. */
  popFlags(): boolean;
}

export const NO_ERROR_CODE = -1;

/** Bits of a gate's high dword that tell a present 32-bit interrupt or trap gate; the type's lowest bit tells which. */
const GATE_MASK = PRESENT | NOT_SYSTEM | 0xe00;
const GATE_32 = PRESENT | 0xe00;
const GATE_TRAP = 0x100;

/** Base 0 and limit FFFFF in pages: what a flat descriptor has in its low dword; in the high one, code that is present and accessed. */
const FLAT_LOW = 0xffff;
const FLAT_CODE = 0x8f0000 | PRESENT | NOT_SYSTEM | CODE | ACCESSED;
const FLAT_CODE_MASK = FLAT_CODE | 0xff0000ff;
const STACK_MASK = PRESENT | NOT_SYSTEM | CODE | DATA_EXPAND_DOWN | DATA_WRITABLE | BIG;
const STACK_32 = PRESENT | NOT_SYSTEM | DATA_WRITABLE | BIG;
const PAGE_OFFSET = L.PAGE - 1;
/** What EFLAGS can hold, and the bit that is always set. */
const FLAGS = 0x3f7fd7;
const FLAGS_SET = 2;

const CS_WORDS = L.R_SEGMENTS + CS * L.SEGMENT_WORDS;
const SS_WORDS = L.R_SEGMENTS + SS * L.SEGMENT_WORDS;

export function makeQuick(core: Core): Quick {
  const { g, i32 } = core;

  /** Word index of `bytes` of plain RAM at `linear`, aligned and in one page that the TLB at a word index knows; else -1. */
  const wordsAt = (linear: number, bytes: number, tlb: number): number => {
    if ((linear & 3) !== 0 || (linear & PAGE_OFFSET) + bytes > L.PAGE) return -1;
    const slot = tlb + ((linear >>> 11) & 0x7fe);
    return i32[slot] === (linear & -L.PAGE) ? (linear + i32[slot + 1]) >>> 2 : -1;
  };

  /** Word index of the `bytes` at `distance` from the top of a 32-bit stack, or -1. */
  const stackWords = (c: number, distance: number, bytes: number, tlb: number): number => {
    if ((i32[c + SS_WORDS + L.S_ATTRIBUTES] & STACK_MASK) !== STACK_32) return -1;
    const first = (i32[c + L.R_ESP] >>> 0) + distance;
    if (first < 0 || first + bytes - 1 > i32[c + SS_WORDS + L.S_LIMIT] >>> 0) return -1;
    return wordsAt((i32[c + SS_WORDS + L.S_BASE] + first) | 0, bytes, tlb);
  };

  /** The high dword of the GDT's descriptor if it is flat code of ring `cpl`, present and accessed; else 0. */
  const codeOfRing = (c: number, selector: number, cpl: number): number => {
    if ((selector & 0xfffc) === 0 || (selector & 4) !== 0) return 0;
    if ((selector | 7) > i32[c + L.R_GDTR_LIMIT] >>> 0) return 0;
    const at = wordsAt((i32[c + L.R_GDTR_BASE] + (selector & 0xfff8)) | 0, 8, g[G_TLB_READ]);
    if (at < 0 || i32[at] !== FLAT_LOW) return 0;
    const high = i32[at + 1];
    return (high & FLAT_CODE_MASK) === FLAT_CODE && dplOf(high) === cpl ? high : 0;
  };

  const loadCode = (c: number, selector: number, cpl: number, high: number): void => {
    const cs = c + CS_WORDS;
    const attributes = high & ATTRIBUTES;
    i32[cs + L.S_SELECTOR] = (selector & 0xfffc) | cpl;
    if (i32[cs + L.S_BASE] === 0 && i32[cs + L.S_LIMIT] === -1 && i32[cs + L.S_ATTRIBUTES] === attributes) return;
    i32[cs + L.S_BASE] = 0;
    i32[cs + L.S_LIMIT] = -1;
    i32[cs + L.S_ATTRIBUTES] = attributes;
    g[G_MODE_CHANGED] = 1;
  };

  const eflags = (c: number): number =>
    (i32[c + L.R_LAZY] & STATUS_FLAGS) === 0 ? i32[c + L.R_EFLAGS] : core.eflags();

  const setEflags = (c: number, value: number): void => {
    i32[c + L.R_EFLAGS] = (value & FLAGS) | FLAGS_SET;
    i32[c + L.R_LAZY] = 0;
  };

  /** Replaces the bits of EFLAGS that 32-bit POPF or IRET may load, and those of `also`. */
  const loadFlags = (c: number, image: number, also: number): void => {
    const old = eflags(c);
    const cpl = i32[c + L.R_CPL];
    let mask = STATUS_FLAGS | TF | DF_FLAG | NT | AC_FLAG | ID | also;
    if (cpl <= (old & IOPL) >>> 12) mask |= IF;
    if (cpl === 0) mask |= IOPL;
    const flags = (old & ~mask) | (image & mask);
    setEflags(c, flags);
    if ((flags & ~old & IF) !== 0 || (flags & TF) !== 0) core.stopAfterThis();
  };

  return {
    enter: (vector, refusable, errorCode, returnEip) => {
      const c = g[G_CPU];
      const cpl = i32[c + L.R_CPL];
      if (g[G_OBSERVED] !== 0 || cpl === 3 || (i32[c + L.R_CR0] & CR0_PE) === 0) return false;
      if (vector * 8 + 7 > i32[c + L.R_IDTR_LIMIT] >>> 0) return false;
      const gate = wordsAt((i32[c + L.R_IDTR_BASE] + vector * 8) | 0, 8, g[G_TLB_READ]);
      if (gate < 0) return false;
      const low = i32[gate];
      const high = i32[gate + 1];
      if ((high & GATE_MASK) !== GATE_32 || (refusable && dplOf(high) < cpl)) return false;
      const selector = low >>> 16;
      const code = codeOfRing(c, selector, cpl);
      if (code === 0) return false;
      const bytes = errorCode === NO_ERROR_CODE ? 12 : 16;
      const frame = stackWords(c, -bytes, bytes, g[G_TLB_WRITE]);
      if (frame < 0) return false;

      const image = eflags(c);
      const top = frame + (bytes >> 2);
      i32[top - 1] = image;
      i32[top - 2] = i32[c + CS_WORDS + L.S_SELECTOR];
      i32[top - 3] = returnEip;
      if (errorCode !== NO_ERROR_CODE) i32[frame] = errorCode;
      loadCode(c, selector, cpl, code);
      i32[c + L.R_ESP] -= bytes;
      i32[c + L.R_EIP] = (high & 0xffff0000) | (low & 0xffff);
      setEflags(c, image & ~(TF | NT | RF | VM | ((high & GATE_TRAP) === 0 ? IF : 0)));
      i32[c + L.R_SHADOW] = 0;
      if (i32[c + L.R_ACTIVITY] === L.HALTED) i32[c + L.R_ACTIVITY] = L.RUNNING;
      return true;
    },

    leave: () => {
      const c = g[G_CPU];
      const cpl = i32[c + L.R_CPL];
      if (g[G_OBSERVED] !== 0 || cpl === 3 || (i32[c + L.R_CR0] & CR0_PE) === 0) return false;
      if ((i32[c + L.R_EFLAGS] & NT) !== 0 || i32[c + L.R_NMI_MASKED] !== 0) return false;
      const frame = stackWords(c, 0, 12, g[G_TLB_READ]);
      if (frame < 0) return false;
      const offset = i32[frame];
      const selector = i32[frame + 1] & 0xffff;
      const flags = i32[frame + 2];
      if (rplOf(selector) !== cpl || ((flags & VM) !== 0 && cpl === 0)) return false;
      const code = codeOfRing(c, selector, cpl);
      if (code === 0) return false;

      loadFlags(c, flags, cpl === 0 ? VIF | VIP : 0);
      i32[c + L.R_ESP] += 12;
      loadCode(c, selector, cpl, code);
      i32[c + L.R_EIP] = offset;
      return true;
    },

    pushFlags: () => {
      const c = g[G_CPU];
      if (g[G_OBSERVED] !== 0) return false;
      const slot = stackWords(c, -4, 4, g[G_TLB_WRITE]);
      if (slot < 0) return false;
      i32[slot] = eflags(c) & ~(VM | RF);
      i32[c + L.R_ESP] -= 4;
      return true;
    },

    popFlags: () => {
      const c = g[G_CPU];
      if (g[G_OBSERVED] !== 0 || i32[c + L.R_CPL] === 3) return false;
      const slot = stackWords(c, 0, 4, g[G_TLB_READ]);
      if (slot < 0) return false;
      loadFlags(c, i32[slot] & ~(VIP | VIF | RF), VIP | VIF | RF);
      i32[c + L.R_ESP] += 4;
      return true;
    },
  };
}
