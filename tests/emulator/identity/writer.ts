// What writes a random program: code, the state of its registers as far as it is known, and operands that mostly lead somewhere.
import { plainOf } from "../../../emulator/cpu/index.ts";
import { type Form, forms, NONE } from "../../../emulator/isa/index.ts";
import type { Random } from "../fuzz/random.ts";
import type { Code, Label, Operands } from "./code.ts";
import * as P from "./places.ts";

export const EAX = 0;
export const ECX = 1;
export const EDX = 2;
export const EBX = 3;
export const ESP = 4;
export const EBP = 5;
export const ESI = 6;
export const EDI = 7;
export const ES = 0;
export const CS = 1;
export const SS = 2;
export const DS = 3;
export const FS = 4;
export const GS = 5;

/** Registers that hold addresses most of the time. */
const POINTERS = [EBX, ESI, EDI, EBP] as const;

/** Data flow that leaves stack and control alone. */
const isPool = (form: Form): boolean =>
  form.unimplemented === "" &&
  plainOf(form) === undefined &&
  !/^(?:J|LOOP|CALL|RET|PUSH|POP|LEAVE|PAUSE)/.test(form.mnemonic);
const pool = forms.filter(isPool);
const common = pool.filter(
  ({ mnemonic, operandSize, alias }) =>
    operandSize === 32 &&
    !alias &&
    /^(?:MOV|MOVZX|ADD|SUB|AND|OR|XOR|CMP|TEST|INC|DEC|LEA|SHL|SHR|IMUL)$/.test(mnemonic),
);
const exchange8 = forms.filter(({ mnemonic }) => mnemonic === "CMPXCHG8B");

const sizeOf = (spec: string): number => Number(/(8|16|32|64)$/.exec(spec)?.[1] ?? 0);

/** An instruction whose bytes may be changed while the program runs. */
export interface Patchable {
  /** Offset in the code segment of its 32-bit immediate. */
  readonly immediate: number;
  /** Offset of an opcode byte that may be XORed with `toggle`, giving another instruction of the same length. */
  readonly opcode: number;
  readonly toggle: number;
}

export class Writer {
  readonly code: Code;
  readonly shape: P.Shape;
  /** Linear address of the pages that belong to the processor that runs this. */
  readonly own: number;
  random: Random;
  /** Pointer registers that hold the address of data. */
  valid = new Set<number>();
  /** Registers that must keep their value here. */
  reserved = new Set<number>([ESP]);
  /** Routines that may be called from here. */
  callable: readonly Label[] = [];
  readonly patchables: Patchable[] = [];
  /** How deep in loops. */
  depth = 0;
  ring: 0 | 3;
  #loops = 0;

  constructor(code: Code, shape: P.Shape, own: number, random: Random) {
    this.code = code;
    this.shape = shape;
    this.own = own;
    this.random = random;
    this.ring = shape.ring;
  }

  // --- addresses ---

  /** Offset in the data segment of a linear address. */
  data(linear: number): number {
    return (linear - this.shape.dataBase) | 0;
  }

  /** Offset in the data segment of an offset in the code segment. */
  codeAsData(offset: number): number {
    return this.data(offset + this.shape.codeBase);
  }

  /** A variable of the processor as an operand. */
  variable(offset: number, segment = NONE): Operands {
    return { memory: true, addressSize: 32, displacement: this.data(this.own + offset), segmentOverride: segment };
  }

  /** Memory at a fixed linear address as an operand. */
  at(linear: number, segment = NONE): Operands {
    return { memory: true, addressSize: 32, displacement: this.data(linear), segmentOverride: segment };
  }

  /** A loop counter in memory that no other loop has. */
  loopVariable(): Operands {
    return this.variable(P.V.loops + 4 * (this.#loops++ % P.LOOPS));
  }

  /** Offset in the data segment of somewhere to read and write, with some room behind it. */
  place(): number {
    const { random, shape } = this;
    const kind = random.below(100);
    let page = this.own + P.ARENA;
    if (kind >= 55) page = P.SHARED + P.SHARED_ARENA + random.below(2) * P.PAGE;
    if (kind >= 80) page = this.own + P.DEMAND;
    if (kind >= 87) page = P.SHARED + P.SHARED_READ_ONLY;
    if (kind >= 92 && shape.paged && shape.bits === 32) page = P.WINDOW + random.below(P.WINDOW_PAGES) * P.PAGE;
    const within = random.oneIn(8) ? P.PAGE - 1 - random.below(8) : random.below(P.PAGE - 0x200);
    const alias = shape.bigPages && random.oneIn(8) ? P.ALIAS : 0;
    return this.data(alias + page + (random.oneIn(3) ? within : within & ~3));
  }

  // --- registers ---

  /** A register's encoding for an operand of `size` bits. */
  register(size: number, written: boolean): number {
    const { random, reserved } = this;
    for (;;) {
      const whole = written && !random.oneIn(6) ? random.pick([EAX, ECX, EDX]) : random.below(8);
      if (written && (reserved.has(whole) || whole === ESP)) continue;
      if (size === 8) {
        if (whole > EBX) continue;
        if (written) this.valid.delete(whole);
        return whole + (random.oneIn(3) ? 4 : 0);
      }
      if (written) this.valid.delete(whole);
      return whole;
    }
  }

  /** Puts an address of data into a pointer register. */
  anchor(register: number): void {
    this.code.op("MOV r32, imm32", { reg: register, immediate: this.place() });
    this.valid.add(register);
  }

  /** A register that holds an address of data. */
  pointer(candidates: readonly number[] = POINTERS): number {
    const { random, valid, reserved } = this;
    const ready = candidates.filter((register) => valid.has(register));
    if (ready.length > 0 && !random.oneIn(6)) return random.pick(ready);
    const free = candidates.filter((register) => !reserved.has(register));
    if (free.length === 0) return random.pick(candidates);
    const register = random.pick(free);
    this.anchor(register);
    return register;
  }

  set(register: number, value: number): void {
    this.valid.delete(register);
    this.code.op("MOV r32, imm32", { reg: register, immediate: value | 0 });
  }

  /** Code runs twice or more from here: nothing is known of what the body changes. */
  forget(): void {
    this.valid.clear();
  }

  // --- memory operands ---

  memory(): Operands {
    const { random, code, shape } = this;
    const kind = random.below(100);
    const near = (): number => (random.oneIn(4) ? -random.below(64) : random.below(96));
    if (kind < 3)
      return { memory: true, addressSize: 32, base: random.below(8), displacement: random.word() >> random.below(32) };
    if (kind < 6) return { memory: true, addressSize: 32, base: ESP, displacement: 4 * random.below(8) };
    if (kind < 10) {
      const displacement = random.below(random.oneIn(20) ? 0x2000 : 0xff0);
      return { memory: true, addressSize: 32, displacement, segmentOverride: random.pick([FS, GS]) };
    }
    if (kind < 22) return { memory: true, addressSize: 32, displacement: this.place() };
    if (shape.bits === 16 ? kind < 60 : random.oneIn(40)) return this.memory16(near());
    if (kind < 80) return { memory: true, addressSize: 32, base: this.pointer(), displacement: near() };
    const base = this.pointer();
    const index = random.pick([EAX, ECX, EDX]);
    if (this.reserved.has(index)) return { memory: true, addressSize: 32, base, displacement: near() };
    code.op("AND r/m32, imm8", { rm: index, immediate: random.pick([3, 0x1f, 0x3c, 0x7f]) });
    return { memory: true, addressSize: 32, base, index, scale: random.below(4), displacement: near() };
  }

  /** One of the eight ways of 16-bit addressing. */
  memory16(displacement: number): Operands {
    const { random } = this;
    if (random.oneIn(6)) return { memory: true, addressSize: 16, displacement: (this.place() << 16) >> 16 };
    if (random.oneIn(4)) {
      const index = random.pick([ESI, EDI]);
      if (!this.reserved.has(index)) {
        this.set(index, random.below(64));
        return { memory: true, addressSize: 16, base: this.pointer([EBX, EBP]), index, displacement };
      }
    }
    const register = this.pointer();
    if (register === ESI || register === EDI) return { memory: true, addressSize: 16, index: register, displacement };
    return { memory: true, addressSize: 16, base: register, displacement };
  }

  // --- data flow ---

  /** `count` random instructions of data flow. */
  straight(count: number): void {
    for (let i = 0; i < count; i++) this.instruction();
  }

  instruction(): void {
    const { random, code } = this;
    if (random.oneIn(60)) {
      code.form(random.pick(exchange8), { ...this.memory(), lock: random.oneIn(2) });
      return;
    }
    this.draft(random.pick(random.oneIn(2) ? common : pool));
  }

  /** An instruction of a row, with random operands. */
  draft(form: Form): void {
    const { random, code } = this;
    this.prepare(form);
    const operands: { -readonly [K in keyof Operands]: Operands[K] } = {};
    form.roles.forEach((role, i) => {
      const spec = form.operands[i] as string;
      const written = (form.access[i] ?? "").includes("w");
      if (role === "rm") {
        if (form.rmMemory && (!form.rmRegister || random.below(100) < 40)) Object.assign(operands, this.memory());
        else operands.rm = this.register(sizeOf(spec), written);
      } else if (role === "reg" || role === "opcode") operands.reg = this.register(sizeOf(spec), written);
      else if (role === "moffs") {
        operands.memory = true;
        operands.addressSize = 32;
        operands.displacement = this.place();
      } else if (role === "immediate") operands.immediate = immediate(random, sizeOf(spec));
    });
    if (form.mnemonic.startsWith("BT") && operands.memory && operands.reg !== undefined) this.boundBits(operands);
    if (form.mnemonic === "XLATB") this.pointer([EBX]);
    if (form.lockable && operands.memory && random.oneIn(4)) operands.lock = true;
    if (random.oneIn(50)) operands.segmentOverride = random.below(6);
    if (form.mandatory === 0 && form.mnemonic !== "NOP" && !operands.lock && random.oneIn(80))
      operands.repeat = random.pick([0xf2, 0xf3]);
    code.form(form, operands);
    // Both of an exchange's registers are written, whatever the table's columns say of the order.
    if (form.mnemonic === "XADD" || form.mnemonic === "XCHG" || form.mnemonic === "BSWAP") this.valid.clear();
  }

  /** What keeps a division from faulting most of the time. */
  private prepare({ mnemonic, operands: [spec = ""] }: Form): void {
    const { random, code } = this;
    if ((mnemonic !== "DIV" && mnemonic !== "IDIV") || random.oneIn(12)) return;
    if (spec === "r/m8") code.op("AND r/m32, imm8", { rm: EAX, immediate: 0x3f });
    else code.op("XOR r/m32, r32", { rm: EDX, reg: EDX });
    code.op("SHR r/m32, imm8", { rm: EAX, immediate: random.below(20) });
  }

  /** Bit numbers in registers reach far: keeps them near. */
  private boundBits(operands: Operands): void {
    const { reg = EAX, base, index } = operands;
    if (reg === ESP || reg === base || reg === index || this.reserved.has(reg)) return;
    this.valid.delete(reg);
    this.code.op("AND r/m32, imm8", { rm: reg, immediate: 0x7f });
  }

  // --- variables and faults ---

  /** Where a fault goes on from here on. */
  setResume(label: Label): void {
    const { code } = this;
    code.opWith("MOV r/m32, imm32", label, this.variable(P.V.resume));
    code.op("MOV r/m32, r32", { ...this.variable(P.V.resumeEsp), reg: ESP });
  }
}

/** An immediate of the kinds that matter, sign-extended from its size. */
function immediate(random: Random, bits: number): number {
  if (bits === 8) return (random.corner() << 24) >> 24;
  const kind = random.below(4);
  const value =
    kind === 0 ? random.corner() : kind === 1 ? 1 << random.below(32) : kind === 2 ? -random.below(300) : random.word();
  return bits === 16 ? (value << 16) >> 16 : value | 0;
}
