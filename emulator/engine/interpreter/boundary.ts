// The inner loop's own way past a boundary, and handlers for the instructions that kernels change interrupts with.
import {
  type Core,
  G_CPU,
  G_EIP_BASE,
  G_KEY,
  G_LEFT,
  G_MODE_CHANGED,
  G_PROCESSOR,
  G_RESERVE,
  G_RETURN,
  G_STATUS,
  G_YIELD,
  IF,
  IOPL,
  STATUS_OK,
  TF,
} from "../../cpu/core.ts";
import type { Quick } from "../../cpu/quick.ts";
import { NO_ERROR_CODE } from "../../cpu/quick.ts";
import { CS } from "../../isa/operands.ts";
import * as L from "../../memory/layout.ts";
import { KEY_32, keyFlat } from "./codecache.ts";
import type { Handler } from "./environment.ts";
import * as F from "./record.ts";

/** What the engine has to give. */
export interface BoundaryWiring {
  readonly quick: Quick;
  /** Goes on at an EIP: its record, or EXIT where that is not at hand. */
  jumpTo(eip: number): number;
  /** The handler of every hand-written instruction. */
  readonly plain: Handler;
  interruptPending(processor: number): boolean;
  /** Takes the interrupt that is pending and delivers it. */
  takeInterrupt(): void;
  /** Handlers of records that only lead to an instruction. */
  readonly relocate: number;
  readonly goto: number;
}

/** Mnemonics that have a handler here, in the order of `handlers`. */
export const quickMnemonics: readonly string[] = ["INT", "IRETD", "PUSHFD", "POPFD", "CLI", "STI"];

export interface Boundary {
  /** Each does what it can at once and calls `plain` for the rest. */
  readonly handlers: readonly Handler[];
  /**
   * The inner loop's budget is used up before the record at `p`, whose processor nobody watches: the record to go on with,
   * BOUNDARY when R_EIP says where, or EXIT when nothing has been done and the general way must look.
   */
  pass(p: number): number;
}

export function makeBoundary(core: Core, code: Int32Array, wiring: BoundaryWiring): Boundary {
  const { g, i32 } = core;
  const { quick, jumpTo, plain, interruptPending, takeInterrupt, relocate, goto } = wiring;
  const { enter, leave, pushFlags, popFlags } = quick;
  const usualCode = keyFlat(CS) | KEY_32;

  const eipAt = (p: number, offset: number): number => {
    const eip = (g[G_EIP_BASE] + code[p + F.F_OFFSET] + offset) | 0;
    return (g[G_KEY] & KEY_32) !== 0 ? eip : eip & 0xffff;
  };
  /** After a jump that may have changed the mode. */
  const goOn = (): number => (g[G_MODE_CHANGED] === 0 ? jumpTo(i32[g[G_CPU] + L.R_EIP]) : F.EXIT);
  const mayChangeIf = (c: number): boolean => i32[c + L.R_CPL] <= (i32[c + L.R_EFLAGS] & IOPL) >>> 12;

  const handlers: readonly Handler[] = [
    (p) => (enter(code[p + F.F_IMM] & 0xff, true, NO_ERROR_CODE, eipAt(p, code[p + F.F_LENGTH])) ? goOn() : plain(p)),
    (p) => (leave() ? goOn() : plain(p)),
    (p) => (pushFlags() ? p + F.STRIDE : plain(p)),
    (p) => (popFlags() ? p + F.STRIDE : plain(p)),
    (p) => {
      const c = g[G_CPU];
      if (!mayChangeIf(c)) return plain(p);
      i32[c + L.R_EFLAGS] &= ~IF;
      return p + F.STRIDE;
    },
    (p) => {
      const c = g[G_CPU];
      if (!mayChangeIf(c)) return plain(p);
      if ((i32[c + L.R_EFLAGS] & IF) !== 0) return p + F.STRIDE;
      i32[c + L.R_EFLAGS] |= IF;
      i32[c + L.R_SHADOW] |= L.SHADOW_STI;
      core.stopAfterThis();
      return p + F.STRIDE;
    },
  ];

  const pass = (p: number): number => {
    const reserve = g[G_RESERVE];
    if (reserve <= 0 || g[G_YIELD] !== 0 || g[G_RETURN] !== 0 || g[G_MODE_CHANGED] !== 0) return F.EXIT;
    const c = g[G_CPU];
    const flags = i32[c + L.R_EFLAGS];
    if ((flags & TF) !== 0 || i32[c + L.R_ACTIVITY] !== L.RUNNING || (g[G_KEY] & usualCode) !== usualCode)
      return F.EXIT;
    if (i32[c + L.R_SHADOW] !== 0) {
      // The shadow lasts for one instruction, and these records are none: it must not be spent on looking one up.
      if (code[p] === relocate || code[p] === goto) return F.EXIT;
      i32[c + L.R_SHADOW] = 0;
      g[G_LEFT] = 1;
      g[G_RESERVE] = reserve - 1;
      return p;
    }
    if (i32[c + L.R_NMI_PENDING] !== 0 || i32[c + L.R_MICRO_INDEX] !== 0) return F.EXIT;
    if ((flags & IF) === 0 || !interruptPending(g[G_PROCESSOR])) {
      g[G_LEFT] = reserve;
      g[G_RESERVE] = 0;
      return p;
    }
    i32[c + L.R_EIP] = eipAt(p, 0);
    g[G_LEFT] = reserve;
    g[G_RESERVE] = 0;
    takeInterrupt();
    // A handler that lets interrupts in at once has another boundary before its first instruction.
    if (g[G_STATUS] !== STATUS_OK || g[G_MODE_CHANGED] !== 0 || g[G_LEFT] <= 0 || g[G_RESERVE] !== 0) return F.BOUNDARY;
    if ((i32[c + L.R_EFLAGS] & (IF | TF)) !== 0) return F.BOUNDARY;
    const next = jumpTo(i32[c + L.R_EIP]);
    return next < 0 ? F.BOUNDARY : next;
  };

  return { handlers, pass };
}
