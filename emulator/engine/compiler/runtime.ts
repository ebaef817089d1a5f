// What regions share at run time: where the engine keeps its words, the loop that goes from region to region, and TLB refills.
import * as L from "../../memory/layout.ts";
import { Code, type FunctionType, I32, moduleBytes, OP } from "./wasm.ts";

// The engine's own words lie behind the TLBs of a processor, once for supervisor and once for user code, at fixed distances
// from the TLB for reads: regions are told its address alone. They are derived state: in no hash and no snapshot.
const WORDS = 0xa000;
/** Jump cache: EIP, and the entry there: table slot << 16 | dispatch target; slot 0 for none. */
export const JUMPS = WORDS;
export const JUMP_ENTRIES = 512;
/** For each segment: base, and one more than the last offset at which four bytes may be read, or written. */
const SEGMENTS = WORDS + 0x1000;
/** Why the last region was left: a REASON_, and from bit REASON_SLOT_SHIFT on the region whose indirect jump left it. */
export const REASON_WORD = SEGMENTS + 0x80;
/** As the jump cache, for code in steps: regions that can be entered at each instruction, and end anywhere. */
export const STEPS = WORDS + 0x1800;
export const STEP_ENTRIES = 256;
/** f64: the machine clock when the budget that regions are run with is used up. */
export const BUDGET_END = WORDS + 0x10a0;
/** Distance between the TLBs for supervisor and user code, and so between the two copies of these words. */
export const USER_DISTANCE = L.TLB_READ_USER * L.TLB_BYTES;

/** Distance of a segment's word from the TLB. */
export function segmentOffset(segment: number, part: "base" | "readable" | "writable"): number {
  return SEGMENTS + segment * 12 + { base: 0, readable: 4, writable: 8 }[part];
}

const hashed = (eip: number, entries: number): number => ((eip ^ (eip >>> 9)) & (entries - 1)) << 3;
/** Byte distance of the jump cache's entry for an EIP. */
export const jumpOffset = (eip: number): number => JUMPS + hashed(eip, JUMP_ENTRIES);
/** Byte distance of the entry for an EIP among those of code in steps. */
export const stepOffset = (eip: number): number => STEPS + hashed(eip, STEP_ENTRIES);

// Why a region was left; R_EIP says where the processor stands.
/** The interpreter has to do the instruction there. */
export const REASON_INTERPRET = 0;
/** A jump out of the region: another one may go on. */
export const REASON_LINK = 1;
/** The processor gives up its slice (PAUSE). */
export const REASON_YIELD = 2;
/** The budget may not last to the next place where it is looked at. */
export const REASON_BUDGET = 3;
/** A data access found no translation, or a page that needs a closer look; or something would be refused or fault. */
export const REASON_MEMORY = 4;
export const REASONS = 5;
export const REASON_SLOT_SHIFT = 8;
export const REASON_MASK = 0xff;

/** A region: processor block and TLB (byte offsets), budget, dispatch target; what is left of the budget. */
export const REGION_TYPE: FunctionType = { parameters: [I32, I32, I32, I32], results: [I32] };
/** Refill: processor block, TLB, linear address, 1 for a write. */
export const REFILL_TYPE: FunctionType = { parameters: [I32, I32, I32, I32], results: [] };
/**
 * Indices of the functions that a region's module imports: names "f" and "d". The latter, of REGION_TYPE, takes processor block,
 * TLB, linear address and a 32-bit value to write there, and gives 1 if that is done.
 */
export const [REFILL_FUNCTION, POKE_FUNCTION] = [0, 1];
/** `slices`: ticks and slices there are at most; ticks used. */
const SLICES_TYPE: FunctionType = { parameters: [I32, I32], results: [I32] };
/** Index of `run` in the module. */
export const RUN_FUNCTION = 0;
/** Regions that follow each other before the loop comes back to be looked at. */
const LONGEST_CHAIN = 10_000;

/** A register in the page of the local APIC that is a mere word, unless a certain word of the processor's block is not 0. */
export interface PlainRegister {
  readonly offset: number;
  /** Word of the processor's block, and the bits that it keeps. */
  readonly word: number;
  readonly mask: number;
  readonly quiet: number;
}

/**
 * The module all machines of a shape share: `run`, as a region but with a table entry for the target; `refill`; `poke`; and `slices`
 * (slices.ts), with so many locals.
 */
export function runtimeModule(
  layout: L.Layout,
  plainRegister: PlainRegister,
  slices: Code,
  sliceLocals: number,
): Uint8Array {
  const functions = [
    { type: 0, locals: [[2, I32]] as const, code: runLoop(), exported: "run" },
    { type: 1, locals: [[4, I32]] as const, code: refill(layout), exported: "refill" },
    { type: 0, locals: [], code: poke(plainRegister), exported: "poke" },
    { type: 2, locals: [[sliceLocals, I32]] as const, code: slices, exported: "slices" },
  ];
  return moduleBytes(
    { types: [REGION_TYPE, REFILL_TYPE, SLICES_TYPE], table: true, functions },
    layout.totalBytes / 0x10000,
  );
}

/** Leaves on the stack where a cache of so many entries has that of the EIP in a local, but for JUMPS or STEPS: `hashed` as code. */
export function pushJump(c: Code, tlb: number, eip: number, entries: number): void {
  c.get(tlb);
  c.get(eip);
  c.get(eip);
  c.const(9);
  c.op(OP.i32_shr_u);
  c.op(OP.i32_xor);
  c.const(entries - 1);
  c.op(OP.i32_and);
  c.const(3);
  c.op(OP.i32_shl);
  c.op(OP.i32_add);
}

function runLoop(): Code {
  const [cpu, tlb, budget, entry, eip, chain] = [0, 1, 2, 3, 4, 5];
  const c = new Code();
  c.const(LONGEST_CHAIN);
  c.set(chain);
  c.block();
  c.loop();
  c.get(cpu);
  c.get(tlb);
  c.get(budget);
  c.get(entry);
  c.const(0xffff);
  c.op(OP.i32_and);
  c.get(entry);
  c.const(16);
  c.op(OP.i32_shr_u);
  c.op(OP.call_indirect);
  c.unsigned(0);
  c.unsigned(0);
  c.set(budget);
  c.get(tlb);
  c.load(REASON_WORD);
  c.const(REASON_MASK);
  c.op(OP.i32_and);
  c.const(REASON_LINK);
  c.op(OP.i32_ne);
  c.brIf(0);
  c.get(cpu);
  c.load(L.R_EIP * 4);
  c.set(eip);
  pushJump(c, tlb, eip, JUMP_ENTRIES);
  c.tee(entry);
  c.load(JUMPS);
  c.get(eip);
  c.op(OP.i32_ne);
  c.brIf(0);
  c.get(entry);
  c.load(JUMPS + 4);
  c.tee(entry);
  c.const(16);
  c.op(OP.i32_shr_u);
  c.op(OP.i32_eqz);
  c.brIf(0);
  c.get(chain);
  c.const(1);
  c.op(OP.i32_sub);
  c.tee(chain);
  c.brIf(1);
  c.end();
  c.end();
  c.get(budget);
  return c;
}

/**
 * Enters a translation into the TLB if that changes nothing else: accessed (and dirty) bits set already, rights beyond doubt,
 * plain RAM. What it leaves to the interpreter it leaves as it is.
 */
function refill(layout: L.Layout): Code {
  const [cpu, tlb, linear, write, page, pde, pte, at] = [0, 1, 2, 3, 4, 5, 6, 7];
  const c = new Code();
  const attribute = (): void => {
    c.const(12);
    c.op(OP.i32_shr_u);
    c.access(OP.i32_load8_u, 0, layout.attributeBase);
  };
  const leaveUnless = (compare: number, value: number): void => {
    c.const(value);
    c.op(compare);
    c.op(OP.i32_eqz);
    c.brIf(0);
  };
  /** The entry at physical address `at`: RAM that is known to hold page tables, present and accessed. */
  const entry = (into: number): void => {
    c.get(at);
    leaveUnless(OP.i32_le_u, (layout.ramSize - 4) | 0);
    c.get(at);
    attribute();
    c.const(L.ATTRIBUTE_PAGETABLE);
    c.op(OP.i32_and);
    c.op(OP.i32_eqz);
    c.brIf(0);
    c.get(at);
    c.load(layout.ramBase);
    c.tee(into);
    c.const(0x21);
    c.op(OP.i32_and);
    leaveUnless(OP.i32_eq, 0x21);
  };
  c.block();
  c.get(linear);
  c.const(-4096);
  c.op(OP.i32_and);
  c.set(page);
  c.get(cpu);
  c.load(L.R_CR0 * 4);
  c.const(0);
  c.op(OP.i32_lt_s);
  c.if();
  c.get(cpu);
  c.load(L.R_CR3 * 4);
  c.const(-4096);
  c.op(OP.i32_and);
  c.get(linear);
  c.const(22);
  c.op(OP.i32_shr_u);
  c.const(2);
  c.op(OP.i32_shl);
  c.op(OP.i32_add);
  c.set(at);
  entry(pde);
  c.get(pde);
  c.const(0x80);
  c.op(OP.i32_and);
  c.brIf(0);
  c.get(pde);
  c.const(-4096);
  c.op(OP.i32_and);
  c.get(linear);
  c.const(12);
  c.op(OP.i32_shr_u);
  c.const(0x3ff);
  c.op(OP.i32_and);
  c.const(2);
  c.op(OP.i32_shl);
  c.op(OP.i32_add);
  c.set(at);
  entry(pte);
  // Dirty and writable for a write, user pages for user code, whatever CR0.WP says.
  c.get(write);
  c.if();
  c.get(pte);
  c.const(0x40);
  c.op(OP.i32_and);
  c.op(OP.i32_eqz);
  c.brIf(0);
  c.get(pte);
  c.get(pde);
  c.op(OP.i32_and);
  c.const(2);
  c.op(OP.i32_and);
  c.op(OP.i32_eqz);
  c.brIf(0);
  c.end();
  c.get(cpu);
  c.load(L.R_CPL * 4);
  c.const(3);
  c.op(OP.i32_eq);
  c.if();
  c.get(pte);
  c.get(pde);
  c.op(OP.i32_and);
  c.const(4);
  c.op(OP.i32_and);
  c.op(OP.i32_eqz);
  c.brIf(0);
  c.end();
  c.get(pte);
  c.const(-4096);
  c.op(OP.i32_and);
  c.set(page);
  c.end();
  c.get(page);
  leaveUnless(OP.i32_le_u, (layout.ramSize - L.PAGE) | 0);
  c.get(write);
  c.if();
  c.get(page);
  attribute();
  leaveUnless(OP.i32_eq, L.ATTRIBUTE_DIRTY);
  c.end();
  c.get(tlb);
  c.const(1);
  c.store(L.TLB_REFILLED);
  c.get(tlb);
  c.get(write);
  c.const(31 - Math.clz32(L.TLB_BYTES));
  c.op(OP.i32_shl);
  c.op(OP.i32_add);
  c.get(linear);
  c.const(9);
  c.op(OP.i32_shr_u);
  c.const((L.TLB_ENTRIES - 1) * 8);
  c.op(OP.i32_and);
  c.op(OP.i32_add);
  c.tee(at);
  c.get(linear);
  c.const(-4096);
  c.op(OP.i32_and);
  c.store(0);
  c.get(at);
  c.get(page);
  c.const(layout.ramBase);
  c.op(OP.i32_add);
  c.get(linear);
  c.const(-4096);
  c.op(OP.i32_and);
  c.op(OP.i32_sub);
  c.store(4);
  c.end();
  return c;
}

/** Does a write of the plain register, if it is one and nothing else follows from it. */
function poke({ offset, word, mask, quiet }: PlainRegister): Code {
  const [cpu, tlb, linear, value] = [0, 1, 2, 3];
  const c = new Code();
  const device = L.TLB_DEVICE + 8;
  const refuseUnless = (compare: number): void => {
    c.op(compare);
    c.op(OP.i32_eqz);
    c.brIf(0);
  };
  c.block();
  c.get(linear);
  c.get(tlb);
  c.load(device);
  c.op(OP.i32_sub);
  c.const(offset);
  refuseUnless(OP.i32_eq);
  c.get(tlb);
  c.load(device);
  c.const(L.PAGE - 1);
  c.op(OP.i32_and);
  c.brIf(0);
  c.get(tlb);
  c.load(device + 4);
  c.get(cpu);
  c.load(L.R_APIC_BASE * 4);
  c.const(-L.PAGE);
  c.op(OP.i32_and);
  refuseUnless(OP.i32_eq);
  c.get(cpu);
  c.load(quiet * 4);
  c.brIf(0);
  c.get(cpu);
  c.get(value);
  c.const(mask);
  c.op(OP.i32_and);
  c.store(word * 4);
  c.const(1);
  c.op(OP.return);
  c.end();
  c.const(0);
  return c;
}
