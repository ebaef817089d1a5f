// The observer that writes a trace: what each instruction did, into a record, if somebody wants it. Nothing is formatted here.
import { type Instruction, layout, type Machine, type Observer, traceRecord as R, TraceRing } from "#emulator";
import type { Range } from "./symbols.ts";

/** Kinds of instructions that somebody may want to see alone. */
export interface Classes {
  /** LOCKed instructions, and XCHG with memory. */
  readonly locked?: boolean;
  /** Port instructions, and accesses to what is not RAM. */
  readonly io?: boolean;
  /** Deliveries, and instructions that raise, end, allow or await interrupts. */
  readonly interrupt?: boolean;
  /** Accesses to these linear addresses. */
  readonly memory?: readonly Range[];
}

/** What is kept; each part narrows it further, and a part left out does not. */
export interface Filter {
  readonly processors?: readonly number[];
  /** Where the instruction lies: any of these linear addresses. */
  readonly ranges?: readonly Range[];
  /** Any of these. */
  readonly classes?: Classes;
}

const OUTPUT = /^OUT/;
const STRING = /^(?:INS|OUTS)/;
const CS_SEGMENT = 1;
const ATTRIBUTE_D = 0x400000;
const LONGEST_INSTRUCTION = 15;
const EAX = 0;
const EDX = 2;
const LOW = [0, 0xff, 0xffff, 0, -1] as const;

/** Where the watched registers lie in a processor's block. */
const WORDS = Int32Array.from(R.WATCHED, ([, word]) => word);

/**
 * Watches a machine. What passes the filter goes into a ring, or to a function, which must copy what it wants to keep. With a
 * ring and no filter the engine writes most records itself, which is a hundred times faster than asking.
 */
export class Recorder implements Observer {
  readonly #machine: Machine;
  readonly #filter: Filter;
  /** CLASS_ bits of which one is enough. */
  readonly #flagsWanted: number;
  readonly #kept: (record: Int32Array) => void;
  /** Where the record is written that is under way: the ring asked for, or one of our own. */
  readonly #open: TraceRing;
  readonly #bytes: Uint8Array;
  readonly ring: TraceRing | null;
  /** Every processor's words. */
  readonly #blocks: readonly Int32Array[];
  readonly #before = new Int32Array(R.WATCHED.length);
  #instruction: Instruction | null = null;
  /** An instruction's record is being written; a delivery's stays open until the next event. */
  #active = false;
  #delivering = false;

  constructor(machine: Machine, filter: Filter, kept: TraceRing | ((record: Int32Array) => void)) {
    this.#machine = machine;
    this.#filter = filter;
    const { locked = false, io = false, interrupt = false } = filter.classes ?? {};
    this.#flagsWanted = (locked ? R.CLASS_LOCKED : 0) | (io ? R.CLASS_IO : 0) | (interrupt ? R.CLASS_INTERRUPT : 0);
    const isNarrow = filter.processors !== undefined || filter.ranges !== undefined || filter.classes !== undefined;
    this.ring = kept instanceof TraceRing && !isNarrow ? kept : null;
    this.#kept = kept instanceof TraceRing ? (record) => kept.push(record) : kept;
    this.#open = this.ring ?? new TraceRing(1);
    this.#bytes = new Uint8Array(this.#open.words.buffer);
    for (const { number, retired } of machine.processors) this.#open.counts[number] = retired;
    this.#blocks = machine.processors.map(({ number }) => {
      const at = machine.core.blockOf(number) >> 2;
      return machine.core.i32.subarray(at, at + layout.PROCESSOR_WORDS);
    });
  }

  /** Instructions each processor has retired, as this trace has seen them. */
  get counts(): readonly number[] {
    return this.#machine.processors.map(({ number }) => this.#open.counts[number] as number);
  }

  before(processor: number, eip: number, instruction: Instruction | null): void {
    this.settle();
    this.#active = (!instruction || this.#mayBeWanted(instruction)) && this.#begin(processor, eip);
    if (!this.#active) return;
    const { words, open } = this.#open;
    this.#instruction = instruction;
    const length = instruction?.length ?? LONGEST_INSTRUCTION;
    const classes = instruction ? R.classesOf(instruction) : 0;
    words[open + R.HEAD] |= R.INSTRUCTION | (length << R.LENGTH_SHIFT) | classes;
    this.#fetch(length);
  }

  after(processor: number, _eip: number, retired: boolean): void {
    const { words, f64, counts, open } = this.#open;
    if (retired) (counts[processor] as number)++;
    if (!this.#active) return;
    const block = this.#block(processor);
    const isPart = !retired && block[layout.R_MICRO_INDEX] !== 0;
    words[open + R.HEAD] |= (retired ? R.OUTCOME_RETIRED : 0) | (isPart ? R.OUTCOME_PART : 0);
    f64[(open + R.COUNT) >> 1] = (counts[processor] as number) + (retired ? 0 : 1);
    let changed = 0;
    for (let i = 0; i < WORDS.length; i++) {
      const value = i === R.EFLAGS_INDEX ? this.#machine.core.eflags() : (block[WORDS[i] as number] as number);
      if (value === this.#before[i]) continue;
      changed |= 1 << i;
      words[open + R.valueAt(i)] = value;
    }
    words[open + R.CHANGED] = changed;
    if (retired && ((words[open + R.HEAD] as number) & R.CLASS_IO) !== 0) this.#portAccess();
    this.#active = false;
    this.#close();
  }

  interrupt(processor: number, vector: number, kind: "external" | "exception" | "nmi", errorCode: number): void {
    this.settle();
    const eip = this.#block(processor)[layout.R_EIP] as number;
    this.#delivering = this.#begin(processor, eip);
    if (!this.#delivering) return;
    const { words, f64, counts, open } = this.#open;
    words[open + R.HEAD] |= R.DELIVERY | R.CLASS_INTERRUPT;
    words[open + R.SOURCE] = R.SOURCES.indexOf(kind);
    words[open + R.VECTOR] = vector;
    words[open + R.ERROR_CODE] = errorCode;
    f64[(open + R.COUNT) >> 1] = counts[processor] as number;
  }

  read(physical: number, linear: number, width: number, value: number): void {
    this.#open.read(physical, linear, width, value);
  }

  write(physical: number, linear: number, width: number, value: number, old: number): void {
    this.#open.write(physical, linear, width, value, old);
  }

  /** A delivery's record stays open until the next event: here is one. */
  settle(): void {
    if (this.#delivering) this.#closeDelivery();
  }

  /** The run is over: what is open is closed. */
  finish(): void {
    this.settle();
  }

  /** Starts a record; false if nobody wants what happens here. */
  #begin(processor: number, eip: number): boolean {
    const { processors, ranges } = this.#filter;
    if (processors && !processors.includes(processor)) return false;
    const block = this.#block(processor);
    const cs = layout.R_SEGMENTS + CS_SEGMENT * layout.SEGMENT_WORDS;
    const linear = ((block[cs + layout.S_BASE] as number) + eip) >>> 0;
    if (ranges && !ranges.some(({ start, end }) => linear >= start && linear < end)) return false;
    const { words, f64, open } = this.#open;
    const is32 = ((block[cs + layout.S_ATTRIBUTES] as number) & ATTRIBUTE_D) !== 0;
    words[open + R.HEAD] = (processor << R.PROCESSOR_SHIFT) | (is32 ? R.BITS_32 : 0);
    f64[(open + R.CLOCK) >> 1] = this.#machine.core.now();
    words[open + R.EIP] = eip;
    words[open + R.LINEAR] = linear;
    for (let i = 0; i < WORDS.length; i++) this.#before[i] = block[WORDS[i] as number] as number;
    words[open + R.FLAGS_BEFORE] = this.#before[R.EFLAGS_INDEX] = this.#machine.core.eflags();
    words[open + R.ACCESSES] = 0;
    return true;
  }

  #closeDelivery(): void {
    this.#delivering = false;
    const { words, open } = this.#open;
    const block = this.#block((words[open + R.HEAD] as number) >>> R.PROCESSOR_SHIFT);
    words[open + R.TARGET] = block[layout.R_EIP] as number;
    if (block[layout.R_ACTIVITY] === layout.SHUTDOWN) words[open + R.HEAD] |= R.OUTCOME_SHUTDOWN;
    words[open + R.FAULT_ADDRESS] = block[layout.R_CR2] as number;
    words[open + R.CHANGED] = 0;
    this.#close();
  }

  /** The record is complete: it is kept if somebody wants it. */
  #close(): void {
    if (this.ring) this.ring.commit();
    else if (this.#wanted()) this.#kept(this.#open.current());
  }

  /** IN and OUT as an access to the port; string forms show what they moved as an access to memory. */
  #portAccess(): void {
    const instruction = this.#instruction as Instruction;
    const { form } = instruction;
    const isImmediate = form.roles.includes("immediate");
    const port = isImmediate ? instruction.immediate & 0xff : (this.#before[EDX] as number) & 0xffff;
    const isOutput = OUTPUT.test(form.mnemonic);
    const isString = STRING.test(form.mnemonic);
    const accumulator = form.operands[isOutput ? 1 : 0];
    const width = isString ? 0 : accumulator === "AL" ? 1 : accumulator === "AX" ? 2 : 4;
    const { words, open } = this.#open;
    const block = this.#block((words[open + R.HEAD] as number) >>> R.PROCESSOR_SHIFT);
    const eax = isOutput ? (this.#before[EAX] as number) : (block[layout.R_EAX] as number);
    this.#open.port(port, width, eax & (LOW[width] as number), isOutput);
  }

  /** False where it is known before it runs that nobody wants an instruction: only its accesses could make it an I/O one. */
  #mayBeWanted(instruction: Instruction): boolean {
    const { classes } = this.#filter;
    return (
      !classes ||
      classes.io === true ||
      (classes.memory?.length ?? 0) > 0 ||
      (R.classesOf(instruction) & this.#flagsWanted) !== 0
    );
  }

  #wanted(): boolean {
    const { classes } = this.#filter;
    if (!classes) return true;
    const record = this.#open.current();
    if (((record[R.HEAD] as number) & this.#flagsWanted) !== 0) return true;
    const { ramSize } = this.#machine.core.layout;
    const ranges = classes.memory ?? [];
    const count = Math.min(record[R.ACCESSES] as number, R.MOST_ACCESSES);
    for (let i = 0; i < count; i++) {
      const at = R.ACCESS_BASE + i * R.ACCESS_WORDS;
      const what = record[at + R.AT_WHAT] as number;
      if ((what & R.ACCESS_PORT) !== 0) continue;
      if (classes.io && (record[at + R.AT_PHYSICAL] as number) >>> 0 >= ramSize) return true;
      const linear = (record[at + R.AT_LINEAR] as number) >>> 0;
      if (ranges.some(({ start, end }) => linear < end && linear + (what & R.ACCESS_WIDTH) > start)) return true;
    }
    return false;
  }

  /** The instruction's bytes, in RAM or in a ROM; those in pages that are not there stay zero. */
  #fetch(length: number): void {
    const { core } = this.#machine;
    const { words, open } = this.#open;
    const linear = words[open + R.LINEAR] as number;
    const bytes = (open + R.BYTES) * 4;
    this.#bytes.fill(0, bytes, bytes + 16);
    for (let i = 0, physical = -1; i < length; i++, physical++) {
      const address = (linear + i) | 0;
      if (i === 0 || (address & (layout.PAGE - 1)) === 0) physical = core.linear.paging.lookUp(address);
      if (physical < 0) return;
      this.#bytes[bytes + i] =
        physical < core.layout.ramSize
          ? (core.u8[core.layout.ramBase + physical] as number)
          : this.#machine.memory.byte(physical);
    }
  }

  #block(processor: number): Int32Array {
    return this.#blocks[processor] as Int32Array;
  }
}
