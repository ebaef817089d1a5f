// Segmentation: limit, type and privilege checks, and loading segment registers. Intel SDM vol. 3A, 3.4 and 5.2 to 5.6.
import { CS, SS } from "../isa/operands.ts";
import {
  R_CPL,
  R_CR0,
  R_GDTR_BASE,
  R_GDTR_LIMIT,
  R_LDTR,
  R_SEGMENTS,
  R_TR,
  S_ATTRIBUTES,
  S_BASE,
  S_LIMIT,
  S_SELECTOR,
  SEGMENT_WORDS,
} from "../memory/layout.ts";
import { type Core, CR0_PE, G_CPU, G_MODE_CHANGED, G_STATUS, GP, NP, SS_FAULT } from "./core.ts";

// Bits of a descriptor's high dword, and so of S_ATTRIBUTES (3.4.5). DATA_ and CODE_ name the same bits.
export const ACCESSED = 0x100;
export const DATA_WRITABLE = 0x200;
export const DATA_EXPAND_DOWN = 0x400;
export const CODE_READABLE = 0x200;
export const CODE_CONFORMING = 0x400;
export const CODE = 0x800;
/** Code or data; clear: a system segment or a gate. */
export const NOT_SYSTEM = 0x1000;
export const PRESENT = 0x8000;
/** D of a code segment, B of a stack: 32 bits. */
export const BIG = 0x400000;
const GRANULARITY = 0x800000;
/** The bits that a segment register keeps. */
export const ATTRIBUTES = 0x00f0ff00;

// Types of system descriptors: bits 8..11 of the high dword (table 3-2).
export const TSS16_AVAILABLE = 1;
export const LDT = 2;
export const TSS16_BUSY = 3;
export const CALL_GATE16 = 4;
export const TASK_GATE = 5;
export const INTERRUPT_GATE16 = 6;
export const TRAP_GATE16 = 7;
export const TSS32_AVAILABLE = 9;
export const TSS32_BUSY = 11;
export const CALL_GATE32 = 12;
export const INTERRUPT_GATE32 = 14;
export const TRAP_GATE32 = 15;

/** What a segment register holds after reset: present, writable, accessed. */
export const REAL_MODE_ATTRIBUTES = PRESENT | NOT_SYSTEM | DATA_WRITABLE | ACCESSED;
export const REAL_MODE_LIMIT = 0xffff;

/** The eight bytes of a descriptor and the linear address they came from. */
export interface Descriptor {
  readonly address: number;
  readonly low: number;
  readonly high: number;
}

/** Base and limit (in bytes, an int32 to be read as unsigned) that a descriptor's two dwords tell. */
export const baseFrom = (low: number, high: number): number =>
  (low >>> 16) | ((high & 0xff) << 16) | (high & 0xff000000);
export function limitFrom(low: number, high: number): number {
  const limit = (low & 0xffff) | (high & 0xf0000);
  return (high & GRANULARITY) !== 0 ? (limit << 12) | 0xfff : limit;
}
export const baseOf = (d: Descriptor): number => baseFrom(d.low, d.high);
export const limitOf = (d: Descriptor): number => limitFrom(d.low, d.high);
export const dplOf = (high: number): number => (high >>> 13) & 3;
export const rplOf = (selector: number): number => selector & 3;
export const systemTypeOf = (high: number): number => (high >>> 8) & 15;
export const isCode = (high: number): boolean => (high & (NOT_SYSTEM | CODE)) === (NOT_SYSTEM | CODE);
export const isConformingCode = (high: number): boolean => isCode(high) && (high & CODE_CONFORMING) !== 0;
export const isWritableData = (high: number): boolean =>
  (high & (NOT_SYSTEM | CODE | DATA_WRITABLE)) === (NOT_SYSTEM | DATA_WRITABLE);
export const isReadable = (high: number): boolean =>
  (high & NOT_SYSTEM) !== 0 && (high & (CODE | CODE_READABLE)) !== CODE;

export const isNull = (selector: number): boolean => (selector & 0xfffc) === 0;
export const isProtected = (core: Core): boolean => (core.word(R_CR0) & CR0_PE) !== 0;
/** The last access or check failed: the instruction ends here. */
export const faulted = (core: Core): boolean => core.g[G_STATUS] !== 0;

/** Does an access of `width` bytes at `offset` lie within a segment (5.3)? One that wraps around 4 GiB never does. */
export function withinLimit(attributes: number, limit: number, offset: number, width: number): boolean {
  const first = offset >>> 0;
  const last = first + width - 1;
  if ((attributes & (NOT_SYSTEM | CODE | DATA_EXPAND_DOWN)) === (NOT_SYSTEM | DATA_EXPAND_DOWN)) {
    const top = (attributes & BIG) !== 0 ? 0xffffffff : 0xffff;
    return first > limit >>> 0 && last <= top;
  }
  return last <= limit >>> 0;
}

/**
 * The linear address (int32) of an access of `width` bytes through a segment register, checked for presence, type and
 * limit (5.3 to 5.5). Raises #GP(0), or #SS(0) through SS: look at `faulted` before using the result.
 */
export function linearAddress(core: Core, segment: number, offset: number, width: number, write: boolean): number {
  const at = core.g[G_CPU] + R_SEGMENTS + segment * SEGMENT_WORDS;
  const { i32 } = core;
  const attributes = i32[at + S_ATTRIBUTES];
  if (
    (attributes & PRESENT) === 0 ||
    !withinLimit(attributes, i32[at + S_LIMIT], offset, width) ||
    !(permits(attributes, write) || !isProtected(core))
  ) {
    core.fault(segment === SS ? SS_FAULT : GP, 0);
    return 0;
  }
  return (i32[at + S_BASE] + offset) | 0;
}

/** May a segment of this type be written, or read, at all? Real mode does not ask. */
const permits = (attributes: number, write: boolean): boolean =>
  write ? (attributes & (CODE | DATA_WRITABLE)) === DATA_WRITABLE : (attributes & (CODE | CODE_READABLE)) !== CODE;

/** Base plus offset, unchecked. */
export const linearBase = (core: Core, segment: number, offset: number): number =>
  (core.segment(segment, S_BASE) + offset) | 0;

/** Where the descriptor of a selector lies, or undefined beyond the limit of its table, or without one. */
export function descriptorAddress(core: Core, selector: number): number | undefined {
  const inLdt = (selector & 4) !== 0;
  if (inLdt && (core.word(R_LDTR + S_ATTRIBUTES) & PRESENT) === 0) return undefined;
  const limit = core.word(inLdt ? R_LDTR + S_LIMIT : R_GDTR_LIMIT) >>> 0;
  if ((selector | 7) > limit) return undefined;
  return (core.word(inLdt ? R_LDTR + S_BASE : R_GDTR_BASE) + (selector & 0xfff8)) | 0;
}

/** Reads a descriptor, privileged as all implicit accesses are. Undefined: a page fault is pending. */
export function readDescriptorAt(core: Core, address: number): Descriptor | undefined {
  const low = core.linear.systemRead32(address);
  if (faulted(core)) return undefined;
  const high = core.linear.systemRead32((address + 4) | 0);
  return faulted(core) ? undefined : { address, low, high };
}

/**
 * The descriptor of a selector that is not null. Beyond its table it raises `vector` with the selector as error code, or'ed
 * with `ext` (the EXT bit); then, or after a page fault, the result is undefined.
 */
export function readDescriptor(core: Core, selector: number, vector: number, ext = 0): Descriptor | undefined {
  const address = descriptorAddress(core, selector);
  if (address === undefined) {
    core.fault(vector, (selector & 0xfffc) | ext);
    return undefined;
  }
  return readDescriptorAt(core, address);
}

/** Sets the accessed bit in the table; false when that faults. The last thing to do before registers change. */
export function markAccessed(core: Core, d: Descriptor): boolean {
  if ((d.high & ACCESSED) !== 0) return true;
  core.linear.systemWrite32((d.address + 4) | 0, d.high | ACCESSED);
  return !faulted(core);
}

/** Fills a segment register from a descriptor that has passed all checks and is marked accessed. */
export function setSegmentFrom(core: Core, segment: number, selector: number, d: Descriptor): void {
  core.setSegment(segment, selector, baseOf(d), limitOf(d), (d.high & ATTRIBUTES) | ACCESSED);
}

/** Leaves a null selector in a data segment register: any access through it is #GP(0). */
export const setNullSegment = (core: Core, segment: number, selector: number): void =>
  core.setSegment(segment, selector, 0, 0, 0);

/** The privilege level changes with the stack segment; whoever cares about CPL looks again. */
export function setCpl(core: Core, cpl: number): void {
  if (cpl === core.word(R_CPL)) return;
  core.setWord(R_CPL, cpl);
  core.g[G_MODE_CHANGED] = 1;
}

/**
 * The descriptor of a stack segment for privilege level `ring`: a present writable data segment of that ring, by a
 * selector of that ring. Raises `vector` (#GP, or #TS for a stack out of the TSS), or #SS when it is not present.
 */
export function readStackDescriptor(
  core: Core,
  selector: number,
  ring: number,
  vector: number,
  ext = 0,
): Descriptor | undefined {
  const code = (selector & 0xfffc) | ext;
  if (isNull(selector)) {
    core.fault(vector, ext);
    return undefined;
  }
  const d = readDescriptor(core, selector, vector, ext);
  if (d === undefined) return undefined;
  if (rplOf(selector) !== ring || !isWritableData(d.high) || dplOf(d.high) !== ring) {
    core.fault(vector, code);
    return undefined;
  }
  if ((d.high & PRESENT) === 0) {
    core.fault(SS_FAULT, code);
    return undefined;
  }
  return d;
}

/**
 * MOV, POP and LDS & co. into ES, SS, DS, FS or GS: all checks, the accessed bit, the register. Nothing changes on a fault
 * (false). The caller gives SS its interrupt shadow.
 */
export function loadDataSegment(core: Core, segment: number, selector: number): boolean {
  selector &= 0xffff;
  if (!isProtected(core)) {
    loadRealSegment(core, segment, selector);
    return true;
  }
  const cpl = core.word(R_CPL);
  if (segment !== SS && isNull(selector)) {
    setNullSegment(core, segment, selector);
    return true;
  }
  const d = segment === SS ? readStackDescriptor(core, selector, cpl, GP) : readReadableDescriptor(core, selector, cpl);
  if (d === undefined || !markAccessed(core, d)) return false;
  setSegmentFrom(core, segment, selector, d);
  return true;
}

/** Data, or readable code; unless that is conforming, no more privileged than CPL and RPL ask. */
function readReadableDescriptor(core: Core, selector: number, cpl: number): Descriptor | undefined {
  const d = readDescriptor(core, selector, GP);
  if (d === undefined) return undefined;
  const dpl = dplOf(d.high);
  if (!isReadable(d.high) || (!isConformingCode(d.high) && (rplOf(selector) > dpl || cpl > dpl))) {
    core.fault(GP, selector & 0xfffc);
    return undefined;
  }
  if ((d.high & PRESENT) === 0) {
    core.fault(NP, selector & 0xfffc);
    return undefined;
  }
  return d;
}

/**
 * A segment register in real mode: the base is 16 times the selector, limit and attributes stay what they were. Only one
 * that was null in protected mode becomes usable again.
 */
export function loadRealSegment(core: Core, segment: number, selector: number): void {
  const attributes = core.segment(segment, S_ATTRIBUTES);
  const usable = (attributes & PRESENT) !== 0;
  core.setSegment(
    segment,
    selector,
    selector << 4,
    usable ? core.segment(segment, S_LIMIT) : REAL_MODE_LIMIT,
    usable ? attributes : REAL_MODE_ATTRIBUTES,
  );
}

/** CS from a checked code descriptor; the selector's RPL becomes `cpl`. */
export function setCodeSegment(core: Core, selector: number, cpl: number, d: Descriptor): void {
  setSegmentFrom(core, CS, (selector & 0xfffc) | cpl, d);
}

/** LLDT: #GP(0) outside ring 0 is the caller's. A null selector leaves no LDT. */
export function loadLdt(core: Core, selector: number): boolean {
  if (isNull(selector)) {
    setSystemSegment(core, R_LDTR, selector, 0, 0, 0);
    return true;
  }
  const d = readSystemDescriptor(core, selector, [LDT]);
  if (d === undefined) return false;
  setSystemSegment(core, R_LDTR, selector, baseOf(d), limitOf(d), d.high & ATTRIBUTES);
  return true;
}

/** LTR: an available TSS of either size becomes the busy one. */
export function loadTaskRegister(core: Core, selector: number): boolean {
  if (isNull(selector)) {
    core.fault(GP, 0);
    return false;
  }
  const d = readSystemDescriptor(core, selector, [TSS16_AVAILABLE, TSS32_AVAILABLE]);
  if (d === undefined) return false;
  const busy = d.high | (TSS16_BUSY << 8);
  core.linear.systemWrite32((d.address + 4) | 0, busy);
  if (faulted(core)) return false;
  setSystemSegment(core, R_TR, selector, baseOf(d), limitOf(d), busy & ATTRIBUTES);
  return true;
}

/** A system descriptor of the GDT, of one of these types and present: else #GP or #NP with the selector. */
function readSystemDescriptor(core: Core, selector: number, types: readonly number[]): Descriptor | undefined {
  const code = selector & 0xfffc;
  if ((selector & 4) !== 0) {
    core.fault(GP, code);
    return undefined;
  }
  const d = readDescriptor(core, selector, GP);
  if (d === undefined) return undefined;
  if ((d.high & NOT_SYSTEM) !== 0 || !types.includes(systemTypeOf(d.high))) {
    core.fault(GP, code);
    return undefined;
  }
  if ((d.high & PRESENT) === 0) {
    core.fault(NP, code);
    return undefined;
  }
  return d;
}

function setSystemSegment(core: Core, at: number, selector: number, base: number, limit: number, attributes: number) {
  core.setWord(at + S_SELECTOR, selector);
  core.setWord(at + S_BASE, base);
  core.setWord(at + S_LIMIT, limit);
  core.setWord(at + S_ATTRIBUTES, attributes);
}
