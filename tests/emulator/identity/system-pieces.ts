// The pieces of a random program that are not plain computation: code that changes itself, faults, interrupts, paging, segments.

import { forms } from "../../../emulator/isa/index.ts";
import { type Piece, straight } from "./pieces.ts";
import * as P from "./places.ts";
import { DS, EAX, EBX, ECX, EDX, ES, ESP, FS, GS, SS, type Writer } from "./writer.ts";

/** Runs what follows in one of so many rounds only. */
function seldom(w: Writer, rounds: number, what: () => void): void {
  const { code } = w;
  const over = code.label();
  code.op("TEST r/m32, imm32", { ...w.variable(P.V.rounds), immediate: rounds - 1 });
  code.jump("JNE", over);
  what();
  code.place(over);
  w.forget();
}

// --- code that changes ---

/** An instruction that others may change, and the way to do so. */
const patchable: Piece = (w) => {
  const { random, code, patchables } = w;
  const opcode = code.here;
  if (random.oneIn(2)) {
    const { immediate } = code.op("MOV r32, imm32", { reg: random.pick([EAX, EDX]), immediate: random.word() });
    patchables.push({ immediate, opcode: -1, toggle: 0 });
  } else {
    // ADD and SUB differ in one bit pattern of the opcode, and so do OR and AND.
    const [syntax, toggle] = random.pick([
      ["ADD r/m32, r32", 0x28],
      ["OR r/m32, r32", 0x28],
      ["INC r32", 0x08],
    ] as const);
    const isShort = syntax === "INC r32";
    code.op(syntax, isShort ? { reg: EAX } : { rm: EAX, reg: EDX });
    patchables.push({ immediate: -1, opcode: code.bits === 16 ? opcode + 1 : opcode, toggle });
  }
};

/** Changes an instruction that is there already. */
function patch(w: Writer): void {
  const { random, code, patchables } = w;
  if (patchables.length === 0) return;
  const { immediate, opcode, toggle } = random.pick(patchables);
  const where = (offset: number) => ({ memory: true, addressSize: 32, displacement: w.codeAsData(offset) }) as const;
  if (immediate < 0) code.op("XOR r/m8, imm8", { ...where(opcode), immediate: toggle });
  else {
    const kind = random.below(4);
    if (kind === 0) code.op("INC r/m32", { ...where(immediate), lock: random.oneIn(2) });
    else if (kind === 1) code.op("MOV r/m8, r8", { ...where(immediate + random.below(4)), reg: random.below(8) });
    else if (kind === 2) code.op("MOV r/m32, r32", { ...where(immediate), reg: random.below(8) });
    else code.op("XADD r/m32, r32", { ...where(immediate), reg: EAX });
  }
}

export const selfModifying: Piece = (w) => {
  const { random } = w;
  if (random.oneIn(2)) patchable(w);
  const often = random.pick([1, 2, 8, 16, 32]);
  if (often === 1) patch(w);
  else seldom(w, often, () => patch(w));
  if (random.oneIn(2)) patchable(w);
  w.straight(random.below(4));
};

/** Data among code, written in every round. */
export const dataInCode: Piece = (w) => {
  const { random, code } = w;
  const over = code.label();
  const words = 1 + random.below(4);
  code.jump("JMP", over);
  if (random.oneIn(2)) code.align(64);
  const at = code.here;
  for (let i = 0; i < words; i++) code.dd(random.word());
  if (random.oneIn(3)) code.align(64);
  code.place(over);
  const word = { memory: true, addressSize: 32, displacement: w.codeAsData(at + 4 * random.below(words)) } as const;
  code.op(random.pick(["ADD r/m32, r32", "MOV r/m32, r32", "XCHG r/m32, r32"]), { ...word, reg: EAX });
  w.straight(random.below(3));
  code.op("MOV r32, r/m32", { ...word, reg: EDX });
};

/** A stretch of one-byte instructions that is filled anew by a string instruction. */
export const refilled: Piece = (w) => {
  const { random, code } = w;
  if (w.reserved.has(ECX)) return straight(w);
  const over = code.label();
  const room = 8 + random.below(40);
  const fill = (): void => {
    // NOP, INC EDX, DEC EDX, CMC
    code.op("MOV r8, imm8", { reg: 0, immediate: random.pick([0x90, 0x42, 0x4a, 0xf5]) });
    w.set(7, w.codeAsData(at));
    w.set(ECX, random.below(room));
    code.op("STOSB", { repeat: 0xf3, addressSize: 32 });
  };
  code.jump("JMP", over);
  code.place(over);
  const at = code.here + 60 + random.below(20);
  if (random.oneIn(2)) fill();
  else seldom(w, 8, fill);
  while (code.here < at) code.op("NOP");
  for (let i = 0; i < room; i++) code.db(random.pick([0x90, 0x42, 0x4a, 0xf5]));
};

// --- faults ---

/** Something that faults, each time or often. */
export const fault: Piece = (w) => {
  const { random, code, shape } = w;
  w.straight(random.below(4));
  const kind = random.below(12);
  if (kind === 0) {
    code.op("XOR r/m32, r32", { rm: ECX, reg: ECX });
    code.op(random.pick(["DIV r/m32", "IDIV r/m32", "DIV r/m8", "IDIV r/m16"]), { rm: ECX });
  } else if (kind === 1) code.op("UD2");
  else if (kind === 2)
    code.op("MOV r32, r/m32", { memory: true, addressSize: 32, displacement: w.data(0x700000), reg: EAX });
  else if (kind === 3) code.op("ADD r/m32, r32", { ...w.at(0xf0800 + random.below(8)), reg: EAX });
  else if (kind === 4) {
    w.set(EAX, random.oneIn(2) ? P.S.small : P.S.expandDown);
    code.op("MOV Sreg, r/m16", { reg: GS, rm: EAX });
    code.op("MOV r32, r/m32", {
      memory: true,
      addressSize: 32,
      displacement: random.pick([0xffd, 0xffc, 0x1000]),
      segmentOverride: GS,
      reg: EDX,
    });
  } else if (kind === 5) code.op("INT3");
  else if (kind === 6) {
    code.op("MOV r8, imm8", { reg: 0, immediate: 0x7f });
    code.op("ADD r/m8, imm8", { rm: 0, immediate: random.below(3) });
    code.op("INTO");
  } else if (kind === 7) {
    code.op("BOUND r32, m32&32", { ...w.memory(), reg: EAX });
  } else if (kind === 8) code.op("INT imm8", { immediate: random.pick([0x30, 0x0d, 0xf0]) });
  else if (kind === 9) {
    w.set(EAX, random.pick([P.S.absent, P.S.tss, 0xfff8, P.S.code0, P.S.readOnly, 0]));
    code.op("MOV Sreg, r/m16", { reg: random.pick([ES, DS, FS, SS]), rm: EAX });
    code.op("MOV r/m32, r32", { memory: true, addressSize: 32, displacement: 4, segmentOverride: ES, reg: EAX });
  } else if (kind === 10 && shape.ring === 3) code.op(random.pick(["CLI", "HLT", "CLTS", "INVD"]));
  else {
    // In the middle of a data-flow instruction with two accesses, the second page missing.
    code.op("ADD r/m32, r32", { ...w.at(w.own + P.DEMAND - 1 - random.below(3)), reg: EDX });
  }
  w.straight(random.below(3));
};

/** Rows that look at or change what programs seldom do: every one of them leaves compiled code. */
const seldomUsed = forms.filter(
  ({ mnemonic, operands }) =>
    /^(?:SMSW|SLDT|STR|SGDT|SIDT|LAR|LSL|VERR|VERW|ARPL|CLTS|RDMSR|RDPMC|WBINVD|BOUND|UD1)$/.test(mnemonic) ||
    (mnemonic === "MOV" && (operands[1] === "Sreg" || operands[1] === "DR")) ||
    (mnemonic === "IN" && operands[1] === "imm8") ||
    (mnemonic === "OUT" && operands[0] === "imm8"),
);

export const rare: Piece = (w) => {
  const { random, code } = w;
  const form = random.pick(seldomUsed);
  if (form.mnemonic === "IN" || form.mnemonic === "OUT") code.form(form, { immediate: -128 });
  else if (form.operands.includes("DR")) code.form(form, { reg: random.below(4), rm: EAX });
  else w.draft(form);
  w.forget();
};

/** A far pointer is made in memory and loaded: the selector of data, or one that is none. */
export const farPointer: Piece = (w) => {
  const { random, code } = w;
  const size = random.oneIn(3) ? 16 : 32;
  const selector = random.oneIn(8) ? P.S.absent : random.pick([P.S.based, P.S.data3, P.S.small]);
  const at = (distance: number) => w.at(w.own + P.ARENA + 0x40 + distance);
  code.op("MOV r/m32, imm32", { ...at(0), immediate: random.below(0x800) });
  code.op("MOV r/m16, imm16", { ...at(size / 8), immediate: selector });
  code.op(`${random.pick(["LES", "LFS", "LGS"])} r${size}, m16:${size}`, { ...at(0), reg: random.pick([EAX, EDX]) });
  w.straight(random.below(3));
  w.set(EAX, P.S.data3);
  code.op("MOV Sreg, r/m16", { reg: ES, rm: EAX });
};

// --- interrupts ---

/** A system call, a trap, or an interrupt through a gate of the 286. */
export const softInterrupt: Piece = (w) => {
  const { random, code } = w;
  const kind = random.below(5);
  if (kind < 3) {
    code.op("MOV r32, imm32", { reg: EAX, immediate: random.below(4) });
    code.op("INT imm8", { immediate: P.CALL_VECTOR });
  } else code.op("INT imm8", { immediate: kind === 3 || w.shape.codeBase === 0 ? P.TRAP_VECTOR : P.NARROW_VECTOR });
  w.forget();
};

/** Flags by way of the stack, and the interrupt flag around some work. */
export const flags: Piece = (w) => {
  const { random, code } = w;
  const kind = random.below(6);
  if (kind === 0) {
    code.op("PUSHFD");
    code.op("CLI");
    w.straight(1 + random.below(4));
    code.op("POPFD");
  } else if (kind === 1) {
    code.op("CLI");
    w.straight(random.below(5));
    code.op("STI");
    w.straight(1 + random.below(2));
  } else if (kind === 2) {
    // Any flags but TF, NT, VM and those that keep an identity apart; IF as it was.
    code.op("PUSHFD");
    code.op("AND r/m32, imm32", { memory: true, addressSize: 32, base: ESP, immediate: 0x202 });
    code.op("OR r/m32, imm32", { memory: true, addressSize: 32, base: ESP, immediate: random.word() & 0x8d5 });
    if (random.oneIn(3)) {
      code.op("POPF");
      code.op("POP r16", { reg: EDX });
    } else code.op("POPFD");
  } else if (kind === 3) {
    code.op("PUSHFD");
    code.op("POP r32", { reg: EAX });
    w.straight(1);
    code.op("PUSHF");
    code.op("POP r16", { reg: EDX });
  } else if (kind === 4) {
    code.op("LAHF");
    w.straight(2);
    code.op("SAHF");
  } else {
    code.op("STI");
    code.op("NOP");
  }
};

const apic = (w: Writer, register: number) => w.at(P.APIC + register);

/** The local APIC: messages, priorities, its timer. */
export const apicAccess: Piece = (w) => {
  const { random, code, shape } = w;
  const kind = random.below(8);
  const write = (register: number, immediate: number): void => {
    code.op("MOV r/m32, imm32", { ...apic(w, register), immediate });
  };
  if (kind < 2) write(0x300, 0x44000 | P.SELF_VECTOR);
  else if (kind === 2) seldom(w, 4, () => write(0x300, random.pick([0xc4000, 0x84000]) | P.OTHERS_VECTOR));
  else if (kind === 3) {
    seldom(w, 4, () => {
      write(0x310, random.below(shape.processors) << 24);
      write(0x300, 0x4000 | P.OTHERS_VECTOR);
    });
  } else if (kind === 4) {
    write(0x80, random.pick([0x20, 0x50, 0x60, 0xf0]));
    w.straight(random.below(6));
    write(0x80, 0);
  } else if (kind === 5)
    code.op("MOV r32, r/m32", { ...apic(w, random.pick([0x20, 0x80, 0x390, 0x380, 0x300, 0x250, 0x180])), reg: EAX });
  else if (shape.timers) {
    seldom(w, random.pick([2, 8]), () => {
      write(0x320, (random.oneIn(2) ? 0x20000 : 0) | P.TIMER_VECTOR);
      write(0x3e0, random.pick([0xb, 0, 1, 3]));
      write(0x380, 200 + random.below(random.oneIn(3) ? 400 : 20_000));
    });
  } else write(0x3e0, 0xb);
  w.straight(random.below(3));
};

/** What depends on time, and devices that are harmless. */
export const time: Piece = (w) => {
  const { random, code } = w;
  const kind = random.below(6);
  if (kind === 0) code.op("RDTSC");
  else if (kind === 1) {
    code.op("XOR r/m32, r32", { rm: EAX, reg: EAX });
    code.op("CPUID");
  } else if (kind === 2) {
    code.op("MOV r8, imm8", { reg: 0, immediate: 0 });
    code.op("OUT imm8, AL", { immediate: 0x43 });
    code.op("IN AL, imm8", { immediate: 0x40 });
    code.op("IN AL, imm8", { immediate: 0x40 });
  } else if (kind === 3) code.op("OUT imm8, AL", { immediate: -128 });
  else if (kind === 4) code.op("IN AL, imm8", { immediate: 0x61 });
  else code.op("PAUSE");
  w.forget();
};

/** Sleeps until an interrupt comes. */
export const halt: Piece = (w) => {
  const { code, shape } = w;
  if (w.ring === 3 || !shape.timers) return apicAccess(w);
  seldom(w, 4, () => {
    // Something to wake up for, so that nobody sleeps for ever.
    code.op("CLI");
    code.op("MOV r/m32, imm32", { ...apic(w, 0x300), immediate: 0x44000 | P.SELF_VECTOR });
    code.op("STI");
    code.op("HLT");
  });
};

// --- paging ---

const entryOf = (w: Writer, linear: number) => w.at(P.TABLE_WINDOW + 4 * (linear >>> 12));

/** A change to a page table, with or without telling the processor, and a use of the page. Ring 0. */
export const paging: Piece = (w) => {
  const { random, code, shape } = w;
  if (!shape.paged) return straight(w);
  const kind = random.below(8);
  const page = P.WINDOW + random.below(P.WINDOW_PAGES) * P.PAGE;
  const tell = (linear: number): void => {
    if (random.oneIn(2)) code.op("INVLPG m", { ...w.at(linear) });
  };
  const often = random.pick([1, 2, 4, 16]);
  const change = (): void => {
    if (kind < 3) {
      const frame = random.pick([w.own + P.ARENA, P.SHARED + P.PAGE, P.SHARED + 2 * P.PAGE, P.codeOf(0), P.SHARED]);
      // The frame is named by where it lies one to one: with shared code this may be another processor's page.
      code.op("MOV r/m32, imm32", {
        ...entryOf(w, page),
        immediate: frame | random.pick([7, 7, 7, 5, 3, 6, 0x67, 0x107]),
      });
      tell(page);
    } else if (kind === 3) {
      code.op("BTC r/m32, imm8", { ...entryOf(w, w.own + P.DEMAND), immediate: 0 });
      tell(w.own + P.DEMAND);
    } else if (kind === 4) {
      code.op("XOR r/m32, imm32", { ...entryOf(w, P.SHARED + P.SHARED_READ_ONLY), immediate: random.pick([2, 4, 6]) });
      tell(P.SHARED + P.SHARED_READ_ONLY);
    } else if (kind === 5) {
      code.op("MOV r32, CR", { reg: 3, rm: EAX });
      code.op("MOV CR, r32", { reg: 3, rm: EAX });
    } else if (kind === 6) {
      code.op("MOV r32, CR", { reg: 0, rm: EAX });
      code.op("XOR r/m32, imm32", { rm: EAX, immediate: 0x10000 });
      code.op("MOV CR, r32", { reg: 0, rm: EAX });
    } else {
      // What the processor has noted: read, and taken back.
      code.op("AND r/m32, imm32", { ...entryOf(w, page), immediate: random.pick([~0x20, ~0x40, ~0x60]) });
      code.op("MOV r32, r/m32", { ...entryOf(w, w.own + P.ARENA), reg: EAX });
    }
  };
  if (often === 1) change();
  else seldom(w, often, change);
  if (w.ring === shape.ring) {
    code.op("ADD r/m32, r32", { ...w.at(page + random.below(0xffc)), reg: EDX });
    code.op("MOV r32, r/m32", { ...w.at(page + random.below(0xffc)), reg: EAX });
  }
  w.straight(random.below(3));
};

/** Goes on at the second address of the same code, or back at the first. */
export const alias: Piece = (w) => {
  const { random, code, shape } = w;
  if (!shape.bigPages || shape.bits === 16) return straight(w);
  const next = code.label();
  code.opWith("MOV r32, imm32", next, { reg: EAX });
  if (!random.oneIn(3)) code.op("ADD r/m32, imm32", { rm: EAX, immediate: P.ALIAS });
  code.op("JMP r/m32", { rm: EAX });
  code.place(next);
  w.forget();
};

// --- segments ---

/** Segment registers are loaded, used and put back. */
export const segments: Piece = (w) => {
  const { random, code } = w;
  const segment = random.pick([ES, FS, GS, GS, DS]);
  const selector = random.pick([P.S.small, P.S.based, P.S.data3, P.S.readOnly, P.S.expandDown, P.S.based]);
  if (random.oneIn(3)) {
    code.op("PUSH imm32", { immediate: selector });
    const name = ["ES", "CS", "SS", "DS", "FS", "GS"][segment] as string;
    code.op(`POP ${name}`, { operandSize: 32 });
  } else {
    w.set(EAX, selector);
    code.op("MOV Sreg, r/m16", { reg: segment, rm: EAX });
  }
  for (let i = random.below(4); i >= 0; i--) {
    const displacement = random.below(random.oneIn(6) ? 0x1400 : 0xff0);
    const operand = {
      memory: true,
      addressSize: 32,
      displacement,
      segmentOverride: segment,
      reg: random.pick([EAX, EDX]),
    } as const;
    code.op(random.pick(["MOV r32, r/m32", "ADD r/m32, r32", "MOV r/m16, r16", "CMP r/m8, r8"]), operand);
  }
  w.set(EAX, P.S.data3);
  if (segment === ES || segment === DS) code.op("MOV Sreg, r/m16", { reg: segment, rm: EAX });
  w.forget();
};

/** A far call into 16-bit code and back. Only where code and stack lie within 64 KiB of their bases, or the frame is wide. */
export const farCall: Piece = (w) => {
  const { random, code, shape } = w;
  if (shape.bits === 16 || w.reserved.has(ECX)) return straight(w);
  const [narrow, back] = [code.label(), code.label()];
  const selector = shape.ring === 3 ? P.S.code16user : P.S.code16;
  // The label's offset goes in by way of the stack: push the selector, push the offset, return far.
  const own = shape.ring === 3 ? P.S.code3 : P.S.code0;
  code.op("PUSH imm32", { immediate: own });
  code.opWith("PUSH imm32", back);
  code.op("PUSH imm32", { immediate: selector });
  code.opWith("PUSH imm32", narrow);
  code.op("RETF", { operandSize: 32 });
  code.align(random.pick([1, 16]), 0xcc);
  code.place(narrow);
  code.bits = 16;
  const rounds = 1 + random.below(20);
  const top = code.label();
  w.set(ECX, rounds);
  const reserved = new Set(w.reserved);
  w.reserved.add(ECX);
  w.forget();
  code.place(top);
  w.straight(1 + random.below(6));
  code.op(random.oneIn(2) ? "DEC r32" : "DEC r16", { reg: ECX });
  // An offset beyond 64 KiB is not reached by a 16-bit jump: the 32-bit one is taken.
  code.op("JNE rel32", { immediate: top.offset - (code.here + 7) });
  w.reserved = reserved;
  code.op("RETF", { operandSize: 32 });
  code.bits = 32;
  code.place(back);
  w.forget();
};

/** The stack is elsewhere for a while: another selector for the same place, loaded with MOV SS and ESP after it. */
export const stackSwitch: Piece = (w) => {
  const { random, code, shape } = w;
  if (shape.bits === 16) return straight(w);
  const [narrow, wide] = shape.ring === 3 ? [P.S.stack16user, P.S.data3] : [P.S.stack16, P.S.data0];
  w.set(EAX, random.oneIn(3) ? wide : narrow);
  code.op("MOV Sreg, r/m16", { reg: SS, rm: EAX });
  code.op("NOP");
  w.straight(random.below(4));
  if (shape.dataBase === P.DATA) {
    code.op("PUSH r32", { reg: EBX });
    w.straight(random.below(2));
    code.op("POP r32", { reg: EDX });
    code.op("PUSH r16", { reg: EBX });
    code.op("POP r16", { reg: EDX });
  }
  w.set(EAX, wide);
  code.op("MOV Sreg, r/m16", { reg: SS, rm: EAX });
  code.op("MOV r/m32, r32", { rm: EDX, reg: ESP });
  w.valid.clear();
};

export const systemPieces: readonly (readonly [Piece, weight: number])[] = [
  [selfModifying, 6],
  [dataInCode, 3],
  [refilled, 2],
  [fault, 6],
  [softInterrupt, 4],
  [flags, 4],
  [apicAccess, 4],
  [time, 2],
  [halt, 2],
  [paging, 5],
  [alias, 2],
  [rare, 4],
  [farPointer, 2],
  [segments, 4],
  [farCall, 3],
  [stackSwitch, 2],
];
