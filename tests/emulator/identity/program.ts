// A random program from its seed: code for every processor, descriptor and page tables, and the registers it begins with.
import * as L from "../../../emulator/memory/layout.ts";
import { Random } from "../fuzz/random.ts";
import { Code } from "./code.ts";
import { type Gate, selectorsOf, stackOf, writeHandlers } from "./handlers.ts";
import { type Piece, plainPieces, straight } from "./pieces.ts";
import * as P from "./places.ts";
import { systemPieces } from "./system-pieces.ts";
import { EAX, ESP, SS, Writer } from "./writer.ts";

/** One program: everything that goes into the machine, as plain data. */
export interface Program {
  readonly seed: number;
  readonly shape: P.Shape;
  readonly sliceSeed: number;
  /** Instructions and slices after which it has gone on long enough. */
  readonly maxInstructions: number;
  readonly maxSlices: number;
  readonly memory: readonly (readonly [physical: number, bytes: Uint8Array])[];
  readonly words: readonly (readonly [index: number, value: number])[];
  /** The pieces that code is made of, by number; those left out are not among them. */
  readonly pieces: readonly number[];
}

const ROUNDS = [30, 60, 120, 250] as const;
/** Code of one processor may become this long before handlers are added. */
const MOST_CODE = 0x2a00;

/** The program of a seed; pieces in `omitted` are left out, the others stay what they are. */
export function programOf(seed: number, omitted: ReadonlySet<number> = new Set()): Program {
  const random = new Random(seed);
  const shape = drawShape(random);
  const { processors, shared } = shape;
  const memory: [number, Uint8Array][] = [];
  const pieces: number[] = [];
  const entries: number[] = [];
  const interrupts = !random.oneIn(5);
  const rounds = random.pick(ROUNDS);
  for (let n = 0; n < (shared ? 1 : processors); n++) {
    const own = P.privateOf(n);
    const code = new Code(P.codeOf(n) - shape.codeBase, 32);
    const w = new Writer(code, shape, own, random);
    entries.push(code.here);
    prologue(w, interrupts);
    main(w, rounds, seed, omitted, pieces, n);
    const gates = writeHandlers(w, new Random(mix(seed, 9000 + n)));
    const bytes = code.finish();
    if (bytes.length > P.CODE_SIZE) throw new Error(`identity: program ${seed} has ${bytes.length} bytes of code`);
    memory.push([P.codeOf(n), bytes], [P.idtOf(n), gateBytes(gates)]);
  }
  memory.push([P.GDT, dwords(descriptors(shape))]);
  const words: [number, number][] = [];
  for (let n = 0; n < processors; n++) {
    const own = P.privateOf(shared ? 0 : n);
    memory.push([P.tssOf(n) + 4, dwords([own + P.INNER_STACK - shape.dataBase, P.S.data0])]);
    memory.push([P.tssOf(n) + 0x64, dwords([0x680000])]);
    if (shape.paged) pageTables(shape, n, new Random(mix(seed, 8000 + n)), memory);
    registers(shape, n, entries[shared ? 0 : n] as number, new Random(mix(seed, 7000 + n)), words);
  }
  memory.push([P.SHARED, randomBytes(random, 4 * P.PAGE)]);
  memory.push([P.SHARED, new Uint8Array(256)]);
  for (let n = 0; n < processors; n++) memory.push([P.privateOf(n) + P.ARENA, randomBytes(random, 2 * P.PAGE)]);
  const maxInstructions = (30_000 + random.below(70_000)) * Math.min(processors, 2);
  return { seed, shape, sliceSeed: random.below(1000), maxInstructions, maxSlices: 1500, memory, words, pieces };
}

function drawShape(random: Random): P.Shape {
  const bits = random.oneIn(6) ? 16 : 32;
  const paged = random.below(10) < 7;
  const processors = random.pick([1, 1, 1, 2, 2, 3, 4]);
  const dataBase = bits === 16 ? P.DATA : random.pick([0, 0, 0, P.DATA, P.DATA - 0xc9]);
  return {
    processors,
    bits,
    ring: random.below(10) < 3 ? 3 : 0,
    paged,
    shared: processors === 1 || (paged && !random.oneIn(4)),
    codeBase: bits === 16 ? P.CODE : random.pick([0, 0, 0, P.CODE]),
    dataBase,
    timers: random.below(10) < 6,
    iopl: random.oneIn(3) ? 3 : 0,
    writeProtect: random.oneIn(2),
    codeWritable: !random.oneIn(7),
    bigPages: paged && bits === 32 && random.oneIn(2),
  };
}

// --- code ---

/** Ring 0, 32 bits: devices are set up, then the program proper is entered with its own segments. EAX is the processor. */
function prologue(w: Writer, interrupts: boolean): void {
  const { code, random, shape } = w;
  const others = code.label();
  const out = (port: number, value: number): void => {
    code.op("MOV r8, imm8", { reg: 0, immediate: value });
    code.op("OUT imm8, AL", { immediate: port });
  };
  const apic = (register: number, immediate: number): void => {
    code.op("MOV r/m32, imm32", { ...w.at(P.APIC + register, SS), immediate });
  };
  code.op("TEST r/m32, r32", { rm: EAX, reg: EAX });
  code.jump("JNE", others);
  if (shape.timers && random.oneIn(2)) {
    // 8259 in its usual initialisation, 8254 channel 0 as a rate generator.
    for (const [port, value] of [
      [0x20, 0x11],
      [0x21, P.PIT_VECTOR],
      [0x21, 4],
      [0x21, 1],
      [0x21, 0xfe],
      [0x43, 0x34],
      [0x40, random.below(256)],
      [0x40, random.below(12)],
    ] as const)
      out(port, value);
  }
  code.place(others);
  apic(0xf0, 0x100 | P.SPURIOUS_VECTOR);
  if (shape.timers) {
    apic(0x3e0, random.pick([0xb, 0, 1]));
    apic(0x320, 0x20000 | P.TIMER_VECTOR);
    apic(0x380, 500 + random.below(12_000));
  }
  const { code: codeSelector, stack } = selectorsOf(shape);
  const flags = 2 | (shape.iopl << 12) | (interrupts ? 0x200 : 0);
  const start = code.label();
  if (shape.ring === 3) {
    code.op("PUSH imm32", { immediate: stack });
    code.op("PUSH imm32", { immediate: stackOf(w) });
  } else {
    code.op("MOV r32, imm32", { reg: EAX, immediate: stack });
    code.op("MOV Sreg, r/m16", { reg: SS, rm: EAX });
    code.op("MOV r32, imm32", { reg: ESP, immediate: stackOf(w) });
  }
  code.op("PUSH imm32", { immediate: flags });
  code.op("PUSH imm32", { immediate: codeSelector });
  code.opWith("PUSH imm32", start);
  code.op("IRETD");
  code.align(random.pick([1, 4, 16]), 0xcc);
  code.place(start);
  code.bits = shape.bits;
}

/** The program's rounds, and the routines that it calls. */
function main(
  w: Writer,
  rounds: number,
  seed: number,
  omitted: ReadonlySet<number>,
  pieces: number[],
  processor: number,
): void {
  const { code, random } = w;
  let number = processor * 100;
  /** A piece drawn by its number alone, so that it stays what it is when others are left out. */
  const piece = (): void => {
    const own = number++;
    if (omitted.has(own) || code.here - P.codeOf(processor) + w.shape.codeBase > MOST_CODE) return;
    pieces.push(own);
    const outer = w.random;
    w.random = new Random(mix(seed, own));
    const isSystem = w.random.below(10) < 3;
    const end = code.label();
    w.setResume(end);
    pick(w.random, isSystem ? systemPieces : plainPieces)(w);
    code.place(end);
    w.forget();
    w.random = outer;
  };
  const routines = Array.from({ length: 1 + random.below(4) }, () => code.label());
  w.callable = routines;
  const top = code.label();
  code.op("MOV r/m32, imm32", { ...w.variable(P.V.rounds), immediate: rounds });
  code.place(top);
  code.op("MOV r32, imm32", { reg: ESP, immediate: stackOf(w) });
  for (let i = 3 + random.below(10); i > 0; i--) piece();
  code.op("DEC r/m32", w.variable(P.V.rounds));
  code.jump("JNE", top);
  code.op("INT imm8", { immediate: P.END_VECTOR });
  routines.forEach((label, i) => {
    code.align(random.pick([1, 4, 16]), 0xcc);
    code.place(label);
    w.callable = routines.slice(i + 1);
    w.forget();
    for (let j = 1 + random.below(3); j > 0; j--) piece();
    if (random.oneIn(3)) straight(w);
    if (random.oneIn(4)) code.op("RET imm16", { immediate: 0, operandSize: w.shape.bits });
    else code.op("RET", { operandSize: w.shape.bits });
  });
}

function pick(random: Random, from: readonly (readonly [Piece, number])[]): Piece {
  let left = random.below(from.reduce((sum, [, weight]) => sum + weight, 0));
  for (const [piece, weight] of from) {
    left -= weight;
    if (left < 0) return piece;
  }
  return straight;
}

// --- tables ---

const descriptor = (base: number, limit: number, access: number, flags: number): [number, number] => [
  ((base & 0xffff) << 16) | (limit & 0xffff),
  ((base >>> 16) & 0xff) | (access << 8) | (limit & 0xf0000) | (flags << 20) | (base & 0xff000000),
];

/** The global descriptor table, in the order of the selectors. */
function descriptors({ codeBase, dataBase }: P.Shape): number[] {
  const table: [number, number][] = [[0, 0]];
  const set = (selector: number, entry: [number, number]): void => {
    table[selector >> 3] = entry;
  };
  set(P.S.code0, descriptor(codeBase, 0xfffff, 0x9a, 0xc));
  set(P.S.data0, descriptor(dataBase, 0xfffff, 0x92, 0xc));
  set(P.S.code3, descriptor(codeBase, 0xfffff, 0xfa, 0xc));
  set(P.S.data3, descriptor(dataBase, 0xfffff, 0xf2, 0xc));
  for (let n = 0; n < P.MOST_PROCESSORS; n++) set(P.S.tss + 8 * n, descriptor(P.tssOf(n), P.TSS_LIMIT, 0x89, 0));
  set(P.S.code16, descriptor(codeBase, 0xfffff, 0x9a, 8));
  set(P.S.stack16, descriptor(dataBase, 0xfffff, 0x92, 8));
  set(P.S.code16user, descriptor(codeBase, 0xfffff, 0xfa, 8));
  set(P.S.stack16user, descriptor(dataBase, 0xfffff, 0xf2, 8));
  set(P.S.small, descriptor(P.SHARED + P.SHARED_ARENA, 0xfff, 0xf2, 4));
  set(P.S.based, descriptor(P.SHARED + P.SHARED_ARENA, 0xfffff, 0xf2, 0xc));
  set(P.S.readOnly, descriptor(P.SHARED, 0xfffff, 0xf0, 0xc));
  set(P.S.expandDown, descriptor(P.SHARED, 0xff, 0xf6, 4));
  set(P.S.absent, descriptor(0, 0xfffff, 0x72, 0xc));
  return table.flat();
}

function gateBytes(gates: readonly Gate[]): Uint8Array {
  const table = new Array<number>(512).fill(0);
  for (const { vector, handler, selector, access } of gates) {
    table[2 * vector] = (selector << 16) | (handler.offset & 0xffff);
    table[2 * vector + 1] = (handler.offset & 0xffff0000) | (access << 8);
  }
  return dwords(table);
}

/** Present, writable, for everybody. */
const ALL = 7;

function pageTables(shape: P.Shape, n: number, random: Random, memory: [number, Uint8Array][]): void {
  const table = new Array<number>(1024).fill(0);
  const map = (linear: number, physical: number, rights: number): void => {
    table[linear >>> 12] = physical | rights;
  };
  for (let page = P.PAGE; page < P.MEMORY; page += P.PAGE) map(page, page, ALL);
  for (let i = 0; i < P.CODE_SIZE * P.MOST_PROCESSORS; i += P.PAGE)
    map(P.CODE + i, P.CODE + i, shape.codeWritable ? ALL : 5);
  if (shape.shared) for (let i = 0; i < P.PRIVATE_SIZE; i += P.PAGE) map(P.privateOf(0) + i, P.privateOf(n) + i, ALL);
  map(P.TABLE_WINDOW, P.tableOf(n), ALL);
  map(0xf0000, 0xf0000, 0);
  for (let i = 0; i < P.WINDOW_PAGES; i++) {
    const frame = random.pick([
      P.privateOf(n) + P.ARENA,
      P.SHARED + P.PAGE,
      P.SHARED + 2 * P.PAGE,
      P.codeOf(0),
      0x80000 + i * P.PAGE,
    ]);
    map(P.WINDOW + i * P.PAGE, frame, random.pick([ALL, ALL, ALL, 5, 3, 6]));
  }
  memory.push([P.tableOf(n), dwords(table)]);
  const directory = new Array<number>(1024).fill(0);
  directory[0] = P.tableOf(n) | ALL;
  if (shape.bigPages) directory[1] = 0x87;
  directory[P.APIC >>> 22] = P.DEVICE_TABLE | ALL;
  memory.push([P.directoryOf(n), dwords(directory)]);
  const devices = new Array<number>(1024).fill(0);
  const rights = random.oneIn(2) ? ALL : ALL & ~4;
  devices[(P.IO_APIC >>> 12) & 0x3ff] = P.IO_APIC | rights;
  devices[(P.APIC >>> 12) & 0x3ff] = P.APIC | rights;
  if (n === 0) memory.push([P.DEVICE_TABLE, dwords(devices)]);
}

/** What a processor has in its registers as it enters the code at `entry`. */
function registers(shape: P.Shape, n: number, entry: number, random: Random, words: [number, number][]): void {
  const block = (L.PROCESSOR_BASE + n * L.PROCESSOR_SIZE) >> 2;
  const set = (word: number, value: number): void => {
    words.push([block + word, value]);
  };
  for (let register = 0; register < 8; register++) set(register, random.word());
  set(L.R_EAX, n);
  const own = P.privateOf(shape.shared ? 0 : n);
  set(L.R_ESP, own + P.MAIN_STACK - shape.dataBase);
  set(L.R_EIP, entry);
  set(L.R_EFLAGS, 2);
  set(L.R_LAZY, 0);
  set(L.R_ACTIVITY, L.RUNNING);
  const segment = (at: number, selector: number, base: number, limit: number, attributes: number): void => {
    set(at + L.S_SELECTOR, selector);
    set(at + L.S_BASE, base);
    set(at + L.S_LIMIT, limit);
    set(at + L.S_ATTRIBUTES, attributes);
  };
  const register = (number: number) => L.R_SEGMENTS + number * L.SEGMENT_WORDS;
  const { codeBase, dataBase } = shape;
  for (const number of [0, 3]) segment(register(number), P.S.data3, dataBase, -1, 0xc0f300);
  segment(register(1), P.S.code0, codeBase, -1, 0xc09b00);
  segment(register(2), P.S.data0, dataBase, -1, 0xc09300);
  for (const number of [4, 5]) segment(register(number), P.S.based, P.SHARED + P.SHARED_ARENA, -1, 0xc0f300);
  segment(L.R_TR, P.S.tss + 8 * n, P.tssOf(n), P.TSS_LIMIT, 0x8b00);
  segment(L.R_LDTR, 0, 0, 0, 0);
  set(L.R_GDTR_BASE, P.GDT);
  set(L.R_GDTR_LIMIT, P.GDT_LIMIT);
  set(L.R_IDTR_BASE, P.idtOf(shape.shared ? 0 : n));
  set(L.R_IDTR_LIMIT, 0x7ff);
  set(L.R_CR0, 0x15 | (shape.paged ? 0x80000000 : 0) | (shape.writeProtect ? 0x10000 : 0));
  set(L.R_CR3, P.directoryOf(n));
  set(L.R_CR4, shape.bigPages ? 0x10 : 0);
}

// --- bytes ---

function dwords(values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < values.length; i++) view.setInt32(4 * i, values[i] as number, true);
  return bytes;
}

function randomBytes(random: Random, length: number): Uint8Array {
  return dwords(Array.from({ length: length / 4 }, () => random.word() >> random.below(24)));
}

/** A seed for a part of a program. */
function mix(seed: number, part: number): number {
  return Math.imul(seed ^ 0x5bd1e995, 0x01000193) ^ Math.imul(part + 1, 0x9e3779b1);
}
