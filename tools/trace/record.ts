// What a trace keeps of one instruction or delivery: a fixed number of words, so that keeping it costs no more than copying.
import { layout } from "#emulator";

/** What a record is about. */
export const INSTRUCTION = 1;
export const DELIVERY = 2;

// Word offsets in a record. Counts and clocks are below 2^53, in two words.
export const KIND = 0;
export const PROCESSOR = 1;
/** Instructions that the processor has retired, this one included. */
export const COUNT = 2;
/** The machine clock before it. */
export const CLOCK = 4;
export const EIP = 6;
/** Linear address of its first byte. */
export const LINEAR = 7;
/** Size of the code segment: 16 or 32. */
export const BITS = 8;
/** Instruction: bytes, and the first sixteen from there on. */
export const LENGTH = 9;
export const BYTES = 10;
/** Delivery: external, exception or NMI, its vector and error code, CR2, and where the processor went. */
export const SOURCE = 9;
export const VECTOR = 10;
export const ERROR_CODE = 11;
export const FAULT_ADDRESS = 12;
export const TARGET = 13;
/** The OUTCOME_ and CLASS_ bits. */
export const FLAGS = 14;
/** EFLAGS before it. */
export const FLAGS_BEFORE = 15;
/** Bit n: WATCHED[n] has changed, to the value in the words from VALUES on. */
export const CHANGED = 16;
export const VALUES = 17;
/** How many accesses there were; the first MOST_ACCESSES of them follow, ACCESS_WORDS each. */
export const ACCESSES = VALUES + 20;
export const ACCESS_BASE = ACCESSES + 1;
export const ACCESS_WORDS = 5;
export const MOST_ACCESSES = 10;
export const RECORD_WORDS = ACCESS_BASE + ACCESS_WORDS * MOST_ACCESSES;

// Words of an access; a port access has the port for its addresses.
export const AT_LINEAR = 0;
export const AT_PHYSICAL = 1;
export const AT_VALUE = 2;
export const AT_OLD = 3;
/** Bytes, and the ACCESS_ bits. */
export const AT_WHAT = 4;
export const ACCESS_WRITE = 8;
export const ACCESS_PORT = 16;
export const ACCESS_WIDTH = 7;

export const OUTCOME_RETIRED = 1;
/** One access of a split instruction; the rest comes in a later record. */
export const OUTCOME_PART = 2;
/** No handler could be called: the processor shut down. */
export const OUTCOME_SHUTDOWN = 4;
export const CLASS_LOCKED = 8;
export const CLASS_IO = 16;
export const CLASS_INTERRUPT = 32;

export const SOURCES = ["external", "exception", "nmi"] as const;

/** Registers whose changes are kept: names, and word offsets in a processor's block. EFLAGS is at its full value. */
export const WATCHED: readonly (readonly [name: string, word: number])[] = [
  ...["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"].map((name, i) => [name, layout.R_EAX + i] as const),
  ["eflags", layout.R_EFLAGS],
  ...["es", "cs", "ss", "ds", "fs", "gs"].map(
    (name, i) => [name, layout.R_SEGMENTS + i * layout.SEGMENT_WORDS + layout.S_SELECTOR] as const,
  ),
  ["cr0", layout.R_CR0],
  ["cr2", layout.R_CR2],
  ["cr3", layout.R_CR3],
  ["cr4", layout.R_CR4],
];
export const EFLAGS_INDEX = 8;

/** The last records, as many as it holds. */
export class Ring {
  readonly capacity: number;
  readonly #words: Int32Array;
  /** Records ever put in. */
  total = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#words = new Int32Array(capacity * RECORD_WORDS);
  }

  /** Records that can be read. */
  get length(): number {
    return Math.min(this.total, this.capacity);
  }

  push(record: Int32Array): void {
    this.#words.set(record, (this.total % this.capacity) * RECORD_WORDS);
    this.total++;
  }

  /** The oldest is number 0. Good until the next push. */
  at(index: number): Int32Array {
    const slot = (this.total - this.length + index) % this.capacity;
    return this.#words.subarray(slot * RECORD_WORDS, (slot + 1) * RECORD_WORDS);
  }

  /** Copies of all records, the oldest first; the ring is empty afterwards. */
  drain(): Int32Array[] {
    const records = Array.from({ length: this.length }, (_, i) => this.at(i).slice());
    this.total = 0;
    return records;
  }
}

/** A number of two words. */
export function wide(record: Int32Array, at: number): number {
  return ((record[at + 1] as number) >>> 0) * 0x1_0000_0000 + ((record[at] as number) >>> 0);
}

export function setWide(record: Int32Array, at: number, value: number): void {
  record[at] = value % 0x1_0000_0000;
  record[at + 1] = Math.floor(value / 0x1_0000_0000);
}
