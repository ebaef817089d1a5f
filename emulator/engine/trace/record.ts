// What a trace keeps of one instruction or delivery: a fixed number of words, so that keeping it costs no more than storing them.
import type { Instruction } from "../../isa/instruction.ts";
import * as L from "../../memory/layout.ts";

// Word offsets in a record. What nearly every instruction needs, one access included, fills the first two cache lines.
/** Kind, size of the code segment, length, the OUTCOME_ and CLASS_ bits and the processor. */
export const HEAD = 0;
/** EFLAGS before it. */
export const FLAGS_BEFORE = 1;
/** f64: instructions that the processor has retired, this one included. */
export const COUNT = 2;
/** f64: the machine clock before it. */
export const CLOCK = 4;
export const EIP = 6;
/** Linear address of its first byte. */
export const LINEAR = 7;
/** Instruction: its bytes, as many as it has; what follows them in the sixteen says nothing. */
export const BYTES = 8;
/** Delivery: external, exception or NMI, its vector and error code, CR2, and where the processor went. */
export const SOURCE = 8;
export const VECTOR = 9;
export const ERROR_CODE = 10;
export const FAULT_ADDRESS = 11;
export const TARGET = 13;
/** Bit n: WATCHED[n] has changed, to the value in word `valueAt(n)`. */
export const CHANGED = 12;
/** The general registers and EFLAGS; the rarer ones come last in the record. */
export const VALUES = 13;
const COMMON_VALUES = 9;
/** How many accesses there were; the first MOST_ACCESSES of them follow, ACCESS_WORDS each. */
export const ACCESSES = VALUES + COMMON_VALUES;
export const ACCESS_BASE = ACCESSES + 1;
export const ACCESS_WORDS = 5;
export const MOST_ACCESSES = 10;
const RARE_VALUES = ACCESS_BASE + ACCESS_WORDS * MOST_ACCESSES;
/** Whole cache lines. */
export const RECORD_WORDS = 96;

// The parts of HEAD.
export const KIND = 3;
export const INSTRUCTION = 1;
export const DELIVERY = 2;
/** The code segment is a 32-bit one. */
export const BITS_32 = 4;
/** Bytes of the instruction: 1 to 15. */
export const LENGTH_SHIFT = 4;
export const LENGTH = 15 << LENGTH_SHIFT;
export const OUTCOME_RETIRED = 0x100;
/** One access of a split instruction; the rest comes in a later record. */
export const OUTCOME_PART = 0x200;
/** No handler could be called: the processor shut down. */
export const OUTCOME_SHUTDOWN = 0x400;
export const CLASS_LOCKED = 0x800;
export const CLASS_IO = 0x1000;
export const CLASS_INTERRUPT = 0x2000;
export const PROCESSOR_SHIFT = 16;

// Words of an access; a port access has the port for its addresses.
export const AT_LINEAR = 0;
export const AT_PHYSICAL = 1;
export const AT_VALUE = 2;
/** What a write replaced; of a read nothing. */
export const AT_OLD = 3;
/** Bytes, and the ACCESS_ bits. */
export const AT_WHAT = 4;
export const ACCESS_WRITE = 8;
export const ACCESS_PORT = 16;
export const ACCESS_WIDTH = 7;

export const SOURCES = ["external", "exception", "nmi"] as const;

/** Registers whose changes are kept: names, and word offsets in a processor's block. EFLAGS is at its full value. */
export const WATCHED: readonly (readonly [name: string, word: number])[] = [
  ...["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"].map((name, i) => [name, L.R_EAX + i] as const),
  ["eflags", L.R_EFLAGS],
  ...["es", "cs", "ss", "ds", "fs", "gs"].map(
    (name, i) => [name, L.R_SEGMENTS + i * L.SEGMENT_WORDS + L.S_SELECTOR] as const,
  ),
  ["cr0", L.R_CR0],
  ["cr2", L.R_CR2],
  ["cr3", L.R_CR3],
  ["cr4", L.R_CR4],
];
export const EFLAGS_INDEX = 8;

/** The word of a record that holds the new value of WATCHED[index]. */
export function valueAt(index: number): number {
  return index < COMMON_VALUES ? VALUES + index : RARE_VALUES + index - COMMON_VALUES;
}

/** A count or clock of a record. */
export function wide(record: Int32Array, at: number): number {
  return new Float64Array(record.buffer, record.byteOffset + at * 4, 1)[0];
}

const INTERRUPT_MNEMONICS = /^(?:INT|INT3|INT1|INTO|IRETD?|CLI|STI|HLT|LIDT)$/;
const PORT_MNEMONICS = /^(?:IN|OUT|INS[BWD]?|OUTS[BWD]?)$/;
const byForm: number[] = [];

/** The CLASS_ bits that an instruction has whatever it accesses. */
export function classesOf({ form, lock, memory }: Instruction): number {
  byForm[form.id] ??=
    (PORT_MNEMONICS.test(form.mnemonic) ? CLASS_IO : 0) |
    (INTERRUPT_MNEMONICS.test(form.mnemonic) ? CLASS_INTERRUPT : 0);
  return byForm[form.id] | (lock || (form.lockedAlways && memory) ? CLASS_LOCKED : 0);
}
