// The 8254 interval timer at 1.193182 MHz and the PC's port 61h around it (Intel 8254 data sheet; 82371SB for port 61h).
//
// Nothing counts: a channel knows at which input clock its count was loaded, and counts and outputs follow from the time.
// Clocks lie on one grid that begins with the machine clock, so equal times give equal counts whatever was programmed when.
import { DEVICE_DUE, DEVICE_TIMES, PIT_BASE } from "../memory/layout.ts";
import { type Line, type MachineWords, NEVER, type PortDevice } from "./device.ts";

export const PIT_PORT = 0x40;
export const PIT_CONTROL = 0x43;
export const SYSTEM_CONTROL_PORT = 0x61;
/** Input clock in Hz; a tick is one nanosecond. */
export const PIT_HZ = 1193182;
/** Slot of channel 0 among the due times. */
export const DUE_PIT = DEVICE_DUE / 8;

const TICKS_PER_SECOND = 1e9;
/** Half a period of the DRAM refresh request that port 61h shows in bit 4. */
const REFRESH_TICKS = 15085;

// Words of a channel.
const MODE = 0;
/** Which bytes the processor reads and writes: 1 low, 2 high, 3 low then high. */
const ACCESS = 1;
const BCD = 2;
/** Count in force, 1 to 10000h (10000 in BCD); 0 before the first. */
const COUNT = 3;
/** Count written while modes 1, 2, 3 and 5 are under way: it takes over later. 0: none. */
const NEXT_COUNT = 4;
/** Low byte written, waiting for the high one: byte + 1. */
const LOW_BYTE = 5;
/** The next byte read is the high one. */
const READ_HIGH = 6;
const GATE = 7;
/** Latched count and how many of its bytes are left to read; latched status + 1. */
const LATCH = 8;
const LATCH_BYTES = 9;
const STATUS_LATCH = 10;
/** What the channel is doing: IDLE, COUNTING or PAUSED. */
const STATE = 11;
/** Level at channel 0's output as last told to the interrupt controllers. */
const OUTPUT = 12;
const CHANNEL_WORDS = 16;
/** Port 61h's bits 0 to 3. */
const PORT_61 = PIT_BASE / 4 + 3 * CHANNEL_WORDS;
const PIT_WORDS = 3 * CHANNEL_WORDS + 1;

/** Waiting for a count to be written, or (modes 1 and 5) for a trigger. */
const IDLE = 0;
const COUNTING = 1;
/** Held by a low gate: modes 0 and 4 will go on, 2 and 3 begin afresh. */
const PAUSED = 2;

// Times of a channel, in clocks: when its count was loaded, when its next count takes over, how far it had come when paused.
const START = DEVICE_TIMES / 8;
const SWITCH = START + 3;
const COUNTED = START + 6;

export interface PitWiring {
  /** Output of channel 0. */
  interrupt: Line;
  /** The due time has moved. */
  changed(): void;
}

export class Pit implements PortDevice {
  readonly #i32: Int32Array;
  readonly #f64: Float64Array;
  readonly #wiring: PitWiring;

  constructor(words: MachineWords, wiring: PitWiring) {
    this.#i32 = words.i32;
    this.#f64 = words.f64;
    this.#wiring = wiring;
  }

  /** All channels wait for a count in mode 3, outputs high; the gates of 0 and 1 are tied high, that of 2 is port 61h's. */
  reset(): void {
    this.#i32.fill(0, PIT_BASE / 4, PIT_BASE / 4 + PIT_WORDS);
    for (let channel = 0; channel < 3; channel++) {
      this.#set(channel, MODE, 3);
      this.#set(channel, ACCESS, 3);
      this.#set(channel, GATE, channel === 2 ? 0 : 1);
      this.#clearTimes(channel);
    }
    this.#set(0, OUTPUT, 1);
    this.#f64[DUE_PIT] = NEVER;
    this.#wiring.interrupt(true);
  }

  readPort(port: number, now: number): number {
    if (port === SYSTEM_CONTROL_PORT) {
      const refresh = Math.floor(now / REFRESH_TICKS) % 2 === 1 ? 0x10 : 0;
      return this.#i32[PORT_61] | refresh | (this.output(2, now) ? 0x20 : 0);
    }
    return port === PIT_CONTROL ? 0xff : this.#readCount(port - PIT_PORT, clocksAt(now));
  }

  writePort(port: number, value: number, now: number): void {
    const clock = clocksAt(now);
    if (now >= this.#f64[DUE_PIT]) this.fire(now); // what is due at this very tick comes first
    if (port === SYSTEM_CONTROL_PORT) {
      this.#i32[PORT_61] = value & 0xf;
      this.#setGate(2, value & 1, clock);
    } else if (port !== PIT_CONTROL) {
      this.#writeCount(port - PIT_PORT, value, clock);
    } else if (value >>> 6 === 3) {
      this.#readBack(value, clock);
    } else {
      this.#control(value >>> 6, value, clock);
    }
    this.#schedule(clock);
  }

  /** The level at a channel's output. */
  output(channel: number, now: number): boolean {
    const clock = clocksAt(now);
    this.#settle(channel, clock);
    return this.#outputAt(channel, clock);
  }

  /** The due time has come: channel 0's output changes. */
  fire(now: number): void {
    const clock = clocksAt(now);
    this.#settle(0, clock);
    // Mode 2 is low for one clock only: its fall is told together with the rise at the reload, one event a period.
    if (this.#word(0, MODE) === 2) this.#drive(0);
    this.#schedule(clock);
  }

  // --- control words ---

  #control(channel: number, value: number, clock: number): void {
    const access = (value >>> 4) & 3;
    if (access === 0) {
      this.#latchCount(channel, clock);
      return;
    }
    const mode = (value >>> 1) & 7;
    this.#set(channel, MODE, mode > 5 ? mode - 4 : mode);
    this.#set(channel, ACCESS, access);
    this.#set(channel, BCD, value & 1);
    for (const word of [COUNT, NEXT_COUNT, LOW_BYTE, READ_HIGH, LATCH, LATCH_BYTES, STATUS_LATCH, STATE]) {
      this.#set(channel, word, 0);
    }
    this.#clearTimes(channel);
  }

  /** The read-back command: latches count (bit 5 clear) and status (bit 4 clear) of the channels in bits 1 to 3. */
  #readBack(value: number, clock: number): void {
    for (let channel = 0; channel < 3; channel++) {
      if (((value >>> (channel + 1)) & 1) === 0) continue;
      if ((value & 0x20) === 0) this.#latchCount(channel, clock);
      if ((value & 0x10) === 0 && this.#word(channel, STATUS_LATCH) === 0) {
        this.#set(channel, STATUS_LATCH, this.#status(channel, clock) + 1);
      }
    }
  }

  #status(channel: number, clock: number): number {
    this.#settle(channel, clock);
    const loaded = this.#word(channel, COUNT) !== 0 && this.#word(channel, NEXT_COUNT) === 0;
    const current = loaded && clock >= this.#f64[START + channel];
    const format = (this.#word(channel, ACCESS) << 4) | (this.#word(channel, MODE) << 1) | this.#word(channel, BCD);
    return (this.#outputAt(channel, clock) ? 0x80 : 0) | (current ? 0 : 0x40) | format;
  }

  // --- counts as the processor sees them ---

  #latchCount(channel: number, clock: number): void {
    if (this.#word(channel, LATCH_BYTES) !== 0) return; // the first latch holds until read
    this.#set(channel, LATCH, this.#countAt(channel, clock));
    this.#set(channel, LATCH_BYTES, this.#word(channel, ACCESS) === 3 ? 2 : 1);
  }

  #readCount(channel: number, clock: number): number {
    const status = this.#word(channel, STATUS_LATCH);
    if (status !== 0) {
      this.#set(channel, STATUS_LATCH, 0);
      return status - 1;
    }
    const access = this.#word(channel, ACCESS);
    const left = this.#word(channel, LATCH_BYTES);
    const count = left !== 0 ? this.#word(channel, LATCH) : this.#countAt(channel, clock);
    if (left !== 0) this.#set(channel, LATCH_BYTES, left - 1);
    if (left === 1) this.#set(channel, LATCH, 0);
    if (access !== 3) return access === 1 ? count & 0xff : count >>> 8;
    const high = this.#word(channel, READ_HIGH);
    this.#set(channel, READ_HIGH, high ^ 1);
    return high !== 0 ? count >>> 8 : count & 0xff;
  }

  #writeCount(channel: number, value: number, clock: number): void {
    const access = this.#word(channel, ACCESS);
    if (access !== 3) {
      this.#load(channel, access === 1 ? value : value << 8, clock);
      return;
    }
    const low = this.#word(channel, LOW_BYTE);
    if (low === 0) {
      this.#set(channel, LOW_BYTE, value + 1);
      // In mode 0 the first byte of two stops the count and takes the output low.
      if (this.#word(channel, MODE) === 0) {
        this.#set(channel, COUNT, 0);
        this.#set(channel, STATE, IDLE);
      }
      return;
    }
    this.#set(channel, LOW_BYTE, 0);
    this.#load(channel, (low - 1) | (value << 8), clock);
  }

  // --- counting ---

  /** A count has been written whole: it is loaded at the next clock, or when the mode says. */
  #load(channel: number, written: number, clock: number): void {
    this.#settle(channel, clock);
    const limit = this.#modulus(channel);
    const count = (this.#word(channel, BCD) !== 0 ? fromBcd(written) : written) || limit;
    const mode = this.#word(channel, MODE);
    const gate = this.#word(channel, GATE) !== 0;
    const state = this.#word(channel, STATE);
    if (mode === 1 || mode === 5) {
      // Waits for a trigger; a count under way is not disturbed.
      this.#set(channel, state === IDLE ? COUNT : NEXT_COUNT, count);
      return;
    }
    if ((mode === 2 || mode === 3) && state === COUNTING && clock >= this.#f64[START + channel]) {
      this.#set(channel, NEXT_COUNT, count);
      this.#f64[SWITCH + channel] = this.#nextReload(channel, clock);
      return;
    }
    this.#clearTimes(channel);
    this.#set(channel, COUNT, count);
    this.#set(channel, STATE, gate ? COUNTING : PAUSED);
    if (gate) this.#f64[START + channel] = clock + 1;
  }

  #setGate(channel: number, gate: number, clock: number): void {
    if (gate === this.#word(channel, GATE)) return;
    this.#settle(channel, clock);
    this.#set(channel, GATE, gate);
    const mode = this.#word(channel, MODE);
    if (this.#word(channel, COUNT) === 0) return;
    if (gate === 0) {
      if (mode === 1 || mode === 5) return;
      const counted = this.#elapsed(channel, clock);
      this.#clearTimes(channel);
      this.#f64[COUNTED + channel] = counted;
      this.#set(channel, STATE, PAUSED);
      return;
    }
    const goesOn = mode === 0 || mode === 4;
    const start = goesOn ? clock - this.#f64[COUNTED + channel] : clock + 1;
    const next = this.#word(channel, NEXT_COUNT);
    if (next !== 0) this.#set(channel, COUNT, next);
    this.#set(channel, NEXT_COUNT, 0);
    this.#clearTimes(channel);
    this.#f64[START + channel] = start;
    this.#set(channel, STATE, COUNTING);
  }

  #clearTimes(channel: number): void {
    this.#f64[START + channel] = 0;
    this.#f64[SWITCH + channel] = NEVER;
    this.#f64[COUNTED + channel] = 0;
  }

  /** Clocks counted since the load, 0 before it. */
  #elapsed(channel: number, clock: number): number {
    if (this.#word(channel, STATE) === PAUSED) return this.#f64[COUNTED + channel];
    return Math.max(clock - this.#f64[START + channel], 0);
  }

  /** Lets a next count take over if its clock has come. */
  #settle(channel: number, clock: number): void {
    const at = this.#f64[SWITCH + channel];
    if (clock < at) return;
    const old = this.#word(channel, COUNT);
    const next = this.#word(channel, NEXT_COUNT);
    // Mode 3 may switch in mid-period: the half that begins then is the low one of the new count.
    const half = this.#word(channel, MODE) === 3 && (at - this.#f64[START + channel]) % old !== 0;
    this.#f64[START + channel] = half ? at - highHalf(next) : at;
    this.#f64[SWITCH + channel] = NEVER;
    this.#set(channel, COUNT, next);
    this.#set(channel, NEXT_COUNT, 0);
  }

  /** The clock at which modes 2 and 3 next load their count: the end of the period, in mode 3 of the half period. */
  #nextReload(channel: number, clock: number): number {
    const count = this.#word(channel, COUNT);
    const elapsed = this.#elapsed(channel, clock);
    const begin = clock - (elapsed % count);
    if (this.#word(channel, MODE) === 3 && elapsed % count < highHalf(count)) return begin + highHalf(count);
    return begin + count;
  }

  /** The counting element, in binary or as four BCD digits. */
  #countAt(channel: number, clock: number): number {
    this.#settle(channel, clock);
    const count = this.#word(channel, COUNT);
    const modulus = this.#modulus(channel);
    const mode = this.#word(channel, MODE);
    const elapsed = this.#elapsed(channel, clock);
    let value = count;
    if (this.#word(channel, STATE) !== IDLE) {
      if (mode === 2) value = count - (elapsed % count);
      else if (mode === 3) {
        // Both halves count down by two from the even part of the count.
        const phase = elapsed % count;
        const high = highHalf(count);
        value = count - (count % 2) - 2 * (phase < high ? phase : phase - high);
      } else value = count - (elapsed % modulus);
    }
    const wrapped = (value + modulus) % modulus;
    return this.#word(channel, BCD) !== 0 ? toBcd(wrapped) : wrapped;
  }

  #outputAt(channel: number, clock: number): boolean {
    const mode = this.#word(channel, MODE);
    const count = this.#word(channel, COUNT);
    const state = this.#word(channel, STATE);
    if (count === 0 || state === IDLE) return mode !== 0;
    if (state === PAUSED && (mode === 2 || mode === 3)) return true;
    if (clock < this.#f64[START + channel] && mode !== 0) return true;
    const elapsed = this.#elapsed(channel, clock);
    switch (mode) {
      case 0:
      case 1:
        return elapsed >= count;
      case 2:
        return elapsed % count !== count - 1;
      case 3:
        return elapsed % count < highHalf(count);
      default:
        return elapsed !== count;
    }
  }

  /** Tells the interrupt controllers about channel 0's output and finds the clock of its next rising or falling edge. */
  #schedule(clock: number): void {
    this.#settle(0, clock);
    const mode = this.#word(0, MODE);
    const count = this.#word(0, COUNT);
    const elapsed = clock - this.#f64[START];
    let next = NEVER;
    if (this.#word(0, STATE) === COUNTING) {
      if (mode === 2) next = elapsed < 0 ? this.#f64[START] + count : clock - (elapsed % count) + count;
      else if (mode === 3) next = elapsed < 0 ? this.#f64[START] + highHalf(count) : this.#nextReload(0, clock);
      else if (elapsed < count) next = this.#f64[START] + count;
      else if (mode === 4 && elapsed === count) next = clock + 1;
    }
    this.#f64[DUE_PIT] = next === NEVER ? NEVER : ticksOf(next);
    this.#drive(mode === 2 || this.#outputAt(0, clock) ? 1 : 0);
    this.#wiring.changed();
  }

  #drive(level: number): void {
    if (level === this.#word(0, OUTPUT)) return;
    this.#set(0, OUTPUT, level);
    this.#wiring.interrupt(level !== 0);
  }

  #modulus(channel: number): number {
    return this.#word(channel, BCD) !== 0 ? 10000 : 0x10000;
  }

  #word(channel: number, word: number): number {
    return this.#i32[PIT_BASE / 4 + channel * CHANNEL_WORDS + word];
  }

  #set(channel: number, word: number, value: number): void {
    this.#i32[PIT_BASE / 4 + channel * CHANNEL_WORDS + word] = value;
  }
}

/** Input clocks that have passed at a machine time. Seconds and the rest apart, so that the products stay exact. */
export function clocksAt(ticks: number): number {
  const rest = ticks % TICKS_PER_SECOND;
  return ((ticks - rest) / TICKS_PER_SECOND) * PIT_HZ + Math.floor((rest * PIT_HZ) / TICKS_PER_SECOND);
}

/** The first tick at which that many input clocks have passed. */
export function ticksOf(clocks: number): number {
  const rest = clocks % PIT_HZ;
  return ((clocks - rest) / PIT_HZ) * TICKS_PER_SECOND + Math.ceil((rest * TICKS_PER_SECOND) / PIT_HZ);
}

/** Clocks of mode 3's high half: the longer one of an odd count. */
function highHalf(count: number): number {
  return Math.ceil(count / 2);
}

function fromBcd(value: number): number {
  return (value >>> 12) * 1000 + ((value >>> 8) & 15) * 100 + ((value >>> 4) & 15) * 10 + (value & 15);
}

function toBcd(value: number): number {
  const digit = (unit: number) => Math.floor(value / unit) % 10;
  return (digit(1000) << 12) | (digit(100) << 8) | (digit(10) << 4) | digit(1);
}
