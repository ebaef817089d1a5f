// The flags that an innermost loop brings back to its head.
//
// Nearly all loops change the flags in each round before anybody reads them; but what leaves a round early has to tell those of the round
// before. To carry five locals round would cost each round some moves. So the head makes them again, from registers where that goes: V8
// does it where a round is left early, and nowhere else. Loops around others gain nothing: too much of them is live as it is.
import { OVERFLOW } from "../../isa/semantics/ops.ts";
import type { FlagSource, FlagState } from "./flags.ts";
import {
  BEFORE,
  CARRY_FLAG,
  FLAG_A,
  FLAG_B,
  FLAG_LOCALS,
  FLAG_R,
  LAZY,
  OVERFLOW_FLAG,
  ROUND,
  type Value,
} from "./values.ts";
import { Code, OP } from "./wasm.ts";

export class RoundFlags {
  private readonly code: Code;
  /** What the first way back knows of the flags. */
  private known: { readonly lazy: number; readonly source: FlagSource } | null = null;

  /** In front of the loop, with flags in their locals. */
  constructor(code: Code) {
    this.code = code;
    this.keep();
  }

  /** The head takes the flags from their locals. */
  keep(): void {
    FLAG_LOCALS.forEach((flag, index) => {
      this.code.get(flag);
      this.code.set(BEFORE + index);
    });
    this.setRound(0);
  }

  /** A way back with such flags leaves it to the head to make them again; false where that will not know how. */
  brings({ lazy, source }: FlagState): boolean {
    if (lazy === null || source === null) return false;
    this.known ??= { lazy, source };
    if (lazy !== this.known.lazy || !isSame(source, this.known.source)) return false;
    this.setRound(-1);
    return true;
  }

  private setRound(value: number): void {
    this.code.const(value);
    this.code.set(ROUND);
  }

  /** The loop's code is complete: what its head has to do goes to the head's place. */
  finish(place: number): void {
    if (this.known === null) return;
    const head = new Code();
    const { lazy, source } = this.known;
    const made = [...makeResult(head, source), ...makeCarry(head, source.carry), LAZY];
    head.const(lazy);
    head.set(LAZY);
    for (const flag of made) {
      // As they were brought where ROUND is 0.
      const before = BEFORE + FLAG_LOCALS.indexOf(flag);
      head.get(before);
      compute(head, flag, OP.i32_xor, before);
      head.get(ROUND);
      head.op(OP.i32_and);
      head.op(OP.i32_xor);
      head.set(flag);
    }
    if ((lazy & OVERFLOW) !== 0) {
      // It says nothing where OF follows from the result, so it need not be carried either.
      head.get(BEFORE + FLAG_LOCALS.indexOf(OVERFLOW_FLAG));
      head.set(OVERFLOW_FLAG);
    }
    this.code.insert(place, head);
  }
}

/**
 * Operands and result from what has the same values, and one that has nothing of the kind from the other two. Says which it made: the others
 * are what their locals say.
 */
function makeResult(code: Code, { a, b, r, relation }: FlagSource): number[] {
  const operands = [
    [FLAG_A, a],
    [FLAG_B, b],
    [FLAG_R, r],
  ] as const;
  const made: number[] = [];
  for (const [flag, value] of operands) {
    if (value === null) continue;
    if (value.constant) code.const(value.n);
    else code.get(value.n);
    code.set(flag);
    made.push(flag);
  }
  const missing = r === null ? FLAG_R : a === null ? FLAG_A : b === null ? FLAG_B : null;
  if (missing === null || relation === "other") return made;
  const [forward, back] = relation === "sum" ? [OP.i32_add, OP.i32_sub] : [OP.i32_sub, OP.i32_add];
  if (missing === FLAG_R) compute(code, FLAG_A, forward, FLAG_B);
  else if (missing === FLAG_A) compute(code, FLAG_R, back, FLAG_B);
  else if (relation === "sum") compute(code, FLAG_R, OP.i32_sub, FLAG_A);
  else compute(code, FLAG_A, OP.i32_sub, FLAG_R);
  code.set(missing);
  return [...made, missing];
}

function makeCarry(code: Code, carry: FlagSource["carry"]): number[] {
  if (carry === "kept") return [];
  if (carry === "borrow") compute(code, FLAG_A, OP.i32_lt_u, FLAG_B);
  else if (carry === "carry") compute(code, FLAG_R, OP.i32_lt_u, FLAG_A);
  else code.const(0);
  code.set(CARRY_FLAG);
  return [CARRY_FLAG];
}

/** Leaves an operation on two locals on the stack. */
function compute(code: Code, a: number, opcode: number, b: number): void {
  code.get(a);
  code.get(b);
  code.op(opcode);
}

function isSame(one: FlagSource, other: FlagSource): boolean {
  const same = (a: Value | null, b: Value | null): boolean => a?.constant === b?.constant && a?.n === b?.n;
  const operands = same(one.a, other.a) && same(one.b, other.b) && same(one.r, other.r);
  return operands && one.relation === other.relation && one.carry === other.carry;
}
