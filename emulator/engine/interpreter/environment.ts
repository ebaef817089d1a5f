// What generated handlers may use: views on the state, and the long ways for everything that is not the common case.
import { type Core, G_CODE_PAGE, G_CPU, G_NEW_TOP, GP } from "../../cpu/core.ts";
import { linearAddress } from "../../cpu/index.ts";
import type { Instruction } from "../../isa/instruction.ts";
import { CS, SS } from "../../isa/operands.ts";
import * as L from "../../memory/layout.ts";
import type { CodeCache } from "./codecache.ts";
import * as F from "./record.ts";
import { dividers } from "./wide.ts";

/** Runs the instruction of the record at `p`; returns the next record, or EXIT, FAULT, RELOCATE. */
export type Handler = (p: number) => number;

/** `p` is always the word index of the current record in `code`. Every function may raise: G_STATUS is then not OK. */
export interface Environment {
  readonly code: Int32Array;
  readonly g: Int32Array;
  readonly i8: Int8Array;
  readonly i16: Int16Array;
  readonly i32: Int32Array;
  /** Linear address of an offset that is not flat: 16-bit addressing, segment base, limits. `write` is 0 or 1. */
  segmented(p: number, offset: number, width: number, write: number): number;
  read8(linear: number): number;
  read16(linear: number): number;
  read32(linear: number): number;
  write8(linear: number, value: number): void;
  write16(linear: number, value: number): void;
  write32(linear: number, value: number): void;
  update8(linear: number): number;
  update16(linear: number): number;
  update32(linear: number): number;
  /** Linear address of a push of `width` bytes on a stack that is not flat; the new pointer goes to G_NEW_TOP. */
  pushAddress(width: number): number;
  /** The same for a pop from offset `pointer` (ESP, or EBP for LEAVE). */
  popAddress(width: number, pointer: number): number;
  /** The stack pointer after dropping `bytes` more on a stack that is not flat. */
  released(top: number, bytes: number): number;
  raise(vector: number): void;
  /** #GP(0) if a near target lies outside the code segment. */
  checkTarget(offset: number): void;
  /** Goes on at a relative target of the record, remembering its record if it lies in the same page. */
  jump(p: number, target: number): number;
  jumpTo(target: number): number;
  divideUnsigned(high: number, low: number, divisor: number): number;
  divideSigned(high: number, low: number, divisor: number): number;
}

/** What the environment needs of the engine. */
export interface EnvironmentWiring {
  /** Record at an EIP in decoded code, or EXIT; makes its page the current one. */
  find(eip: number): number;
  /** The record begins something: a loop, or a routine or code in another page. */
  watch(p: number, isLoop: boolean): void;
  /** Records with handlers from this one on are not watched. */
  readonly handlerCount: number;
}

/** In a segment's attributes: a 32-bit stack. */
const ATTRIBUTE_B = 0x400000;

const isCall = (instruction: Instruction | undefined): boolean => instruction?.form.mnemonic === "CALL";

/** Made of functions over the machine's views: V8 takes those for constants. */
export function makeEnvironment(core: Core, cache: CodeCache, wiring: EnvironmentWiring): Environment {
  const { find, watch, handlerCount } = wiring;
  const { g, linear } = core;
  const { code } = cache;
  const stackIsWide = (): boolean => (core.segment(SS, L.S_ATTRIBUTES) & ATTRIBUTE_B) !== 0;
  const jumpTo = (target: number): number => {
    core.i32[g[G_CPU] + L.R_EIP] = target;
    const k = find(target);
    if (k > 0 && code[k] < handlerCount) watch(k, false);
    return k;
  };
  return {
    code,
    g,
    i8: core.i8,
    i16: core.i16,
    i32: core.i32,
    segmented: (p, offset, width, write) => {
      const mode = code[p + F.F_MODE];
      const wraps = (mode & F.MODE_POP) !== 0 && !stackIsWide() && (core.word(L.R_ESP) & 0xffff) + width > 0xffff;
      const effective = (mode & F.MODE_16) !== 0 ? offset & 0xffff : wraps ? (offset - 0x10000) | 0 : offset;
      return linearAddress(core, (mode & 0xff) - 1, effective, width, write !== 0);
    },
    read8: (a) => linear.read8(a),
    read16: (a) => linear.read16(a),
    read32: (a) => linear.read32(a),
    write8: (a, v) => linear.write8(a, v),
    write16: (a, v) => linear.write16(a, v),
    write32: (a, v) => linear.write32(a, v),
    update8: (a) => linear.update8(a),
    update16: (a) => linear.update16(a),
    update32: (a) => linear.update32(a),
    pushAddress: (width) => {
      const esp = core.word(L.R_ESP);
      const top = stackIsWide() ? (esp - width) | 0 : (esp - width) & 0xffff;
      g[G_NEW_TOP] = stackIsWide() ? top : (esp & ~0xffff) | top;
      return linearAddress(core, SS, top, width, true);
    },
    popAddress: (width, pointer) => {
      const wide = stackIsWide();
      const offset = wide ? pointer : pointer & 0xffff;
      const top = (offset + width) | 0;
      g[G_NEW_TOP] = wide ? top : (core.word(L.R_ESP) & ~0xffff) | (top & 0xffff);
      return linearAddress(core, SS, offset, width, false);
    },
    released: (top, bytes) => (stackIsWide() ? (top + bytes) | 0 : (top & ~0xffff) | ((top + bytes) & 0xffff)),
    raise: (vector) => core.fault(vector, 0),
    checkTarget: (offset) => {
      if (offset >>> 0 > core.segment(CS, L.S_LIMIT) >>> 0) core.fault(GP, 0);
    },
    jump: (p, target) => {
      core.i32[g[G_CPU] + L.R_EIP] = target;
      const page = g[G_CODE_PAGE];
      const k = find(target);
      // A link is good as long as the record: both lie in one page under one key.
      if (k > 0 && g[G_CODE_PAGE] === page && p !== cache.scratch && code[p + F.F_SPECIAL] === 0)
        code[p + F.F_TARGET] = k;
      if (k <= 0) return k;
      // Heads of loops, routines, and what lies in another page.
      if (isCall(cache.instructions[code[p + F.F_INSTRUCTION]]) || g[G_CODE_PAGE] !== page) watch(k, false);
      else if (code[k + F.F_OFFSET] <= code[p + F.F_OFFSET]) watch(k, true);
      return k;
    },
    jumpTo,
    ...dividers(core),
  };
}
