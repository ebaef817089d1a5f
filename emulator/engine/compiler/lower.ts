// Reads a meaning as WebAssembly: the instructions of one guest instruction inside a region's function.
import { type Form, type Instruction, NONE } from "../../isa/instruction.ts";
import { CS } from "../../isa/operands.ts";
import {
  ADJUST,
  CARRY,
  DIRECTION,
  type Ops,
  OVERFLOW,
  PARITY,
  SIGN,
  type Size,
  ZERO,
} from "../../isa/semantics/ops.ts";
import { R_EBP, R_ESP, TLB_BYTES } from "../../memory/layout.ts";
import { keyFlat } from "../interpreter/codecache.ts";
import { LAZY_SUBTRACTION } from "../interpreter/lazy.ts";
import { sizeOfSpec } from "../interpreter/text.ts";
import { segmentOffset } from "./runtime.ts";
import { type Code, OP } from "./wasm.ts";

// The locals of a region's function: parameters, three 64-bit ones, then the processor's state and temporaries.
/** Byte offset of the processor's block, and of its TLB for reads (the one for writes follows it). */
export const CPU = 0;
export const TLB = 1;
/** Ticks that may still be used. */
export const BUDGET = 2;
/** Index of the dispatch target to go to. */
export const TARGET = 3;
export const WIDE = 4;
export const WIDE_LOCALS = 3;
/** EAX to EDI. */
export const REGISTER = 7;
/**
 * EFLAGS but for CF and OF; which status flags follow from the last result (as R_LAZY says, CF never); operands and result
 * of that; CF, and OF where it does not follow from the result, as 0 or 1.
 */
export const EFLAGS = 15;
export const LAZY = 16;
export const FLAG_A = 17;
export const FLAG_B = 18;
export const FLAG_R = 19;
export const CARRY_FLAG = 20;
export const OVERFLOW_FLAG = 21;
/** Where execution goes on outside, and why it leaves. */
export const NEXT_EIP = 22;
export const REASON = 23;
export const FIRST_TEMPORARY = 24;

/** A 32-bit value at hand: a constant, or a local that keeps it until the instruction's registers change. */
export interface Value {
  readonly constant: boolean;
  readonly n: number;
}

export const constant = (n: number): Value => ({ constant: true, n: n | 0 });
const local = (n: number): Value => ({ constant: false, n });

/** What is known of the flags at a place of the program: LAZY's value, or null where only the local tells. */
export interface FlagState {
  readonly lazy: number | null;
  /** The last operation was a - b = r exactly, a logical one (CF and OF clear), or something else. */
  readonly origin: "compare" | "logic" | "other";
}

export const UNKNOWN_FLAGS: FlagState = { lazy: null, origin: "other" };
const DERIVED = PARITY | ADJUST | ZERO | SIGN | OVERFLOW;

/** How the instruction goes on. */
export type Outcome =
  | { readonly kind: "next" | "jump" | "yield" }
  | { readonly kind: "if"; readonly condition: Value }
  | { readonly kind: "to"; readonly target: Value };

/** What a lowered instruction needs of the function around it. */
export interface Surroundings {
  readonly code: Code;
  /** What decoded the code: bits of the code cache's key. */
  readonly key: number;
  /** Leaves before the instruction under way: inside an `if`. */
  leave(): void;
  /** Looks the page of a missing translation up and tries again; false: this place leaves instead. */
  refills(instruction: Instruction): boolean;
}

// biome-ignore format: columns
const FIXED: Record<string, readonly [number, Size]> = {
  AL: [0, 8], CL: [1, 8], DL: [2, 8], BL: [3, 8], AH: [4, 8], CH: [5, 8], DH: [6, 8], BH: [7, 8],
  AX: [0, 16], CX: [1, 16], DX: [2, 16], BX: [3, 16], SP: [4, 16], BP: [5, 16], SI: [6, 16], DI: [7, 16],
  EAX: [0, 32], ECX: [1, 32], EDX: [2, 32], EBX: [3, 32], ESP: [4, 32], EBP: [5, 32], ESI: [6, 32], EDI: [7, 32],
};

interface RegisterChange {
  readonly number: number;
  readonly size: Size;
  value: Value;
}

/** Parity of the low four bits, as a bit table: 1 where the number of ones is even. */
const EVEN = 0x9669;

export class WasmOps implements Ops<Value> {
  readonly form: Form;
  readonly size: Size;
  readonly srcSize: Size;
  readonly addressSize: 16 | 32;
  outcome: Outcome = { kind: "next" };
  /** The flags' state behind the instruction; before `finish`, in front of it. */
  flags: FlagState;
  private readonly instruction: Instruction;
  private readonly around: Surroundings;
  private readonly code: Code;
  private readonly eip: number;
  /** Memory writes, then changes of flags, then of registers: nothing may leave once one of them is done. */
  private readonly writes: (() => void)[] = [];
  private readonly flagChanges: (() => void)[] = [];
  private registerChanges: RegisterChange[] = [];
  private readonly operands: (Value | undefined)[] = [];
  private temporaries = 0;
  private readonly temporariesUsed: (count: number) => void;
  private extra: Value = constant(0);
  private memoryAddress: Value | undefined;
  /** Address in the WebAssembly memory of an operand that is read and written. */
  private updated: Value | undefined;
  private stackTop: Value = constant(0);
  private carryWasRead = false;

  constructor(
    instruction: Instruction,
    eip: number,
    flags: FlagState,
    around: Surroundings,
    temporariesUsed: (count: number) => void,
  ) {
    const { form } = instruction;
    this.instruction = instruction;
    this.form = form;
    this.eip = eip;
    this.flags = flags;
    this.around = around;
    this.code = around.code;
    this.temporariesUsed = temporariesUsed;
    this.addressSize = instruction.addressSize;
    const sizes = form.operands.map(sizeOfSpec);
    this.size = sizes[0] ?? (form.operandSize === 0 ? 32 : form.operandSize);
    if (form.operands.length === 1 && /^imm|^rel/.test(form.operands[0])) this.size = form.operandSize === 16 ? 16 : 32;
    this.srcSize = sizes[1] ?? this.size;
  }

  /** Writes to memory, flags and registers, in this order. */
  finish(): void {
    for (const write of this.writes) write();
    for (const change of this.flagChanges) change();
    this.changeRegisters(this.registerChanges);
    this.temporariesUsed(this.temporaries);
  }

  private changeRegisters(changes: readonly RegisterChange[]): void {
    // A value that is a register's local must be kept if an earlier change of this instruction replaces it.
    changes.forEach((change, index) => {
      const replaced = changes
        .slice(0, index)
        .some(({ number, size }) => REGISTER + whole(number, size) === change.value.n);
      if (!change.value.constant && replaced) change.value = this.keep(() => this.put(change.value));
    });
    for (const { number, size, value } of changes) {
      const target = REGISTER + whole(number, size);
      if (size === 32) this.put(value);
      else {
        const shift = size === 8 && number > 3 ? 8 : 0;
        const mask = (size === 16 ? 0xffff : 0xff) << shift;
        this.code.get(target);
        this.code.const(~mask);
        this.code.op(OP.i32_and);
        this.put(value);
        if (value.constant) {
          this.code.op(OP.drop);
          this.code.const((value.n << shift) & mask);
        } else {
          if (shift !== 0) {
            this.code.const(8);
            this.code.op(OP.i32_shl);
          }
          this.code.const(mask);
          this.code.op(OP.i32_and);
        }
        this.code.op(OP.i32_or);
      }
      this.code.set(target);
    }
  }

  // --- values ---
  put(value: Value): void {
    if (value.constant) this.code.const(value.n);
    else this.code.get(value.n);
  }

  private temporary(): number {
    return FIRST_TEMPORARY + this.temporaries++;
  }

  /** Keeps what `push` leaves on the stack. */
  private keep(push: () => void): Value {
    push();
    const n = this.temporary();
    this.code.set(n);
    return local(n);
  }

  private binary(opcode: number, a: Value, b: Value, fold: (x: number, y: number) => number): Value {
    if (a.constant && b.constant) return constant(fold(a.n, b.n));
    return this.keep(() => {
      this.put(a);
      this.put(b);
      this.code.op(opcode);
    });
  }

  private unary(opcode: number, a: Value, fold: (x: number) => number): Value {
    if (a.constant) return constant(fold(a.n));
    return this.keep(() => {
      this.put(a);
      this.code.op(opcode);
    });
  }

  /** Leaves before this instruction if the value on the stack is not zero. */
  private leaveIf(): void {
    this.code.if();
    this.around.leave();
    this.code.end();
  }

  // --- registers and operands ---
  reg(number: number, size: Size = 32): Value {
    const from = REGISTER + whole(number, size);
    if (size === 32) return local(from);
    return this.keep(() => {
      this.code.get(from);
      if (size === 8 && number > 3) {
        this.code.const(8);
        this.code.op(OP.i32_shr_u);
      }
      this.code.op(size === 8 ? OP.i32_extend8_s : OP.i32_extend16_s);
    });
  }

  setReg(number: number, value: Value, size: Size = 32): void {
    this.registerChanges.push({ number, size, value });
  }

  private operand(index: number): Value {
    this.operands[index] ??= this.readOperand(this.form.operands[index], this.form.access[index]);
    return this.operands[index];
  }

  private readOperand(spec: string, access: string): Value {
    const fixed = FIXED[spec.toUpperCase()];
    if (fixed) return this.reg(fixed[0], fixed[1]);
    if (/^(imm|rel)/.test(spec)) return constant(this.instruction.immediate);
    if (/^\d$/.test(spec)) return constant(Number(spec));
    const size = sizeOfSpec(spec) ?? this.size;
    if (/^r\d/.test(spec)) return this.reg(this.instruction.reg, size);
    if (/^r\/m/.test(spec) && !this.instruction.memory) return this.reg(this.instruction.rm, size);
    const write = access.includes("w");
    return write ? this.loadForUpdate(this.operandAddress(true), size) : this.loadAt(this.operandAddress(false), size);
  }

  private writeOperand(index: number, value: Value): void {
    const spec = this.form.operands[index];
    const fixed = FIXED[spec.toUpperCase()];
    const size = fixed?.[1] ?? sizeOfSpec(spec) ?? this.size;
    if (fixed) this.setReg(fixed[0], value, size);
    else if (/^r\d/.test(spec)) this.setReg(this.instruction.reg, value, size);
    else if (!this.instruction.memory && /^r\/m/.test(spec)) this.setReg(this.instruction.rm, value, size);
    else if (this.updated !== undefined) this.storeUpdate(this.updated, size, value);
    else this.storeAt(this.operandAddress(true), size, value);
  }

  get dst(): Value {
    return this.operand(0);
  }
  get src(): Value {
    return this.operand(1);
  }
  get third(): Value {
    return this.operand(2);
  }
  setDst(value: Value): void {
    this.writeOperand(0, value);
  }
  setSrc(value: Value): void {
    this.writeOperand(1, value);
  }

  // --- addresses ---
  private effective(extra: Value): Value {
    const { base, index, scale, displacement, addressSize, form, operandSize } = this.instruction;
    // POP to memory forms its address with ESP already raised.
    const raised = form.mnemonic === "POP" && base === R_ESP ? operandSize / 8 : 0;
    let sum = constant(displacement + raised);
    if (base !== NONE) sum = this.add(this.reg(base), sum);
    if (index !== NONE) sum = this.add(sum, this.shl(this.reg(index), constant(scale)));
    sum = this.add(sum, extra);
    return addressSize === 16 ? this.and(sum, constant(0xffff)) : sum;
  }

  get address(): Value {
    return this.effective(constant(0));
  }

  displace(bytes: Value): void {
    if (this.instruction.memory) this.extra = bytes;
  }

  /** Linear address of the memory operand, its segment's limit and rights checked. */
  private operandAddress(write: boolean): Value {
    this.memoryAddress ??= this.linear(this.effective(this.extra), write);
    return this.memoryAddress;
  }

  private linear(offset: Value, write: boolean): Value {
    const { segment } = this.instruction;
    const { code } = this;
    if (segment !== CS && (this.around.key & keyFlat(segment)) !== 0) return offset;
    // The last few bytes below the limit are left to the interpreter, so that one comparison does for all widths.
    this.put(offset);
    code.get(TLB);
    code.load(segmentOffset(segment, write ? "writable" : "readable"));
    code.op(OP.i32_ge_u);
    this.leaveIf();
    return this.keep(() => {
      this.put(offset);
      code.get(TLB);
      code.load(segmentOffset(segment, "base"));
      code.op(OP.i32_add);
    });
  }

  loadByte(offset: Value): Value {
    const wrapped = this.addressSize === 16 ? this.and(offset, constant(0xffff)) : offset;
    return this.loadAt(this.linear(wrapped, false), 8);
  }

  // --- memory ---
  /**
   * Address in the WebAssembly memory of `size` bits at a linear address that lie in one page of plain RAM; leaves where
   * the TLB does not know it. One comparison tells page, rights and crossing.
   */
  private translate(linear: Value, size: Size, write: boolean): Value {
    const { code, around } = this;
    const table = write ? TLB_BYTES : 0;
    const slot = this.temporary();
    const place = (): void => {
      this.put(linear);
      code.const(9);
      code.op(OP.i32_shr_u);
      code.const(0x1ff8);
      code.op(OP.i32_and);
      code.get(TLB);
      code.op(OP.i32_add);
    };
    const differs = (): void => {
      place();
      code.tee(slot);
      code.load(table);
      this.put(linear);
      if (size > 8) {
        code.const(size / 8 - 1);
        code.op(OP.i32_add);
      }
      code.const(-4096);
      code.op(OP.i32_and);
      code.op(OP.i32_ne);
    };
    differs();
    code.if();
    if (around.refills(this.instruction)) {
      code.get(CPU);
      code.get(TLB);
      this.put(linear);
      code.const(write ? 1 : 0);
      code.call(0);
      differs();
      code.if();
      around.leave();
      code.end();
    } else around.leave();
    code.end();
    return this.keep(() => {
      this.put(linear);
      code.get(slot);
      code.load(table + 4);
      code.op(OP.i32_add);
    });
  }

  private loadAt(linear: Value, size: Size): Value {
    const place = this.translate(linear, size, false);
    return this.keep(() => this.pushLoad(place, size));
  }

  private pushLoad(place: Value, size: Size): void {
    this.put(place);
    if (size === 32) this.code.access(OP.i32_load, 0, 0);
    else this.code.access(size === 16 ? OP.i32_load16_s : OP.i32_load8_s, 0, 0);
  }

  private storeAt(linear: Value, size: Size, value: Value): void {
    this.writes.push(() => this.storeUpdateNow(this.translate(linear, size, true), size, value));
  }

  /** Read for a later write to the same place: one translation, with the rights of a write. */
  private loadForUpdate(linear: Value, size: Size): Value {
    const place = this.translate(linear, size, true);
    this.updated = place;
    return this.keep(() => this.pushLoad(place, size));
  }

  private storeUpdate(place: Value, size: Size, value: Value): void {
    this.writes.push(() => this.storeUpdateNow(place, size, value));
  }

  private storeUpdateNow(place: Value, size: Size, value: Value): void {
    this.put(place);
    this.put(value);
    this.code.access(size === 32 ? OP.i32_store : size === 16 ? OP.i32_store16 : OP.i32_store8, 0, 0);
  }

  // --- arithmetic ---
  const = (value: number): Value => constant(value);
  add(a: Value, b: Value): Value {
    if (a.constant && a.n === 0) return b;
    if (b.constant && b.n === 0) return a;
    return this.binary(OP.i32_add, a, b, (x, y) => x + y);
  }
  sub = (a: Value, b: Value): Value => this.binary(OP.i32_sub, a, b, (x, y) => x - y);
  and = (a: Value, b: Value): Value => this.binary(OP.i32_and, a, b, (x, y) => x & y);
  or = (a: Value, b: Value): Value => this.binary(OP.i32_or, a, b, (x, y) => x | y);
  xor = (a: Value, b: Value): Value => this.binary(OP.i32_xor, a, b, (x, y) => x ^ y);
  not = (a: Value): Value => this.xor(a, constant(-1));
  mul = (a: Value, b: Value): Value => this.binary(OP.i32_mul, a, b, Math.imul);
  shl(a: Value, b: Value): Value {
    if (b.constant && (b.n & 31) === 0) return a;
    return this.binary(OP.i32_shl, a, b, (x, y) => x << y);
  }
  shr = (a: Value, b: Value): Value => this.binary(OP.i32_shr_u, a, b, (x, y) => x >>> y);
  sar = (a: Value, b: Value): Value => this.binary(OP.i32_shr_s, a, b, (x, y) => x >> y);
  clz = (a: Value): Value => this.unary(OP.i32_clz, a, Math.clz32);
  divU = (a: Value, b: Value): Value => this.divideNarrow(OP.i32_div_u, a, b);
  remU = (a: Value, b: Value): Value => this.divideNarrow(OP.i32_rem_u, a, b);
  private divideNarrow(opcode: number, a: Value, b: Value): Value {
    if (a.constant && b.constant && b.n !== 0) {
      const [x, y] = [a.n >>> 0, b.n >>> 0];
      return constant(opcode === OP.i32_div_u ? Math.floor(x / y) : x % y);
    }
    return this.keep(() => {
      this.put(a);
      this.put(b);
      this.code.op(opcode);
    });
  }
  private high(a: Value, b: Value, extend: number): Value {
    const { code } = this;
    return this.keep(() => {
      this.put(a);
      code.op(extend);
      this.put(b);
      code.op(extend);
      code.op(OP.i64_mul);
      this.wideConst(32);
      code.op(OP.i64_shr_u);
      code.op(OP.i32_wrap_i64);
    });
  }
  private wideConst(value: number): void {
    this.code.op(OP.i64_const);
    this.code.signed(value);
  }
  mulHighSigned = (a: Value, b: Value): Value => this.high(a, b, OP.i64_extend_i32_s);
  mulHighUnsigned = (a: Value, b: Value): Value => this.high(a, b, OP.i64_extend_i32_u);

  divide64(high: Value, low: Value, divisor: Value, signed: boolean): { quotient: Value; remainder: Value } {
    const { code } = this;
    const extend = signed ? OP.i64_extend_i32_s : OP.i64_extend_i32_u;
    const [dividend, wideDivisor, quotient] = [WIDE, WIDE + 1, WIDE + 2];
    // Zero, and quotients that cannot fit, are left to the interpreter, which raises #DE.
    this.put(divisor);
    code.op(OP.i32_eqz);
    this.leaveIf();
    if (signed) {
      // The host traps where -2^63 is divided by -1, so both halves are looked at.
      this.put(high);
      code.const(0x80000000 | 0);
      code.op(OP.i32_eq);
      this.leaveIf();
    } else {
      this.put(high);
      this.put(divisor);
      code.op(OP.i32_ge_u);
      this.leaveIf();
    }
    this.put(high);
    code.op(OP.i64_extend_i32_s);
    this.wideConst(32);
    code.op(OP.i64_shl);
    this.put(low);
    code.op(OP.i64_extend_i32_u);
    code.op(OP.i64_or);
    code.set(dividend);
    this.put(divisor);
    code.op(extend);
    code.set(wideDivisor);
    code.get(dividend);
    code.get(wideDivisor);
    code.op(signed ? OP.i64_div_s : OP.i64_div_u);
    code.set(quotient);
    if (signed) {
      code.get(quotient);
      code.op(OP.i32_wrap_i64);
      code.op(OP.i64_extend_i32_s);
      code.get(quotient);
      code.op(OP.i64_ne);
      this.leaveIf();
    }
    const result = this.keep(() => {
      code.get(quotient);
      code.op(OP.i32_wrap_i64);
    });
    const remainder = this.keep(() => {
      code.get(dividend);
      code.get(quotient);
      code.get(wideDivisor);
      code.op(OP.i64_mul);
      code.op(OP.i64_sub);
      code.op(OP.i32_wrap_i64);
    });
    return { quotient: result, remainder };
  }

  fit(a: Value, size: Size = this.size): Value {
    if (size === 32) return a;
    return this.unary(size === 8 ? OP.i32_extend8_s : OP.i32_extend16_s, a, (x) => (x << (32 - size)) >> (32 - size));
  }
  unsigned(a: Value, size: Size = this.size): Value {
    return size === 32 ? a : this.and(a, constant(size === 8 ? 0xff : 0xffff));
  }
  eq(a: Value, b: Value): Value {
    if (b.constant && b.n === 0) return this.unary(OP.i32_eqz, a, (x) => (x === 0 ? 1 : 0));
    return this.binary(OP.i32_eq, a, b, (x, y) => (x === y ? 1 : 0));
  }
  ne = (a: Value, b: Value): Value => this.binary(OP.i32_ne, a, b, (x, y) => (x !== y ? 1 : 0));
  ltS = (a: Value, b: Value): Value => this.binary(OP.i32_lt_s, a, b, (x, y) => (x < y ? 1 : 0));
  ltU = (a: Value, b: Value): Value => this.binary(OP.i32_lt_u, a, b, (x, y) => (x >>> 0 < y >>> 0 ? 1 : 0));
  either = (a: Value, b: Value): Value => this.or(a, b);
  both = (a: Value, b: Value): Value => this.and(a, b);
  select(condition: Value, a: Value, b: Value): Value {
    if (condition.constant) return condition.n !== 0 ? a : b;
    return this.keep(() => {
      this.put(a);
      this.put(b);
      this.put(condition);
      this.code.op(OP.select);
    });
  }

  // --- reading flags ---
  /** A derived flag: from the last result, from EFLAGS, or, where the program does not tell, from what LAZY says. */
  private derived(flag: number, fromResult: () => Value, stored: () => Value): Value {
    const { lazy } = this.flags;
    if (lazy !== null) return (lazy & flag) !== 0 ? fromResult() : stored();
    return this.select(this.and(local(LAZY), constant(flag)), fromResult(), stored());
  }
  private stored(flag: number): Value {
    return this.and(this.shr(local(EFLAGS), constant(31 - Math.clz32(flag))), constant(1));
  }
  private get zero(): Value {
    return this.derived(
      ZERO,
      () => this.eq(local(FLAG_R), constant(0)),
      () => this.stored(ZERO),
    );
  }
  private get sign(): Value {
    return this.derived(
      SIGN,
      () => this.shr(local(FLAG_R), constant(31)),
      () => this.stored(SIGN),
    );
  }
  private get parity(): Value {
    const even = (): Value => {
      const r = local(FLAG_R);
      const nibble = this.and(this.xor(r, this.shr(r, constant(4))), constant(15));
      return this.and(this.shr(constant(EVEN), nibble), constant(1));
    };
    return this.derived(PARITY, even, () => this.stored(PARITY));
  }
  private get adjust(): Value {
    const bit = (): Value => {
      const bits = this.xor(this.xor(local(FLAG_A), local(FLAG_B)), local(FLAG_R));
      return this.and(this.shr(bits, constant(4)), constant(1));
    };
    return this.derived(ADJUST, bit, () => this.stored(ADJUST));
  }
  private get overflow(): Value {
    const [a, b, r] = [local(FLAG_A), local(FLAG_B), local(FLAG_R)];
    const { lazy, origin } = this.flags;
    if (origin === "logic") return constant(0);
    const differs = (): Value => this.xor(a, r);
    const subtraction = (): Value => this.and(this.xor(a, b), differs());
    const addition = (): Value => this.and(this.xor(b, r), differs());
    const either = (): Value => {
      if (lazy !== null) return (lazy & LAZY_SUBTRACTION) !== 0 ? subtraction() : addition();
      return this.select(this.and(local(LAZY), constant(LAZY_SUBTRACTION)), subtraction(), addition());
    };
    return this.derived(
      OVERFLOW,
      () => this.shr(either(), constant(31)),
      () => this.keep(() => this.code.get(OVERFLOW_FLAG)),
    );
  }
  private get carry(): Value {
    this.carryWasRead = true;
    return this.keep(() => this.code.get(CARRY_FLAG));
  }

  flag(flag: number): Value {
    if (flag === CARRY) return this.carry;
    if (flag === ZERO) return this.zero;
    if (flag === SIGN) return this.sign;
    if (flag === PARITY) return this.parity;
    if (flag === ADJUST) return this.adjust;
    if (flag === OVERFLOW) return this.overflow;
    return this.stored(flag);
  }

  condition(code: number): Value {
    const holds = this.positiveCondition(code >> 1);
    return (code & 1) === 0 ? holds : this.eq(holds, constant(0));
  }

  private positiveCondition(pair: number): Value {
    const [a, b, r] = [local(FLAG_A), local(FLAG_B), local(FLAG_R)];
    if (this.flags.origin === "compare") {
      if (pair === 1) return this.ltU(a, b);
      if (pair === 2) return this.eq(a, b);
      if (pair === 3) return this.binary(OP.i32_le_u, a, b, () => 0);
      if (pair === 6) return this.ltS(a, b);
      if (pair === 7) return this.binary(OP.i32_le_s, a, b, () => 0);
    }
    if (this.flags.origin === "logic") {
      if (pair === 1) return constant(0);
      if (pair === 3) return this.eq(r, constant(0));
      if (pair === 6) return this.ltS(r, constant(0));
      if (pair === 7) return this.binary(OP.i32_le_s, r, constant(0), () => 0);
    }
    switch (pair) {
      case 0:
        return this.overflow;
      case 1:
        return local(CARRY_FLAG);
      case 2:
        return this.zero;
      case 3:
        return this.or(local(CARRY_FLAG), this.zero);
      case 4:
        return this.sign;
      case 5:
        return this.parity;
      case 6:
        return this.xor(this.sign, this.overflow);
      default:
        return this.or(this.zero, this.xor(this.sign, this.overflow));
    }
  }

  flagByte(): Value {
    const shifted = (flag: Value, by: number): Value => this.shl(flag, constant(by));
    const low = this.or(this.carry, shifted(this.parity, 2));
    const middle = this.or(shifted(this.adjust, 4), shifted(this.zero, 6));
    return this.or(this.or(low, middle), this.or(shifted(this.sign, 7), constant(2)));
  }

  // --- changing flags ---
  private setLocal(n: number, value: Value): void {
    if (!value.constant && value.n === n) return;
    this.flagChanges.push(() => {
      this.put(value);
      this.code.set(n);
    });
  }

  /** All derived flags follow from a, b and r from now on. */
  private setResult(a: Value, b: Value, r: Value, lazy: number, origin: FlagState["origin"]): void {
    this.setLocal(FLAG_A, a);
    this.setLocal(FLAG_B, b);
    this.setLocal(FLAG_R, r);
    this.setLazy(lazy, origin);
  }

  private setLazy(lazy: number, origin: FlagState["origin"]): void {
    this.flagChanges.push(() => {
      this.flags = { lazy, origin };
    });
  }

  /** Flags that EFLAGS (or OVERFLOW_FLAG) holds from now on, whatever the last result was. */
  private setStored(mask: number): void {
    this.flagChanges.push(() => {
      const { lazy } = this.flags;
      if (lazy !== null) this.flags = { lazy: lazy & ~mask, origin: "other" };
      else {
        this.code.get(LAZY);
        this.code.const(~mask);
        this.code.op(OP.i32_and);
        this.code.set(LAZY);
      }
    });
  }

  private setStoredBits(mask: number, bits: Value): void {
    this.setLocal(EFLAGS, this.or(this.and(local(EFLAGS), constant(~mask)), this.and(bits, constant(mask))));
    this.setStored(mask);
  }

  flagsOfAdd(a: Value, b: Value, r: Value): void {
    const carries = (): Value => this.or(this.and(a, b), this.and(this.or(a, b), this.not(r)));
    this.setLocal(CARRY_FLAG, this.carryWasRead ? this.shr(carries(), constant(31)) : this.ltU(r, a));
    this.setResult(a, b, r, DERIVED, "other");
  }
  flagsOfSub(a: Value, b: Value, r: Value): void {
    const borrows = this.or(this.and(this.not(a), b), this.and(this.or(this.not(a), b), r));
    this.setLocal(CARRY_FLAG, this.shr(borrows, constant(31)));
    this.setResult(a, b, r, DERIVED | LAZY_SUBTRACTION, "other");
  }
  flagsOfCompare(a: Value, b: Value, r: Value): void {
    this.setLocal(CARRY_FLAG, this.ltU(a, b));
    this.setResult(a, b, r, DERIVED | LAZY_SUBTRACTION, "compare");
  }
  flagsOfIncrement(a: Value, r: Value): void {
    this.setResult(a, constant(1), r, DERIVED, "other");
  }
  flagsOfDecrement(a: Value, r: Value): void {
    this.setResult(a, constant(1), r, DERIVED | LAZY_SUBTRACTION, "other");
  }
  flagsOfLogic(r: Value): void {
    this.setLocal(CARRY_FLAG, constant(0));
    this.setResult(constant(0), r, r, DERIVED, "logic");
  }
  /** 0 + r = r leaves AF clear; OF has a place of its own. */
  flagsOfResult(r: Value, carry: Value, overflow: Value): void {
    this.setLocal(CARRY_FLAG, carry);
    this.setLocal(OVERFLOW_FLAG, overflow);
    this.setResult(constant(0), r, r, DERIVED & ~OVERFLOW, "other");
  }
  setFlag(flag: number, value: Value): void {
    if (flag === CARRY) {
      this.setLocal(CARRY_FLAG, value);
      this.flagChanges.push(() => {
        this.flags = { ...this.flags, origin: "other" };
      });
    } else if (flag === OVERFLOW) {
      this.setLocal(OVERFLOW_FLAG, value);
      this.setStored(OVERFLOW);
    } else if (flag === DIRECTION)
      this.setLocal(EFLAGS, this.or(this.and(local(EFLAGS), constant(~DIRECTION)), this.shl(value, constant(10))));
    else this.setStoredBits(flag, this.shl(value, constant(31 - Math.clz32(flag))));
  }
  setZero(r: Value): void {
    this.setStoredBits(ZERO, this.shl(this.eq(r, constant(0)), constant(6)));
  }
  setFlagByte(bits: Value): void {
    this.setLocal(CARRY_FLAG, this.and(bits, constant(CARRY)));
    this.setStoredBits(PARITY | ADJUST | ZERO | SIGN, bits);
  }

  when(condition: Value, effects: () => void): void {
    if (condition.constant) {
      if (condition.n !== 0) effects();
      return;
    }
    // Inputs of the effects are computed beforehand: they are harmless when the condition fails.
    const flagsAt = this.flagChanges.length;
    const registersAt = this.registerChanges.length;
    effects();
    const flagChanges = this.flagChanges.splice(flagsAt);
    const registerChanges = this.registerChanges.splice(registersAt);
    const kept = this.put.bind(this, condition);
    if (flagChanges.length > 0) this.flagChanges.push(() => this.changeFlagsIf(kept, flagChanges));
    for (const { number, size, value } of registerChanges) {
      const old = this.reg(number, size);
      this.setReg(number, this.select(condition, value, old), size);
    }
  }

  private changeFlagsIf(condition: () => void, changes: readonly (() => void)[]): void {
    const { code } = this;
    const before = this.flags;
    if (before.lazy !== null) {
      code.const(before.lazy);
      code.set(LAZY);
    }
    condition();
    code.if();
    for (const change of changes) change();
    if (this.flags.lazy !== null) {
      code.const(this.flags.lazy);
      code.set(LAZY);
    }
    code.end();
    const same = this.flags.lazy === before.lazy && before.lazy !== null;
    this.flags = same ? { lazy: before.lazy, origin: "other" } : UNKNOWN_FLAGS;
  }

  /** The interpreter raises the exception. */
  faultIf(condition: Value, _vector: number): void {
    if (condition.constant && condition.n === 0) return;
    this.put(condition);
    this.leaveIf();
  }

  // --- stack ---
  private get stackSize(): 16 | 32 {
    return this.form.operandSize === 16 ? 16 : 32;
  }
  push(value: Value): void {
    const top = this.sub(local(REGISTER + R_ESP), constant(this.stackSize / 8));
    this.storeAt(top, this.stackSize, value);
    this.setReg(R_ESP, top);
  }
  private popAt(pointer: Value): Value {
    this.stackTop = this.add(pointer, constant(this.stackSize / 8));
    const popped = this.loadAt(pointer, this.stackSize);
    this.setReg(R_ESP, this.stackTop);
    return popped;
  }
  pop(): Value {
    return this.popAt(local(REGISTER + R_ESP));
  }
  popFromFrame(): Value {
    return this.popAt(local(REGISTER + R_EBP));
  }
  release(bytes: Value): void {
    this.setReg(R_ESP, this.add(this.stackTop, bytes));
  }

  // --- control ---
  get nextEip(): Value {
    return constant(this.eip + this.instruction.length);
  }
  jumpRelative(): void {
    this.outcome = { kind: "jump" };
  }
  jumpRelativeIf(condition: Value): void {
    this.outcome = { kind: "if", condition };
  }
  jumpTo(offset: Value): void {
    // The target must outlive the instruction's changes of registers.
    const target = offset.constant ? offset : this.keep(() => this.put(offset));
    this.outcome = { kind: "to", target };
  }
  yield(): void {
    this.outcome = { kind: "yield" };
  }
}

/** The register that an encoding of a size lies in: AH lies in EAX. */
const whole = (number: number, size: Size): number => (size === 8 ? number & 3 : number);
