// A booted kernel: its processors, its memory, and what a test puts there.

import { type Assembler, type Data, type Image, Label, link, Procedure, proc, type Struct, type Type } from "#asm";
import { layout, type Machine } from "#emulator";
import * as kernel from "#kernel";
import { BugCheck, GuestStopped, hex, StepLimit } from "./errors.ts";
import {
  DPC_EVENT,
  EVENT,
  EVENT_BYTES,
  EVENTS,
  HarnessEventCount,
  HarnessEvents,
  HarnessThread,
  INTERRUPT_EVENT,
  noting,
} from "./guest.ts";
import { HarnessProcessor, type Place } from "./processor.ts";
import { type Trace, traced } from "./trace.ts";
import { type ByteStore, type View, viewOf } from "./view.ts";
import { type Writer, writerOn } from "./writer.ts";

/** Linear addresses of the harness's own routines, and of what tests allocate. The kernel ends below them. */
export const CODE = 0x80400000;
const MEMORY = 0x80600000;
const MEMORY_END = 0x80800000;
/** Every allocation has cache lines of its own, with bytes that nobody should expect in it and after it. */
const LINE = 64;
const GARBAGE = 0xcc;
/** Instructions that a run may take, all processors together, unless told otherwise. */
const RUN_LIMIT = 1_000_000;
/** What a bug check may take: it waits for the others to stop. */
const BUG_CHECK_LIMIT = 20_000_000;
/** How often a run looks whether it is over, in instructions. */
const RUN_STEP = 500;
const CRASHED = 6;
const JMP_REL32 = 0xe9;

/** A run of a DPC or service routine made by the harness. */
export interface HarnessEvent {
  readonly kind: "dpc" | "interrupt";
  readonly processor: number;
  readonly irql: number;
  /** What the routine was given: (Dpc, DeferredContext, SystemArgument1, 2) or (Vector, TrapFrame). */
  readonly parameters: readonly number[];
  readonly eflags: number;
}

export interface DpcOptions {
  /** LowImportance, MediumImportance (unless given), HighImportance, MediumHighImportance. */
  readonly importance?: number;
  /** Number of the processor that it runs on, wherever it is queued. */
  readonly target?: number;
  readonly context?: number;
  /** What the routine does besides being noted. */
  readonly body?: (a: Writer) => void;
}

/** A DPC object in the guest. */
export class HarnessDpc {
  readonly #nt: Nt;
  readonly address: number;

  constructor(nt: Nt, address: number) {
    this.#nt = nt;
    this.address = address;
  }

  /** The KDPC. */
  get object(): View<(typeof kernel.KDPC)["fields"]> {
    return viewOf(this.#nt, kernel.KDPC, this.address);
  }

  /** Its runs so far. */
  get events(): readonly HarnessEvent[] {
    return this.#nt.events.filter(({ kind, parameters }) => kind === "dpc" && parameters[0] === this.address);
  }

  get runs(): number {
    return this.events.length;
  }

  /** It is in a queue. */
  get queued(): boolean {
    return this.object.DpcData !== 0;
  }
}

/** A spin lock's word. */
export interface SpinLock {
  readonly address: number;
  word: number;
}

export class Nt implements ByteStore {
  readonly #machine: Machine;
  readonly image: Image;
  readonly #images: Image[];
  readonly processors: readonly HarnessProcessor[];
  /** Where processors are between calls. */
  readonly thread: number;
  /** Every routine of the kernel's library, by name. */
  readonly routines = routinesByName as Record<KernelRoutine, Procedure>;
  readonly #serial: readonly number[];
  readonly #bugCheckEntry: number;
  #nextCode: number;
  #nextMemory = MEMORY;
  #names = 0;
  #over = false;

  constructor(machine: Machine, image: Image, harness: Image, serial: readonly number[]) {
    this.#machine = machine;
    this.image = image;
    this.#images = [image, harness];
    this.thread = harness.addressOf(HarnessThread);
    this.#bugCheckEntry = this.addressOf("KiBugCheck");
    this.#nextCode = endOf(harness);
    this.#serial = serial;
    this.processors = machine.processors.map(({ number }) => new HarnessProcessor(this, number));
  }

  /** The machine. Another boot of the same kind takes it. */
  get machine(): Machine {
    if (this.#over) throw new Error("harness: this kernel's machine has been booted again");
    return this.#machine;
  }

  /** Its machine goes to another boot. */
  end(): void {
    this.#over = true;
  }

  /** What the serial port has said since the start. */
  get screen(): string {
    return String.fromCharCode(...this.#serial);
  }

  // --- memory and names ---

  load(address: number, bytes: number): number {
    const physical = this.#physical(address, bytes);
    const { memory } = this.machine;
    return bytes === 1 ? memory.byte(physical) : bytes === 2 ? memory.word(physical) : memory.dword(physical);
  }

  store(address: number, bytes: number, value: number): void {
    this.machine.memory.set(
      this.#physical(address, bytes),
      Array.from({ length: bytes }, (_, byte) => (value >>> (8 * byte)) & 0xff),
    );
  }

  dword(address: number): number {
    return this.load(address, 4);
  }

  setDword(address: number, value: number): void {
    this.store(address, 4, value);
  }

  /** A copy of so many bytes. */
  bytes(address: number, length: number): Uint8Array {
    return this.machine.memory.bytes(this.#physical(address, length), length);
  }

  #physical(address: number, bytes: number): number {
    const physical = this.machine.processors[0]!.physicalOf(address);
    if (physical < 0 || physical + bytes > this.machine.memory.size)
      throw new RangeError(`harness: there is no memory at ${hex(address)}`);
    return physical;
  }

  /** Fresh memory of so many bytes, or for a type; full of garbage unless told. Nothing else is within 64 bytes. */
  allocate(size: number | Type, fill = GARBAGE): number {
    const bytes = typeof size === "number" ? size : size.size;
    const address = this.#nextMemory;
    this.#nextMemory += Math.ceil(bytes / LINE + 1) * LINE;
    if (this.#nextMemory > MEMORY_END) throw new RangeError(`harness: no memory for ${bytes} more bytes`);
    this.machine.memory.set(this.#physical(address, bytes), new Uint8Array(this.#nextMemory - address).fill(fill));
    return address;
  }

  /** A structure in fresh memory, or at an address. */
  view<F extends { readonly [name: string]: Type }>(type: Struct<F>, address = this.allocate(type)): View<F> {
    return viewOf(this, type, address);
  }

  /** The address of a place in the code, or of a variable, by value or by name. */
  addressOf(place: Place | Label | Data): number {
    if (typeof place === "number") return place;
    for (const image of this.#images) {
      if (typeof place === "string") {
        const found = image.symbols.find(({ name }) => name === place);
        if (found) return found.address;
      } else if (image.has(place instanceof Label ? place.procedure : place)) return image.addressOf(place);
    }
    throw new Error(`harness: ${typeof place === "string" ? place : place.name} is not in the kernel's image`);
  }

  /** A name for an address, or the address. */
  nameOf(address: number): string {
    for (const image of this.#images) {
      const name = image.nameAt(address);
      if (name) return name;
    }
    return hex(address);
  }

  isThread(eip: number): boolean {
    const { thread } = this;
    return eip >= thread && eip < thread + THREAD_BYTES;
  }

  // --- things in the guest ---

  /** A free spin lock, of either kind. */
  spinLock(): SpinLock {
    const address = this.allocate(4);
    this.setDword(address, 0);
    const load = (): number => this.dword(address);
    const store = (value: number): void => this.setDword(address, value);
    return {
      address,
      get word() {
        return load();
      },
      set word(value) {
        store(value);
      },
    };
  }

  /** A handle for a queued lock, full of garbage. */
  lockHandle(): View<(typeof kernel.KLOCK_QUEUE_HANDLE)["fields"]> {
    return this.view(kernel.KLOCK_QUEUE_HANDLE);
  }

  /** A DPC object made with the kernel's own routines, whose routine notes that it runs. */
  dpc({ importance, target, context = 0, body }: DpcOptions = {}): HarnessDpc {
    const { KeInitializeDpc, KeSetImportanceDpc, KeSetTargetProcessorDpc } = this.routines;
    const name = `HarnessDpc${++this.#names}`;
    const routine = this.#link(noting(name, DPC_EVENT, 4, body && ((a) => body(writerOn(a)))));
    const address = this.allocate(kernel.KDPC);
    const [processor] = this.processors;
    processor!.call(KeInitializeDpc, address, routine, context);
    if (importance !== undefined) processor!.call(KeSetImportanceDpc, address, importance);
    if (target !== undefined) processor!.call(KeSetTargetProcessorDpc, address, target);
    return new HarnessDpc(this, address);
  }

  /** Has a vector served by a routine of the harness, which notes that it runs and does what `body` writes. */
  serve(vector: number, body?: (a: Writer) => void): void {
    const name = `HarnessService${vector.toString(16)}n${++this.#names}`;
    const routine = this.#link(noting(name, INTERRUPT_EVENT, 2, body && ((a) => body(writerOn(a)))));
    this.interruptEntry(vector).ServiceRoutine = routine;
  }

  /** The kernel's entry for a vector: who serves it, at which level. */
  interruptEntry(vector: number): View<(typeof kernel.KINTERRUPT_ENTRY)["fields"]> {
    const { KiInterruptTable, KINTERRUPT_ENTRY } = kernel;
    return this.view(KINTERRUPT_ENTRY, this.addressOf(KiInterruptTable) + vector * KINTERRUPT_ENTRY.size);
  }

  /** What the harness's DPC and service routines noted, in the order in which they began. */
  get events(): readonly HarnessEvent[] {
    const count = this.dword(this.addressOf(HarnessEventCount));
    if (count > EVENTS) throw new RangeError(`harness: ${count} runs of DPCs and interrupts; ${EVENTS} can be noted`);
    const base = this.addressOf(HarnessEvents);
    return Array.from({ length: count }, (_, index) => {
      const at = (offset: number): number => this.dword(base + index * EVENT_BYTES + offset);
      const kind = at(EVENT.kind) === DPC_EVENT ? "dpc" : "interrupt";
      return {
        kind,
        processor: at(EVENT.processor),
        irql: at(EVENT.irql),
        parameters: Array.from({ length: kind === "dpc" ? 4 : 2 }, (_, n) => at(EVENT.parameters + 4 * n)),
        eflags: at(EVENT.eflags),
      } as const;
    });
  }

  /** Vectors that `serve` has noted, in their order. */
  get served(): readonly number[] {
    return this.events.filter(({ kind }) => kind === "interrupt").map(({ parameters }) => parameters[0]!);
  }

  /** Puts a routine of one's own into memory; its value is its place. It may call the kernel's. */
  routine(name: string, body: (a: Writer) => void): Procedure {
    return this.assembled(name, (a) => body(writerOn(a)));
  }

  /** The same for a body that is written with the assembler alone. */
  assembled(name: string, body: (a: Assembler) => void): Procedure {
    const routine = proc(`${name}n${++this.#names}`, body);
    this.#link(routine);
    return routine;
  }

  /** Has every call of a kernel's routine, and every jump to it, come to another one instead, which need not return. */
  replace(routine: Procedure, by: Procedure | ((a: Writer) => void)): void {
    const other = by instanceof Procedure ? by : proc(`${routine.name}Instead`, (a) => by(writerOn(a)));
    const target = this.#link(other);
    const from = this.addressOf(routine);
    this.store(from, 1, JMP_REL32);
    this.setDword(from + 1, target - (from + 5));
  }

  /** Links a routine against all that is there and copies it to its place; its address. */
  #link(routine: Procedure): number {
    const against = this.#images.at(-1)!;
    const image = this.build(() => link(routine, { base: this.#nextCode, multiboot: false, against }));
    copyTo(this.machine, image);
    this.#nextCode = endOf(image);
    if (this.#nextCode > MEMORY) throw new RangeError("harness: no memory for more code");
    this.#images.push(image);
    return image.addressOf(routine);
  }

  /** Links as the kernel was built. */
  build: <T>(make: () => T) => T = (make) => make();

  // --- running ---

  /** One step of a processor. */
  step(processor: number): { readonly retired: boolean } {
    const { machine } = this;
    const { kind, detail, guestExit } = machine.step(processor);
    if (machine.processors[processor]!.eip === this.#bugCheckEntry) this.#bugCheck();
    if (kind === "retired" || kind === "access" || kind === "delivered") return { retired: kind === "retired" };
    throw new GuestStopped(`processor ${processor} ends the run: ${kind} ${detail ?? guestExit ?? ""}`);
  }

  /** All processors together, in slices as the machine deals them, until a condition holds. Time goes on meanwhile. */
  run(until: () => boolean, limit = RUN_LIMIT): void {
    const { machine } = this;
    const begun = this.#retired();
    while (!until()) {
      const now = this.#retired();
      if (now - begun >= limit) {
        const places = this.processors.map((processor) => processor.toString()).join("; ");
        throw new StepLimit(`what was awaited does not come in ${limit} instructions: ${places}`);
      }
      const { reason, detail, guestExit } = machine.run({ maxInstructions: now + RUN_STEP });
      if (reason === "guest exit" && guestExit === CRASHED) throw this.#bugCheckFound();
      if (reason !== "budget") throw new GuestStopped(`the machine ends: ${reason} ${detail ?? guestExit ?? ""}`);
    }
  }

  /** Runs all processors until what each has begun has returned. */
  finish(limit = RUN_LIMIT): void {
    const busy = this.processors.filter((processor) => !processor.returned);
    this.run(() => busy.every((processor) => processor.returned), limit);
    for (const processor of busy) processor.finish();
  }

  #retired(): number {
    return this.machine.processors.reduce((sum, { retired }) => sum + retired, 0);
  }

  /** A processor is about to stop the machine: all of them run, as the others are stopped by it. */
  #bugCheck(): never {
    const { reason, guestExit } = this.machine.run({ maxInstructions: this.#retired() + BUG_CHECK_LIMIT });
    if (reason !== "guest exit" || guestExit !== CRASHED)
      throw new GuestStopped(`a bug check does not end the machine: ${reason} ${guestExit ?? ""}`);
    throw this.#bugCheckFound();
  }

  #bugCheckFound(): BugCheck {
    const at = this.addressOf(kernel.KiBugCheckData);
    return new BugCheck(
      Array.from({ length: 7 }, (_, index) => this.dword(at + 4 * index)),
      this.screen,
    );
  }

  /** The bug check that an action ends in. Throws if it ends otherwise. */
  bugCheckOf(action: () => void): BugCheck {
    try {
      action();
    } catch (error) {
      if (error instanceof BugCheck) return error;
      throw error;
    }
    throw new Error("no bug check came");
  }

  /** Whether an action does not come to its end within its bound of steps. */
  hangs(action: () => void): boolean {
    try {
      action();
      return false;
    } catch (error) {
      if (error instanceof StepLimit) return true;
      throw error;
    }
  }

  /** Everything that processors do while an action runs. */
  trace(action: () => void): Trace {
    return traced(this.machine, action);
  }

  /** Replaces a processor's EFLAGS. */
  setFlags(processor: number, eflags: number): void {
    const { core } = this.machine;
    const block = core.blockOf(processor) >> 2;
    core.i32[block + layout.R_EFLAGS] = eflags;
    core.i32[block + layout.R_LAZY] = 0;
  }
}

const THREAD_BYTES = 16;

/** Copies an image that was linked against the kernel to its place. */
export function copyTo(machine: Machine, image: Image): void {
  for (const { address, size, bytes } of image.sections) {
    const contents = new Uint8Array(size);
    contents.set(bytes);
    machine.memory.set(address - kernel.KSEG0_BASE, contents);
  }
}

/** Where the next image can begin. */
function endOf(image: Image): number {
  const end = Math.max(...image.sections.map(({ address, size }) => address + size));
  return Math.ceil(end / 16) * 16;
}

const routinesByName = Object.fromEntries(
  Object.entries(kernel).filter((entry): entry is [string, Procedure] => entry[1] instanceof Procedure),
);

/** Names of the kernel's routines. */
export type KernelRoutine = {
  [K in keyof typeof kernel]: (typeof kernel)[K] extends Procedure ? K : never;
}[keyof typeof kernel];
