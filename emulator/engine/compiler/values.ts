// Values of a lowered instruction: the locals of a region's function, temporaries, arithmetic.
import type { Form } from "../../isa/instruction.ts";
import type { Size } from "../../isa/semantics/ops.ts";
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
/** What tells the flags that follow from the last result, CF and OF. */
export const FLAG_LOCALS: readonly number[] = [LAZY, FLAG_A, FLAG_B, FLAG_R, CARRY_FLAG, OVERFLOW_FLAG];
/**
 * At the head of an innermost loop: `FLAG_LOCALS` as the last way there left them that brought them itself; and -1 where the head has to
 * make them, else 0.
 */
export const BEFORE = 24;
export const ROUND = 30;
export const FIRST_TEMPORARY = 31;

/** A 32-bit value at hand: a constant, or a local that keeps it until the instruction's registers change. */
export interface Value {
  readonly constant: boolean;
  readonly n: number;
}

export const constant = (n: number): Value => ({ constant: true, n: n | 0 });
export const local = (n: number): Value => ({ constant: false, n });

/** The part of an instruction's reading that computes. */
export abstract class ValueOps {
  abstract readonly form: Form;
  abstract readonly size: Size;
  protected readonly code: Code;
  protected temporaries = 0;

  constructor(code: Code) {
    this.code = code;
  }

  /** Leaves before this instruction if the value on the stack is not zero. */
  protected abstract leaveIf(): void;

  put(value: Value): void {
    if (value.constant) this.code.const(value.n);
    else this.code.get(value.n);
  }

  protected temporary(): number {
    return FIRST_TEMPORARY + this.temporaries++;
  }

  /** Keeps what `push` leaves on the stack. */
  protected keep(push: () => void): Value {
    push();
    const n = this.temporary();
    this.code.set(n);
    return local(n);
  }

  protected binary(opcode: number, a: Value, b: Value, fold: (x: number, y: number) => number): Value {
    if (a.constant && b.constant) return constant(fold(a.n, b.n));
    return this.keep(() => {
      this.put(a);
      this.put(b);
      this.code.op(opcode);
    });
  }

  protected unary(opcode: number, a: Value, fold: (x: number) => number): Value {
    if (a.constant) return constant(fold(a.n));
    return this.keep(() => {
      this.put(a);
      this.code.op(opcode);
    });
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
  protected wideConst(value: number): void {
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
}
