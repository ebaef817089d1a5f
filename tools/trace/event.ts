// A record read back: what happened, with names for numbers, ready to be printed in one way or another.
import { decode, format, traceRecord as R } from "#emulator";
import type { SourceLine } from "./lines.ts";
import type { Place, SymbolTable } from "./symbols.ts";

export interface Access {
  readonly kind: "memory" | "port";
  readonly write: boolean;
  /** A port's number for a port. */
  readonly linear: number;
  readonly physical: number;
  /** Bytes; 0 where the port instruction moved a string. */
  readonly width: number;
  readonly value: number;
  /** What a write replaced; 0 for a read. */
  readonly old: number;
}

interface Common {
  readonly processor: number;
  /** Instructions that the processor has retired, this one included. */
  readonly count: number;
  readonly clock: number;
  readonly eip: number;
  readonly linear: number;
  readonly place: Place | undefined;
  readonly source: SourceLine | undefined;
  readonly accesses: readonly Access[];
  /** Accesses that the record had no room for. */
  readonly moreAccesses: number;
}

export interface InstructionEvent extends Common {
  readonly kind: "instruction";
  readonly bytes: Uint8Array;
  readonly text: string;
  readonly retired: boolean;
  /** One access of a split instruction: the rest comes later. */
  readonly part: boolean;
  readonly locked: boolean;
  /** New values of registers that changed, EFLAGS apart. */
  readonly registers: readonly (readonly [name: string, value: number])[];
  /** New values of flags that changed. */
  readonly flags: readonly (readonly [name: string, value: 0 | 1])[];
}

export interface DeliveryEvent extends Common {
  readonly kind: (typeof R.SOURCES)[number];
  readonly vector: number;
  readonly errorCode: number;
  readonly faultAddress: number;
  /** No handler could be called: the processor shut down (a triple fault). */
  readonly shutdown: boolean;
  /** Where the processor goes on. */
  readonly target: number;
  readonly targetPlace: Place | undefined;
}

export type TraceEvent = InstructionEvent | DeliveryEvent;

const FLAG_NAMES: readonly (readonly [name: string, bit: number])[] = [
  ["cf", 0],
  ["pf", 2],
  ["af", 4],
  ["zf", 6],
  ["sf", 7],
  ["tf", 8],
  ["if", 9],
  ["df", 10],
  ["of", 11],
];

/** What a record says. */
export function readRecord(record: Int32Array, symbols: SymbolTable): TraceEvent {
  const word = (at: number): number => (record[at] as number) >>> 0;
  const head = word(R.HEAD);
  const linear = word(R.LINEAR);
  const common = {
    processor: head >>> R.PROCESSOR_SHIFT,
    count: R.wide(record, R.COUNT),
    clock: R.wide(record, R.CLOCK),
    eip: word(R.EIP),
    linear,
    place: symbols.at(linear),
    source: symbols.lineOf(linear),
    accesses: accessesOf(record),
    moreAccesses: Math.max(0, word(R.ACCESSES) - R.MOST_ACCESSES),
  };
  if ((head & R.KIND) === R.DELIVERY) {
    const target = word(R.TARGET);
    return {
      ...common,
      kind: R.SOURCES[word(R.SOURCE)] ?? "external",
      vector: word(R.VECTOR),
      errorCode: word(R.ERROR_CODE),
      faultAddress: word(R.FAULT_ADDRESS),
      shutdown: (head & R.OUTCOME_SHUTDOWN) !== 0,
      target,
      targetPlace: symbols.at(target),
    };
  }
  const bytes = new Uint8Array(record.slice(R.BYTES, R.BYTES + 4).buffer);
  const bits = (head & R.BITS_32) !== 0 ? 32 : 16;
  const instruction = decode(bytes, 0, 15, bits);
  const isCode = typeof instruction !== "string";
  return {
    ...common,
    kind: "instruction",
    bytes: bytes.slice(0, isCode ? instruction.length : 1),
    text: isCode
      ? format(instruction, common.eip, { bits, symbol: (target) => symbols.nameOf(target, linear) })
      : `(${instruction})`,
    retired: (head & R.OUTCOME_RETIRED) !== 0,
    part: (head & R.OUTCOME_PART) !== 0,
    locked: (head & R.CLASS_LOCKED) !== 0,
    registers: R.WATCHED.flatMap(([name], i) =>
      i !== R.EFLAGS_INDEX && (word(R.CHANGED) & (1 << i)) !== 0 ? [[name, word(R.valueAt(i))] as const] : [],
    ),
    flags: flagsOf(record),
  };
}

function flagsOf(record: Int32Array): InstructionEvent["flags"] {
  if (((record[R.CHANGED] as number) & (1 << R.EFLAGS_INDEX)) === 0) return [];
  const now = record[R.valueAt(R.EFLAGS_INDEX)] as number;
  const changed = now ^ (record[R.FLAGS_BEFORE] as number);
  return FLAG_NAMES.flatMap(([name, bit]) =>
    (changed & (1 << bit)) !== 0 ? [[name, ((now >> bit) & 1) as 0 | 1] as const] : [],
  );
}

function accessesOf(record: Int32Array): Access[] {
  const count = Math.min(record[R.ACCESSES] as number, R.MOST_ACCESSES);
  return Array.from({ length: count }, (_, i) => {
    const at = R.ACCESS_BASE + i * R.ACCESS_WORDS;
    const word = (offset: number): number => (record[at + offset] as number) >>> 0;
    const what = word(R.AT_WHAT);
    return {
      kind: (what & R.ACCESS_PORT) !== 0 ? "port" : "memory",
      write: (what & R.ACCESS_WRITE) !== 0,
      linear: word(R.AT_LINEAR),
      physical: word(R.AT_PHYSICAL),
      width: what & R.ACCESS_WIDTH,
      value: word(R.AT_VALUE),
      old: (what & R.ACCESS_WRITE) !== 0 ? word(R.AT_OLD) : 0,
    };
  });
}
