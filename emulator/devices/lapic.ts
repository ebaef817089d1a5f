// The local APICs, one a processor, and the messages they send each other (SDM vol. 3A, chapter 10, xAPIC mode).
//
// A message arrives in the instant it is sent: the delivery status bits always read idle, and INIT and start-up IPIs need no
// delay between them. The timer counts at 1 GHz (one tick of the machine clock) through its divider; nothing ticks, counts
// are derived from the time the count began.
import {
  APIC_WORDS,
  PROCESSOR_BASE,
  PROCESSOR_SIZE,
  PROCESSOR_TIME,
  PROCESSOR_TIME_SIZE,
  R_APIC,
  T_APIC_DUE,
  T_APIC_START,
} from "../memory/layout.ts";
import { type MachineWords, NEVER } from "./device.ts";

// Register offsets (table 10-1); each register is the first dword of 16 bytes.
export const APIC_ID = 0x20;
export const APIC_VERSION = 0x30;
export const APIC_TPR = 0x80;
export const APIC_APR = 0x90;
export const APIC_PPR = 0xa0;
export const APIC_EOI = 0xb0;
export const APIC_LDR = 0xd0;
export const APIC_DFR = 0xe0;
export const APIC_SVR = 0xf0;
export const APIC_ISR = 0x100;
export const APIC_TMR = 0x180;
export const APIC_IRR = 0x200;
export const APIC_ESR = 0x280;
export const APIC_ICR_LOW = 0x300;
export const APIC_ICR_HIGH = 0x310;
export const APIC_LVT_TIMER = 0x320;
export const APIC_LVT_THERMAL = 0x330;
export const APIC_LVT_PERFORMANCE = 0x340;
export const APIC_LVT_LINT0 = 0x350;
export const APIC_LVT_LINT1 = 0x360;
export const APIC_LVT_ERROR = 0x370;
export const APIC_TIMER_INITIAL = 0x380;
export const APIC_TIMER_CURRENT = 0x390;
export const APIC_TIMER_DIVIDE = 0x3e0;

// Where a processor's APIC keeps what it knows: word offsets from R_APIC.
const ID = 0;
const TPR = 1;
const LDR = 2;
const DFR = 3;
const SVR = 4;
/** Errors as software sees them, and those detected since it last wrote the register. */
const ESR = 5;
const ERRORS = 6;
const ICR_LOW = 7;
const ICR_HIGH = 8;
/** Six local vector table entries in the order of their addresses. */
const LVT = 9;
const LVT_TIMER = LVT;
const LVT_LINT0 = LVT + 3;
const LVT_LINT1 = LVT + 4;
const LVT_ERROR = LVT + 5;
const TIMER_INITIAL = 15;
const TIMER_DIVIDE = 16;
/** The level at the LINT0 pin. */
const LINT0_PIN = 17;
/** Bit n: word n of the IRR (ISR) is not zero. The highest vector is then two steps away. */
const IRR_SUMMARY = 18;
const ISR_SUMMARY = 19;
const ISR = 24;
const TMR = 32;
const IRR = 40;
/**
 * Words of a processor's block that tell whether a maskable interrupt may be pending: none is while `line` is 0 and the IRR,
 * eight words whose summary has a bit for each that is not 0, holds no vector of a class above the TPR's.
 */
export const INTERRUPT_WORDS = {
  line: R_APIC + LINT0_PIN,
  requests: R_APIC + IRR,
  summary: R_APIC + IRR_SUMMARY,
  taskPriority: R_APIC + TPR,
} as const;
/**
 * The TPR as a word of a processor's block, in which a write of `mask`'s bits does all that a write to the register at `offset`
 * of the APIC's page does, as long as the word `quiet` is 0.
 */
export const TASK_PRIORITY = {
  offset: APIC_TPR,
  word: INTERRUPT_WORDS.taskPriority,
  mask: 0xff,
  quiet: INTERRUPT_WORDS.summary,
} as const;

// Delivery modes (10.5.1, 10.6.1, and the I/O APIC's redirection entries).
export const DELIVER_FIXED = 0;
export const DELIVER_LOWEST = 1;
export const DELIVER_SMI = 2;
export const DELIVER_REMOTE_READ = 3;
export const DELIVER_NMI = 4;
export const DELIVER_INIT = 5;
export const DELIVER_STARTUP = 6;
export const DELIVER_EXTINT = 7;
const NOT_BUILT: Readonly<Record<number, string>> = {
  [DELIVER_LOWEST]: "lowest priority delivery",
  [DELIVER_SMI]: "SMI delivery",
  [DELIVER_REMOTE_READ]: "remote read",
};

// Bits of the ICR (10.6.1) and of the local vector table (10.5.1).
const ICR_LOGICAL = 0x800;
const ICR_ASSERT = 0x4000;
const ICR_LEVEL = 0x8000;
const ICR_WRITABLE = 0xccfff;
const LVT_MODE = 0x700;
const LVT_MASKED = 0x10000;
const LVT_PERIODIC = 0x20000;
const LVT_WRITABLE = [0x300ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff];
const SVR_ENABLED = 0x100;
const SVR_WRITABLE = 0x3ff;

// Error status bits (10.5.3). Send accept is the P6 family's.
const ERROR_SEND_ACCEPT = 4;
const ERROR_SEND_VECTOR = 0x20;
const ERROR_RECEIVE_VECTOR = 0x40;
const ERROR_REGISTER = 0x80;

/** An integrated APIC, version 14h, whose highest local vector table entry is number 5. */
const VERSION = 0x50014;
const BROADCAST = 0xff;
const FIRST_LEGAL_VECTOR = 16;

export interface LocalApicWiring {
  /** An NMI reaches a processor. */
  nmi(processor: number): void;
  /** An INIT reaches a processor; its APIC has been reset. */
  init(processor: number): void;
  /** A start-up message reaches a processor; it begins at vector * 4096 if it was waiting for one. */
  startup(processor: number, vector: number): void;
  /** The end of a level-triggered interrupt, broadcast to the I/O APIC. */
  endOfInterrupt(vector: number): void;
  /** Something has changed that may interrupt a processor, this one alone if it is named, or move a due time. */
  changed(processor?: number): void;
  notImplemented(name: string): void;
}

/** Every processor's local APIC. Offsets are byte offsets into the APIC's page; values are int32; times are ticks. */
export class LocalApics {
  readonly #i32: Int32Array;
  readonly #f64: Float64Array;
  readonly #processors: number;
  readonly #wiring: LocalApicWiring;

  constructor(words: MachineWords, processors: number, wiring: LocalApicWiring) {
    this.#i32 = words.i32;
    this.#f64 = words.f64;
    this.#processors = processors;
    this.#wiring = wiring;
  }

  /**
   * The state after power-on or INIT (10.4.7): INIT keeps only the ID. One liberty, also QEMU's: the boot processor's LINT0
   * and LINT1 come up as ExtINT and NMI, so the 8259 reaches it as on a PC whose firmware has set up virtual wire mode.
   */
  reset(processor: number, kind: "power-on" | "init"): void {
    const i32 = this.#i32;
    const at = this.#at(processor);
    const id = kind === "init" ? i32[at + ID] : processor << 24;
    const pin = kind === "init" ? i32[at + LINT0_PIN] : 0;
    i32.fill(0, at, at + APIC_WORDS);
    i32[at + ID] = id;
    i32[at + LINT0_PIN] = pin;
    i32[at + DFR] = -1;
    i32[at + SVR] = 0xff;
    i32.fill(LVT_MASKED, at + LVT, at + LVT_ERROR + 1);
    if (processor === 0) {
      i32[at + LVT_LINT0] = DELIVER_EXTINT << 8;
      i32[at + LVT_LINT1] = DELIVER_NMI << 8;
    }
    this.#f64[timeIndex(processor, T_APIC_DUE)] = NEVER;
    this.#f64[timeIndex(processor, T_APIC_START)] = NEVER;
  }

  /** The register at a multiple of 16. Write-only and reserved ones read as 0; a reserved one is an error of the APIC's (10.5.3). */
  read(processor: number, offset: number, now: number): number {
    const i32 = this.#i32;
    const at = this.#at(processor);
    switch (offset) {
      case APIC_ID:
        return i32[at + ID];
      case APIC_VERSION:
        return VERSION;
      case APIC_TPR:
        return i32[at + TPR];
      case APIC_PPR:
        return this.#priority(at);
      case APIC_APR: // arbitration went with the serial APIC bus
      case APIC_EOI:
        return 0;
      case APIC_LDR:
        return i32[at + LDR];
      case APIC_DFR:
        return i32[at + DFR];
      case APIC_SVR:
        return i32[at + SVR];
      case APIC_ESR:
        return i32[at + ESR];
      case APIC_ICR_LOW:
        return i32[at + ICR_LOW];
      case APIC_ICR_HIGH:
        return i32[at + ICR_HIGH];
      case APIC_TIMER_INITIAL:
        return i32[at + TIMER_INITIAL];
      case APIC_TIMER_CURRENT:
        return this.#currentCount(processor, now) | 0;
      case APIC_TIMER_DIVIDE:
        return i32[at + TIMER_DIVIDE];
    }
    if (offset >= APIC_ISR && offset < APIC_ESR) {
      const first = offset < APIC_TMR ? ISR : offset < APIC_IRR ? TMR : IRR;
      return i32[at + first + ((offset >>> 4) & 7)];
    }
    if (offset >= APIC_LVT_TIMER && offset <= APIC_LVT_ERROR) return i32[at + lvtOf(offset)];
    this.#error(at, ERROR_REGISTER);
    return 0;
  }

  /** Writes the register at a multiple of 16. Read-only registers ignore it. */
  write(processor: number, offset: number, value: number, now: number): void {
    if (this.writeTimeless(processor, offset, value)) return;
    const i32 = this.#i32;
    const at = this.#at(processor);
    switch (offset) {
      case APIC_ID:
        i32[at + ID] = value & 0xff000000;
        return;
      case APIC_LDR:
        i32[at + LDR] = value & 0xff000000;
        return;
      case APIC_DFR:
        i32[at + DFR] = value | 0x0fffffff;
        return;
      case APIC_SVR:
        this.#writeSpurious(processor, at, value, now);
        return;
      case APIC_ESR:
        i32[at + ESR] = i32[at + ERRORS];
        i32[at + ERRORS] = 0;
        return;
      case APIC_TIMER_INITIAL:
        this.#catchUp(processor, now);
        i32[at + TIMER_INITIAL] = value;
        this.#f64[timeIndex(processor, T_APIC_START)] = value === 0 ? NEVER : now;
        this.#schedule(processor, now);
        return;
      case APIC_TIMER_DIVIDE:
        this.#writeDivide(processor, at, value, now);
        return;
      case APIC_VERSION:
      case APIC_APR:
      case APIC_PPR:
      case APIC_TIMER_CURRENT:
        return;
    }
    if (offset >= APIC_ISR && offset < APIC_ESR) return;
    if (offset >= APIC_LVT_TIMER && offset <= APIC_LVT_ERROR) {
      this.#writeLocalVector(processor, at, lvtOf(offset), value, now);
      return;
    }
    this.#error(at, ERROR_REGISTER);
  }

  /** The registers that kernels write all the time, in which time has no part: false for any other, and nothing is done. */
  writeTimeless(processor: number, offset: number, value: number): boolean {
    const i32 = this.#i32;
    const at = this.#at(processor);
    switch (offset) {
      case APIC_EOI:
        this.#endOfInterrupt(processor, at);
        return true;
      case APIC_TPR:
        i32[at + TPR] = value & TASK_PRIORITY.mask;
        if (i32[at + IRR_SUMMARY] !== 0) this.#wiring.changed(processor);
        return true;
      case APIC_ICR_LOW:
        i32[at + ICR_LOW] = value & ICR_WRITABLE;
        this.#sendInterprocessor(processor, at);
        return true;
      case APIC_ICR_HIGH:
        i32[at + ICR_HIGH] = value & 0xff000000;
        return true;
    }
    return false;
  }

  /** The vector the processor would take now if its IF allowed it, or -1: the highest in the IRR, if above the PPR's class. */
  deliverable(processor: number): number {
    const at = this.#at(processor);
    const vector = this.#highest(at, IRR, IRR_SUMMARY);
    return vector >= 0 && vector >>> 4 > this.#priority(at) >>> 4 ? vector : -1;
  }

  /** The processor takes the deliverable vector: it moves from the IRR to the ISR. -1 if there is none. */
  acknowledge(processor: number): number {
    const at = this.#at(processor);
    const vector = this.deliverable(processor);
    if (vector < 0) return -1;
    this.#clear(at, IRR, IRR_SUMMARY, vector);
    this.#set(at, ISR, ISR_SUMMARY, vector);
    return vector;
  }

  /** The 8259s' INTR, wired to LINT0, reaches this processor through its local vector table, software-disabled or not. */
  acceptsExternal(processor: number): boolean {
    const at = this.#at(processor);
    const entry = this.#i32[at + LVT_LINT0];
    return this.#i32[at + LINT0_PIN] !== 0 && (entry & (LVT_MODE | LVT_MASKED)) === DELIVER_EXTINT << 8;
  }

  /** The level at a processor's LINT0 pin. ExtINT is looked up when wanted; another mode sees the rising edge as one event. */
  setLint0(processor: number, asserted: boolean): void {
    const at = this.#at(processor);
    const was = this.#i32[at + LINT0_PIN];
    this.#i32[at + LINT0_PIN] = asserted ? 1 : 0;
    if (!asserted || was !== 0) return;
    const entry = this.#i32[at + LVT_LINT0];
    const mode = (entry & LVT_MODE) >>> 8;
    if (mode === DELIVER_EXTINT) this.#wiring.changed();
    else if ((entry & LVT_MASKED) === 0) this.#deliverTo(processor, mode, entry & 0xff, false);
  }

  /** A vector arrives at a processor's APIC (10.8.4): held in the IRR, merged with one like it, dropped if software-disabled. */
  accept(processor: number, vector: number, levelTriggered: boolean): void {
    const at = this.#at(processor);
    if ((this.#i32[at + SVR] & SVR_ENABLED) === 0) return;
    if (vector < FIRST_LEGAL_VECTOR) {
      this.#error(at, ERROR_RECEIVE_VECTOR);
      return;
    }
    this.#set(at, IRR, IRR_SUMMARY, vector);
    const bit = 1 << (vector & 31);
    if (levelTriggered) this.#i32[at + TMR + (vector >>> 5)] |= bit;
    else this.#i32[at + TMR + (vector >>> 5)] &= ~bit;
    this.#wiring.changed(processor);
  }

  /** Delivers a message to every APIC its destination matches (10.6.2); false if none does. */
  send(mode: number, vector: number, destination: number, logical: boolean, levelTriggered: boolean): boolean {
    if (mode === DELIVER_LOWEST) {
      this.#wiring.notImplemented(NOT_BUILT[mode]);
      return true;
    }
    let found = false;
    for (let processor = 0; processor < this.#processors; processor++) {
      if (!this.#matches(processor, destination, logical)) continue;
      found = true;
      this.#deliverTo(processor, mode, vector, levelTriggered);
    }
    return found;
  }

  /** The timer's due time has come: interrupts and, if periodic, goes on. */
  fire(processor: number, now: number): void {
    const at = this.#at(processor);
    const entry = this.#i32[at + LVT_TIMER];
    if ((entry & LVT_MASKED) === 0) this.accept(processor, entry & 0xff, false);
    this.#schedule(processor, now);
  }

  // --- the interprocessor interrupt (10.6) ---

  #sendInterprocessor(sender: number, at: number): void {
    const command = this.#i32[at + ICR_LOW];
    const mode = (command & 0x700) >>> 8;
    const vector = command & 0xff;
    const level = (command & ICR_LEVEL) !== 0;
    const shorthand = (command >>> 18) & 3;
    if (mode === DELIVER_EXTINT) return; // reserved in the ICR
    // A level message that is not asserted only ended one: INIT level de-assert did nothing but synchronise arbitration IDs.
    if (level && (command & ICR_ASSERT) === 0) return;
    if (mode === DELIVER_FIXED && vector < FIRST_LEGAL_VECTOR) {
      this.#error(at, ERROR_SEND_VECTOR);
      return;
    }
    if (shorthand === 0) {
      const destination = this.#i32[at + ICR_HIGH] >>> 24;
      const accepted = this.send(mode, vector, destination, (command & ICR_LOGICAL) !== 0, level);
      if (!accepted) this.#error(at, ERROR_SEND_ACCEPT);
      return;
    }
    if (shorthand === 1) {
      if (mode === DELIVER_FIXED) this.accept(sender, vector, level);
      return; // every other mode is invalid with "self" (table 10-3)
    }
    for (let processor = 0; processor < this.#processors; processor++) {
      // "All including self" is defined for fixed interrupts only; the sender is left out of the others.
      if (processor === sender && (shorthand === 3 || mode !== DELIVER_FIXED)) continue;
      this.#deliverTo(processor, mode, vector, level);
    }
  }

  #matches(processor: number, destination: number, logical: boolean): boolean {
    const at = this.#at(processor);
    if (!logical) return destination === BROADCAST || destination === this.#i32[at + ID] >>> 24;
    if (this.#i32[at + DFR] >>> 28 === 0xf) return ((this.#i32[at + LDR] >>> 24) & destination) !== 0;
    this.#wiring.notImplemented("cluster logical destinations");
    return false;
  }

  #deliverTo(processor: number, mode: number, vector: number, levelTriggered: boolean): void {
    switch (mode) {
      case DELIVER_FIXED:
        this.accept(processor, vector, levelTriggered);
        return;
      case DELIVER_NMI:
        this.#wiring.nmi(processor);
        break;
      case DELIVER_INIT:
        this.reset(processor, "init");
        this.#wiring.init(processor);
        break;
      case DELIVER_STARTUP:
        this.#wiring.startup(processor, vector);
        break;
      default:
        this.#wiring.notImplemented(NOT_BUILT[mode] ?? `delivery mode ${mode}`);
        return;
    }
    this.#wiring.changed();
  }

  // --- registers with consequences ---

  #endOfInterrupt(processor: number, at: number): void {
    const vector = this.#highest(at, ISR, ISR_SUMMARY);
    if (vector < 0) return;
    this.#clear(at, ISR, ISR_SUMMARY, vector);
    if (((this.#i32[at + TMR + (vector >>> 5)] >>> (vector & 31)) & 1) !== 0) this.#wiring.endOfInterrupt(vector);
    if (this.#i32[at + IRR_SUMMARY] !== 0) this.#wiring.changed(processor);
  }

  /**
   * Disabling by software masks the local vector table (10.4.7.2), but here not the pins LINT0 and LINT1, as in QEMU: kernels
   * are tested there, and some write LINT0 before they enable the APIC.
   */
  #writeSpurious(processor: number, at: number, value: number, now: number): void {
    this.#catchUp(processor, now);
    this.#i32[at + SVR] = value & SVR_WRITABLE;
    if ((value & SVR_ENABLED) !== 0) return;
    for (let entry = LVT; entry <= LVT_ERROR; entry++) {
      if (!isPin(entry)) this.#i32[at + entry] |= LVT_MASKED;
    }
    this.#schedule(processor, now);
  }

  #writeLocalVector(processor: number, at: number, entry: number, value: number, now: number): void {
    const i32 = this.#i32;
    this.#catchUp(processor, now);
    if (entry === LVT_TIMER) this.#rebaseTimer(processor, now, (value & LVT_PERIODIC) !== 0, i32[at + TIMER_DIVIDE]);
    i32[at + entry] = value & LVT_WRITABLE[entry - LVT];
    if ((i32[at + SVR] & SVR_ENABLED) === 0 && !isPin(entry)) i32[at + entry] |= LVT_MASKED;
    if (entry === LVT_TIMER) this.#schedule(processor, now);
    else if (entry === LVT_LINT0 && i32[at + LINT0_PIN] !== 0) this.#wiring.changed();
  }

  #writeDivide(processor: number, at: number, value: number, now: number): void {
    this.#catchUp(processor, now);
    const periodic = (this.#i32[at + LVT_TIMER] & LVT_PERIODIC) !== 0;
    this.#rebaseTimer(processor, now, periodic, value & 0xb);
    this.#i32[at + TIMER_DIVIDE] = value & 0xb;
    this.#schedule(processor, now);
  }

  /** Notes an error and raises the error interrupt, unless its own vector is the illegal one. */
  #error(at: number, bit: number): void {
    const i32 = this.#i32;
    i32[at + ERRORS] |= bit;
    const entry = i32[at + LVT_ERROR];
    if ((entry & LVT_MASKED) !== 0 || (i32[at + SVR] & SVR_ENABLED) === 0) return;
    const vector = entry & 0xff;
    if (vector < FIRST_LEGAL_VECTOR) {
      i32[at + ERRORS] |= ERROR_RECEIVE_VECTOR;
      return;
    }
    this.#set(at, IRR, IRR_SUMMARY, vector);
    i32[at + TMR + (vector >>> 5)] &= ~(1 << (vector & 31));
    this.#wiring.changed();
  }

  // --- the timer (10.5.4) ---

  /** What the count has come down to; it is derived, so no processor pays for a timer that merely runs. */
  #currentCount(processor: number, now: number): number {
    const start = this.#f64[timeIndex(processor, T_APIC_START)];
    if (start === NEVER) return 0;
    const at = this.#at(processor);
    const initial = this.#i32[at + TIMER_INITIAL] >>> 0;
    const counted = Math.floor((now - start) / divider(this.#i32[at + TIMER_DIVIDE]));
    if ((this.#i32[at + LVT_TIMER] & LVT_PERIODIC) !== 0) return initial - (counted % initial);
    return Math.max(initial - counted, 0);
  }

  /** Moves the start so that the present count goes on under another mode or divider. */
  #rebaseTimer(processor: number, now: number, periodic: boolean, divide: number): void {
    const index = timeIndex(processor, T_APIC_START);
    if (this.#f64[index] === NEVER) return;
    const at = this.#at(processor);
    const wasPeriodic = (this.#i32[at + LVT_TIMER] & LVT_PERIODIC) !== 0;
    if (periodic === wasPeriodic && divide === this.#i32[at + TIMER_DIVIDE]) return;
    const current = this.#currentCount(processor, now);
    const counted = (this.#i32[at + TIMER_INITIAL] >>> 0) - current;
    // A count that has ended stays at 0 until software writes a new one.
    this.#f64[index] = current === 0 ? NEVER : now - counted * divider(divide);
  }

  /** Before a timer register changes: what is due at this very tick comes first. */
  #catchUp(processor: number, now: number): void {
    if (now >= this.#f64[timeIndex(processor, T_APIC_DUE)]) this.fire(processor, now);
  }

  /** Sets the next due time. A masked timer has none: its count is derived and nothing else comes of it. */
  #schedule(processor: number, now: number): void {
    const f64 = this.#f64;
    const at = this.#at(processor);
    const entry = this.#i32[at + LVT_TIMER];
    const start = f64[timeIndex(processor, T_APIC_START)];
    const period = (this.#i32[at + TIMER_INITIAL] >>> 0) * divider(this.#i32[at + TIMER_DIVIDE]);
    let due = NEVER;
    if (start !== NEVER && (entry & LVT_MASKED) === 0) {
      if ((entry & LVT_PERIODIC) !== 0) due = start + (Math.floor((now - start) / period) + 1) * period;
      else if (start + period > now) due = start + period;
    }
    f64[timeIndex(processor, T_APIC_DUE)] = due;
    this.#wiring.changed();
  }

  // --- sets of vectors ---

  #at(processor: number): number {
    return (PROCESSOR_BASE + processor * PROCESSOR_SIZE) / 4 + R_APIC;
  }

  /** The PPR (10.8.3.1): the higher class of the task's priority and of what is in service. */
  #priority(at: number): number {
    const task = this.#i32[at + TPR];
    const inService = this.#highest(at, ISR, ISR_SUMMARY);
    return inService >>> 4 > task >>> 4 && inService >= 0 ? inService & 0xf0 : task;
  }

  #highest(at: number, first: number, summary: number): number {
    const words = this.#i32[at + summary];
    if (words === 0) return -1;
    const word = 31 - Math.clz32(words);
    return word * 32 + 31 - Math.clz32(this.#i32[at + first + word]);
  }

  #set(at: number, first: number, summary: number, vector: number): void {
    const word = vector >>> 5;
    this.#i32[at + first + word] |= 1 << (vector & 31);
    this.#i32[at + summary] |= 1 << word;
  }

  #clear(at: number, first: number, summary: number, vector: number): void {
    const word = vector >>> 5;
    const left = (this.#i32[at + first + word] &= ~(1 << (vector & 31)));
    if (left === 0) this.#i32[at + summary] &= ~(1 << word);
  }
}

function timeIndex(processor: number, offset: number): number {
  return (PROCESSOR_TIME + processor * PROCESSOR_TIME_SIZE + offset) / 8;
}

function lvtOf(offset: number): number {
  return LVT + ((offset - APIC_LVT_TIMER) >>> 4);
}

function isPin(entry: number): boolean {
  return entry === LVT_LINT0 || entry === LVT_LINT1;
}

/** Figure 10-10: 0, 1, 2, 3, 8, 9, Ah divide by 2, 4, ... 128; Bh divides by 1. */
function divider(divide: number): number {
  return 1 << ((((divide & 3) | ((divide & 8) >>> 1)) + 1) & 7);
}
