// Handlers of records that are no data flow: stale ones, instructions across pages, bytes that are none, hand-written code.
import { type Core, G_CPU, G_KEY, G_MODE_CHANGED, G_STATUS, GP, JUMPED, NEXT, STATUS_OK, UD } from "../../cpu/core.ts";
import type { PlainInstruction } from "../../cpu/index.ts";
import * as L from "../../memory/layout.ts";
import { type CodeCache, KEY_32 } from "./codecache.ts";
import type { Handler } from "./environment.ts";
import * as F from "./record.ts";

/** What these handlers need of the engine. */
export interface SpecialWiring {
  /** All handlers, these included. */
  readonly handlers: readonly Handler[];
  /** Hand-written instructions by the number in F_PLAIN. */
  readonly plainFunctions: readonly PlainInstruction[];
  eipOf(p: number): number;
  find(eip: number): number;
  /** Decodes into the scratch record what the record only begins, in the next page; false after a fault. */
  decodeAcross(p: number): boolean;
}

/** In the order of their indices: stale and relocate, goto, across, invalid, too long, unimplemented, plain. */
export function specialHandlers(core: Core, cache: CodeCache, wiring: SpecialWiring): Handler[] {
  const { handlers, plainFunctions, eipOf, find, decodeAcross } = wiring;
  const { g } = core;
  const { code } = cache;
  return [
    // stale, relocate
    () => F.RELOCATE,
    // goto
    (p) => handlers[code[code[p + F.F_TARGET]]](code[p + F.F_TARGET]),
    // across a page boundary
    (p) => {
      const eip = eipOf(p);
      if (!decodeAcross(p)) return F.FAULT;
      const { scratch } = cache;
      const next = handlers[code[scratch]](scratch);
      if (next !== scratch + F.STRIDE) return next;
      const after = (eip + code[scratch + F.F_LENGTH]) | 0;
      core.setWord(L.R_EIP, (g[G_KEY] & KEY_32) !== 0 ? after : after & 0xffff);
      return F.EXIT;
    },
    () => {
      core.fault(UD, 0);
      return F.FAULT;
    },
    () => {
      core.fault(GP, 0);
      return F.FAULT;
    },
    (p) => {
      const { form } = cache.instructions[code[p + F.F_INSTRUCTION]];
      core.notImplemented(form.unimplemented || form.mnemonic);
      return F.FAULT;
    },
    // plain
    (p) => {
      const eip = eipOf(p);
      core.i32[g[G_CPU] + L.R_EIP] = eip;
      const how = plainFunctions[code[p + F.F_PLAIN]](core, cache.instructions[code[p + F.F_INSTRUCTION]]);
      if (g[G_STATUS] !== STATUS_OK) return F.FAULT;
      if (how === NEXT) {
        if (g[G_MODE_CHANGED] === 0) return p + F.STRIDE;
        const next = (eip + code[p + F.F_LENGTH]) | 0;
        core.i32[g[G_CPU] + L.R_EIP] = (g[G_KEY] & KEY_32) !== 0 ? next : next & 0xffff;
        return F.EXIT;
      }
      if (how === JUMPED && g[G_MODE_CHANGED] === 0) return find(core.i32[g[G_CPU] + L.R_EIP]);
      return F.EXIT;
    },
  ];
}
