// Our side of the witness: a machine with the arena at the same linear addresses, in ring 3 with paging, one instruction a case.
import { Machine } from "#emulator";
import {
  CR0_PE,
  CR0_PG,
  CR0_WP,
  G_CODE_PAGE,
  G_CPU,
  G_OBSERVED,
  G_STATUS,
  STATUS_NOT_IMPLEMENTED,
} from "../../../emulator/cpu/core.ts";
import * as L from "../../../emulator/memory/layout.ts";
import * as A from "./arena.ts";
import { type Case, canRunOn, hasPrefix } from "./case.ts";
import type { Outcome } from "./outcome.ts";

// Physical pages.
const GDT = 0x1000;
const IDT = 0x2000;
const TSS = 0x3000;
const LDT = 0x4000;
const STACK = 0x5000;
const HANDLERS = 0x6000;
const DIRECTORY = 0x10000;
const TABLE = 0x11000;
const SYSTEM_TABLE = 0x12000;
const PAGES = 0x20000;

/** The system's pages are mapped here, out of the way of every case. */
const SYSTEM = 0xe0000000;
const HANDLER_BYTES = 16;
const INNER_CODE = 0x08;
const INNER_DATA = 0x10;
const GDT_LIMIT = 0x7f;
/** The vectors a program of ring 3 may raise by itself. */
const OPEN_VECTORS = [3, 4];
const WITH_ERROR_CODE = new Set([8, 10, 11, 12, 13, 14, 17]);
const PAGE_FAULT = 14;
const IF = 0x200;
const HLT = 0xf4;
/** JMP to itself. */
const JMP_HERE = [0xeb, 0xfe];
/** Bytes that a case may write over or have decoded. */
const FOOTPRINT = 18;
/** Instructions by which a budget is longer than the case: the jump behind it uses them up, and compiled code is not cut short. */
const RUN_ON = 40;
/** A REP that takes more steps does not end. */
const MOST_STEPS = 1000;

const PRESENT = 1;
const WRITABLE = 2;
const USER = 4;

interface Segment {
  readonly base: number;
  readonly limit: number;
  readonly attributes: number;
}

export class OurProcessor {
  readonly #machine: Machine;
  readonly #isCompiled: boolean;
  readonly #segments = new Map<number, Segment>();
  /** Bytes of the code page that may have been decoded. */
  readonly #decoded = new Uint8Array(A.PAGE + 32);
  readonly #observer = {};

  /** Runs cases in the interpreter, or all that can be compiled in compiled code. */
  constructor(engine: "interpreter" | "compiled" = "interpreter") {
    this.#isCompiled = engine === "compiled";
    this.#machine = new Machine({
      processors: 1,
      memory: 0x100000,
      engine: this.#isCompiled ? "everywhere" : "interpreter",
    });
    const { core } = this.#machine;
    const descriptors: [number, number, number][] = [
      [GDT, INNER_CODE, 0x00cf9b00],
      [GDT, INNER_DATA, 0x00cf9300],
      [GDT, A.FLAT_CODE & ~7, 0x00cffb00],
      [GDT, A.FLAT_DATA & ~7, 0x00cff300],
    ];
    for (const [table, at, high] of descriptors) this.#poke(table + at, 0xffff, high);
    A.localSegments.forEach((segment, entry) => {
      if (segment !== undefined) this.#poke(LDT + 8 * entry, ...A.descriptorOf(segment));
    });
    for (let vector = 0; vector < 256; vector++) {
      const handler = (SYSTEM + HANDLERS + vector * HANDLER_BYTES) | 0;
      const type = OPEN_VECTORS.includes(vector) ? 0xee00 : 0x8e00;
      this.#poke(IDT + 8 * vector, (INNER_CODE << 16) | (handler & 0xffff), (handler & 0xffff0000) | type);
    }
    this.#ram.fill(HLT, HANDLERS, HANDLERS + L.PAGE);
    this.#poke(TSS + 4, SYSTEM + STACK + L.PAGE, INNER_DATA);
    this.#poke(TSS + 0x64, 0x680000); // the permission bitmap lies beyond the limit: no ports
    this.#poke(DIRECTORY + (A.ARENA >>> 22) * 4, TABLE | PRESENT | WRITABLE | USER);
    this.#poke(DIRECTORY + (SYSTEM >>> 22) * 4, SYSTEM_TABLE | PRESENT | WRITABLE);
    A.pages.forEach((rights, page) => {
      const entry = (PAGES + page * L.PAGE) | USER | PRESENT | (rights & 2 ? WRITABLE : 0);
      if (rights !== A.NONE) this.#poke(TABLE + 4 * page, entry);
    });
    for (let page = 0; page < 0x10; page++) this.#poke(SYSTEM_TABLE + 4 * page, (page * L.PAGE) | PRESENT | WRITABLE);

    core.setWord(L.R_GDTR_BASE, (SYSTEM + GDT) | 0);
    core.setWord(L.R_GDTR_LIMIT, GDT_LIMIT);
    core.setWord(L.R_IDTR_BASE, (SYSTEM + IDT) | 0);
    core.setWord(L.R_IDTR_LIMIT, 0x7ff);
    this.#setSystem(L.R_TR, 0x40, TSS, 0x67, 0x8b00);
    this.#setSystem(L.R_LDTR, 0x48, LDT, A.localSegments.length * 8 - 1, 0x8200);
    core.setWord(L.R_CR3, DIRECTORY);
    core.setWord(L.R_CR0, core.word(L.R_CR0) | CR0_PE | CR0_PG | CR0_WP);
    this.#segments.set(A.FLAT_CODE, { base: 0, limit: -1, attributes: 0x00c0fb00 });
    this.#segments.set(A.FLAT_DATA, { base: 0, limit: -1, attributes: 0x00c0f300 });
    A.localSegments.forEach((segment, entry) => {
      if (segment === undefined) return;
      const [, high] = A.descriptorOf(segment);
      const limit = segment.pages ? (segment.limit << 12) | 0xfff : segment.limit;
      this.#segments.set(A.local(entry), { base: segment.base, limit, attributes: high & 0x00f0ff00 });
    });
  }

  /** Gives the arena its bytes. */
  load(arena: Uint8Array): void {
    this.#arena.set(arena);
    this.#machine.interpreter.reset();
    this.#decoded.fill(0);
  }

  /** What has become of the arena. */
  unload(arena: Uint8Array): void {
    arena.set(this.#arena);
  }

  /** How many bytes of the arena are not those of another; the code page does not count. */
  distance(arena: Uint8Array): number {
    const own = this.#arena;
    const code = A.CODE_OFFSET;
    return arena.reduce(
      (apart, byte, at) => apart + (byte !== own[at] && (at < code || at >= code + A.PAGE) ? 1 : 0),
      0,
    );
  }

  /** Makes the memory of a case what another processor made of it. */
  adopt(one: Case, outcome: Outcome): void {
    for (const [i, { address }] of one.windows.entries()) this.#arena.set(outcome.windows[i]!, address - A.ARENA);
  }

  get #arena(): Uint8Array {
    return this.#ram.subarray(PAGES, PAGES + A.ARENA_SIZE);
  }

  /** What the instruction of a case does. Throws when the run stops for a reason no instruction of ring 3 has. */
  run(one: Case): Outcome {
    this.#prepare(one);
    if (!this.#isCompiled || one.mode !== "fast") return this.#execute(one);
    // The first time the translations are found, without which compiled code leaves accesses to the interpreter.
    this.#execute(one);
    this.#enter(one);
    return this.#execute(one);
  }

  /** Instructions that ran in compiled code so far. */
  get compiledInstructions(): number {
    return this.#machine.statistics?.instructions ?? 0;
  }

  #execute(one: Case): Outcome {
    const { core, interpreter } = this.#machine;
    const start = one.eip;
    // Compiled together, where that is what is wanted; else one after the other.
    const runsOn = this.#isCompiled && one.mode === "fast" && canRunOn(one);
    if (one.prelude.length > 0 && !runsOn) {
      interpreter.select(0);
      interpreter.execute(1);
    }
    let steps = 0;
    // A REP has not ended, nor a split instruction, while EIP stays.
    do {
      if (++steps > MOST_STEPS) throw new Error(`witness: ${one.form.syntax} does not end`);
      interpreter.select(0);
      const used = interpreter.execute((one.atOnce ? this.#iterations(one) : 1) + (runsOn ? RUN_ON : 0));
      if (core.g[G_STATUS] === STATUS_NOT_IMPLEMENTED)
        throw new Error(`witness: ${one.form.syntax} is not implemented: ${core.stopReason}`);
      if (used === 0 && core.word(L.R_CPL) === 3 && one.mode !== "split")
        throw new Error(`witness: ${one.form.syntax} does nothing`);
    } while (core.word(L.R_CPL) === 3 && core.word(L.R_EIP) === start);
    core.materialiseFlags();
    return core.word(L.R_CPL) === 3 ? this.#retired(one) : this.#interrupted(one);
  }

  #prepare(one: Case): void {
    const { interpreter } = this.#machine;
    const offset = (one.place & (A.PAGE - 1)) - one.prelude.length;
    if (this.#decoded.subarray(offset, offset + FOOTPRINT).some((used) => used !== 0)) {
      interpreter.reset();
      this.#decoded.fill(0);
    }
    this.#decoded.fill(1, offset, offset + FOOTPRINT);
    // A region goes on where its jumps lead, and knows the bytes there: nothing there may be written any more.
    if (this.#isCompiled && !canRunOn(one)) this.#decoded.fill(1);
    const at = PAGES + A.CODE_OFFSET + offset;
    const ram = this.#ram;
    // After the instruction, a jump to itself: a budget that is not used up changes nothing.
    const bytes = [...one.prelude, ...one.code, ...JMP_HERE];
    for (let i = 0; i < bytes.length && offset + i < A.PAGE; i++) ram[at + i] = bytes[i]!;
    this.#enter(one);
  }

  /** Memory and registers as the case has them. */
  #enter(one: Case): void {
    const { core } = this.#machine;
    const ram = this.#ram;
    for (const window of one.windows) ram.set(window.bytes, PAGES + (window.address - A.ARENA));

    const block = core.blockOf(0) >> 2;
    core.g[G_CPU] = block;
    core.i32.set(one.registers, block + L.R_EAX);
    core.setWord(L.R_EIP, one.eip - one.prelude.length);
    core.setEflags(one.eflags | IF);
    core.setWord(L.R_CPL, 3);
    core.setWord(L.R_CR2, 0);
    core.setWord(L.R_SHADOW, 0);
    core.setWord(L.R_DELIVERING, 0);
    core.setWord(L.R_MICRO_INDEX, 0);
    core.setWord(L.R_ACTIVITY, L.RUNNING);
    one.selectors.forEach((selector, segment) => {
      const known = this.#segments.get(selector);
      core.setSegment(segment, selector, known?.base ?? 0, known?.limit ?? 0, known?.attributes ?? 0);
    });
    core.g[G_CODE_PAGE] = 1;
    const observed = one.mode !== "fast";
    if ((core.g[G_OBSERVED] !== 0) !== observed) this.#machine.observe(observed ? this.#observer : null);
    core.linear.splitting = one.mode === "split";
  }

  /** The budget that a REP needs to its end. */
  #iterations(one: Case): number {
    const count = one.registers[1]!;
    return Math.max(1, hasPrefix(one.code, 0x67) === (one.bits === 32) ? count & 0xffff : count);
  }

  #retired(one: Case): Outcome {
    const { core } = this.#machine;
    const { selectors } = this;
    return {
      ...this.#common(one),
      eip: core.word(L.R_EIP),
      eflags: core.word(L.R_EFLAGS),
      selectors,
      vector: -1,
      error: 0,
      cr2: 0,
    };
  }

  /** An exception came: what it found is in the frame on the inner stack. */
  #interrupted(one: Case): Outcome {
    const { core } = this.#machine;
    const vector = Math.floor(((core.word(L.R_EIP) >>> 0) - (SYSTEM + HANDLERS)) / HANDLER_BYTES);
    let frame = (core.word(L.R_ESP) >>> 0) - SYSTEM;
    const next = (): number => {
      frame += 4;
      return this.#peek(frame - 4);
    };
    const error = WITH_ERROR_CODE.has(vector) ? next() : 0;
    const eip = next();
    const cs = next() & 0xffff;
    const eflags = next();
    const esp = next();
    const ss = next() & 0xffff;
    const common = this.#common(one);
    common.registers[4] = esp;
    const [es, , , ds, fs, gs] = this.selectors as [number, number, number, number, number, number];
    const cr2 = vector === PAGE_FAULT ? core.word(L.R_CR2) : 0;
    return { ...common, eip, eflags, selectors: [es, cs, ss, ds, fs, gs], vector, error, cr2 };
  }

  #common(one: Case): { registers: Int32Array; windows: Uint8Array[] } {
    const { core } = this.#machine;
    const block = core.blockOf(0) >> 2;
    const windows = one.windows.map(({ address, bytes }) => {
      const at = PAGES + (address - A.ARENA);
      return this.#ram.slice(at, at + bytes.length);
    });
    return { registers: core.i32.slice(block + L.R_EAX, block + L.R_EAX + 8), windows };
  }

  get selectors(): readonly number[] {
    const { core } = this.#machine;
    return [0, 1, 2, 3, 4, 5].map((segment) => core.segment(segment, L.S_SELECTOR) & 0xffff);
  }

  get #ram(): Uint8Array {
    const { core } = this.#machine;
    return core.u8.subarray(core.layout.ramBase, core.layout.ramBase + core.layout.ramSize);
  }

  #poke(physical: number, ...words: number[]): void {
    const { core } = this.#machine;
    words.forEach((word, i) => {
      core.i32[(core.layout.ramBase + physical + 4 * i) >> 2] = word;
    });
  }

  #peek(physical: number): number {
    const { core } = this.#machine;
    return core.i32[(core.layout.ramBase + physical) >> 2]!;
  }

  #setSystem(at: number, selector: number, physical: number, limit: number, attributes: number): void {
    const { core } = this.#machine;
    core.setWord(at + L.S_SELECTOR, selector);
    core.setWord(at + L.S_BASE, (SYSTEM + physical) | 0);
    core.setWord(at + L.S_LIMIT, limit);
    core.setWord(at + L.S_ATTRIBUTES, attributes);
  }
}
