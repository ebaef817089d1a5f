// The flags of a lowered instruction: read out of the last result, and changed (SDM vol. 1, 3.4.3.1).
import { ADJUST, CARRY, DIRECTION, OVERFLOW, PARITY, SIGN, ZERO } from "../../isa/semantics/ops.ts";
import { LAZY_SUBTRACTION } from "../interpreter/lazy.ts";
import {
  CARRY_FLAG,
  constant,
  EFLAGS,
  FLAG_A,
  FLAG_B,
  FLAG_R,
  LAZY,
  local,
  OVERFLOW_FLAG,
  type Value,
  ValueOps,
} from "./values.ts";
import { type Code, OP } from "./wasm.ts";

/** What is known of the flags at a place of the program: LAZY's value, or null where only the local tells. */
export interface FlagState {
  readonly lazy: number | null;
  /** The last operation was a - b = r exactly, a logical one (CF and OF clear), or something else. */
  readonly origin: "compare" | "logic" | "other";
  readonly source: FlagSource | null;
}

/** How FLAG_A, FLAG_B, FLAG_R and CARRY_FLAG can be had again from other things. */
export interface FlagSource {
  /** Constants, or locals of registers, that have the same value (temporaries, until the instruction is done); null where there is none. */
  readonly a: Value | null;
  readonly b: Value | null;
  readonly r: Value | null;
  /** r is a + b, a - b, or neither for certain. */
  readonly relation: "sum" | "difference" | "other";
  /** CF: a < b, r < a (both unsigned), clear, or what CARRY_FLAG says. */
  readonly carry: "borrow" | "carry" | "clear" | "kept";
}

export const UNKNOWN_FLAGS: FlagState = { lazy: null, origin: "other", source: null };
type Result = FlagSource & { readonly [operand in "a" | "b" | "r"]: Value };

const DERIVED = PARITY | ADJUST | ZERO | SIGN | OVERFLOW;

/** Parity of the low four bits, as a bit table: 1 where the number of ones is even. */
const EVEN = 0x9669;

/** The part of an instruction's reading that is about status flags. */
export abstract class FlagOps extends ValueOps {
  /** What is known of the flags behind the instruction once its changes are made; until then, in front of it. */
  flags: FlagState;
  protected readonly flagChanges: (() => void)[] = [];
  private carryWasRead = false;

  constructor(code: Code, flags: FlagState) {
    super(code);
    this.flags = flags;
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

  /** All derived flags follow from the last result from now on. */
  private setResult(source: Result, lazy: number, origin: FlagState["origin"] = "other"): void {
    this.setLocal(FLAG_A, source.a);
    this.setLocal(FLAG_B, source.b);
    this.setLocal(FLAG_R, source.r);
    this.flagChanges.push(() => {
      this.flags = { lazy, origin, source };
    });
  }

  /** The relation that holds for 32 bits: narrower results are cut off. */
  private ifWide(relation: FlagSource["relation"]): FlagSource["relation"] {
    return this.size === 32 ? relation : "other";
  }

  /** CF has a value of its own from now on. */
  private setCarry(value: Value): void {
    this.setLocal(CARRY_FLAG, value);
    this.flagChanges.push(() => {
      const { source } = this.flags;
      this.flags = { ...this.flags, origin: "other", source: source && { ...source, carry: "kept" } };
    });
  }

  /** Flags that EFLAGS (or OVERFLOW_FLAG) holds from now on, whatever the last result was. */
  private setStored(mask: number): void {
    this.flagChanges.push(() => {
      const { lazy } = this.flags;
      if (lazy !== null) this.flags = { ...this.flags, lazy: lazy & ~mask, origin: "other" };
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
    const withCarry = this.carryWasRead;
    this.setLocal(CARRY_FLAG, withCarry ? this.shr(carries(), constant(31)) : this.ltU(r, a));
    const [relation, carry] = withCarry ? (["other", "kept"] as const) : ([this.ifWide("sum"), "carry"] as const);
    this.setResult({ a, b, r, relation, carry }, DERIVED);
  }
  flagsOfSub(a: Value, b: Value, r: Value): void {
    const borrows = this.or(this.and(this.not(a), b), this.and(this.or(this.not(a), b), r));
    this.setLocal(CARRY_FLAG, this.shr(borrows, constant(31)));
    this.setResult({ a, b, r, relation: "other", carry: "kept" }, DERIVED | LAZY_SUBTRACTION);
  }
  flagsOfCompare(a: Value, b: Value, r: Value): void {
    this.setLocal(CARRY_FLAG, this.ltU(a, b));
    const relation = this.ifWide("difference");
    this.setResult({ a, b, r, relation, carry: "borrow" }, DERIVED | LAZY_SUBTRACTION, "compare");
  }
  flagsOfIncrement(a: Value, r: Value): void {
    this.setResult({ a, b: constant(1), r, relation: this.ifWide("sum"), carry: "kept" }, DERIVED);
  }
  flagsOfDecrement(a: Value, r: Value): void {
    const relation = this.ifWide("difference");
    this.setResult({ a, b: constant(1), r, relation, carry: "kept" }, DERIVED | LAZY_SUBTRACTION);
  }
  flagsOfLogic(r: Value): void {
    this.setLocal(CARRY_FLAG, constant(0));
    this.setResult({ a: constant(0), b: r, r, relation: "sum", carry: "clear" }, DERIVED, "logic");
  }
  /** 0 + r = r leaves AF clear; OF has a place of its own. */
  flagsOfResult(r: Value, carry: Value, overflow: Value): void {
    this.setLocal(CARRY_FLAG, carry);
    this.setLocal(OVERFLOW_FLAG, overflow);
    this.setResult({ a: constant(0), b: r, r, relation: "sum", carry: "kept" }, DERIVED & ~OVERFLOW);
  }
  setFlag(flag: number, value: Value): void {
    if (flag === CARRY) this.setCarry(value);
    else if (flag === OVERFLOW) {
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
    this.setCarry(this.and(bits, constant(CARRY)));
    this.setStoredBits(PARITY | ADJUST | ZERO | SIGN, bits);
  }

  /** Makes changes where a condition holds, which `condition` leaves on the stack. */
  protected changeFlagsIf(condition: () => void, changes: readonly (() => void)[]): void {
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
    this.flags = same ? { ...UNKNOWN_FLAGS, lazy: before.lazy } : UNKNOWN_FLAGS;
  }
}
