// A small machine to throw random code into: descriptor tables, page tables, handlers that step over what faulted, and a
// case of it: everything random that goes in, as plain data, so that the same case can be run again.
import { Machine, type MachineOptions, type Snapshot } from "#emulator";
import * as L from "../../../emulator/memory/layout.ts";
import type { Random } from "./random.ts";
import { instructionString } from "./strings.ts";

export type Mode = "real" | "ring 0" | "ring 3";
export const modes: readonly Mode[] = ["real", "ring 0", "ring 3"];

/** What makes a case: bytes of RAM and words of the machine's processor blocks, set in this order. */
export interface Case {
  readonly memory: readonly (readonly [physical: number, bytes: ArrayLike<number>])[];
  readonly words: readonly { readonly index: number; readonly value: number }[];
}

const MIB = 0x100000;
const GDT = 0x1000;
const GDT_ENTRIES = 32;
const LDT = 0x1800;
const LDT_ENTRIES = 8;
const IDT = 0x2000;
const TSS = 0x3000;
const TSS_LIMIT = 0x68 + 0x80;
const DIRECTORY = 0x4000;
/** Page table of the first 4 MiB, one of random entries, one with the APICs' pages for everybody. */
const TABLE = 0x5000;
const RANDOM_TABLE = 0x6000;
const DEVICE_TABLE = 0x7000;
const HANDLERS = 0x8000;
const INNER_STACK = 0x9ff0;
const STACK = 0xb000;
const CODE = 0x10000;
const CODE_LENGTH = 192;
const DATA = 0x20000;

const CODE0 = 0x08;
const DATA0 = 0x10;
const CODE3 = 0x1b;
const DATA3 = 0x23;
const TSS_SELECTOR = 0x28;
const LDT_SELECTOR = 0x30;

const descriptor = (base: number, limit: number, access: number, flags: number): number[] => [
  ((base & 0xffff) << 16) | (limit & 0xffff),
  ((base >>> 16) & 0xff) | (access << 8) | (limit & 0xf0000) | (flags << 20) | (base & 0xff000000),
];
const gate = (selector: number, offset: number, access: number): number[] => [
  (selector << 16) | (offset & 0xffff),
  (offset & 0xffff0000) | (access << 8),
];

const gdt: readonly number[][] = [
  [0, 0],
  descriptor(0, 0xfffff, 0x9a, 0xc),
  descriptor(0, 0xfffff, 0x92, 0xc),
  descriptor(0, 0xfffff, 0xfa, 0xc),
  descriptor(0, 0xfffff, 0xf2, 0xc),
  descriptor(TSS, TSS_LIMIT, 0x89, 0),
  descriptor(LDT, LDT_ENTRIES * 8 - 1, 0x82, 0),
  descriptor(CODE, 0xffff, 0x9a, 0), // 16-bit code
  descriptor(0, 0xffff, 0x92, 0), // 16-bit data
  descriptor(0, 0xfffff, 0x9e, 0xc), // conforming code
  descriptor(DATA, 0x1f, 0xf2, 4), // a small segment
  descriptor(DATA, 0xfff, 0xf6, 4), // expand-down
  descriptor(0, 0xfffff, 0xf8, 0xc), // execute only
  descriptor(0, 0xfffff, 0xf0, 0xc), // read only
  descriptor(0, 0xfffff, 0x72, 0xc), // not present
  gate(CODE0, HANDLERS, 0xec), // call gate
  descriptor(CODE, 0x4f, 0xfa, 4), // a small code segment
  descriptor(0, 0xffff, 0xf2, 0),
  descriptor(CODE, 0xffff, 0xfa, 0),
  descriptor(0, 0xfffff, 0xba, 0xc),
  descriptor(0, 0xfffff, 0xb2, 0xc),
];

/** Handlers that go on one byte behind what faulted, at fixed offsets in their page. */
const HANDLER = 0x00;
const HANDLER_WITH_ERROR = 0x10;
const HANDLER_OF_APIC = 0x20;
const HANDLER_16 = 0x40;
const handlers: readonly (readonly [offset: number, bytes: readonly number[]])[] = [
  [HANDLER, [0x83, 0x04, 0x24, 0x01, 0xcf]], // add dword [esp], 1; iretd
  [HANDLER_WITH_ERROR, [0x83, 0xc4, 0x04, 0x83, 0x04, 0x24, 0x01, 0xcf]],
  [HANDLER_OF_APIC, [0xc7, 0x05, 0xb0, 0x00, 0xe0, 0xfe, 0, 0, 0, 0, 0xcf]], // end of interrupt; iretd
  [HANDLER_16, [0x55, 0x89, 0xe5, 0xff, 0x46, 0x02, 0x5d, 0xcf]], // inc word [bp+2] between push and pop bp; iret
];
const withErrorCode: readonly number[] = [8, 10, 11, 12, 13, 14, 17];

const dwords = (values: readonly number[]): Uint8Array => {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < values.length; i++) view.setInt32(4 * i, values[i], true);
  return bytes;
};

/** A machine made once, and put back to its base state for every case. */
export class World {
  readonly machine: Machine;
  readonly #base: Snapshot;

  constructor(processors: number, options: MachineOptions = {}) {
    const machine = new Machine({ ...options, processors, memory: MIB, seed: 7 });
    this.machine = machine;
    const { memory } = machine;
    memory.set(GDT, dwords(gdt.flat()));
    memory.set(LDT, dwords([descriptor(DATA, 0xf, 0xf2, 4), descriptor(0, 0xfffff, 0xf2, 0xc)].flat()));
    for (let vector = 0; vector < 256; vector++) {
      const handler = withErrorCode.includes(vector) ? HANDLER_WITH_ERROR : vector < 64 ? HANDLER : HANDLER_OF_APIC;
      const access = vector % 16 === 3 ? 0xee : vector % 16 === 5 ? 0x8f : 0x8e;
      memory.set(IDT + 8 * vector, dwords(gate(CODE0, HANDLERS + handler, access)));
      memory.set(4 * vector, dwords([HANDLERS + HANDLER_16]));
    }
    memory.set(TSS + 4, dwords([INNER_STACK, DATA0, INNER_STACK, DATA0, INNER_STACK, DATA0]));
    memory.set(TSS + 0x64, dwords([0x680000]));
    for (const [offset, bytes] of handlers) memory.set(HANDLERS + offset, bytes);
    memory.set(DIRECTORY, dwords([TABLE | 7, RANDOM_TABLE | 7, 0x87, DIRECTORY | 7]));
    memory.set(DIRECTORY + 4 * (0xfec00000 >>> 22), dwords([DEVICE_TABLE | 7]));
    memory.set(DIRECTORY + 4 * (0xfee00000 >>> 22), dwords([DEVICE_TABLE | 7]));
    for (let page = 0; page < MIB / L.PAGE; page++) memory.set(TABLE + 4 * page, dwords([(page * L.PAGE) | 7]));
    memory.set(DEVICE_TABLE, dwords([0xfec00007]));
    memory.set(DEVICE_TABLE + 4 * 0x200, dwords([0xfee00007]));
    this.#base = machine.snapshot();
    machine.restore(this.#base);
  }

  /** Puts the machine into the state of a case. */
  enter({ memory, words }: Case): Machine {
    const { machine } = this;
    machine.restore(this.#base);
    for (const [address, bytes] of memory) machine.memory.set(address, bytes);
    for (const { index, value } of words) machine.core.i32[index] = value;
    return machine;
  }

  /** A case drawn at random. */
  draw(random: Random, mode: Mode): Case {
    const memory: [number, ArrayLike<number>][] = [];
    const words: { index: number; value: number }[] = [];
    const { processors } = this.machine;
    const code = CODE + (random.oneIn(4) ? L.PAGE - 1 - random.below(CODE_LENGTH) : 16 * random.below(16));
    const bits = mode === "real" || random.oneIn(8) ? 16 : 32;
    for (let i = 0; i < processors.length; i++)
      memory.push([code + i * 0x1000, instructionString(random, bits, CODE_LENGTH)]);
    if (mode !== "real") tables(random, memory);
    else {
      for (let i = random.below(4); i > 0; i--)
        memory.push([4 * random.below(32), dwords([(random.word() & 0xffff0000) | address(random)])]);
    }
    for (const { number } of processors) {
      const at = (L.PROCESSOR_BASE + number * L.PROCESSOR_SIZE) >> 2;
      registers(random, mode, bits, code + number * 0x1000, (word, value) => words.push({ index: at + word, value }));
    }
    return { memory, words };
  }
}

/** An address that leads somewhere. */
function address(random: Random): number {
  const near = random.pick([
    CODE,
    CODE,
    DATA,
    DATA,
    STACK,
    GDT,
    IDT,
    TSS,
    DIRECTORY,
    TABLE,
    RANDOM_TABLE,
    HANDLERS,
    0xb8000,
  ]);
  const offset = random.oneIn(4) ? L.PAGE - 1 - random.below(6) : random.below(64) * 4;
  return (near + offset) | 0;
}

/** Linear addresses of devices, of a page directory that maps itself, of a 4 MiB page, and of nothing. */
const FAR_AWAY = [
  0xfee00000,
  0xfee00300,
  0xfec00000,
  0xc00000,
  0xc03000,
  0x800000,
  0x810000,
  0x400000,
  0xfffffffe,
  0x100000 - 2,
] as const;

/** Random changes to page tables, descriptors and gates; some cases have none. */
function tables(random: Random, memory: [number, ArrayLike<number>][]): void {
  const change = (at: number, values: readonly number[]): void => {
    memory.push([at, dwords(values)]);
  };
  const frame = (): number =>
    random.oneIn(8) ? random.pick([0xfee00000, 0xfec00000, 0x7ffff000]) : random.below(0x24) * L.PAGE;
  const entry = (): number =>
    random.oneIn(8) ? random.word() : frame() | random.below(0x80) | (random.oneIn(4) ? 0 : 1);
  if (random.oneIn(3)) for (let i = random.below(8); i > 0; i--) change(TABLE + 4 * random.below(0x24), [entry()]);
  for (let i = random.below(8); i > 0; i--) change(RANDOM_TABLE + 4 * random.below(1024), [entry()]);
  if (random.oneIn(4)) change(DIRECTORY + 4 * random.below(1024), [entry()]);
  if (random.oneIn(4)) change(DIRECTORY + 8, [random.pick([0x87, 0x1e7, 0x2087, 0x83, 0x81, 0x40000087, 0xfec00087])]);
  if (random.oneIn(4)) change(GDT + 8 * (1 + random.below(GDT_ENTRIES - 1)), [random.word(), random.word()]);
  for (let i = random.oneIn(2) ? random.below(5) : 0; i > 0; i--) {
    const selector = random.pick([CODE0, CODE0, CODE3, CODE0 + 0x30, random.below(GDT_ENTRIES) * 8]);
    const access = random.oneIn(4) ? random.byte() : random.pick([0x8e, 0x8f, 0xee, 0xef, 0x86, 0x87, 0x85]);
    change(IDT + 8 * random.below(48), gate(selector, address(random), access));
  }
}

/** The registers of a processor about to run `code`. */
function registers(
  random: Random,
  mode: Mode,
  bits: 16 | 32,
  code: number,
  set: (word: number, value: number) => void,
): void {
  for (let register = 0; register < 8; register++) {
    const value = random.oneIn(4) ? random.word() : random.oneIn(3) ? random.pick(FAR_AWAY) : address(random);
    set(L.R_EAX + register, value | 0);
  }
  if (random.oneIn(2)) set(L.R_ECX, random.below(300));
  if (!random.oneIn(8)) set(L.R_ESP, STACK - 4 * random.below(256) - (random.oneIn(8) ? random.below(4) : 0));
  const isUser = mode === "ring 3";
  let eflags = 2 | (random.word() & 0xcd5) | (random.oneIn(2) ? 0x200 : 0);
  if (random.oneIn(isUser ? 3 : 16)) eflags |= 0x3000;
  if (random.oneIn(200)) eflags |= 0x4100;
  set(L.R_EFLAGS, eflags);
  set(L.R_LAZY, 0);
  set(L.R_ACTIVITY, L.RUNNING);
  const segment = (number: number, selector: number, base: number, limit: number, attributes: number): void => {
    const at = L.R_SEGMENTS + number * L.SEGMENT_WORDS;
    set(at + L.S_SELECTOR, selector);
    set(at + L.S_BASE, base);
    set(at + L.S_LIMIT, limit);
    set(at + L.S_ATTRIBUTES, attributes);
  };
  if (mode === "real") {
    if (!random.oneIn(8)) set(L.R_CR0, 0x60000014);
    const limit = random.oneIn(3) ? -1 : 0xffff;
    for (let number = 0; number < 6; number++) {
      const selector = random.pick([0, 0, 0x1000, 0x2000, 0xfff0]);
      segment(number, selector, selector * 16, limit, 0x9300);
    }
    segment(2, 0, 0, 0xffff, 0x9300);
    segment(1, CODE >> 4, CODE, 0xffff, 0x9b00);
    set(L.R_EIP, code - CODE);
    return;
  }
  const dpl = isUser ? 0x6000 : 0;
  for (let number = 0; number < 6; number++) segment(number, isUser ? DATA3 : DATA0, 0, -1, 0xc09300 | dpl);
  if (random.oneIn(16)) segment(random.pick([0, 2, 3, 4, 5]), 0x53, DATA, 0x1f, 0x409300 | dpl);
  if (random.oneIn(16)) segment(2, isUser ? 0x8b : 0x40, 0, 0xffff, 0x9300 | dpl);
  const isOffset = bits === 16 || random.oneIn(8);
  const codeSelector = isUser ? CODE3 : CODE0;
  if (!isOffset) segment(1, codeSelector, 0, -1, 0xc09b00 | dpl);
  else segment(1, codeSelector, CODE, bits === 16 ? 0xffff : 0x1ffff, (bits === 16 ? 0x9b00 : 0x409b00) | dpl);
  set(L.R_EIP, isOffset ? code - CODE : code);
  set(L.R_CPL, isUser ? 3 : 0);
  const system = (at: number, selector: number, base: number, limit: number, attributes: number): void => {
    set(at + L.S_SELECTOR, selector);
    set(at + L.S_BASE, base);
    set(at + L.S_LIMIT, limit);
    set(at + L.S_ATTRIBUTES, attributes);
  };
  system(L.R_TR, TSS_SELECTOR, TSS, TSS_LIMIT, 0x8b00);
  system(L.R_LDTR, LDT_SELECTOR, LDT, LDT_ENTRIES * 8 - 1, 0x8200);
  set(L.R_GDTR_BASE, GDT);
  set(L.R_GDTR_LIMIT, GDT_ENTRIES * 8 - 1);
  set(L.R_IDTR_BASE, IDT);
  set(L.R_IDTR_LIMIT, random.oneIn(16) ? 8 * random.below(256) + 7 : 0x7ff);
  const emulation = random.oneIn(8) ? 0 : 4; // x87 opcodes mostly fault instead of stopping the run
  const isPaged = !random.oneIn(10);
  set(L.R_CR0, 0x11 | emulation | (isPaged ? 0x80000000 : 0) | (random.oneIn(2) ? 0x10000 : 0));
  set(L.R_CR3, random.oneIn(50) ? random.pick([TABLE, RANDOM_TABLE, 0xfee00000 | 0, 0x7ffff000]) : DIRECTORY);
  set(L.R_CR4, random.pick([0x10, 0x10, 0x90, 0, 0x14]));
}
