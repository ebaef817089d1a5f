// The machine: processors, board and virtual time over one memory, and the loop that gives every processor its slices.
import {
  type AccessObserver,
  Core,
  G_CPU,
  G_OBSERVED,
  G_PROCESSOR,
  G_RETURN,
  G_STATUS,
  G_YIELD,
  STATUS_NOT_IMPLEMENTED,
  STATUS_OK,
  STATUS_SPLIT,
} from "../cpu/core.ts";
import { resetProcessor, startFromSipi } from "../cpu/index.ts";
import { LinearMemory } from "../cpu/linear.ts";
import { INTERRUPT_WORDS, TASK_PRIORITY } from "../devices/lapic.ts";
import type { CompilerOptions, CompilerStatistics } from "../engine/compiler/compiler.ts";
import { type InstructionObserver, Interpreter } from "../engine/interpreter/interpreter.ts";
import * as L from "../memory/layout.ts";
import { Board } from "./board.ts";
import { firmwareData } from "./firmware.ts";
import type { ImageSymbol } from "./image.ts";
import {
  enterFlat,
  enterMultiboot,
  type LoadOptions,
  loadImage,
  place,
  planBoot,
  programSerialPort,
  type Ram,
  readImage,
} from "./loader.ts";
import { firmwareItems } from "./offer.ts";
import { SLICE_RULES, seedSlices } from "./slices.ts";
import { type Snapshot, WholeState } from "./state.ts";
import { makeTurns, type Turns } from "./turns.ts";
import { PhysicalMemory, Processor } from "./views.ts";

export interface MachineOptions {
  /** 1 to 32; default 1. */
  readonly processors?: number;
  /** Bytes of RAM: 1 to 3072 MiB in whole MiB; default 128 MiB. */
  readonly memory?: number;
  /** Seed of the slice generator: equal seeds give equal runs. Default 1. */
  readonly seed?: number;
  /** Bytes leaving the first serial port, as they leave. */
  readonly serial?: (byte: number) => void;
  /** Bytes written to port E9h. */
  readonly debug?: (byte: number) => void;
  /** The serial port's OUT2 gates its interrupt, as on most AT boards; default false. */
  readonly out2GatesInterrupt?: boolean;
  /**
   * Other processors may get in between the load and the store of a read-modify-write without LOCK, as on real hardware;
   * default false. Runs with it are slower.
   */
  readonly splitRmw?: boolean;
  /**
   * A ROM that ends at 4 GiB, whose last 128 KiB show below 1 MiB too: the boot processor starts in it, and finds the image
   * through fw_cfg. A multiple of 64 KiB, at most 16 MiB. Without one, images are loaded and entered directly.
   */
  readonly rom?: Uint8Array;
  /**
   * "interpreter": tier 0 alone. "auto" (the default): hot code is compiled to WebAssembly. "compiled": all code that can be
   * is, as soon as it is met; "everywhere": and can be entered at each instruction (a test's way to meet every path). The run is
   * the same with each of them.
   */
  readonly engine?: Engine;
  /** Budgets are not kept to: a benchmark's way to see what exactness costs. Runs are then not repeatable. Default false. */
  readonly inexact?: boolean;
}

export type Engine = "interpreter" | "compiled" | "auto" | "everywhere";

/**
 * Times the head of a loop is met before it is compiled, half of those of other entries: a compilation takes as long as some thousand
 * interpreted instructions.
 */
const HOT = 1000;

function compilerOptions(engine: Engine, inexact: boolean): CompilerOptions | null {
  if (engine === "interpreter") return null;
  const slices = { ...SLICE_RULES, interrupts: INTERRUPT_WORDS };
  const threshold = engine === "auto" ? HOT : 1;
  const everywhere = engine === "everywhere";
  return { threshold, everywhere, slices, exact: !inexact, plainRegister: TASK_PRIORITY };
}

/** Anything that can give the bytes of an image: the assembler's images do. */
export interface Bootable {
  elf(): Uint8Array;
}

export interface BootOptions extends MachineOptions, LoadOptions {
  /** What error messages call the image. */
  readonly name?: string;
}

/** Why a run ended. */
export type StopReason =
  /** Every processor halted or waiting, and nothing pending that could wake one. */
  | "halted"
  /** The instruction limit was reached. */
  | "budget"
  /** The guest wrote to port F4h. */
  | "guest exit"
  /** The guest reset the machine. */
  | "reset"
  /** A processor shut down. */
  | "triple fault"
  /** The guest used something this machine does not have. */
  | "not implemented"
  /** `stop()` was called. */
  | "stopped";

export interface RunResult {
  readonly reason: StopReason;
  /** The value written to port F4h. */
  readonly guestExit?: number;
  /** What was not implemented and where, how the guest reset itself, or which processor shut down. */
  readonly detail?: string;
  /** Retired instructions since power-on, a number a processor. */
  readonly instructions: readonly number[];
  /** The machine clock in ticks. */
  readonly clock: number;
}

export interface RunLimits {
  /** Total instructions, all processors together, counted from power-on. */
  readonly maxInstructions?: number;
  /** Slices from here on; one that a device's due time cuts in two counts as two. Ends a run as a spent budget does. */
  readonly maxSlices?: number;
}

/** How one step went. */
export interface StepResult {
  /** "access": a split instruction has done one access and is not complete. "delivered": only an exception or interrupt was. */
  readonly kind: "retired" | "access" | "delivered" | StopReason;
  readonly detail?: string;
  readonly guestExit?: number;
  /** The instruction was PAUSE (or HLT). */
  readonly paused: boolean;
}

/** What sees a run from outside, instruction by instruction; guest state is not theirs to change. */
export interface Observer extends InstructionObserver, Partial<AccessObserver> {}

const MIB = 0x100000;
/** Ticks and slices that an engine is asked to run at once, at most. */
const MOST_AT_ONCE = 1 << 30;
const SLICE_END = 0;
const NEXT_DUE = 1;
const ROM_UNIT = 0x10000;
const LARGEST_ROM = 16 * MIB;
/** How much of a ROM's end shows below 1 MiB. */
const ROM_ALIAS = 0x20000;
/** Shutdown codes that ask the firmware to go on where software said instead of starting up. */
const WARM_RESETS = [0x05, 0x0a];

export class Machine {
  readonly core: Core;
  readonly board: Board;
  readonly interpreter: Interpreter;
  readonly memory: PhysicalMemory;
  readonly processors: readonly Processor[];
  /** Symbols of the loaded image, by address. */
  symbols: readonly ImageSymbol[] = [];
  private ended: { reason: StopReason; guestExit?: number; detail?: string } | null = null;
  /** Ticks when the slice ends and when a device is next due: an array, since fractions in fields are allocated each time. */
  private readonly bounds = new Float64Array(2);
  /** Serial input that has not found room in the port yet: it lies in the host, as on the far end of a line. */
  private input: Uint8Array = new Uint8Array(0);
  private readonly state: WholeState;
  private readonly turns: Turns;
  private readonly rom: Uint8Array | null;
  /** An instruction is under way; and it has sent an INIT to the processor that executes it, which takes it when it is over. */
  private executing = false;
  private initialising = false;

  /** A machine at its reset state. Throws RangeError for sizes no machine has. */
  constructor(options: MachineOptions = {}) {
    const { processors = 1, memory = 128 * MIB, seed = 1, rom = null, engine = "auto", inexact = false } = options;
    if (!Number.isInteger(processors) || processors < 1 || processors > L.MAX_PROCESSORS)
      throw new RangeError(`machine: ${processors} processors asked for; 1 to ${L.MAX_PROCESSORS} can be had`);
    if (memory % MIB !== 0 || memory < MIB || memory > 3072 * MIB)
      throw new RangeError(`machine: ${memory} bytes of memory asked for; 1 to 3072 whole MiB can be had`);
    if (rom !== null && (rom.length === 0 || rom.length % ROM_UNIT !== 0 || rom.length > LARGEST_ROM))
      throw new RangeError(`machine: a ROM of ${rom.length} bytes; a multiple of 64 KiB up to 16 MiB would do`);
    this.rom = rom;
    const core = new Core(L.layoutOf(processors, memory));
    this.core = core;
    core.linear = new LinearMemory(core);
    this.state = new WholeState(core);
    this.board = new Board(
      core,
      {
        now: () => core.now(),
        currentProcessor: () => core.g[G_PROCESSOR],
        stopSoon: (processor) => this.lookAgain(processor),
        guestExit: (value) => this.end({ reason: "guest exit", guestExit: value }),
        reset: (why) => this.reset(why),
        init: (processor) => {
          this.initialise(processor);
          this.lookAgain();
        },
        sipi: (processor, vector) => {
          startFromSipi(core, processor, vector);
          this.interpreter.forgetModes();
          this.lookAgain();
        },
        notImplemented: (name) => core.notImplemented(name),
        serial: (byte) => options.serial?.(byte),
        serialRoom: () => this.feed(),
        debug: (byte) => options.debug?.(byte),
      },
      { out2GatesInterrupt: options.out2GatesInterrupt, ...(rom && { rom }) },
    );
    core.bus = this.board;
    this.turns = makeTurns(core, this.board);
    this.interpreter = new Interpreter(core, this.board, compilerOptions(engine, inexact));
    this.memory = new PhysicalMemory(core, rom ?? undefined);
    this.processors = Array.from({ length: processors }, (_, number) => new Processor(core, number));
    for (let processor = 0; processor < processors; processor++) {
      const time = (L.PROCESSOR_TIME + processor * L.PROCESSOR_TIME_SIZE) >> 3;
      core.f64[time + (L.T_APIC_DUE >> 3)] = Number.POSITIVE_INFINITY;
      resetProcessor(core, processor, "power-on", processor === 0);
    }
    this.board.reset();
    this.board.firmwareConfiguration.offer(firmwareItems(processors, memory));
    this.showRom();
    this.interpreter.splitUpdates = options.splitRmw === true;
    this.observe(null);
    seedSlices(core.i32, seed);
    core.i32[L.SLICE_PROCESSOR >> 2] = 0;
    this.interpreter.select(0);
  }

  /** A machine with an image loaded and the boot processor at its entry. Throws ImageError for a bad image. */
  static boot(image: Uint8Array | Bootable, options: BootOptions = {}): Machine {
    const machine = new Machine(options);
    machine.load(image, options);
    return machine;
  }

  /**
   * Loads a Multiboot kernel or boot sector into a machine just made: into its memory, or where it has a ROM, into what that
   * will be offered. Throws ImageError for a bad image.
   */
  load(image: Uint8Array | Bootable, options: LoadOptions & { name?: string } = {}): void {
    const { core, board } = this;
    const name = options.name ?? "image";
    const read = readImage(image instanceof Uint8Array ? image : image.elf(), name);
    this.symbols = read.symbols;
    const { ramSize } = core.layout;
    const processors = this.processors.length;
    if (this.rom) {
      const plan = planBoot(read, name, ramSize, options, true);
      board.firmwareConfiguration.offer(firmwareItems(processors, ramSize, plan, name));
      return;
    }
    const ram = this.ram();
    for (const { physical, bytes } of firmwareData(processors)) place(ram, physical, bytes, bytes.length);
    const loaded = loadImage(read, name, ram, options);
    this.markLoaded(ram);
    programSerialPort(board);
    if (loaded.format === "flat") enterFlat(core, loaded.entry);
    else enterMultiboot(core, loaded.entry, loaded.information);
    this.interpreter.reset();
    this.interpreter.select(0);
  }

  /** RAM for loaders: nobody has read or translated any of it yet. */
  private ram(): Ram {
    const { u8, layout } = this.core;
    return { u8, base: layout.ramBase, size: layout.ramSize, pieces: [] };
  }

  /** Pages that loaders have written are dirty. */
  private markLoaded({ pieces }: Ram): void {
    const { u8, layout } = this.core;
    for (const { start, end } of pieces) {
      const [first, last] = [Math.floor(start / L.PAGE), Math.ceil(end / L.PAGE)];
      u8.fill(L.ATTRIBUTE_DIRTY, layout.attributeBase + first, layout.attributeBase + last);
    }
  }

  /** The end of the ROM lies in RAM pages below 1 MiB that nobody can write. */
  private showRom(): void {
    const { rom } = this;
    if (!rom) return;
    const alias = rom.subarray(Math.max(rom.length - ROM_ALIAS, 0));
    place(this.ram(), MIB - alias.length, alias, alias.length);
    this.protectRom(); // which makes its pages dirty
  }

  private protectRom(): void {
    const { u8, layout } = this.core;
    const pages = Math.min(this.rom?.length ?? 0, ROM_ALIAS) / L.PAGE;
    const end = layout.attributeBase + MIB / L.PAGE;
    u8.fill(L.ATTRIBUTE_ROM | L.ATTRIBUTE_DIRTY, end - pages, end);
  }

  /**
   * Software pulled a reset line. With a ROM and a shutdown code in the CMOS memory this is a reset of the processors alone,
   * after which the firmware goes on where software told it; the whole board's reset ends the run.
   */
  private reset(why: string): void {
    const { board } = this;
    if (!this.rom || !WARM_RESETS.includes(board.cmos.shutdownCode)) {
      this.end({ reason: "reset", detail: why });
      return;
    }
    for (const { number } of this.processors) {
      board.lapics.reset(number, "init");
      this.initialise(number);
    }
    this.lookAgain();
  }

  /** An INIT reached a processor. The current one first ends the instruction that brought it about. */
  private initialise(processor: number): void {
    const { core, interpreter } = this;
    if (this.executing && processor === core.g[G_PROCESSOR]) {
      this.initialising = true;
      core.stopAfterThis();
      core.g[G_RETURN] = 1;
      return;
    }
    resetProcessor(core, processor, "init", processor === 0);
    interpreter.forgetModes();
  }

  /** Runs the current processor for up to `budget` instructions; returns the ticks used. */
  private execute(budget: number): number {
    this.executing = true;
    const used = this.interpreter.execute(budget);
    this.executing = false;
    if (this.initialising) {
      this.initialising = false;
      this.initialise(this.core.g[G_PROCESSOR]);
    }
    return used;
  }

  /** What became of compiled code so far; null without any. It is no part of the state, and a snapshot does not have it. */
  get statistics(): CompilerStatistics | null {
    return this.interpreter.compiler?.statistics ?? null;
  }

  /** The machine clock in ticks (1 ns nominal): one a retired instruction of any processor. */
  get clock(): number {
    return this.core.f64[L.CLOCK >> 3];
  }

  /** Watches the run from the next instruction on; null ends it. Watched runs are slower and otherwise the same. */
  observe(observer: Observer | null): void {
    const { core, interpreter } = this;
    interpreter.observer = observer;
    core.linear.observer = observer?.ring ?? (observer ? { read() {}, write() {}, ...bound(observer) } : null);
    core.g[G_OBSERVED] = observer || interpreter.splitUpdates ? 1 : 0;
    interpreter.forgetModes();
  }

  /** Ends the run after the current instruction; `run` then returns "stopped". */
  stop(): void {
    this.end({ reason: "stopped" });
  }

  /**
   * Bytes arrive at the first serial port: as many now as it has room for, the rest in the instant in which the guest makes
   * room. A run with input is repeated by giving the same bytes at the same `clock`.
   */
  receive(bytes: ArrayLike<number>): void {
    const waiting = new Uint8Array(this.input.length + bytes.length);
    waiting.set(this.input);
    waiting.set(bytes, this.input.length);
    this.input = waiting;
    this.feed();
  }

  private feed(): void {
    if (this.input.length === 0) return;
    this.input = this.input.subarray(this.board.uart.receive(this.input));
  }

  /** Runs until something ends it. Can be called again to go on, but for a guest that reset, crashed or exited. */
  run(limits: RunLimits = {}): RunResult {
    const { core, board, interpreter, turns } = this;
    const { f64, i32, g } = core;
    const { maxInstructions = Number.POSITIVE_INFINITY, maxSlices = Number.POSITIVE_INFINITY } = limits;
    let total = this.totalRetired();
    let slices = 0;
    let ahead = 0;
    /** Compiled code may go on from slice to slice by itself. */
    let isReady = false;
    this.ended = null;
    interpreter.forgetModes();
    g[G_STATUS] = STATUS_OK;
    this.bounds[NEXT_DUE] = board.nextDue();
    while (this.ended === null) {
      if (g[G_STATUS] === STATUS_NOT_IMPLEMENTED) {
        this.end({ reason: "not implemented", detail: `${core.stopReason}, asked for by a device` });
        break;
      }
      const now = f64[L.CLOCK >> 3];
      const due = this.bounds[NEXT_DUE];
      if (due <= now) {
        this.bounds[SLICE_END] = now;
        board.fireDue(now);
        this.bounds[NEXT_DUE] = board.nextDue();
        continue;
      }
      if (total >= maxInstructions || slices >= maxSlices) {
        this.ended = { reason: "budget" };
        break;
      }
      const ticks = Math.min(Math.ceil(due) - now, maxInstructions - total, MOST_AT_ONCE) | 0;
      if (isReady) {
        isReady = false;
        const run = interpreter.runSlices(ticks, Math.min(maxSlices - slices, MOST_AT_ONCE));
        if (run !== null) {
          total += run.ticks;
          slices += run.slices;
          ahead = run.slices > 0 ? run.ahead : ahead + run.ahead;
          isReady = run.isReady;
          continue;
        }
      }
      const processor = turns.pick();
      if (processor < 0) {
        const isOver = !turns.couldWake() || !board.passTime(turns.someCanRun);
        this.bounds[NEXT_DUE] = board.nextDue();
        if (isOver && g[G_STATUS] !== STATUS_NOT_IMPLEMENTED) this.ended = { reason: "halted" };
        continue;
      }
      if (i32[(core.blockOf(processor) >> 2) + L.R_ACTIVITY] === L.HALTED)
        i32[(core.blockOf(processor) >> 2) + L.R_ACTIVITY] = L.RUNNING;
      const budget = Math.min(i32[L.SLICE_LEFT >> 2], ticks);
      this.bounds[SLICE_END] = now + budget;
      interpreter.select(processor);
      const used = this.execute(budget);
      slices++;
      total += used;
      f64[L.CLOCK >> 3] = now + used;
      f64[(L.PROCESSOR_TIME + processor * L.PROCESSOR_TIME_SIZE + L.T_RETIRED) >> 3] += used;
      // Never below 0: who ended the slice early has set it to 0, and what was used of it depends on where budgets began.
      i32[L.SLICE_LEFT >> 2] = g[G_YIELD] !== 0 ? 0 : Math.max(0, i32[L.SLICE_LEFT >> 2] - used);
      const activity = i32[g[G_CPU] + L.R_ACTIVITY];
      if (activity !== L.RUNNING) i32[L.SLICE_LEFT >> 2] = 0;
      if (g[G_STATUS] === STATUS_NOT_IMPLEMENTED) {
        const eip = (i32[g[G_CPU] + L.R_EIP] >>> 0).toString(16).padStart(8, "0");
        this.end({ reason: "not implemented", detail: `${core.stopReason} at 0x${eip}` });
      } else if (activity === L.SHUTDOWN) this.end({ reason: "triple fault", detail: `processor ${processor}` });
      else if (((used + ahead === 0 && budget > 0) || g[G_STATUS] === STATUS_SPLIT) && i32[L.SLICE_LEFT >> 2] > 0)
        i32[L.SLICE_LEFT >> 2]--; // deliveries alone use up a slice too, and so does half an instruction: it may end there
      ahead = 0;
      isReady = true;
    }
    return this.result();
  }

  /**
   * One step of one processor while the clock stands still: an instruction, or with `splitting` one access of an unlocked
   * instruction. What is due at its boundary (NMI, interrupt, exception) is delivered first. For explorers, which choose
   * the order of steps themselves; slices and timers play no part.
   */
  step(processor: number): StepResult {
    const { core, interpreter } = this;
    const { g } = core;
    this.ended = null;
    interpreter.forgetModes();
    interpreter.select(processor);
    const block = g[G_CPU];
    // Steps retire without being counted, so deliveries of earlier ones say nothing here.
    core.i32[(L.PROCESSOR_TIME + processor * L.PROCESSOR_TIME_SIZE + L.T_DELIVERIES) >> 2] = 0;
    if (core.i32[block + L.R_ACTIVITY] === L.HALTED && this.turns.canRun(processor))
      core.i32[block + L.R_ACTIVITY] = L.RUNNING;
    const used = this.execute(1);
    const status = g[G_STATUS];
    if (status === STATUS_NOT_IMPLEMENTED) return { kind: "not implemented", detail: core.stopReason, paused: false };
    if (core.i32[block + L.R_ACTIVITY] === L.SHUTDOWN) return { kind: "triple fault", paused: false };
    const ended = this.ended as { reason: StopReason; guestExit?: number; detail?: string } | null;
    if (ended) return { kind: ended.reason, detail: ended.detail, guestExit: ended.guestExit, paused: false };
    if (status === STATUS_SPLIT) return { kind: "access", paused: false };
    return { kind: used > 0 ? "retired" : "delivered", paused: g[G_YIELD] !== 0 };
  }

  private result(): RunResult {
    const ended = this.ended ?? { reason: "stopped" };
    return { ...ended, instructions: this.processors.map((p) => p.retired), clock: this.clock };
  }

  private totalRetired(): number {
    return this.processors.reduce((sum, p) => sum + p.retired, 0);
  }

  private end(how: { reason: StopReason; guestExit?: number; detail?: string }): void {
    this.ended ??= how;
    this.core.stopAfterThis();
    this.core.g[G_RETURN] = 1;
  }

  /**
   * Something changed outside the current processor: it looks for interrupts, and the loop for an earlier due time. Where a
   * processor is named, an interrupt came for it and that is all.
   */
  private lookAgain(processor = -1): void {
    const { core } = this;
    core.stopAfterThis();
    const current = core.g[G_PROCESSOR];
    const isAlone = processor !== current && core.i32[L.SLICE_ALONE >> 2] !== 0;
    const isCrowded = isAlone && (processor < 0 ? this.turns.othersCanRun() : this.turns.canRun(processor));
    if (isCrowded) core.i32[L.SLICE_LEFT >> 2] = 0;
    if (processor < 0) this.bounds[NEXT_DUE] = this.board.nextDue();
    if (isCrowded || this.bounds[NEXT_DUE] < this.bounds[SLICE_END]) core.g[G_RETURN] = 1;
    if (core.word(L.R_ACTIVITY) !== L.RUNNING) core.g[G_RETURN] = 1;
  }

  // --- the whole state ---

  /** A copy of all guest-visible state. */
  snapshot(): Snapshot {
    return this.state.snapshot(this.input);
  }

  /** Puts back a snapshot of a machine of the same shape. Going back to the one restored last costs what has changed since. */
  restore(snapshot: Snapshot): void {
    this.state.restore(snapshot);
    this.input = snapshot.input;
    this.interpreter.reset();
    this.interpreter.select(this.core.i32[L.SLICE_PROCESSOR >> 2]);
  }

  /** Hash of everything, time included: sixteen hexadecimal digits. Equal runs have equal hashes. */
  hash(): string {
    return this.state.hash();
  }

  /** Hash of what decides future behaviour when time stands still: processors, devices, monitors and RAM. */
  stateHash(): string {
    return this.state.stateHash();
  }
}

function bound(observer: Observer): Partial<AccessObserver> {
  const own: Partial<AccessObserver> = {};
  if (observer.read) own.read = observer.read.bind(observer);
  if (observer.write) own.write = observer.write.bind(observer);
  if (observer.beforeAccess) own.beforeAccess = observer.beforeAccess.bind(observer);
  return own;
}
