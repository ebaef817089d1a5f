// The observer that writes a trace: what each instruction did, into a record, if somebody wants it. Nothing is formatted here.
import { type Instruction, layout, type Machine, type Observer } from "#emulator";
import * as R from "./record.ts";
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

const INTERRUPT_MNEMONICS = /^(?:INT|INT3|INT1|INTO|IRETD?|CLI|STI|HLT|LIDT)$/;
const PORT_MNEMONICS = /^(?:IN|OUT|INS[BWD]?|OUTS[BWD]?)$/;
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

const byForm: number[] = [];

/** The CLASS_ bits that an instruction has whatever it accesses. */
function staticClasses({ form, lock, memory }: Instruction): number {
  const known = (byForm[form.id] ??=
    (PORT_MNEMONICS.test(form.mnemonic) ? R.CLASS_IO : 0) |
    (INTERRUPT_MNEMONICS.test(form.mnemonic) ? R.CLASS_INTERRUPT : 0));
  return known | (lock || (form.lockedAlways && memory) ? R.CLASS_LOCKED : 0);
}

/** Watches a machine; `kept` is called with each record that passes the filter, and must copy what it wants to keep. */
export class Recorder implements Observer {
  readonly #machine: Machine;
  readonly #filter: Filter;
  /** CLASS_ bits of which one is enough. */
  readonly #flagsWanted: number;
  readonly #kept: (record: Int32Array) => void;
  readonly #record = new Int32Array(R.RECORD_WORDS);
  readonly #bytes = new Uint8Array(this.#record.buffer, R.BYTES * 4, 16);
  /** Every processor's words. */
  readonly #blocks: readonly Int32Array[];
  readonly #before = new Int32Array(R.WATCHED.length);
  readonly #counts: number[];
  #instruction: Instruction | null = null;
  /** An instruction's record is being written; a delivery's stays open until the next event. */
  #active = false;
  #delivering = false;
  #accesses = 0;

  constructor(machine: Machine, filter: Filter, kept: (record: Int32Array) => void) {
    this.#machine = machine;
    this.#filter = filter;
    const { locked = false, io = false, interrupt = false } = filter.classes ?? {};
    this.#flagsWanted = (locked ? R.CLASS_LOCKED : 0) | (io ? R.CLASS_IO : 0) | (interrupt ? R.CLASS_INTERRUPT : 0);
    this.#kept = kept;
    this.#counts = machine.processors.map(({ retired }) => retired);
    this.#blocks = machine.processors.map(({ number }) => {
      const at = machine.core.blockOf(number) >> 2;
      return machine.core.i32.subarray(at, at + layout.PROCESSOR_WORDS);
    });
  }

  /** Instructions each processor has retired, as this trace has seen them. */
  get counts(): readonly number[] {
    return this.#counts;
  }

  before(processor: number, eip: number, instruction: Instruction | null): void {
    if (this.#delivering) this.#closeDelivery();
    this.#active = (!instruction || this.#mayBeWanted(instruction)) && this.#begin(processor, eip);
    if (!this.#active) return;
    const record = this.#record;
    record[R.KIND] = R.INSTRUCTION;
    this.#instruction = instruction;
    record[R.LENGTH] = instruction?.length ?? LONGEST_INSTRUCTION;
    this.#fetch(record[R.LINEAR] as number);
  }

  after(processor: number, _eip: number, retired: boolean): void {
    if (retired) (this.#counts[processor] as number)++;
    if (!this.#active) return;
    const record = this.#record;
    const block = this.#block(processor);
    const isPart = !retired && block[layout.R_MICRO_INDEX] !== 0;
    record[R.FLAGS] = (retired ? R.OUTCOME_RETIRED : 0) | (isPart ? R.OUTCOME_PART : 0) | this.#classesOf();
    R.setWide(record, R.COUNT, (this.#counts[processor] as number) + (retired ? 0 : 1));
    let changed = 0;
    for (let i = 0; i < WORDS.length; i++) {
      const value = i === R.EFLAGS_INDEX ? this.#machine.core.eflags() : (block[WORDS[i] as number] as number);
      if (value === this.#before[i]) continue;
      changed |= 1 << i;
      record[R.VALUES + i] = value;
    }
    record[R.CHANGED] = changed;
    if (retired && this.#instruction && (staticClasses(this.#instruction) & R.CLASS_IO) !== 0) this.#portAccess();
    this.#active = false;
    record[R.ACCESSES] = this.#accesses;
    if (this.#wanted()) this.#kept(record);
  }

  interrupt(processor: number, vector: number, kind: "external" | "exception" | "nmi", errorCode: number): void {
    if (this.#delivering) this.#closeDelivery();
    const eip = this.#block(processor)[layout.R_EIP] as number;
    this.#delivering = this.#begin(processor, eip);
    if (!this.#delivering) return;
    const record = this.#record;
    record[R.KIND] = R.DELIVERY;
    record[R.SOURCE] = R.SOURCES.indexOf(kind);
    record[R.VECTOR] = vector;
    record[R.ERROR_CODE] = errorCode;
    record[R.FLAGS] = R.CLASS_INTERRUPT;
    R.setWide(record, R.COUNT, this.#counts[processor] as number);
  }

  read(physical: number, linear: number, width: number, value: number): void {
    this.#access(linear, physical, value, value, width);
  }

  write(physical: number, linear: number, width: number, value: number, old: number): void {
    this.#access(linear, physical, value, old, width | R.ACCESS_WRITE);
  }

  /** The run is over: what is open is closed. */
  finish(): void {
    if (this.#delivering) this.#closeDelivery();
  }

  /** Starts a record; false if nobody wants what happens here. */
  #begin(processor: number, eip: number): boolean {
    const { processors, ranges } = this.#filter;
    if (processors && !processors.includes(processor)) return false;
    const block = this.#block(processor);
    const cs = layout.R_SEGMENTS + CS_SEGMENT * layout.SEGMENT_WORDS;
    const linear = ((block[cs + layout.S_BASE] as number) + eip) >>> 0;
    if (ranges && !ranges.some(({ start, end }) => linear >= start && linear < end)) return false;
    const record = this.#record;
    record[R.PROCESSOR] = processor;
    R.setWide(record, R.CLOCK, this.#machine.core.now());
    record[R.EIP] = eip;
    record[R.LINEAR] = linear;
    record[R.BITS] = ((block[cs + layout.S_ATTRIBUTES] as number) & ATTRIBUTE_D) !== 0 ? 32 : 16;
    for (let i = 0; i < WORDS.length; i++) this.#before[i] = block[WORDS[i] as number] as number;
    record[R.FLAGS_BEFORE] = this.#before[R.EFLAGS_INDEX] = this.#machine.core.eflags();
    this.#accesses = 0;
    return true;
  }

  #closeDelivery(): void {
    this.#delivering = false;
    const record = this.#record;
    const block = this.#block(record[R.PROCESSOR] as number);
    record[R.TARGET] = block[layout.R_EIP] as number;
    if (block[layout.R_ACTIVITY] === layout.SHUTDOWN) record[R.FLAGS] |= R.OUTCOME_SHUTDOWN;
    record[R.FAULT_ADDRESS] = block[layout.R_CR2] as number;
    record[R.CHANGED] = 0;
    record[R.ACCESSES] = this.#accesses;
    if (this.#wanted()) this.#kept(record);
  }

  #access(linear: number, physical: number, value: number, old: number, what: number): void {
    if (!this.#active && !this.#delivering) return;
    const index = this.#accesses++;
    if (index >= R.MOST_ACCESSES) return;
    const record = this.#record;
    const at = R.ACCESS_BASE + index * R.ACCESS_WORDS;
    record[at + R.AT_LINEAR] = linear;
    record[at + R.AT_PHYSICAL] = physical;
    record[at + R.AT_VALUE] = value;
    record[at + R.AT_OLD] = old;
    record[at + R.AT_WHAT] = what;
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
    const block = this.#block(this.#record[R.PROCESSOR] as number);
    const eax = isOutput ? (this.#before[EAX] as number) : (block[layout.R_EAX] as number);
    const what = width | R.ACCESS_PORT | (isOutput ? R.ACCESS_WRITE : 0);
    this.#access(port, port, eax & (LOW[width] as number), 0, what);
  }

  #classesOf(): number {
    const known = this.#instruction ? staticClasses(this.#instruction) : 0;
    return known | (this.#touchesDevice() ? R.CLASS_IO : 0);
  }

  /** False where it is known before it runs that nobody wants an instruction: only its accesses could make it an I/O one. */
  #mayBeWanted(instruction: Instruction): boolean {
    const { classes } = this.#filter;
    return (
      !classes ||
      classes.io === true ||
      (classes.memory?.length ?? 0) > 0 ||
      (staticClasses(instruction) & this.#flagsWanted) !== 0
    );
  }

  #touchesDevice(): boolean {
    const { ramSize } = this.#machine.core.layout;
    return this.#someAccess((at) => (this.#record[at + R.AT_PHYSICAL] as number) >>> 0 >= ramSize);
  }

  /** Whether an access answers a question about its place in the record. */
  #someAccess(test: (at: number) => boolean): boolean {
    const count = Math.min(this.#accesses, R.MOST_ACCESSES);
    for (let i = 0; i < count; i++) if (test(R.ACCESS_BASE + i * R.ACCESS_WORDS)) return true;
    return false;
  }

  #wanted(): boolean {
    const { classes } = this.#filter;
    if (!classes || ((this.#record[R.FLAGS] as number) & this.#flagsWanted) !== 0) return true;
    return (classes.memory ?? []).some(({ start, end }) =>
      this.#someAccess((at) => {
        const what = this.#record[at + R.AT_WHAT] as number;
        const linear = (this.#record[at + R.AT_LINEAR] as number) >>> 0;
        return (what & R.ACCESS_PORT) === 0 && linear < end && linear + (what & R.ACCESS_WIDTH) > start;
      }),
    );
  }

  /** The instruction's bytes, in RAM or in a ROM; those in pages that are not there stay zero. */
  #fetch(linear: number): void {
    const { core } = this.#machine;
    const bytes = this.#bytes.fill(0);
    const length = this.#record[R.LENGTH] as number;
    for (let i = 0, physical = -1; i < length; i++, physical++) {
      const address = (linear + i) | 0;
      if (i === 0 || (address & (layout.PAGE - 1)) === 0) physical = core.linear.lookUp(address);
      if (physical < 0) return;
      bytes[i] =
        physical < core.layout.ramSize
          ? (core.u8[core.layout.ramBase + physical] as number)
          : this.#machine.memory.byte(physical);
    }
  }

  #block(processor: number): Int32Array {
    return this.#blocks[processor] as Int32Array;
  }
}
