// Tier 0: runs predecoded records, one handler call an instruction. The reference for every other engine.
import {
  type Core,
  CR0_PE,
  CR0_PG,
  G_BUDGET,
  G_CODE_MAP,
  G_CODE_PAGE,
  G_CPU,
  G_KEY,
  G_LEFT,
  G_LOCKED,
  G_MODE_CHANGED,
  G_OBSERVED,
  G_PROCESSOR,
  G_RESERVE,
  G_RETURN,
  G_STATUS,
  G_TLB_READ,
  G_TLB_WRITE,
  G_TOLD_READ,
  G_TOLD_WRITE,
  G_YIELD,
  IF,
  NMI,
  NO_CODE_PAGE,
  STATUS_EXCEPTION,
  STATUS_OK,
  STATUS_SPLIT,
  TF,
} from "../../cpu/core.ts";
import {
  deliver,
  deliverException,
  makeQuick,
  NO_ERROR_CODE,
  type PlainInstruction,
  plainOf,
  type Quick,
} from "../../cpu/index.ts";
import type { Form, Instruction } from "../../isa/instruction.ts";
import { CS, SS } from "../../isa/operands.ts";
import * as L from "../../memory/layout.ts";
import { Compiler, type CompilerOptions, LOOP, type SlicesRun } from "../compiler/compiler.ts";
import { segmentOffset } from "../compiler/runtime.ts";
import type { TraceRing } from "../trace/ring.ts";
import { makeBoundary, quickMnemonics } from "./boundary.ts";
import { CodeCache, KEY_32, KEY_STACK, keyFlat, type SpecialHandlers } from "./codecache.ts";
import { type Handler, makeEnvironment } from "./environment.ts";
import { CodeFinder } from "./finder.ts";
import { handlerCount, makeHandlers, variants } from "./generated/handlers.ts";
import { makeLoop } from "./loop.ts";
import * as F from "./record.ts";
import { specialHandlers } from "./special.ts";
import { makeTracedLoop } from "./traced.ts";

/** Where a processor's maskable interrupts come from: the board's local APICs and 8259. */
export interface Interrupts {
  /** A vector could be delivered to the processor now if its IF were set. */
  interruptPending(processor: number): boolean;
  /** Takes that vector. */
  acknowledge(processor: number): number;
}

/** What watches instructions from outside; runs with one are slower. */
export interface InstructionObserver {
  /** Before an instruction at `eip` runs. */
  before?(processor: number, eip: number, instruction: Instruction | null): void;
  /** After it retired, or ended otherwise. */
  after?(processor: number, eip: number, retired: boolean): void;
  interrupt?(processor: number, vector: number, kind: "external" | "exception" | "nmi", errorCode: number): void;
  /**
   * Who keeps every instruction has the engine write most of them here by itself, and hears of the others only; accesses are
   * all told to the ring. `settle` comes before the engine writes: what is still open there must be complete.
   */
  readonly ring?: TraceRing | null;
  settle?(): void;
}

/**
 * Deliveries in a row without an instruction retired between them that count as one tick. A delivery takes no time, so
 * handlers that fault at their first instruction, each time anew, would otherwise hold the machine for ever.
 */
const DELIVERIES_A_TICK = 64;

// What decides about fetches beyond the key.
const KEY_USER = 0x100;
const KEY_PAGING = 0x200;

// Descriptor attributes, in place in the high dword.
const ATTRIBUTE_P = 0x8000;
const ATTRIBUTE_CODE_SEGMENT = 0x800;
const ATTRIBUTE_EXPAND_DOWN = 0x400;
const ATTRIBUTE_WRITABLE = 0x200;
const ATTRIBUTE_D = 0x400000;

export class Interpreter {
  readonly core: Core;
  readonly cache: CodeCache;
  observer: InstructionObserver | null = null;
  /** Read-modify-writes without LOCK are two steps: others may run between them. Only looked at while G_OBSERVED is set. */
  splitUpdates = false;
  private readonly quick: Quick;
  private entriesShown = true;
  /** Tier 1, or null for a machine that does without. */
  readonly compiler: Compiler | null;
  private readonly interrupts: Interrupts;
  /** Per processor: what its code is decoded and fetched under, and where that is still known, its TLB for reads: never 0. */
  private readonly keys = new Int32Array(L.MAX_PROCESSORS).fill(-1);
  private readonly known: Int32Array;
  private readonly handlers: Handler[];
  private readonly finder: CodeFinder;
  private readonly inner: (p: number) => number;
  private traced: { ring: TraceRing; loop: (p: number) => number } | null = null;
  /** The last record that ran. */
  private last = 0;

  constructor(core: Core, interrupts: Interrupts, compiler: CompilerOptions | null) {
    this.core = core;
    this.interrupts = interrupts;
    this.known = core.i32.subarray(L.MODES_KNOWN >> 2, (L.MODES_KNOWN >> 2) + L.MAX_PROCESSORS).fill(0);
    const special: SpecialHandlers = {
      stale: handlerCount,
      goto: handlerCount + 1,
      relocate: handlerCount,
      across: handlerCount + 2,
      invalid: handlerCount + 3,
      tooLong: handlerCount + 4,
      unimplemented: handlerCount + 5,
    };
    const plainIndex = handlerCount + 6;
    const plainFunctions: PlainInstruction[] = [];
    const plainNumbers = new Map<PlainInstruction, number>();
    const choose = (form: Form, variant: number): { handler: number; plain: number } => {
      const xlat = form.mnemonic.startsWith("XLAT") ? 1 : 0;
      const handler = form.unimplemented === "" ? variants[form.id * 4 + (variant | xlat)] : -1;
      if (handler >= 0) return { handler, plain: 0 };
      const plain = plainOf(form);
      if (!plain) return { handler: special.unimplemented, plain: 0 };
      let number = plainNumbers.get(plain);
      if (number === undefined) {
        number = plainFunctions.length;
        plainNumbers.set(plain, number);
        plainFunctions.push(plain);
      }
      return { handler: plainIndex + 1 + quickMnemonics.indexOf(form.mnemonic), plain: number };
    };
    const chosen: { handler: number; plain: number }[] = [];
    const select = ({ form, memory, addressSize }: Instruction): { handler: number; plain: number } => {
      const variant = (memory ? 1 : 0) + (addressSize === 16 ? 2 : 0);
      return (chosen[form.id * 4 + variant] ??= choose(form, variant));
    };
    this.cache = new CodeCache(core.u8, core.layout, select, special, () => core.linear.tlbs.dropWritable());
    const finder = new CodeFinder(core, this.cache, special, () => this.compiler?.clear());
    this.finder = finder;
    core.linear.physical.codeWritten = (physical, bytes) => {
      if (this.cache.written(physical, bytes)) core.g[G_CODE_PAGE] = NO_CODE_PAGE;
      this.compiler?.written(physical, bytes);
    };
    core.linear.paging.translationsChanged = (processor) => this.forgetFetches(processor);

    const find = (eip: number): number => finder.find(eip);
    const watch = (p: number, isLoop: boolean): void => this.compiler?.watch(p, isLoop ? LOOP : undefined);
    const environment = makeEnvironment(core, this.cache, { find, watch, handlerCount });
    this.handlers = makeHandlers(environment);
    const wiring = {
      handlers: this.handlers,
      plainFunctions,
      eipOf: (p: number): number => finder.eipOf(p),
      find,
      decodeAcross: (p: number): boolean => finder.decodeAcross(p),
    };
    this.handlers.push(...specialHandlers(core, this.cache, wiring));
    this.quick = makeQuick(core);
    const boundary = makeBoundary(core, this.cache.code, {
      quick: this.quick,
      jumpTo: environment.jumpTo,
      plain: this.handlers[plainIndex],
      interruptPending: (processor) => interrupts.interruptPending(processor),
      takeInterrupt: () => this.takeInterrupt(),
      relocate: special.relocate,
      goto: special.goto,
    });
    this.handlers.push(...boundary.handlers);
    this.compiler = compiler && this.makeCompiler(compiler, plainIndex);
    this.inner = makeLoop(core, this.cache.code, this.handlers, boundary, (p) => {
      this.last = p;
    });
  }

  private makeCompiler(options: CompilerOptions, plainHandler: number): Compiler {
    const { core, cache, finder, handlers } = this;
    const countHandler = handlers.length;
    const compiler = new Compiler(
      {
        core,
        cache,
        handlers,
        handlerCount,
        plainHandler,
        countHandler,
        enterHandler: countHandler + 1,
        eipOf: (p) => finder.eipOf(p),
        find: (eip) => finder.find(eip),
        currentPage: () => cache.pageOfMap(core.g[G_CODE_MAP]),
      },
      options,
    );
    handlers.push(
      (p) => compiler.count(p),
      (p) => compiler.enter(p),
    );
    return compiler;
  }

  /** Everything derived from memory contents is looked up again: after a restore. */
  reset(): void {
    this.cache.clear();
    this.compiler?.clear();
    this.forgetFetches(-1);
    this.core.linear.paging.flushEverything();
  }

  private forgetFetches(processor: number): void {
    this.finder.forget(processor);
    this.compiler?.translationsChanged(processor);
  }

  /** Somebody else changed registers of processors: nothing remembered of their modes is good. */
  forgetModes(): void {
    if (this.compiler !== null) this.showEntries(this.core.g[G_OBSERVED] === 0);
    this.known.fill(0);
    this.core.g[G_MODE_CHANGED] = 1;
  }

  /** Observed runs are the interpreter's alone. */
  private showEntries(shown: boolean): void {
    if (this.entriesShown === shown) return;
    this.entriesShown = shown;
    if (shown) this.compiler?.resume();
    else this.compiler?.letGo();
  }

  /** Makes a processor the current one. */
  select(processor: number): void {
    const { core, known } = this;
    const { g } = core;
    if (g[G_MODE_CHANGED] !== 0) known[g[G_PROCESSOR]] = 0;
    g[G_PROCESSOR] = processor;
    g[G_CPU] = core.blockOf(processor) >> 2;
    g[G_STATUS] = STATUS_OK;
    g[G_LOCKED] = 0;
    if (known[processor] === 0) {
      this.modeChanged();
      return;
    }
    g[G_MODE_CHANGED] = 0;
    g[G_KEY] = this.keys[processor] & 0xff;
    g[G_CODE_PAGE] = NO_CODE_PAGE;
    this.selectTlbs();
  }

  /**
   * Goes on with the slice under way and those that follow as `Compiler.runSlices` does, without a look at each. Null where nobody
   * can. The processor whose slice it is then is the current one.
   */
  runSlices(ticks: number, slices: number): SlicesRun | null {
    const { core, compiler, known } = this;
    const { g } = core;
    if (compiler === null || g[G_OBSERVED] !== 0) return null;
    if (g[G_MODE_CHANGED] !== 0) known[g[G_PROCESSOR]] = 0;
    const run = compiler.runSlices(ticks, slices);
    if (run === null) return null;
    this.select(core.i32[L.SLICE_PROCESSOR >> 2]);
    compiler.afterSlices();
    return run;
  }

  /** Works out again what follows from segments, privilege and modes. */
  private modeChanged(): void {
    const { core } = this;
    const { g } = core;
    g[G_MODE_CHANGED] = 0;
    let key = 0;
    for (let segment = 0; segment < 6; segment++) {
      const attributes = core.segment(segment, L.S_ATTRIBUTES);
      const isCode = (attributes & ATTRIBUTE_CODE_SEGMENT) !== 0;
      const usable =
        segment === CS
          ? isCode
          : !isCode && (attributes & ATTRIBUTE_WRITABLE) !== 0 && (attributes & ATTRIBUTE_EXPAND_DOWN) === 0;
      const flat = core.segment(segment, L.S_BASE) === 0 && core.segment(segment, L.S_LIMIT) === -1;
      if (flat && usable && (attributes & ATTRIBUTE_P) !== 0) key |= keyFlat(segment);
    }
    if ((core.segment(CS, L.S_ATTRIBUTES) & ATTRIBUTE_D) !== 0) key |= KEY_32;
    if ((key & keyFlat(SS)) !== 0 && (core.segment(SS, L.S_ATTRIBUTES) & ATTRIBUTE_D) !== 0) key |= KEY_STACK;
    const user = core.word(L.R_CPL) === 3;
    const rights = key | (user ? KEY_USER : 0) | ((core.word(L.R_CR0) & CR0_PG) !== 0 ? KEY_PAGING : 0);
    const processor = g[G_PROCESSOR];
    if (this.keys[processor] !== rights) {
      this.keys[processor] = rights;
      this.finder.forget(processor);
      this.compiler?.translationsChanged(processor);
    }
    g[G_KEY] = key;
    g[G_CODE_PAGE] = NO_CODE_PAGE;
    this.selectTlbs();
    if (this.compiler !== null) this.describeSegments(key);
  }

  /** For compiled code: bases of segments that are not flat, and where four bytes can be sure to lie within them. */
  private describeSegments(key: number): void {
    const { core } = this;
    const isProtected = (core.word(L.R_CR0) & CR0_PE) !== 0;
    for (let segment = 0; segment < 6; segment++) {
      if (segment !== CS && (key & keyFlat(segment)) !== 0) continue;
      const attributes = core.segment(segment, L.S_ATTRIBUTES);
      const isCode = (attributes & ATTRIBUTE_CODE_SEGMENT) !== 0;
      const usable = (attributes & ATTRIBUTE_P) !== 0 && (isCode || (attributes & ATTRIBUTE_EXPAND_DOWN) === 0);
      const room = usable ? Math.max(0, (core.segment(segment, L.S_LIMIT) >>> 0) - 2) : 0;
      // In code segments the bit that makes data writable makes the code readable.
      const marked = (attributes & ATTRIBUTE_WRITABLE) !== 0;
      const tlb = core.g[G_TLB_READ];
      core.i32[tlb + (segmentOffset(segment, "base") >> 2)] = core.segment(segment, L.S_BASE);
      core.i32[tlb + (segmentOffset(segment, "readable") >> 2)] = !isProtected || !isCode || marked ? room : 0;
      core.i32[tlb + (segmentOffset(segment, "writable") >> 2)] = !isProtected || (!isCode && marked) ? room : 0;
    }
  }

  private selectTlbs(): void {
    const { core } = this;
    const { g } = core;
    const processor = g[G_PROCESSOR];
    const user = (this.keys[processor] & KEY_USER) !== 0;
    const never = (L.TLB_BASE + processor * L.TLB_SIZE + L.TLB_NEVER * L.TLB_BYTES) >> 2;
    const read = core.linear.tlbs.of(processor, false, user);
    const write = core.linear.tlbs.of(processor, true, user);
    const isObserved = g[G_OBSERVED] !== 0;
    const isTold = isObserved && this.ring !== null;
    this.known[processor] = read << 2;
    g[G_TLB_READ] = isObserved ? never : read;
    g[G_TLB_WRITE] = isObserved ? never : write;
    g[G_TOLD_READ] = isTold ? read : never;
    g[G_TOLD_WRITE] = isTold ? write : never;
  }

  /**
   * Runs the current processor for up to `budget` ticks from an instruction boundary; returns the ticks used. Returns early
   * when the processor halts, gives up its slice (G_YIELD), shuts down, or meets something that is not implemented.
   */
  execute(budget: number): number {
    const { core } = this;
    const { g } = core;
    g[G_BUDGET] = budget;
    g[G_LEFT] = budget;
    g[G_RESERVE] = 0;
    g[G_YIELD] = 0;
    g[G_RETURN] = 0;
    g[G_STATUS] = STATUS_OK;
    this.compiler?.beginSlice();
    for (;;) {
      if (g[G_LEFT] <= 0) {
        g[G_LEFT] = g[G_RESERVE];
        g[G_RESERVE] = 0;
      }
      if (g[G_LEFT] <= 0 || g[G_YIELD] !== 0 || g[G_RETURN] !== 0) break;
      if (core.word(L.R_ACTIVITY) !== L.RUNNING) break;
      if (g[G_MODE_CHANGED] !== 0) this.modeChanged();
      if (core.word(L.R_SHADOW) !== 0) {
        core.setWord(L.R_SHADOW, 0);
        core.stopAfterThis();
      } else if (this.interruptWindow()) {
        if (g[G_STATUS] !== STATUS_OK) break;
        continue;
      }
      if ((core.word(L.R_EFLAGS) & TF) !== 0) {
        core.notImplemented("single step");
        break;
      }
      if (!this.runSome()) break;
    }
    return budget - g[G_LEFT] - g[G_RESERVE];
  }

  /** Delivers an NMI or interrupt that is due at this boundary; true if it did. */
  private interruptWindow(): boolean {
    const { core } = this;
    if (core.word(L.R_MICRO_INDEX) !== 0) return false; // half an instruction is no boundary
    const processor = core.g[G_PROCESSOR];
    if (core.word(L.R_NMI_PENDING) !== 0 && core.word(L.R_NMI_MASKED) === 0) {
      core.setWord(L.R_NMI_PENDING, 0);
      core.setWord(L.R_NMI_MASKED, 1);
      this.observer?.interrupt?.(processor, NMI, "nmi", 0);
      this.deliverExternal(NMI);
      return true;
    }
    if ((core.word(L.R_EFLAGS) & IF) === 0 || !this.interrupts.interruptPending(processor)) return false;
    this.takeInterrupt();
    return true;
  }

  private takeInterrupt(): void {
    const processor = this.core.g[G_PROCESSOR];
    const vector = this.interrupts.acknowledge(processor);
    this.observer?.interrupt?.(processor, vector, "external", 0);
    this.deliverExternal(vector);
  }

  private deliverExternal(vector: number): void {
    const { core } = this;
    if (!this.quick.enter(vector, false, NO_ERROR_CODE, core.word(L.R_EIP))) {
      core.materialiseFlags();
      deliver(core, vector, "external", undefined);
    }
    if (core.g[G_STATUS] === STATUS_EXCEPTION) this.exception();
    else this.countDelivery();
  }

  /** Charges a tick for every so many deliveries without an instruction between them. */
  private countDelivery(): void {
    const { g, f64, i32 } = this.core;
    const time = L.PROCESSOR_TIME + g[G_PROCESSOR] * L.PROCESSOR_TIME_SIZE;
    const deliveries = (time + L.T_DELIVERIES) >> 2;
    const retired = f64[(time + L.T_RETIRED) >> 3] + (g[G_BUDGET] - g[G_LEFT] - g[G_RESERVE]);
    if (f64[(time + L.T_DELIVERED_AT) >> 3] !== retired) {
      f64[(time + L.T_DELIVERED_AT) >> 3] = retired;
      i32[deliveries] = 0;
    }
    if (++i32[deliveries] < DELIVERIES_A_TICK) return;
    i32[deliveries] = 0;
    g[G_LEFT]--;
  }

  /** Takes the pending exception; a shutdown (triple fault) leaves R_ACTIVITY saying so. */
  private exception(): void {
    const { core } = this;
    const { g } = core;
    this.observer?.interrupt?.(g[G_PROCESSOR], g[3], "exception", g[4]);
    core.materialiseFlags();
    if (deliverException(core) === "shutdown") core.setWord(L.R_ACTIVITY, L.SHUTDOWN);
    if (g[G_STATUS] === STATUS_EXCEPTION) g[G_STATUS] = STATUS_OK;
    this.countDelivery();
  }

  /** From R_EIP to the next stop of the inner loop; false when the run cannot go on. */
  private runSome(): boolean {
    const { core } = this;
    const { g } = core;
    const flatCode = (g[G_KEY] & keyFlat(CS)) !== 0;
    if (!flatCode || this.finder.isBeyond16(core.word(L.R_EIP))) core.stopAfterThis();
    const p = this.finder.locate();
    if (p < 0) return this.afterStatus();
    if (!flatCode && !this.finder.withinLimit(p)) return this.afterStatus();
    this.compiler?.arrive(p, g[G_LEFT] + g[G_RESERVE] === g[G_BUDGET]);
    const q = g[G_OBSERVED] !== 0 ? this.observedRun(p) : this.inner(p);
    if (q >= 0) {
      core.setWord(L.R_EIP, this.finder.eipOf(q));
      return true;
    }
    if (q === F.EXIT) {
      g[G_LEFT]--;
      return g[G_STATUS] === STATUS_OK || this.afterStatus();
    }
    if (q === F.BOUNDARY) return g[G_STATUS] === STATUS_OK;
    core.setWord(L.R_EIP, this.finder.eipOf(this.last));
    return q === F.RELOCATE || this.afterStatus();
  }

  private afterStatus(): boolean {
    const { core } = this;
    const status = core.g[G_STATUS];
    if (status === STATUS_EXCEPTION) {
      this.exception();
      return core.g[G_STATUS] === STATUS_OK;
    }
    return status === STATUS_OK;
  }

  /** The ring of an observer that has one and sees whole instructions: split ones are its own to tell. */
  private get ring(): TraceRing | null {
    return this.splitUpdates || this.core.linear.physical.journal !== null ? null : (this.observer?.ring ?? null);
  }

  private tracedLoop(): ((p: number) => number) | null {
    const { ring } = this;
    if (ring === null || (this.core.g[G_KEY] & KEY_32) === 0) return null;
    if (this.traced?.ring !== ring) {
      const lastWas = (p: number): void => {
        this.last = p;
      };
      this.traced = { ring, loop: makeTracedLoop(this.core, this.cache, this.handlers, handlerCount, lastWas, ring) };
    }
    return this.traced.loop;
  }

  /** The inner loop under observation; an observer may end it after any instruction. */
  private observedRun(start: number): number {
    const { g } = this.core;
    const traced = this.tracedLoop();
    let p = start;
    for (;;) {
      if (traced !== null) {
        this.observer?.settle?.();
        p = traced(p);
        if (p < 0 || g[G_LEFT] <= 0) return p;
      }
      p = this.observedStep(p);
      if (p < 0 || g[G_LEFT] <= 0 || g[G_RETURN] !== 0) return p;
    }
  }

  /** One instruction under observation. */
  private observedStep(p: number): number {
    const { core } = this;
    const { code, scratch } = this.cache;
    let at = p;
    while (code[at] === handlerCount + 1) at = code[at + F.F_TARGET];
    this.last = at;
    if (code[at] === handlerCount + 2) {
      // Across two pages: decoded afresh each time, and run from the scratch record.
      if (!this.finder.decodeAcross(at)) return F.FAULT;
      at = scratch;
      this.last = at;
    }
    core.g[G_LOCKED] = code[at + F.F_LOCKED];
    core.linear.access = 0;
    core.linear.accessDone = false;
    const eip = this.finder.eipOf(at);
    core.setWord(L.R_EIP, eip);
    // Stale records and bytes that are no instruction have none.
    const isNone = code[at] === handlerCount || code[at] === handlerCount + 3 || code[at] === handlerCount + 4;
    const instruction = isNone ? null : this.cache.instructions[code[at + F.F_INSTRUCTION]];
    if (instruction) {
      // Each iteration of a REP is seen on its own.
      if (instruction.repeat !== 0) core.stopAfterThis();
      if (this.splitUpdates) core.linear.splitting = isUpdate(instruction);
    }
    if (code[at] !== handlerCount) this.observer?.before?.(core.g[G_PROCESSOR], eip, instruction ?? null);
    const q = this.handlers[code[at]](at);
    core.g[G_LOCKED] = 0;
    if (core.g[G_STATUS] === STATUS_SPLIT) {
      if (core.linear.accessDone) core.setWord(L.R_MICRO_INDEX, core.word(L.R_MICRO_INDEX) + 1);
    } else if (core.linear.splitting && core.linear.access !== 0) this.clearMicroState();
    if (q >= 0) core.g[G_LEFT]--;
    if (q !== F.RELOCATE) this.observer?.after?.(core.g[G_PROCESSOR], eip, q !== F.FAULT);
    return q;
  }

  private clearMicroState(): void {
    const { core } = this;
    const at = core.g[G_CPU] + L.R_MICRO_INDEX;
    core.i32.fill(0, at, at + 1 + L.MICRO_VALUES);
  }
}

/** It reads and writes its memory operand. */
function isUpdate(instruction: Instruction | undefined): boolean {
  if (instruction?.memory !== true) return false;
  const { roles, access } = instruction.form;
  return access[roles.indexOf("rm")] === "rw";
}
