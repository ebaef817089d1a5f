// One processor of a booted kernel: routines called on it, programs run on it, interrupts placed at its boundaries.

import type { Procedure } from "#asm";
import type { Processor } from "#emulator";
import { KPCR } from "#kernel";
import { signatureOf, stackBytes } from "./conventions.ts";
import { ConventionError, hex, StepLimit } from "./errors.ts";
import type { HarnessDpc, Nt } from "./nt.ts";
import { type View, viewOf } from "./view.ts";
import { type Writer, writeFramed } from "./writer.ts";

/** An argument of a call: a number, or something of the guest's memory, by its address. */
export type Argument = number | { readonly address: number };

/** Where in the code: an address, a routine's first instruction, or a label by name (`"KfRaiseIrql.downwards"`). */
export type Place = number | Procedure | string;

/** When an interrupt arrives. Unless told, before the next instruction. */
export interface When {
  /** After so many more instructions of this processor. */
  readonly after?: number;
  /** Before this processor's instruction at a place, when it comes there next. */
  readonly at?: Place;
}

interface Planned {
  readonly vector: number;
  /** Instructions left, or the address. */
  left: number;
  readonly at: number | undefined;
}

interface Call {
  readonly routine: Procedure;
  /** ESP when it has returned. */
  readonly esp: number;
  readonly registers: readonly number[];
  readonly eip: number;
  readonly eflags: number;
}

const [EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI] = [0, 1, 2, 3, 4, 5, 6, 7];
const PRESERVED = { EBX, EBP, ESI, EDI };
const EFLAGS_IF = 0x200;
const EFLAGS_DF = 0x400;
const APIC_TPR = 0x80;
/** Steps within which a call returns, unless told otherwise. */
export const STEP_LIMIT = 20_000;

export class HarnessProcessor {
  readonly number: number;
  readonly #nt: Nt;
  readonly #calls: Call[] = [];
  readonly #planned: Planned[] = [];

  constructor(nt: Nt, number: number) {
    this.#nt = nt;
    this.number = number;
  }

  /** Its registers. */
  get registers(): Processor {
    return this.#nt.machine.processors[this.number]!;
  }

  /** This processor's KPCR, and the KPRCB in it. */
  get pcr(): View<(typeof KPCR)["fields"]> {
    return viewOf(this.#nt, KPCR, this.registers.fs.base);
  }

  /** The level, as KPCR.Irql has it. */
  get irql(): number {
    return this.#nt.load(this.registers.fs.base + KPCR.Irql.offset, KPCR.Irql.size);
  }

  /** The local APIC's task priority register. */
  get tpr(): number {
    return this.apic(APIC_TPR);
  }

  /** A register of the local APIC, by its offset. */
  apic(offset: number): number {
    const { board, clock } = this.#nt.machine;
    return board.lapics.read(this.number, offset, clock) >>> 0;
  }

  /** Interrupts are on. */
  get interruptible(): boolean {
    return (this.registers.eflags & EFLAGS_IF) !== 0;
  }

  /** It has halted, and nothing has come that it would take. */
  get halted(): boolean {
    return this.registers.activity === "halted";
  }

  /** The name of the place where it is: a routine's or label's, or one with a distance. */
  get place(): string {
    return this.#nt.nameOf(this.registers.eip);
  }

  /** What it was called for last has returned; it is in its thread. */
  get returned(): boolean {
    const call = this.#calls.at(-1);
    const { eip, esp } = this.registers;
    return call === undefined || (this.#nt.isThread(eip) && esp === call.esp);
  }

  // --- calls ---

  /**
   * Calls a routine and runs this processor alone until it has returned: its result by its convention. Registers and stack
   * are checked on return. Throws StepLimit if it does not return, BugCheck if the kernel stops.
   */
  call(routine: Procedure, ...args: readonly Argument[]): number {
    this.begin(routine, ...args);
    return this.finish();
  }

  /** Puts this processor before the first instruction of a routine, whatever it was doing; afterwards it goes on with that. */
  begin(routine: Procedure, ...args: readonly Argument[]): void {
    const { registers } = this;
    const { convention, parameters } = signatureOf(routine);
    if (args.length !== parameters)
      throw new RangeError(`harness: ${routine.name} called with ${args.length} arguments; it takes ${parameters}`);
    const values = args.map((argument) => (typeof argument === "number" ? argument : argument.address));
    const inRegisters = convention === "fastcall" ? 2 : 0;
    const frame = [this.#nt.thread, ...values.slice(inRegisters)];
    const before = Array.from({ length: 8 }, (_, register) => registers.register(register));
    const { esp, eip, eflags } = registers;
    this.#calls.push({ routine, esp, registers: before, eip, eflags });
    const from = esp - 4 * frame.length;
    frame.forEach((value, index) => {
      this.#nt.store(from + 4 * index, 4, value);
    });
    for (const [register, garbage] of GARBAGE) registers.setRegister(register, garbage);
    if (inRegisters > 0) {
      registers.setRegister(ECX, values[0] ?? GARBAGE.get(ECX)!);
      registers.setRegister(EDX, values[1] ?? GARBAGE.get(EDX)!);
    }
    registers.setRegister(ESP, from);
    registers.setEip(this.#nt.addressOf(routine));
  }

  /** Runs this processor alone until what it began last has returned; its result. */
  finish(limit = STEP_LIMIT): number {
    const call = this.#calls.at(-1);
    if (!call) throw new Error(`harness: processor ${this.number} has begun nothing that could be finished`);
    for (let steps = 0; !this.returned; steps++) {
      if (steps >= limit || this.#isLost())
        throw new StepLimit(
          `processor ${this.number} does not return from ${call.routine.name}: after ${steps} steps it is at ${this.place}`,
        );
      this.step();
    }
    return this.#return();
  }

  /** Returned to its thread, but with another stack than it had: it will never have ours again. */
  #isLost(): boolean {
    const call = this.#calls.at(-1)!;
    const { eip, esp } = this.registers;
    if (!this.#nt.isThread(eip) || esp === call.esp) return false;
    throw new ConventionError(
      `${call.routine.name} pops ${esp - call.esp + stackBytes(signatureOf(call.routine))} bytes of arguments; ` +
        `its convention says ${stackBytes(signatureOf(call.routine))}`,
    );
  }

  /** The call is over: what it must have kept, and its result. */
  #return(): number {
    const { registers } = this;
    const call = this.#calls.pop()!;
    for (const [name, register] of Object.entries(PRESERVED))
      if (registers.register(register) !== GARBAGE.get(register))
        throw new ConventionError(`${call.routine.name} does not keep ${name}`);
    if ((registers.eflags & EFLAGS_DF) !== 0) throw new ConventionError(`${call.routine.name} returns with DF = 1`);
    const result = registers.eax;
    call.registers.forEach((value, register) => {
      registers.setRegister(register, value);
    });
    registers.setEip(call.eip);
    this.#nt.setFlags(this.number, (call.eflags & ~EFLAGS_IF) | (registers.eflags & EFLAGS_IF));
    const kind = signatureOf(call.routine).result;
    return kind === "byte" ? result & 0xff : result;
  }

  /** Has its own code run on this processor, called like a routine without arguments; `finish` runs it to its end. */
  program(body: (a: Writer) => void): void {
    this.begin(this.#nt.assembled(`program${this.number}`, (a) => writeFramed(a, body)));
  }

  /** Runs code to its end: `program` and `finish`. */
  run(body: (a: Writer) => void): number {
    this.program(body);
    return this.finish();
  }

  /** Queues a DPC with KeInsertQueueDpc, as code at this processor's place and level would. TRUE as 1. */
  queueDpc(dpc: HarnessDpc, argument1 = 0, argument2 = 0): number {
    return this.call(this.#nt.routines.KeInsertQueueDpc, dpc, argument1, argument2);
  }

  /** Lets KiIdleLoop have this processor: for good. */
  goIdle(): void {
    this.begin(this.#nt.routines.KiIdleLoop);
  }

  // --- steps ---

  /** One instruction; what is due at its boundary is delivered first. */
  step(): void {
    this.#deliverPlanned();
    const { retired } = this.#nt.step(this.number);
    if (retired) for (const planned of this.#planned) planned.left--;
  }

  /** So many instructions. */
  steps(count: number): void {
    for (let step = 0; step < count; step++) this.step();
  }

  /** Goes on with whatever this processor is doing, in its thread mostly, for so many instructions. */
  idle(count: number): void {
    this.steps(count);
  }

  /** Steps until this processor is before the instruction at a place. */
  stepTo(place: Place, limit = STEP_LIMIT): void {
    const address = this.#nt.addressOf(place);
    this.stepUntil(() => this.registers.eip === address, this.#nt.nameOf(address), limit);
  }

  /** Steps until a condition holds; `what` is how an error calls it. */
  stepUntil(condition: () => boolean, what = "what is awaited", limit = STEP_LIMIT): void {
    for (let steps = 0; !condition(); steps++) {
      if (steps >= limit)
        throw new StepLimit(
          `processor ${this.number} does not come to ${what} in ${limit} steps: it is at ${this.place}`,
        );
      this.step();
    }
  }

  // --- interrupts ---

  /** A vector arrives at this processor's local APIC, now or at a boundary to come. */
  interrupt(vector: number, { after, at }: When = {}): void {
    if (after === undefined && at === undefined) this.#nt.machine.board.lapics.accept(this.number, vector, false);
    else this.#planned.push({ vector, left: after ?? 0, at: at === undefined ? undefined : this.#nt.addressOf(at) });
  }

  /** Interrupts placed at boundaries that have not come yet. */
  get planned(): number {
    return this.#planned.length;
  }

  #deliverPlanned(): void {
    const { eip } = this.registers;
    for (const planned of [...this.#planned]) {
      if (planned.at === undefined ? planned.left > 0 : planned.at !== eip) continue;
      this.#planned.splice(this.#planned.indexOf(planned), 1);
      this.#nt.machine.board.lapics.accept(this.number, planned.vector, false);
    }
  }

  toString(): string {
    return `processor ${this.number} at ${this.place}, IRQL ${this.irql}, ESP ${hex(this.registers.esp)}`;
  }
}

/** What registers hold when a routine is called, so that none of them helps it by chance. */
const GARBAGE: ReadonlyMap<number, number> = new Map(
  [EAX, ECX, EDX, EBX, EBP, ESI, EDI].map((register) => [register, (0xdec0de00 | register) >>> 0]),
);
