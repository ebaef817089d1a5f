// The pieces a random program is made of: data flow, loops, branches, calls, strings, stacks and locks.
import { conditions } from "../../../emulator/isa/families.ts";
import type { Label } from "./code.ts";
import * as P from "./places.ts";
import { DS, EAX, EBP, EBX, ECX, EDI, EDX, ES, ESI, ESP, FS, GS, type Writer } from "./writer.ts";

export type Piece = (w: Writer) => void;

const condition = (w: Writer): string => `J${w.random.pick(conditions)[0]}`;

/** Sets flags in one of the usual ways. */
function compare(w: Writer): void {
  const { random, code } = w;
  const kind = random.below(5);
  if (kind === 0) code.op("TEST r/m32, r32", { rm: random.below(4), reg: random.below(4) });
  else if (kind === 1) code.op("CMP r/m32, imm8", { rm: random.below(8), immediate: random.below(8) });
  else if (kind === 2) code.op("CMP r/m8, r8", { rm: random.below(8), reg: random.below(8) });
  else if (kind === 3) code.op("BT r/m32, imm8", { rm: random.below(8), immediate: random.below(32) });
  else w.straight(1);
}

export const straight: Piece = (w) => w.straight(3 + w.random.below(14));

/** Branches forward over one body, or over one of two. */
export const branch: Piece = (w) => {
  const { random, code } = w;
  const end = code.label();
  compare(w);
  const before = new Set(w.valid);
  const other = code.label();
  code.jump(condition(w), other);
  body(w, 1 + random.below(6));
  if (random.oneIn(2)) {
    code.jump("JMP", end);
    code.place(other);
    const after = w.valid;
    w.valid = new Set(before);
    body(w, 1 + random.below(6));
    w.valid = new Set([...w.valid].filter((register) => after.has(register)));
  } else {
    code.place(other);
    w.valid = new Set([...w.valid].filter((register) => before.has(register)));
  }
  code.place(end);
};

/** Jumps over a few instructions with the shortest branch there is, on a condition, a count, or always. */
export const shortBranch: Piece = (w) => {
  const { random, code } = w;
  const end = code.label();
  const counted = !w.reserved.has(ECX) && random.oneIn(3);
  const before = new Set(w.valid);
  if (counted) {
    w.valid.delete(ECX);
    if (random.oneIn(2)) code.op("AND r/m32, imm8", { rm: ECX, immediate: 1 });
    const narrow = random.oneIn(4);
    const mnemonic = random.pick(["LOOP", "LOOPE", "LOOPNE", "J"]);
    const addressSize = narrow ? 16 : 32;
    const syntax = mnemonic === "J" ? `J${narrow ? "" : "E"}CXZ rel8` : `${mnemonic} rel8`;
    code.shortForward(syntax, end, { addressSize });
  } else if (random.oneIn(6)) code.shortForward("JMP rel8", end);
  else {
    compare(w);
    code.shortForward(`${condition(w)} rel8`, end);
  }
  const start = code.here;
  for (let i = 1 + random.below(4); i > 0 && code.here - start < 80; i--) w.instruction();
  code.place(end);
  w.valid = new Set([...w.valid].filter((register) => before.has(register)));
};

/** Some instructions, with smaller pieces between them where there is room for them. */
function body(w: Writer, count: number): void {
  const { random } = w;
  w.depth++;
  for (let i = 0; i < count; i++) {
    if (w.depth < 4 && random.oneIn(7)) random.pick(inner)(w);
    else w.instruction();
  }
  w.depth--;
}

/** A loop of 1 to 60 rounds, its counter in ECX or in memory, ended in one of the usual ways. */
export const loop: Piece = (w) => {
  const { random, code } = w;
  const rounds = w.depth > 1 ? 1 + random.below(6) : 2 + random.below(random.oneIn(3) ? 60 : 20);
  const reserved = new Set(w.reserved);
  const top = code.label();
  const isCounted = !w.reserved.has(ECX) && random.below(10) < 7;
  const kept: number[] = [];
  for (const register of [EBX, ESI, EDI])
    if (!w.reserved.has(register) && random.oneIn(3)) {
      w.anchor(register);
      kept.push(register);
      w.reserved.add(register);
    }
  const counter = w.loopVariable();
  if (isCounted) {
    w.set(ECX, rounds);
    w.reserved.add(ECX);
  } else code.op("MOV r/m32, imm32", { ...counter, immediate: rounds });
  const valid = new Set(kept);
  w.valid = new Set(valid);
  if (random.oneIn(3)) code.align(random.pick([4, 16]));
  code.place(top);
  if (isCounted) {
    w.depth++;
    for (let i = 1 + random.below(10); i > 0; i--) {
      if (w.depth < 3 && random.oneIn(8)) random.pick([branch, shortBranch, exchange, loop])(w);
      else w.instruction();
    }
    w.depth--;
  } else body(w, 1 + random.below(10));
  for (const register of kept)
    if (random.oneIn(2)) code.op("ADD r/m32, imm8", { rm: register, immediate: random.pick([1, 2, 4, 4, 8, -4]) });
  if (!isCounted) {
    code.op("DEC r/m32", counter);
    code.jump("JNE", top);
  } else {
    const kind = random.below(4);
    const isShort =
      kind === 0 && code.shortBack(random.pick(["LOOP rel8", "LOOP rel8", "LOOPE rel8", "LOOPNE rel8"]), top);
    if (!isShort) {
      if (kind === 1) code.op("SUB r/m32, imm8", { rm: ECX, immediate: 1 });
      else code.op("DEC r32", { reg: ECX });
      if (kind !== 2 || !code.shortBack("JNE rel8", top)) code.jump(kind === 3 ? "JG" : "JNE", top);
    }
  }
  w.reserved = reserved;
  w.valid = valid;
};

/** Four ways, taken by a jump through a table that lies in the code. */
export const choose: Piece = (w) => {
  const { random, code } = w;
  if (w.shape.bits === 16) return indirect(w);
  const [table, end] = [code.label(), code.label()];
  const ways: Label[] = [code.label(), code.label(), code.label(), code.label()];
  const selector = random.pick([EAX, EDX]);
  code.op("AND r/m32, imm8", { rm: selector, immediate: 3 });
  // The table is read through CS: the data segment may be based elsewhere.
  code.opAt("JMP r/m32", table, { index: selector, scale: 2, segmentOverride: 1 });
  code.align(4, 0xcc);
  code.place(table);
  code.dd(...ways);
  for (const way of ways) {
    code.place(way);
    w.forget();
    w.straight(1 + random.below(4));
    code.jump("JMP", end);
  }
  code.place(end);
  w.forget();
};

/** Jumps on to what follows, through a register or a word in memory, of 16 bits where offsets have no more. */
const indirect: Piece = (w) => {
  const { random, code, shape } = w;
  const end = code.label();
  const size = shape.codeBase !== 0 && (shape.bits === 16 || random.oneIn(3)) ? 16 : 32;
  if (random.oneIn(2)) {
    code.opWith("MOV r32, imm32", end, { reg: EDX });
    code.op(`JMP r/m${size}`, { rm: EDX });
  } else {
    code.opWith("MOV r/m32, imm32", end, w.variable(P.V.scratch));
    code.op(`JMP r/m${size}`, w.variable(P.V.scratch));
  }
  code.align(random.pick([1, 1, 16]), 0xcc);
  code.place(end);
  w.forget();
};

/** Calls a routine: directly, through a register, or through memory. */
export const call: Piece = (w) => {
  const { random, code } = w;
  if (w.callable.length === 0) return straight(w);
  const target = random.pick(w.callable);
  const kind = random.below(4);
  const size = w.shape.bits;
  if (random.oneIn(3)) code.op("PUSH r32", { reg: random.below(8) });
  if (kind < 2) code.jump("CALL", target);
  else if (kind === 2) {
    code.opWith("MOV r32, imm32", target, { reg: EAX });
    code.op(`CALL r/m${size}`, { rm: EAX });
  } else {
    code.opWith("MOV r/m32, imm32", target, w.variable(P.V.scratch));
    code.op(`CALL r/m${size}`, w.variable(P.V.scratch));
  }
  w.forget();
};

// --- strings ---

const STRINGS = ["MOVS", "STOS", "LODS", "SCAS", "CMPS"] as const;

/** One string instruction, mostly repeated: overlapping, across pages, backwards, into pages that are not there. */
export const string: Piece = (w) => {
  const { random, code, reserved } = w;
  if (reserved.has(ESI) || reserved.has(EDI) || (reserved.has(ECX) && w.depth > 2)) return straight(w);
  const isKept = reserved.has(ECX);
  const size = random.pick(["B", "W", "D", "D"]);
  const repeat = random.oneIn(8) ? 0 : random.pick([0xf3, 0xf3, 0xf2] as const);
  const isBackward = random.oneIn(5);
  const addressSize = w.shape.bits === 16 || random.oneIn(30) ? random.pick([16, 32] as const) : 32;
  if (isKept) code.op("PUSH r32", { reg: ECX });
  w.set(ESI, w.place());
  if (random.oneIn(4))
    code.op("LEA r32, m", { reg: EDI, memory: true, addressSize: 32, base: ESI, displacement: random.below(24) - 8 });
  else w.set(EDI, w.place());
  if (repeat !== 0) {
    const count = random.oneIn(12) ? random.below(2) : random.oneIn(6) ? 1 + random.below(700) : 1 + random.below(60);
    w.set(ECX, random.oneIn(40) && addressSize === 16 ? count | 0x30000 : count);
  }
  if (isBackward) code.op("STD");
  const name = random.pick(STRINGS);
  code.op(`${name}${size}`, {
    operandSize: size === "W" ? 16 : size === "D" ? 32 : w.shape.bits,
    addressSize,
    repeat,
    segmentOverride: random.oneIn(12) ? random.pick([FS, GS, ES, DS]) : -1,
  });
  if (isBackward) code.op("CLD");
  if (isKept) code.op("POP r32", { reg: ECX });
  w.valid.delete(ESI);
  w.valid.delete(EDI);
};

// --- the stack ---

/** Pushes and pops in equal number, with something between. */
export const stack: Piece = (w) => {
  const { random, code } = w;
  const count = 1 + random.below(5);
  const size = random.oneIn(5) ? 16 : 32;
  for (let i = 0; i < count; i++) {
    const kind = random.below(8);
    if (kind < 4) code.op(`PUSH r${size}`, { reg: random.below(8) });
    else if (kind === 4) code.op(`PUSH r/m${size}`, w.memory());
    else if (kind === 5) code.op("PUSH imm8", { operandSize: size, immediate: random.below(256) - 128 });
    else if (kind === 6) code.op(`PUSH imm${size}`, { immediate: random.word() >> (size === 16 ? 16 : 0) });
    else if (random.oneIn(2)) code.op(size === 32 ? "PUSHFD" : "PUSHF");
    else code.op(`PUSH ${random.pick(["ES", "CS", "SS", "DS", "FS", "GS"])}`, { operandSize: size });
  }
  if (w.depth < 3) body(w, random.below(5));
  else w.straight(random.below(4));
  if (random.oneIn(5)) {
    code.op(w.shape.bits === 16 ? "ADD r/m16, imm8" : "ADD r/m32, imm8", { rm: ESP, immediate: (count * size) / 8 });
    return;
  }
  for (let i = 0; i < count; i++) {
    if (random.oneIn(5)) code.op(`POP r/m${size}`, w.memory());
    else code.op(`POP r${size}`, { reg: w.register(size, true) });
  }
};

/** A frame, by ENTER or by hand, and LEAVE. */
export const frame: Piece = (w) => {
  const { random, code } = w;
  if (w.reserved.has(EBP)) return straight(w);
  const size = 4 * random.below(12);
  w.valid.delete(EBP);
  code.op("PUSH r32", { reg: EBP });
  if (random.oneIn(2))
    code.op("ENTER imm16, imm8", {
      operandSize: 32,
      immediate: size,
      immediate2: random.oneIn(4) ? random.below(4) : 0,
    });
  else {
    code.op("PUSH r32", { reg: EBP });
    code.op("MOV r/m32, r32", { rm: EBP, reg: ESP });
    code.op("SUB r/m32, imm8", { rm: ESP, immediate: size });
  }
  const reserved = new Set(w.reserved);
  w.reserved.add(EBP);
  for (let i = random.below(5); i > 0; i--) {
    const local = { memory: true, addressSize: 32, base: EBP, displacement: -4 * random.below(8) } as const;
    code.op(random.pick(["MOV r/m32, r32", "ADD r/m32, r32", "XCHG r/m32, r32"]), {
      ...local,
      reg: random.pick([EAX, EDX]),
    });
    w.straight(random.below(3));
  }
  w.reserved = reserved;
  code.op("LEAVE", { operandSize: 32 });
  code.op("POP r32", { reg: EBP });
};

export const allRegisters: Piece = (w) => {
  const { code, random } = w;
  const isWide = !random.oneIn(4);
  code.op(isWide ? "PUSHAD" : "PUSHA");
  w.straight(random.below(6));
  code.op(isWide ? "POPAD" : "POPA");
  w.forget();
};

// --- between processors ---

const lockWord = (w: Writer, number: number) => w.at(P.SHARED + 4 * number);

/** Locked and unlocked updates of words that all processors have. */
export const exchange: Piece = (w) => {
  const { random, code } = w;
  const count = 1 + random.below(4);
  for (let i = 0; i < count; i++) {
    const word = random.oneIn(3) ? w.memory() : lockWord(w, 16 + random.below(8));
    const reg = random.pick([EAX, EDX]);
    const lock = !random.oneIn(3);
    const kind = random.below(7);
    if (kind === 0) code.op("XCHG r/m32, r32", { ...word, reg });
    else if (kind === 1) code.op("XADD r/m32, r32", { ...word, reg, lock });
    else if (kind === 2) code.op("CMPXCHG r/m32, r32", { ...word, reg, lock });
    else if (kind === 3) code.op("INC r/m32", { ...word, lock });
    else if (kind === 4) code.op("BTS r/m32, imm8", { ...word, lock, immediate: random.below(32) });
    else if (kind === 5) code.op("ADD r/m32, r32", { ...word, reg, lock });
    else code.op("MOV r32, r/m32", { ...word, reg });
    if (random.oneIn(8)) code.op(random.pick(["PAUSE", "MFENCE", "LFENCE", "SFENCE"]));
  }
};

/** Takes a lock, or gives up after some tries; does something; and lets it go. */
export const lock: Piece = (w) => {
  const { random, code } = w;
  if (w.reserved.has(ECX)) return exchange(w);
  const word = lockWord(w, random.below(4));
  const [acquire, held, giveUp, wait] = [code.label(), code.label(), code.label(), code.label()];
  const kind = random.below(3);
  w.set(ECX, 20 + random.below(100));
  w.forget();
  code.place(acquire);
  if (kind === 0) {
    code.op("BTS r/m32, imm8", { ...word, lock: true, immediate: 0 });
    code.jump("JAE", held);
  } else if (kind === 1) {
    code.op("MOV r32, imm32", { reg: EAX, immediate: 1 });
    code.op("XCHG r/m32, r32", { ...word, reg: EAX });
    code.op("TEST r/m32, r32", { rm: EAX, reg: EAX });
    code.jump("JE", held);
  } else {
    code.op("XOR r/m32, r32", { rm: EAX, reg: EAX });
    code.op("MOV r32, imm32", { reg: EDX, immediate: 1 });
    code.op("CMPXCHG r/m32, r32", { ...word, reg: EDX, lock: true });
    code.jump("JE", held);
  }
  code.place(wait);
  if (!random.oneIn(4)) code.op("PAUSE");
  code.op("DEC r32", { reg: ECX });
  code.jump("JE", giveUp);
  code.op("TEST r/m32, imm32", { ...word, immediate: 1 });
  code.jump("JNE", wait);
  code.jump("JMP", acquire);
  code.place(held);
  for (let i = random.below(4); i >= 0; i--) {
    const total = lockWord(w, 8 + random.below(4));
    code.op("MOV r32, r/m32", { ...total, reg: EAX });
    code.op("ADD r/m32, imm8", { rm: EAX, immediate: 1 });
    code.op("MOV r/m32, r32", { ...total, reg: EAX });
  }
  code.op("MOV r/m32, imm32", { ...word, immediate: 0 });
  code.place(giveUp);
};

/** What may stand within loops and branches. */
const inner: readonly Piece[] = [
  branch,
  shortBranch,
  shortBranch,
  indirect,
  loop,
  choose,
  exchange,
  string,
  stack,
  call,
  frame,
];

export const plainPieces: readonly (readonly [Piece, weight: number])[] = [
  [straight, 10],
  [branch, 6],
  [shortBranch, 6],
  [indirect, 2],
  [loop, 16],
  [choose, 4],
  [call, 8],
  [string, 8],
  [stack, 5],
  [frame, 3],
  [allRegisters, 2],
  [exchange, 5],
  [lock, 5],
];
