// Where everything of a random program lies: physical memory, the pages of its linear addresses, selectors, and its shape.

/** RAM of the machines. */
export const MEMORY = 0x100000;
export const PAGE = 0x1000;
export const MOST_PROCESSORS = 4;

// Physical addresses, one to one in linear ones but where said otherwise. `n` is the number of a processor.
export const GDT = 0x1000;
export const idtOf = (n: number): number => 0x2000 + n * 0x800;
export const tssOf = (n: number): number => 0x4000 + n * 0x100;
export const TSS_LIMIT = 0x67;
export const directoryOf = (n: number): number => 0x5000 + n * PAGE;
export const tableOf = (n: number): number => 0x9000 + n * PAGE;
export const DEVICE_TABLE = 0xd000;
/** Linear: shows each processor its own page table. */
export const TABLE_WINDOW = 0xe000;
export const CODE = 0x10000;
export const CODE_SIZE = 0x4000;
export const codeOf = (n: number): number => CODE + n * CODE_SIZE;
/** All data, within 64 KiB: each processor's own, then what they share. */
export const DATA = 0x20000;
export const PRIVATE_SIZE = 0x3000;
export const privateOf = (n: number): number => DATA + n * PRIVATE_SIZE;
export const SHARED = DATA + MOST_PROCESSORS * PRIVATE_SIZE;
export const SHARED_SIZE = 0x4000;
/** Linear: pages that programs map as they like. */
export const WINDOW = 0x40000;
export const WINDOW_PAGES = 16;
/** Linear: the first 4 MiB again, in one big page. */
export const ALIAS = 0x400000;
export const APIC = 0xfee00000;
export const IO_APIC = 0xfec00000;

// Within a processor's own first page: variables, and stacks from their tops down.
export const V = {
  /** Where a fault goes on, and with which stack pointer. */
  resume: 0x00,
  resumeEsp: 0x04,
  savedEax: 0x08,
  savedFlags: 0x0c,
  /** Rounds left. */
  rounds: 0x10,
  cr2: 0x14,
  interrupts: 0x18,
  scratch: 0x1c,
  /** Counts of exceptions by vector: 32 dwords. */
  faults: 0x40,
  /** Counters of loops in memory. */
  loops: 0xc0,
} as const;
export const LOOPS = 32;
export const USER_STACK = 0x700;
export const INNER_STACK = 0xb00;
export const MAIN_STACK = 0x1000;
/** Own pages for data; the second one is now and then not there. */
export const ARENA = 0x1000;
export const DEMAND = 0x2000;
/** Shared: a page of locks and counters, two of data, and one that is now and then read-only. */
export const SHARED_ARENA = PAGE;
export const SHARED_READ_ONLY = 3 * PAGE;

/** Selectors; those for everybody have RPL 3. */
export const S = {
  code0: 0x08,
  data0: 0x10,
  code3: 0x1b,
  data3: 0x23,
  tss: 0x28,
  code16: 0x48,
  stack16: 0x50,
  code16user: 0x5b,
  stack16user: 0x63,
  /** Shared data with a limit, based shared data without one, read-only, expand-down, not present. */
  small: 0x6b,
  based: 0x73,
  readOnly: 0x7b,
  expandDown: 0x83,
  absent: 0x8b,
} as const;
export const GDT_LIMIT = 0x8f;

// Vectors.
export const PIT_VECTOR = 0x20;
export const TIMER_VECTOR = 0x51;
export const SELF_VECTOR = 0x61;
export const OTHERS_VECTOR = 0x41;
export const SPURIOUS_VECTOR = 0xff;
/** System calls: what privileged code does for anybody, by EAX. */
export const CALL_VECTOR = 0x80;
export const END_VECTOR = 0x81;
/** A trap gate, and a gate of the 286. */
export const TRAP_VECTOR = 0x82;
export const NARROW_VECTOR = 0x83;

/** What all code of one program has in common. */
export interface Shape {
  readonly processors: number;
  readonly bits: 16 | 32;
  readonly ring: 0 | 3;
  readonly paged: boolean;
  /** Every processor runs the same code, with its own pages behind the same addresses. Else each has code of its own. */
  readonly shared: boolean;
  readonly codeBase: number;
  readonly dataBase: number;
  /** Timers run, and processors send each other messages. */
  readonly timers: boolean;
  readonly iopl: 0 | 3;
  readonly writeProtect: boolean;
  readonly codeWritable: boolean;
  readonly bigPages: boolean;
}
