// Interrupts and IRET that stay in their ring, in one go where everything they touch is at hand. Intel SDM vol. 3A, 6.12.
//
// What the general way (interrupts.ts, transfers.ts) checks step by step is asked here at once: a 32-bit gate, a present code
// segment of the current ring already marked accessed, a flat-enough stack, and every byte in a TLB. Nothing can fault then
// and nobody watches, so the order of accesses does not show. Whatever is otherwise is left, untouched, to the general way.
import { CS, SS } from "../isa/operands.ts";
import * as L from "../memory/layout.ts";
import { type Core, G_CPU, G_OBSERVED, G_PROCESSOR, IF, NT, RF, TF, VIF, VIP, VM } from "./core.ts";
import {
  ACCESSED,
  ATTRIBUTES,
  BIG,
  baseFrom,
  CODE,
  DATA_EXPAND_DOWN,
  DATA_WRITABLE,
  dplOf,
  limitFrom,
  NOT_SYSTEM,
  PRESENT,
  rplOf,
} from "./segmentation.ts";
import { endNmi, flagsLoadable, loadFlags } from "./stack.ts";

/** Bits of a gate's high dword that tell a present 32-bit interrupt or trap gate; the type's lowest bit tells which. */
const GATE_MASK = PRESENT | NOT_SYSTEM | 0xe00;
const GATE_32 = PRESENT | 0xe00;
const GATE_TRAP = 0x100;

const READY_CODE = PRESENT | NOT_SYSTEM | CODE | ACCESSED;
const STACK_MASK = PRESENT | NOT_SYSTEM | CODE | DATA_EXPAND_DOWN | DATA_WRITABLE | BIG;
const STACK_32 = PRESENT | NOT_SYSTEM | DATA_WRITABLE | BIG;
const PAGE_OFFSET = L.PAGE - 1;

/**
 * Enters the handler of `vector` (protected mode; `image` is the EFLAGS to push, `refusable` says that the gate's DPL
 * counts). False: nothing has been touched, take the general way.
 */
export function enterInRing(
  core: Core,
  vector: number,
  refusable: boolean,
  errorCode: number | undefined,
  returnEip: number,
  image: number,
): boolean {
  const { g, i32 } = core;
  if (g[G_OBSERVED] !== 0) return false;
  const cpu = g[G_CPU];
  const cpl = i32[cpu + L.R_CPL];
  if (vector * 8 + 7 > i32[cpu + L.R_IDTR_LIMIT] >>> 0) return false;
  const gate = wordsAt(core, (i32[cpu + L.R_IDTR_BASE] + vector * 8) | 0, 8, L.TLB_READ_SUPERVISOR);
  if (gate < 0) return false;
  const low = i32[gate];
  const high = i32[gate + 1];
  if ((high & GATE_MASK) !== GATE_32 || (refusable && dplOf(high) < cpl)) return false;
  const selector = low >>> 16;
  const offset = (high & 0xffff0000) | (low & 0xffff);
  const code = codeOfRing(core, selector, cpl, offset);
  if (code < 0) return false;
  const bytes = errorCode === undefined ? 12 : 16;
  const frame = stackWords(core, -bytes, bytes, cpl === 3 ? L.TLB_WRITE_USER : L.TLB_WRITE_SUPERVISOR);
  if (frame < 0) return false;

  let at = frame;
  if (errorCode !== undefined) i32[at++] = errorCode;
  i32[at] = returnEip;
  i32[at + 1] = i32[cpu + L.R_SEGMENTS + CS * L.SEGMENT_WORDS + L.S_SELECTOR];
  i32[at + 2] = image;
  i32[cpu + L.R_ESP] -= bytes;
  loadCode(core, selector, cpl, code);
  i32[cpu + L.R_EIP] = offset;
  core.setEflags(image & ~(TF | NT | RF | VM | ((high & GATE_TRAP) === 0 ? IF : 0)));
  return true;
}

/** IRETD in protected mode, NT clear, outside ring 3. False: nothing has been touched, take the general way. */
export function returnInRing(core: Core): boolean {
  const { g, i32 } = core;
  const cpu = g[G_CPU];
  const cpl = i32[cpu + L.R_CPL];
  if (g[G_OBSERVED] !== 0 || cpl === 3) return false;
  const frame = stackWords(core, 0, 12, L.TLB_READ_SUPERVISOR);
  if (frame < 0) return false;
  const offset = i32[frame];
  const selector = i32[frame + 1] & 0xffff;
  const flags = i32[frame + 2];
  if (rplOf(selector) !== cpl || ((flags & VM) !== 0 && cpl === 0)) return false;
  const code = codeOfRing(core, selector, cpl, offset);
  if (code < 0) return false;

  loadFlags(core, flags, flagsLoadable(core, 4) | (cpl === 0 ? VIF | VIP : 0));
  endNmi(core);
  i32[cpu + L.R_ESP] += 12;
  loadCode(core, selector, cpl, code);
  i32[cpu + L.R_EIP] = offset;
  return true;
}

/** Word index of the GDT's descriptor if it is code of ring `cpl`, present, accessed, and reaches `offset`; else -1. */
function codeOfRing(core: Core, selector: number, cpl: number, offset: number): number {
  const { g, i32 } = core;
  const cpu = g[G_CPU];
  if ((selector & 0xfffc) === 0 || (selector & 4) !== 0) return -1;
  if ((selector | 7) > i32[cpu + L.R_GDTR_LIMIT] >>> 0) return -1;
  const at = wordsAt(core, (i32[cpu + L.R_GDTR_BASE] + (selector & 0xfff8)) | 0, 8, L.TLB_READ_SUPERVISOR);
  if (at < 0) return -1;
  const high = i32[at + 1];
  if ((high & READY_CODE) !== READY_CODE || dplOf(high) !== cpl) return -1;
  return offset >>> 0 > limitFrom(i32[at], high) >>> 0 ? -1 : at;
}

function loadCode(core: Core, selector: number, cpl: number, at: number): void {
  const low = core.i32[at];
  const high = core.i32[at + 1];
  core.setSegment(CS, (selector & 0xfffc) | cpl, baseFrom(low, high), limitFrom(low, high), high & ATTRIBUTES);
}

/** Word index of the `bytes` at `distance` from the top of a 32-bit stack, or -1. */
function stackWords(core: Core, distance: number, bytes: number, tlb: number): number {
  const { g, i32 } = core;
  const cpu = g[G_CPU];
  const segment = cpu + L.R_SEGMENTS + SS * L.SEGMENT_WORDS;
  if ((i32[segment + L.S_ATTRIBUTES] & STACK_MASK) !== STACK_32) return -1;
  const first = (i32[cpu + L.R_ESP] >>> 0) + distance;
  if (first < 0 || first + bytes - 1 > i32[segment + L.S_LIMIT] >>> 0) return -1;
  return wordsAt(core, (i32[segment + L.S_BASE] + first) | 0, bytes, tlb);
}

/** Word index of `bytes` of plain RAM at `linear`, aligned and in one page that one of the processor's TLBs knows; else -1. */
function wordsAt(core: Core, linear: number, bytes: number, tlb: number): number {
  const { g, i32 } = core;
  if ((linear & 3) !== 0 || (linear & PAGE_OFFSET) + bytes > L.PAGE) return -1;
  const base = (L.TLB_BASE + g[G_PROCESSOR] * L.TLB_SIZE + tlb * L.TLB_BYTES) >> 2;
  const slot = base + ((linear >>> 11) & 0x7fe);
  return i32[slot] === (linear & -L.PAGE) ? (linear + i32[slot + 1]) >>> 2 : -1;
}
