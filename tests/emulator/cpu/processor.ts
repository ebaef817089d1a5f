// One processor and a little RAM for the tests of emulator/cpu: descriptor tables laid out, instructions given as bytes.
import * as assert from "uvu/assert";
import {
  AGAIN,
  Core,
  CR0_PE,
  CR0_PG,
  G_CPU,
  G_ERROR,
  G_LEFT,
  G_OBSERVED,
  G_STATUS,
  G_VECTOR,
  JUMPED,
  STATUS_NOT_IMPLEMENTED,
  STATUS_SPLIT,
} from "../../../emulator/cpu/core.ts";
import {
  deliver,
  deliverException,
  type InterruptSource,
  nextEip,
  plainOf,
  resetProcessor,
} from "../../../emulator/cpu/index.ts";
import { LinearMemory } from "../../../emulator/cpu/linear.ts";
import { decode } from "../../../emulator/isa/decode.ts";
import * as L from "../../../emulator/memory/layout.ts";

const exceptionNames = "DE DB NMI BP OF BR UD NM DF 9 TS NP SS GP PF".split(" ");
const withErrorCode = new Set(["DF", "TS", "NP", "SS", "GP", "PF"]);

/** Where the tables and stacks lie. */
export const GDT = 0x1000;
export const LDT = 0x1800;
export const IDT = 0x2000;
export const TSS = 0x3000;
export const INNER_STACK = 0x9000;
export const STACK = 0xa000;
export const DATA = 0xc000;
export const CODE = 0x10000;
const RAM = 0x100000;

/** Eight bytes of a descriptor from base, limit field, access byte and the flags G, D/B (as 8 and 4). */
export const descriptor = (base: number, limit: number, access: number, flags: number): [number, number] => [
  ((base & 0xffff) << 16) | (limit & 0xffff),
  ((base >>> 16) & 0xff) | (access << 8) | (limit & 0xf0000) | (flags << 20) | (base & 0xff000000),
];

/** A gate from its selector, offset and access byte. */
export const gate = (selector: number, offset: number, access: number): [number, number] => [
  (selector << 16) | (offset & 0xffff),
  (offset & 0xffff0000) | (access << 8),
];

export const CODE0 = 0x08;
export const DATA0 = 0x10;
export const CODE3 = 0x1b;
export const DATA3 = 0x23;
export const CODE0_16 = 0x38;
export const DATA0_16 = 0x40;
export const CONFORMING = 0x48;
export const ABSENT = 0x50;
export const READ_ONLY = 0x5b;
export const EXPAND_DOWN = 0x63;
export const EXECUTE_ONLY = 0x6b;
export const CALL_GATE = 0x73;
export const TSS_AVAILABLE = 0x78;
export const ABSENT_CODE = 0x80;
export const SMALL = 0x8b;
export const SMALL_CODE = 0x90;
export const CODE1 = 0x99;
export const DATA1 = 0xa1;
export const EXPAND_DOWN_16 = 0xab;
export const DATA3_16 = 0xb3;
export const CODE3_16 = 0xbb;
export const BEYOND = 0x100;
/** The first descriptor of the LDT: data of ring 3, 16 bytes at DATA. */
export const LOCAL = 0x07;

const gdt: readonly [number, number][] = [
  [0, 0],
  descriptor(0, 0xfffff, 0x9a, 0xc),
  descriptor(0, 0xfffff, 0x92, 0xc),
  descriptor(0, 0xfffff, 0xfa, 0xc),
  descriptor(0, 0xfffff, 0xf2, 0xc),
  descriptor(TSS, 0xff, 0x89, 0),
  descriptor(LDT, 0x0f, 0x82, 0),
  descriptor(CODE, 0xffff, 0x9a, 0),
  descriptor(0, 0xffff, 0x92, 0),
  descriptor(0, 0xfffff, 0x9e, 0xc),
  descriptor(0, 0xfffff, 0x72, 0xc),
  descriptor(DATA, 0xfff, 0xf0, 4),
  descriptor(DATA, 0xfff, 0xf6, 4),
  descriptor(0, 0xfffff, 0xf8, 0xc),
  gate(CODE0, 0, 0xec),
  descriptor(TSS, 0x67, 0x89, 0),
  descriptor(0, 0xfffff, 0x1a, 0xc),
  descriptor(DATA, 0xf, 0xf2, 4),
  descriptor(0, 0xff, 0x9a, 4),
  descriptor(0, 0xfffff, 0xba, 0xc),
  descriptor(0, 0xfffff, 0xb2, 0xc),
  descriptor(DATA, 0xfff, 0xf6, 0),
  descriptor(0, 0xffff, 0xf2, 0),
  descriptor(0, 0xffff, 0xfa, 0),
];

export class Processor {
  readonly core: Core;
  /** What ports were read (value 0xA5 a byte) or written, in order. */
  readonly ports: string[] = [];

  constructor() {
    const hex = (value: number): string => (value >>> 0).toString(16);
    this.core = new Core(L.layoutOf(1, RAM));
    this.core.bus = {
      readPhysical: () => -1,
      writePhysical: () => {},
      readPort: (port, width) => {
        this.ports.push(`in${width} ${hex(port)}`);
        return [0, 0xa5, 0xa5a5, 0, 0xa5a5a5a5 | 0][width]!;
      },
      writePort: (port, width, value) => {
        this.ports.push(`out${width} ${hex(port)} ${hex(value)}`);
      },
      apicBaseChanged: () => {},
    };
    this.core.linear = new LinearMemory(this.core);
    this.core.g[G_CPU] = this.core.blockOf(0) >> 2;
    resetProcessor(this.core, 0, "power-on", true);
    this.core.g[G_LEFT] = 1000;
  }

  /** Real mode with all bases zero, a stack at STACK and code at CODE. */
  static real(): Processor {
    const p = new Processor();
    for (let segment = 0; segment < 6; segment++) p.core.setSegment(segment, 0, 0, 0xffff, 0x9300);
    p.core.setSegment(1, CODE >> 4, CODE, 0xffff, 0x9300);
    p.set(L.R_EIP, 0x100);
    p.set(L.R_ESP, STACK);
    return p;
  }

  /** Flat 32-bit protected mode at a privilege level, tables loaded, gates for every vector to CODE0:CODE + vector. */
  static flat(cpl: 0 | 1 | 3 = 0): Processor {
    const p = new Processor();
    p.poke32(GDT, ...gdt.flat());
    p.poke32(LDT, ...descriptor(DATA, 0xf, 0xf2, 4), 0, 0);
    for (let vector = 0; vector < 64; vector++) p.poke32(IDT + 8 * vector, ...gate(CODE0, CODE + vector, 0x8e));
    p.poke32(TSS + 4, INNER_STACK, DATA0, INNER_STACK, DATA1);
    p.poke32(TSS + 0x64, 0x680000);
    p.set(L.R_CR0, p.get(L.R_CR0) | CR0_PE);
    p.set(L.R_GDTR_BASE, GDT);
    p.set(L.R_GDTR_LIMIT, gdt.length * 8 - 1);
    p.set(L.R_IDTR_BASE, IDT);
    p.set(L.R_IDTR_LIMIT, 64 * 8 - 1);
    p.setSystem(L.R_TR, 0x28, TSS, 0xff, 0x8b00);
    p.setSystem(L.R_LDTR, 0x30, LDT, 0x0f, 0x8200);
    p.ring(cpl);
    p.set(L.R_EIP, CODE + 0x100);
    p.set(L.R_ESP, STACK);
    return p;
  }

  /** Flat code and data of a ring. */
  ring(cpl: 0 | 1 | 3): this {
    const dpl = cpl << 13;
    for (let segment = 0; segment < 6; segment++)
      this.core.setSegment(segment, [DATA0, DATA1, 0, DATA3][cpl]!, 0, -1, 0xc09300 | dpl);
    this.core.setSegment(1, [CODE0, CODE1, 0, CODE3][cpl]!, 0, -1, 0xc09b00 | dpl);
    return this.set(L.R_CPL, cpl);
  }

  /** Maps RAM one to one, user and writable but for the pages given by their entries, and turns paging on. */
  paging(entries: Readonly<Record<number, number>> = {}): this {
    const directory = 0x80000;
    this.poke32(directory, (directory + 0x1000) | 7);
    for (let page = 0; page < RAM / L.PAGE; page++)
      this.poke32(directory + 0x1000 + 4 * page, entries[page * L.PAGE] ?? (page * L.PAGE) | 0x67);
    this.set(L.R_CR3, directory).set(L.R_CR0, this.get(L.R_CR0) | CR0_PG);
    this.core.linear.paging.flushAll();
    return this;
  }

  get(word: number): number {
    return this.core.word(word);
  }

  set(word: number, value: number): this {
    this.core.setWord(word, value);
    return this;
  }

  setSystem(at: number, selector: number, base: number, limit: number, attributes: number): this {
    return this.set(at, selector)
      .set(at + 1, base)
      .set(at + 2, limit)
      .set(at + 3, attributes);
  }

  selector(segment: number): number {
    return this.core.segment(segment, L.S_SELECTOR);
  }

  /** Loads a data segment register; it must succeed. */
  load(segment: number, selector: number): this {
    this.set(L.R_EAX, selector);
    assert.is(this.run(`8E ${(0xc0 | (segment << 3)).toString(16)}`), "next");
    return this;
  }

  poke32(address: number, ...values: number[]): this {
    const { core } = this;
    const view = new DataView(core.memory.buffer, core.layout.ramBase);
    for (const [i, value] of values.entries()) view.setInt32(address + 4 * i, value, true);
    return this;
  }

  peek32(address: number): number {
    return new DataView(this.core.memory.buffer, this.core.layout.ramBase).getInt32(address, true);
  }

  peek16(address: number): number {
    return this.peek32(address) & 0xffff;
  }

  /** `count` values of 16 or 32 bits from the top of the stack, in hexadecimal. */
  stack(count: number, bits: 16 | 32 = 32): string {
    const top = this.get(L.R_ESP);
    const values = Array.from({ length: count }, (_, i) =>
      bits === 32 ? this.peek32(top + 4 * i) >>> 0 : this.peek16(top + 2 * i),
    );
    return values.map((value) => value.toString(16)).join(" ");
  }

  /**
   * Runs the one instruction of `bytes`, given in hexadecimal, at EIP: "next", "jumped", "again", a fault as "#GP(10)", or
   * what is not implemented. EIP moves on as the engine would move it. A fault must have left no trace.
   */
  run(bytes: string): string {
    const before = this.state();
    const outcome = this.runPartly(bytes);
    if (!/^(?:next|jumped|again)$/.test(outcome))
      assert.equal(Buffer.compare(this.state(), before), 0, `${bytes}: no trace of ${outcome}`);
    return outcome;
  }

  /** As `run`, for a REP, whose iterations before the fault stay done. */
  runPartly(bytes: string): string {
    const { core } = this;
    const code = bytes.split(" ").map((byte) => Number.parseInt(byte, 16));
    const bits = (core.segment(1, L.S_ATTRIBUTES) & 0x400000) !== 0 ? 32 : 16;
    const instruction = decode(code, 0, code.length, bits);
    if (typeof instruction === "string") throw new Error(`${bytes}: ${instruction}`);
    const execute = plainOf(instruction.form);
    if (execute === undefined) throw new Error(`${bytes}: ${instruction.form.syntax} is data flow`);
    const how = execute(core, instruction);
    if (core.g[G_STATUS] !== 0) return this.takeStatus();
    if (how === AGAIN) return "again";
    if (how === JUMPED) return "jumped";
    this.set(L.R_EIP, nextEip(core, instruction));
    return "next";
  }

  /** As `runPartly`, one memory access a step, as an exploration does it. */
  runSplit(bytes: string): string {
    const { core } = this;
    const { g, linear } = core;
    core.g[G_OBSERVED] = 1;
    linear.splitting = true;
    for (;;) {
      linear.access = 0;
      linear.accessDone = false;
      const outcome = this.runPartly(bytes);
      if (outcome === "split") {
        this.set(L.R_MICRO_INDEX, this.get(L.R_MICRO_INDEX) + 1);
        continue;
      }
      core.i32.fill(0, g[G_CPU] + L.R_MICRO_INDEX, g[G_CPU] + L.R_MICRO_VALUES + L.MICRO_VALUES);
      linear.splitting = false;
      g[G_OBSERVED] = 0;
      return outcome;
    }
  }

  /** Delivers a vector: "" or the exception that came of it, then without a trace. */
  deliver(vector: number, source: InterruptSource = "external", errorCode?: number): string {
    const before = this.state();
    deliver(this.core, vector, source, errorCode);
    if (this.core.g[G_STATUS] === 0) return "";
    assert.equal(Buffer.compare(this.state(), before), 0, `vector ${vector}: no trace of a fault`);
    return this.takeStatus();
  }

  /** Raises an exception as an instruction would, and delivers what comes of it. */
  raise(vector: number, error = 0): string {
    this.core.fault(vector, error);
    return deliverException(this.core);
  }

  /** Architectural state and RAM, without page tables' accessed and dirty bits (they are not undone). */
  state(): Buffer {
    const { core } = this;
    const bytes = Buffer.from(core.memory.buffer);
    const block = bytes.subarray(L.PROCESSOR_BASE, L.PROCESSOR_BASE + L.PROCESSOR_SIZE);
    return Buffer.concat([block, bytes.subarray(core.layout.ramBase, core.layout.ramBase + 0x80000)]);
  }

  private takeStatus(): string {
    const { g } = this.core;
    const status = g[G_STATUS];
    g[G_STATUS] = 0;
    if (status === STATUS_SPLIT) return "split";
    if (status === STATUS_NOT_IMPLEMENTED) return `not implemented: ${this.core.stopReason}`;
    const name = exceptionNames[g[G_VECTOR]!]!;
    return withErrorCode.has(name) ? `#${name}(${g[G_ERROR]!.toString(16)})` : `#${name}`;
  }
}
