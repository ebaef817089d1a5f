// How the host looks at a machine: physical memory by byte, word and doubleword, and one processor's registers by name.
import { type Core, G_PROCESSOR } from "../cpu/core.ts";
import * as L from "../memory/layout.ts";

const FOUR_GIB = 2 ** 32;

/**
 * RAM by physical address, little endian, and a ROM that ends at 4 GiB. Reads elsewhere give 0; writes anywhere but to RAM are
 * an error of the caller.
 */
export class PhysicalMemory {
  readonly #core: Core;
  readonly #rom: Uint8Array;

  constructor(core: Core, rom: Uint8Array = new Uint8Array(0)) {
    this.#core = core;
    this.#rom = rom;
  }

  /** Bytes of RAM. */
  get size(): number {
    return this.#core.layout.ramSize;
  }

  byte(address: number): number {
    if (address < this.size) return this.#core.u8[this.#core.layout.ramBase + address];
    return this.#rom[address - (FOUR_GIB - this.#rom.length)] ?? 0;
  }
  word(address: number): number {
    return this.byte(address) | (this.byte(address + 1) << 8);
  }
  /** Unsigned. */
  dword(address: number): number {
    return (this.word(address) | (this.word(address + 2) << 16)) >>> 0;
  }

  /** A copy of `length` bytes. */
  bytes(address: number, length: number): Uint8Array {
    const { ramBase } = this.#core.layout;
    this.#check(address, length);
    return this.#core.u8.slice(ramBase + address, ramBase + address + length);
  }

  setByte(address: number, value: number): void {
    this.set(address, [value]);
  }
  setWord(address: number, value: number): void {
    this.set(address, [value, value >>> 8]);
  }
  setDword(address: number, value: number): void {
    this.set(address, [value, value >>> 8, value >>> 16, value >>> 24]);
  }

  /** Writes bytes as a device with bus access would: code and translations derived from them are looked at again. */
  set(address: number, bytes: ArrayLike<number>): void {
    this.#check(address, bytes.length);
    for (let i = 0; i < bytes.length; i++) this.#core.linear.physical.store(address + i, 1, bytes[i] & 0xff);
  }

  #check(address: number, length: number): void {
    if (address < 0 || address + length > this.size)
      throw new RangeError(
        `memory: ${length} bytes at 0x${address.toString(16)} do not lie within the ${this.size} bytes of RAM`,
      );
  }
}

/** A segment register: what the program loaded, and the hidden part the processor uses. */
export interface SegmentView {
  readonly selector: number;
  readonly base: number;
  readonly limit: number;
  /** Type, DPL, P, D/B and G bits as in the descriptor's high doubleword. */
  readonly attributes: number;
}

const GENERAL = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"] as const;
const SEGMENTS = ["es", "cs", "ss", "ds", "fs", "gs"] as const;

/** One processor, seen from outside; values are unsigned. */
export class Processor {
  readonly number: number;
  readonly #core: Core;

  constructor(core: Core, number: number) {
    this.#core = core;
    this.number = number;
  }

  #word(offset: number): number {
    return this.#core.i32[(this.#core.blockOf(this.number) >> 2) + offset] >>> 0;
  }
  #set(offset: number, value: number): void {
    this.#core.i32[(this.#core.blockOf(this.number) >> 2) + offset] = value;
  }

  get eax(): number {
    return this.#word(L.R_EAX);
  }
  get ecx(): number {
    return this.#word(L.R_ECX);
  }
  get edx(): number {
    return this.#word(L.R_EDX);
  }
  get ebx(): number {
    return this.#word(L.R_EBX);
  }
  get esp(): number {
    return this.#word(L.R_ESP);
  }
  get ebp(): number {
    return this.#word(L.R_EBP);
  }
  get esi(): number {
    return this.#word(L.R_ESI);
  }
  get edi(): number {
    return this.#word(L.R_EDI);
  }
  get eip(): number {
    return this.#word(L.R_EIP);
  }
  get eflags(): number {
    const { g } = this.#core;
    const current = g[0];
    g[0] = this.#core.blockOf(this.number) >> 2;
    const flags = this.#core.eflags() >>> 0;
    g[0] = current;
    return flags;
  }
  get cr0(): number {
    return this.#word(L.R_CR0);
  }
  get cr2(): number {
    return this.#word(L.R_CR2);
  }
  get cr3(): number {
    return this.#word(L.R_CR3);
  }
  get cr4(): number {
    return this.#word(L.R_CR4);
  }
  get cpl(): number {
    return this.#word(L.R_CPL);
  }
  get es(): SegmentView {
    return this.#segment(0);
  }
  get cs(): SegmentView {
    return this.#segment(1);
  }
  get ss(): SegmentView {
    return this.#segment(2);
  }
  get ds(): SegmentView {
    return this.#segment(3);
  }
  get fs(): SegmentView {
    return this.#segment(4);
  }
  get gs(): SegmentView {
    return this.#segment(5);
  }

  /** General register by encoding (EAX 0 .. EDI 7). */
  register(number: number): number {
    return this.#word(number);
  }
  setRegister(number: number, value: number): void {
    this.#set(number, value);
  }
  setEip(value: number): void {
    this.#set(L.R_EIP, value);
  }

  /** running, halted, waiting for a start-up IPI, or shut down. */
  get activity(): "running" | "halted" | "waiting" | "shutdown" {
    return (["running", "halted", "waiting", "shutdown"] as const)[this.#word(L.R_ACTIVITY)];
  }

  /** Retired instructions. */
  get retired(): number {
    return this.#core.f64[(L.PROCESSOR_TIME + this.number * L.PROCESSOR_TIME_SIZE + L.T_RETIRED) >> 3];
  }

  /** Whether it is this processor's slice. */
  get current(): boolean {
    return this.#core.g[G_PROCESSOR] === this.number;
  }

  /** The physical address behind a linear one, whatever the rights; -1 where nothing is mapped. */
  physicalOf(linear: number): number {
    const { g } = this.#core;
    const current = g[0];
    g[0] = this.#core.blockOf(this.number) >> 2;
    const physical = this.#core.linear.paging.lookUp(linear | 0);
    g[0] = current;
    return physical;
  }

  /** All registers as text, a few a line. */
  describe(): string {
    const hex = (value: number, digits = 8): string => value.toString(16).padStart(digits, "0");
    const general = GENERAL.map((name, i) => `${name}=${hex(this.register(i))}`);
    const segments = SEGMENTS.map((name, i) => `${name}=${hex(this.#segment(i).selector, 4)}`);
    return [
      general.slice(0, 4).join(" "),
      general.slice(4).join(" "),
      `eip=${hex(this.eip)} eflags=${hex(this.eflags)} ${this.activity} cpl=${this.cpl}`,
      segments.join(" "),
      `cr0=${hex(this.cr0)} cr2=${hex(this.cr2)} cr3=${hex(this.cr3)} cr4=${hex(this.cr4)}`,
    ].join("\n");
  }

  #segment(number: number): SegmentView {
    const at = L.R_SEGMENTS + number * L.SEGMENT_WORDS;
    return {
      selector: this.#word(at + L.S_SELECTOR),
      base: this.#word(at + L.S_BASE),
      limit: this.#word(at + L.S_LIMIT),
      attributes: this.#word(at + L.S_ATTRIBUTES),
    };
  }
}
