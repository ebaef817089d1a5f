// What the parts of a processor share: views on the machine's memory, the current processor, and how an instruction ends.
import * as L from "../memory/layout.ts";
import { eflagsReader } from "./eflags.ts";
import type { LinearMemory } from "./linear.ts";

// Scratch words of the running engine (never guest state): indices into `g`.
/** Word index of the current processor's block in `i32`. */
export const G_CPU = 0;
/** Number of the current processor. */
export const G_PROCESSOR = 1;
/** How the current access or instruction went: a STATUS_ constant; OK is 0. */
export const G_STATUS = 2;
/** Pending exception: vector, error code, linear address of a page fault. */
export const G_VECTOR = 3;
export const G_ERROR = 4;
export const G_FAULT_ADDRESS = 5;
/** Word index in `i32` of the TLBs in use for data reads and writes. */
export const G_TLB_READ = 6;
export const G_TLB_WRITE = 7;
/** Instructions left before the inner loop stops; instructions set aside when something asked it to stop early. */
export const G_LEFT = 8;
export const G_RESERVE = 9;
/** Something the engine derives from segments, CPL or modes has changed: it must look again before the next instruction. */
export const G_MODE_CHANGED = 10;
/** The current instruction is one atomic step: LOCKed, or XCHG with memory. */
export const G_LOCKED = 11;
/** An observer or explorer watches data accesses. */
export const G_OBSERVED = 12;
/** Base added to a record's page offset to give EIP. */
export const G_EIP_BASE = 13;
/** The processor gives up the rest of its slice (PAUSE, HLT). */
export const G_YIELD = 14;
/** Bits 0..15: the engine's key of the code being run. */
export const G_KEY = 15;
/** Instructions the current processor was given when it was selected: with what is left it tells the time. */
export const G_BUDGET = 16;
/** Remainder of the last 64-bit division; new stack pointer of a push or pop that took the long way. */
export const G_REMAINDER = 17;
export const G_NEW_TOP = 18;
/** Linear page of the code being run (or NO_CODE_PAGE), and where its offset map begins in the engine's map array. */
export const G_CODE_PAGE = 19;
export const G_CODE_MAP = 20;
/** Whoever called the engine wants it back after the current instruction, though the budget is not used up. */
export const G_RETURN = 21;
/** As G_TLB_READ and G_TLB_WRITE, for runs under an observer that only wants to be told: what they know is plain RAM. */
export const G_TOLD_READ = 28;
export const G_TOLD_WRITE = 29;
export const G_WORDS = 32;
/** In G_CODE_PAGE: the next instruction must be looked up, its page was written or mapped anew. */
export const NO_CODE_PAGE = 1;

export const STATUS_OK = 0;
/** An exception: G_VECTOR, G_ERROR (and G_FAULT_ADDRESS) tell which. */
export const STATUS_EXCEPTION = 1;
/** `core.stopReason` says what this emulator does not have. */
export const STATUS_NOT_IMPLEMENTED = 2;
/** A split instruction has done one of its accesses and will be run again for the next (exploration). */
export const STATUS_SPLIT = 3;

// Exception vectors (SDM vol. 3A, table 6-1).
export const DE = 0;
export const DB = 1;
export const NMI = 2;
export const BP = 3;
export const OF = 4;
export const BR = 5;
export const UD = 6;
export const NM = 7;
export const DF = 8;
export const TS = 10;
export const NP = 11;
export const SS_FAULT = 12;
export const GP = 13;
export const PF = 14;
export const MF = 16;
export const AC = 17;

// EFLAGS bits (SDM vol. 1, 3.4.3).
export const CF = 1;
export const PF_FLAG = 4;
export const AF = 0x10;
export const ZF = 0x40;
export const SF = 0x80;
export const TF = 0x100;
export const IF = 0x200;
export const DF_FLAG = 0x400;
export const OF_FLAG = 0x800;
export const IOPL = 0x3000;
export const NT = 0x4000;
export const RF = 0x10000;
export const VM = 0x20000;
export const AC_FLAG = 0x40000;
export const VIF = 0x80000;
export const VIP = 0x100000;
export const ID = 0x200000;
export const STATUS_FLAGS = 0x8d5;
/** In R_LAZY beside the flag bits: the last operation was a subtraction (else an addition). */
export const LAZY_SUB = 0x2;

// Control register bits.
export const CR0_PE = 1;
export const CR0_MP = 2;
export const CR0_EM = 4;
export const CR0_TS = 8;
export const CR0_ET = 0x10;
export const CR0_NE = 0x20;
export const CR0_WP = 0x10000;
export const CR0_AM = 0x40000;
export const CR0_NW = 0x20000000;
export const CR0_CD = 0x40000000;
export const CR0_PG = 0x80000000 | 0;
export const CR4_TSD = 4;
export const CR4_PSE = 0x10;
export const CR4_PGE = 0x80;
export const CR4_PCE = 0x100;

/** How a hand-written instruction went on; a fault is told by G_STATUS instead. */
export const NEXT = 0;
/** R_EIP holds where execution goes on. */
export const JUMPED = 1;
/** A REP instruction stopped between two iterations because the budget ended: R_EIP still points at it. */
export const AGAIN = 2;

/**
 * What lies outside the processors: physical addresses that are not plain RAM, ports, and events.
 * The board implements it; widths are 1, 2 or 4 bytes; values are zero-extended (8, 16) or int32.
 */
export interface Bus {
  readPhysical(address: number, width: 1 | 2 | 4): number;
  writePhysical(address: number, width: 1 | 2 | 4, value: number): void;
  readPort(port: number, width: 1 | 2 | 4): number;
  writePort(port: number, width: 1 | 2 | 4, value: number): void;
  /** The processor wrote IA32_APIC_BASE or another register the board looks at. */
  apicBaseChanged(processor: number): void;
}

/** Watches a run from outside; every method may be called only while G_OBSERVED is set. Addresses are physical. */
export interface AccessObserver {
  /** Return false to abort the instruction before the access (G_STATUS must then be set). */
  beforeAccess?(physical: number, linear: number, width: number, write: boolean): boolean;
  read(physical: number, linear: number, width: number, value: number): void;
  write(physical: number, linear: number, width: number, value: number, old: number): void;
}

/** Views and small helpers over one machine's memory, for the processor whose turn it is. */
export class Core {
  /** A WebAssembly.Memory, by the only thing asked of it: users' programs need no declaration of WebAssembly for it. */
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly layout: L.Layout;
  readonly i8: Int8Array;
  readonly u8: Uint8Array;
  readonly i16: Int16Array;
  readonly u16: Uint16Array;
  readonly i32: Int32Array;
  readonly f64: Float64Array;
  readonly g = new Int32Array(G_WORDS);
  /** EFLAGS of the processor whose block begins at a word, every status flag in place. */
  readonly eflagsOf: (block: number) => number;
  /** Name of what stopped the run with STATUS_NOT_IMPLEMENTED. */
  stopReason = "";
  /** What lies outside the processors; whoever makes a Core gives it one. */
  bus!: Bus;
  /** Linear memory; whoever makes a Core gives it one. */
  linear!: LinearMemory;

  constructor(layout: L.Layout) {
    const pages = layout.totalBytes / 0x10000;
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const buffer = this.memory.buffer;
    this.layout = layout;
    this.i8 = new Int8Array(buffer);
    this.u8 = new Uint8Array(buffer);
    this.i16 = new Int16Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.f64 = new Float64Array(buffer);
    this.eflagsOf = eflagsReader(this.i32);
  }

  /** The machine clock, exact at any instruction. */
  now(): number {
    const { g } = this;
    return this.f64[L.CLOCK >> 3] + (g[G_BUDGET] - g[G_LEFT] - g[G_RESERVE]);
  }

  /** Byte offset of a processor's block. */
  blockOf(processor: number): number {
    return L.PROCESSOR_BASE + processor * L.PROCESSOR_SIZE;
  }

  /** A word of the current processor's block, by its R_ offset. */
  word(offset: number): number {
    return this.i32[this.g[G_CPU] + offset];
  }

  setWord(offset: number, value: number): void {
    this.i32[this.g[G_CPU] + offset] = value;
  }

  /** A segment register's hidden or visible part: `segment` is an encoding 0..5, `part` an S_ offset. */
  segment(segment: number, part: number): number {
    return this.i32[this.g[G_CPU] + L.R_SEGMENTS + segment * L.SEGMENT_WORDS + part];
  }

  setSegment(segment: number, selector: number, base: number, limit: number, attributes: number): void {
    const { i32 } = this;
    const at = this.g[G_CPU] + L.R_SEGMENTS + segment * L.SEGMENT_WORDS;
    i32[at + L.S_SELECTOR] = selector;
    // Nothing is derived from the selector, and most loads give a register what it has.
    if (i32[at + L.S_BASE] === base && i32[at + L.S_LIMIT] === limit && i32[at + L.S_ATTRIBUTES] === attributes) return;
    i32[at + L.S_BASE] = base;
    i32[at + L.S_LIMIT] = limit;
    i32[at + L.S_ATTRIBUTES] = attributes;
    this.g[G_MODE_CHANGED] = 1;
  }

  /** Raises an exception: the instruction ends without further effect. `error` is its error code (0 where it has none). */
  fault(vector: number, error: number): void {
    this.g[G_STATUS] = STATUS_EXCEPTION;
    this.g[G_VECTOR] = vector;
    this.g[G_ERROR] = error;
  }

  /** Stops the run: "not implemented: NAME at ADDRESS". */
  notImplemented(name: string): void {
    this.g[G_STATUS] = STATUS_NOT_IMPLEMENTED;
    this.stopReason = name;
  }

  /** The inner loop stops after the current instruction; what it had left is kept for the slice. */
  stopAfterThis(): void {
    const { g } = this;
    if (g[G_LEFT] > 1) {
      g[G_RESERVE] += g[G_LEFT] - 1;
      g[G_LEFT] = 1;
    }
  }

  /** EFLAGS of the current processor with every status flag in place. */
  eflags(): number {
    return this.eflagsOf(this.g[G_CPU]);
  }

  /** Replaces EFLAGS; nothing is lazy afterwards. Bit 1 stays one, reserved bits zero. */
  setEflags(value: number): void {
    this.setWord(L.R_EFLAGS, (value & 0x3f7fd7) | 2);
    this.setWord(L.R_LAZY, 0);
  }

  /** Puts lazily kept flags in place and forgets how they came about: one state, one bit pattern. */
  materialiseFlags(): void {
    this.setWord(L.R_EFLAGS, this.eflags());
    this.setWord(L.R_LAZY, 0);
    this.setWord(L.R_FA, 0);
    this.setWord(L.R_FB, 0);
    this.setWord(L.R_FRES, 0);
  }
}
