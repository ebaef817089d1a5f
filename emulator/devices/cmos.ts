// The real-time clock and its battery-backed memory at ports 70h and 71h (Motorola MC146818A; register map of the IBM PC AT).
//
// The clock runs with the machine clock from a fixed moment, so it is the same in every run; software may set it. Nothing
// interrupts: a guest that enables one of its three interrupts is told that there are none here.
import { CMOS_BASE } from "../memory/layout.ts";
import type { MachineWords, PortDevice } from "./device.ts";

export const CMOS_INDEX = 0x70;
export const CMOS_DATA = 0x71;

// Registers. Times are 24-hour binary-coded decimal unless status B says otherwise.
const SECONDS = 0x00;
const MINUTES = 0x02;
const HOURS = 0x04;
const WEEKDAY = 0x06;
const DAY = 0x07;
const MONTH = 0x08;
const YEAR = 0x09;
const STATUS_A = 0x0a;
const STATUS_B = 0x0b;
const STATUS_C = 0x0c;
const STATUS_D = 0x0d;
/** What the firmware shall do after a reset: 0 start up, 5 and 0Ah jump through 40:67 (with and without an EOI before). */
export const CMOS_SHUTDOWN = 0x0f;
/** KiB below 1 MiB, low byte and high. */
const BASE_MEMORY = 0x15;
/** KiB between 1 MiB and 64 MiB, twice. */
const EXTENDED_MEMORY = [0x17, 0x30];
const CENTURY = 0x32;
/** Units of 64 KiB between 16 MiB and 4 GiB. */
const HIGH_MEMORY = 0x34;
const REGISTERS = 128;

/** Divider running at 32,768 Hz, periodic rate 1024 Hz. */
const STATUS_A_RUNNING = 0x26;
const B_SET = 0x80;
const B_INTERRUPTS = 0x70;
const B_BINARY = 4;
const B_24_HOURS = 2;
const PM = 0x80;
const D_VALID = 0x80;

// Words: the index, what software set the clock ahead by (seconds), then a word a register.
const INDEX = CMOS_BASE / 4;
const AHEAD = INDEX + 1;
const STORED = INDEX + 2;

const TICKS_PER_SECOND = 1e9;
const DAY_SECONDS = 86400;
/** 1 January 2026, a Thursday: what the clock shows at power-on, in days since 1 January 1970. */
const POWER_ON_DAY = 20454;

export interface CmosWiring {
  notImplemented(name: string): void;
}

/** The seven registers of a moment, as numbers. */
interface Moment {
  readonly second: number;
  readonly minute: number;
  readonly hour: number;
  readonly weekday: number;
  readonly day: number;
  readonly month: number;
  readonly year: number;
}

export class Cmos implements PortDevice {
  readonly #i32: Int32Array;
  readonly #ramSize: number;
  readonly #wiring: CmosWiring;

  /** `ramSize` is in bytes. */
  constructor(words: MachineWords, ramSize: number, wiring: CmosWiring) {
    this.#i32 = words.i32;
    this.#ramSize = ramSize;
    this.#wiring = wiring;
  }

  /** Power-on: the memory sizes are what the set-up program would have left there. */
  reset(): void {
    this.#i32.fill(0, INDEX, STORED + REGISTERS);
    this.#store(STATUS_A, STATUS_A_RUNNING);
    this.#store(STATUS_B, B_24_HOURS);
    const extended = Math.min(this.#ramSize / 1024 - 1024, 0xffff);
    this.#storeWord(BASE_MEMORY, 640);
    for (const register of EXTENDED_MEMORY) this.#storeWord(register, extended);
    this.#storeWord(HIGH_MEMORY, Math.max(this.#ramSize - 0x1000000, 0) / 0x10000);
  }

  /** The shutdown code that software left for the firmware. */
  get shutdownCode(): number {
    return this.#i32[STORED + CMOS_SHUTDOWN];
  }

  readPort(port: number, now: number): number {
    // The index cannot be read back.
    return port === CMOS_DATA ? this.#read(this.#i32[INDEX], now) : 0xff;
  }

  /** Bit 7 of the index keeps NMIs from the processor on a PC; no part of this board raises one through it. */
  writePort(port: number, value: number, now: number): void {
    if (port === CMOS_INDEX) this.#i32[INDEX] = value & (REGISTERS - 1);
    else this.#write(this.#i32[INDEX], value, now);
  }

  #read(register: number, now: number): number {
    if (register === STATUS_C) return 0;
    if (register === STATUS_D) return D_VALID;
    if (!isTime(register) || this.#isSetting()) return this.#i32[STORED + register];
    return this.#encoded(register, momentOf(this.#seconds(now)));
  }

  #write(register: number, value: number, now: number): void {
    if (register === STATUS_C || register === STATUS_D) return;
    if (register === STATUS_A) value &= 0x7f; // bit 7 tells of an update under way, which takes no time here
    if (register === STATUS_B) this.#writeStatusB(value, now);
    else if (isTime(register) && !this.#isSetting()) {
      this.#freeze(now);
      this.#store(register, value);
      this.#resume(now);
    } else this.#store(register, value);
  }

  /** While SET is one the time registers hold still, to be written one by one. */
  #writeStatusB(value: number, now: number): void {
    if ((value & B_INTERRUPTS) !== 0) this.#wiring.notImplemented("interrupts of the real-time clock");
    const was = this.#isSetting();
    if (!was && (value & B_SET) !== 0) this.#freeze(now);
    const resumes = was && (value & B_SET) === 0;
    this.#store(STATUS_B, value);
    if (resumes) this.#resume(now);
  }

  #isSetting(): boolean {
    return (this.#i32[STORED + STATUS_B] & B_SET) !== 0;
  }

  /** Seconds since 1970 that the clock shows. */
  #seconds(now: number): number {
    return POWER_ON_DAY * DAY_SECONDS + Math.floor(now / TICKS_PER_SECOND) + this.#i32[AHEAD];
  }

  #freeze(now: number): void {
    const moment = momentOf(this.#seconds(now));
    for (let register = SECONDS; register < REGISTERS; register++)
      if (isTime(register)) this.#store(register, this.#encoded(register, moment));
  }

  #resume(now: number): void {
    const of = (register: number) => this.#decoded(register, this.#i32[STORED + register]);
    const year = of(CENTURY) * 100 + of(YEAR);
    const seconds = (of(HOURS) * 60 + of(MINUTES)) * 60 + of(SECONDS);
    this.#i32[AHEAD] += daysOf(year, of(MONTH), of(DAY)) * DAY_SECONDS + seconds - this.#seconds(now);
  }

  #encoded(register: number, moment: Moment): number {
    const value = shownOf(register, moment);
    if (register !== HOURS || this.#has(B_24_HOURS)) return this.#digits(value);
    return this.#digits(value % 12 || 12) | (value >= 12 ? PM : 0);
  }

  #decoded(register: number, value: number): number {
    const plain = (digits: number) => (this.#has(B_BINARY) ? digits : (digits >>> 4) * 10 + (digits & 15));
    if (register !== HOURS || this.#has(B_24_HOURS)) return plain(value);
    return (plain(value & ~PM) % 12) + ((value & PM) !== 0 ? 12 : 0);
  }

  #digits(value: number): number {
    return this.#has(B_BINARY) ? value : (Math.floor(value / 10) << 4) | (value % 10);
  }

  #has(bit: number): boolean {
    return (this.#i32[STORED + STATUS_B] & bit) !== 0;
  }

  #store(register: number, value: number): void {
    this.#i32[STORED + register] = value & 0xff;
  }

  #storeWord(register: number, value: number): void {
    this.#store(register, value);
    this.#store(register + 1, value >>> 8);
  }
}

function isTime(register: number): boolean {
  return shownOf(register, MIDNIGHT) >= 0;
}

/** What a time register shows of a moment; -1 for other registers. */
function shownOf(register: number, moment: Moment): number {
  switch (register) {
    case SECONDS:
      return moment.second;
    case MINUTES:
      return moment.minute;
    case HOURS:
      return moment.hour;
    case WEEKDAY:
      return moment.weekday;
    case DAY:
      return moment.day;
    case MONTH:
      return moment.month;
    case YEAR:
      return moment.year % 100;
    case CENTURY:
      return Math.floor(moment.year / 100);
    default:
      return -1;
  }
}

// The calendar, by years that begin in March: their leap day is the last day, and months are 153 days to each five.
const DAYS_TO_MARCH_OF_0 = 719468;
const DAYS_400_YEARS = 146097;

/** Seconds since 1970 as date and time; Sunday is weekday 1. */
function momentOf(seconds: number): Moment {
  const days = Math.floor(seconds / DAY_SECONDS);
  const rest = seconds - days * DAY_SECONDS;
  const shifted = days + DAYS_TO_MARCH_OF_0;
  const era = Math.floor(shifted / DAYS_400_YEARS);
  const dayOfEra = shifted - era * DAYS_400_YEARS;
  const leaps = Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36524) + Math.floor(dayOfEra / 146096);
  const yearOfEra = Math.floor((dayOfEra - leaps) / 365);
  const dayOfYear = dayOfEra - daysInYears(yearOfEra);
  const fromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
  return {
    second: rest % 60,
    minute: Math.floor(rest / 60) % 60,
    hour: Math.floor(rest / 3600),
    weekday: ((((days + 4) % 7) + 7) % 7) + 1,
    day: dayOfYear - daysInMonths(fromMarch) + 1,
    month,
    year: era * 400 + yearOfEra + (month <= 2 ? 1 : 0),
  };
}

/** Days from 1 January 1970 to a date. */
function daysOf(year: number, month: number, day: number): number {
  const from = year - (month <= 2 ? 1 : 0);
  const era = Math.floor(from / 400);
  const months = month <= 2 ? month + 9 : month - 3;
  return era * DAYS_400_YEARS + daysInYears(from - era * 400) + daysInMonths(months) + day - 1 - DAYS_TO_MARCH_OF_0;
}

const daysInYears = (years: number): number => 365 * years + Math.floor(years / 4) - Math.floor(years / 100);
const daysInMonths = (months: number): number => Math.floor((153 * months + 2) / 5);

const MIDNIGHT = momentOf(0);
