// Turns a region into a function: blocks in their structure, exact budgets, and one way out that puts everything back.
import type { Instruction } from "../../isa/instruction.ts";
import { CARRY, OVERFLOW } from "../../isa/semantics/ops.ts";
import * as L from "../../memory/layout.ts";
import { LAZY_EXACT } from "../interpreter/lazy.ts";
import { type FlagState, UNKNOWN_FLAGS } from "./flags.ts";
import { type KnownRegisters, type Surroundings, UNKNOWN_REGISTERS, WasmOps } from "./lower.ts";
import type { Block, Region } from "./region.ts";
import { RoundFlags } from "./rounds.ts";
import {
  REASON_BUDGET,
  REASON_INTERPRET,
  REASON_LINK,
  REASON_MEMORY,
  REASON_SLOT_SHIFT,
  REASON_WORD,
  REASON_YIELD,
  REFILL_TYPE,
  REGION_TYPE,
} from "./runtime.ts";
import { LONGEST_WAY, type Structure, structure } from "./structure.ts";
import {
  BUDGET,
  CARRY_FLAG,
  CPU,
  EFLAGS,
  FIRST_TEMPORARY,
  FLAG_A,
  FLAG_B,
  FLAG_R,
  LAZY,
  NEXT_EIP,
  OVERFLOW_FLAG,
  REASON,
  REGISTER,
  TARGET,
  TLB,
  type Value,
  WIDE_LOCALS,
} from "./values.ts";
import { Code, I32, I64, moduleBytes, OP } from "./wasm.ts";

export interface EmitOptions {
  /** What the code was decoded under. */
  readonly key: number;
  /** Pages of 64 KiB of the machine's memory. */
  readonly pages: number;
  /** EIPs of instructions whose translations are looked up in place when they are missing. */
  readonly refilled: ReadonlySet<number>;
  /** The region's place in the table of functions. */
  readonly slot: number;
  /** False: budgets are counted and not looked at, so slices end late. For benchmarks alone. */
  readonly exact: boolean;
  /** Code in steps: where to go over to the region as a whole, by EIP, while the budget is not below a number. */
  readonly handOver?: ReadonlyMap<number, number>;
}

export interface EmittedRegion {
  readonly bytes: Uint8Array;
  /** EIPs that the region can be entered at, in the order of its dispatch targets. */
  readonly targets: readonly number[];
  /** Heads of loops and dispatch targets by EIP, with the budget that a pass from there needs. */
  readonly heads: ReadonlyMap<number, number>;
  /** EIPs of instructions that do something about missing translations themselves. */
  readonly lookups: ReadonlySet<number>;
}

/** What REFILL_FUNCTION and POKE_FUNCTION call. */
const HELPERS = [
  { name: "f", type: 1 },
  { name: "d", type: 0 },
] as const;

/** The module of one region: exports the function `r`. */
export function emitRegion(region: Region, options: EmitOptions): EmittedRegion {
  const shape = structure(region, options.handOver === undefined ? LONGEST_WAY : 1);
  const emitter = new RegionEmitter(region, shape, options);
  const { code, temporaries, lookups } = emitter.run();
  const locals = [[WIDE_LOCALS, I64] as const, [FIRST_TEMPORARY - REGISTER + temporaries, I32] as const];
  const bytes = moduleBytes(
    {
      types: [REGION_TYPE, REFILL_TYPE],
      // V8 compiles a wrapper for each imported function with each module, used or not.
      importedFunctions: lookups.size > 0 ? HELPERS : [],
      functions: [{ type: 0, locals, code, exported: "r" }],
    },
    options.pages,
  );
  const heads = new Map<number, number>();
  shape.starts.forEach((eip, node) => {
    if (shape.isLoop[node] || shape.targetOf[node] >= 0) heads.set(eip, shape.needed[node]);
  });
  return { bytes, targets: shape.targets, heads, lookups };
}

/** Depth of the block that every way out leaves. */
const OUT = 0;
/** Depth of the dispatcher's loop. */
const DISPATCH = 1;

/** Constant addresses from here on are likely a device's: the APICs lie there (SDM vol. 3A, 11.4.1), and are mapped there. */
const DEVICES = 0xfe000000;

class RegionEmitter implements Surroundings {
  readonly code = new Code();
  readonly key: number;
  private readonly region: Region;
  private readonly structure: Structure;
  private readonly options: EmitOptions;
  /** Depths of open loops and labelled blocks, by node. */
  private readonly loopDepth: number[] = [];
  private readonly blockDepth: number[] = [];
  /** Of dispatch targets: the block that has their look at the budget behind it, where they are not looked at anyway. */
  private readonly targetDepth: number[] = [];
  /** Of innermost loops, by their heads. */
  private readonly rounds: (RoundFlags | null)[] = [];
  private temporaries = 0;
  private readonly lookups = new Set<number>();
  // Where the emission stands: what is known of flags and registers, instructions done but not counted yet, the one under way.
  private flags: FlagState = UNKNOWN_FLAGS;
  private registers: KnownRegisters = UNKNOWN_REGISTERS;
  private uncounted = 0;
  private eip = 0;

  constructor(region: Region, shape: Structure, options: EmitOptions) {
    this.region = region;
    this.structure = shape;
    this.options = options;
    this.key = options.key;
  }

  run(): { code: Code; temporaries: number; lookups: ReadonlySet<number> } {
    const { code } = this;
    this.enter();
    code.block();
    code.loop();
    this.within(0, 0);
    code.end();
    code.op(OP.unreachable);
    code.end();
    this.exit();
    return { code, temporaries: this.temporaries, lookups: this.lookups };
  }

  // --- the processor's state, in and out ---
  private enter(): void {
    const { code } = this;
    const read = (word: number, local: number): void => {
      code.get(CPU);
      code.load(word * 4);
      code.set(local);
    };
    for (let register = 0; register < 8; register++) read(register, REGISTER + register);
    read(L.R_EFLAGS, EFLAGS);
    read(L.R_LAZY, LAZY);
    read(L.R_FA, FLAG_A);
    read(L.R_FB, FLAG_B);
    read(L.R_FRES, FLAG_R);
    code.get(EFLAGS);
    code.const(31 - Math.clz32(OVERFLOW));
    code.op(OP.i32_shr_u);
    code.const(1);
    code.op(OP.i32_and);
    code.set(OVERFLOW_FLAG);
    code.get(LAZY);
    code.const(CARRY);
    code.op(OP.i32_and);
    code.if();
    this.carryOfResult();
    code.else();
    code.get(EFLAGS);
    code.const(CARRY);
    code.op(OP.i32_and);
    code.set(CARRY_FLAG);
    code.end();
    code.get(LAZY);
    code.const(~(CARRY | LAZY_EXACT));
    code.op(OP.i32_and);
    code.set(LAZY);
  }

  /** Carry of a sum is the majority of a, b, ~r in the top bit; borrow of a difference that of ~a, b, r. */
  private carryOfResult(): void {
    const { code } = this;
    const inverted = (local: number, when: 0 | 1): void => {
      // x ^ -(subtraction) or x ^ ~-(subtraction): the bit of LAZY spread over the word.
      code.get(local);
      code.get(LAZY);
      code.const(30);
      code.op(OP.i32_shl);
      code.const(31);
      code.op(OP.i32_shr_s);
      if (when === 0) {
        code.const(-1);
        code.op(OP.i32_xor);
      }
      code.op(OP.i32_xor);
    };
    inverted(FLAG_A, 1);
    code.get(FLAG_B);
    code.op(OP.i32_and);
    inverted(FLAG_A, 1);
    code.get(FLAG_B);
    code.op(OP.i32_or);
    inverted(FLAG_R, 0);
    code.op(OP.i32_and);
    code.op(OP.i32_or);
    code.const(31);
    code.op(OP.i32_shr_u);
    code.set(CARRY_FLAG);
  }

  private exit(): void {
    const { code } = this;
    const write = (word: number, local: number): void => {
      code.get(CPU);
      code.get(local);
      code.store(word * 4);
    };
    for (let register = 0; register < 8; register++) write(register, REGISTER + register);
    code.get(CPU);
    code.get(EFLAGS);
    code.const(~(CARRY | OVERFLOW));
    code.op(OP.i32_and);
    code.get(CARRY_FLAG);
    code.op(OP.i32_or);
    code.get(OVERFLOW_FLAG);
    code.const(31 - Math.clz32(OVERFLOW));
    code.op(OP.i32_shl);
    code.op(OP.i32_or);
    code.store(L.R_EFLAGS * 4);
    write(L.R_LAZY, LAZY);
    write(L.R_FA, FLAG_A);
    write(L.R_FB, FLAG_B);
    write(L.R_FRES, FLAG_R);
    write(L.R_EIP, NEXT_EIP);
    code.get(TLB);
    code.get(REASON);
    code.store(REASON_WORD);
    code.get(BUDGET);
  }

  // --- structure ---
  private node(node: number): void {
    const { code, structure: shape } = this;
    if (!shape.isLoop[node]) {
      this.within(node, 0);
      return;
    }
    // The ways back come with flags and counts of their own.
    this.settle();
    this.forget();
    const round = shape.isInnermost[node] ? new RoundFlags(code) : null;
    this.rounds[node] = round;
    this.loopDepth[node] = code.depth;
    code.loop();
    const head = code.length;
    this.within(node, 0);
    code.op(OP.unreachable);
    code.end();
    round?.finish(head);
  }

  /** The node's own code inside labelled blocks for those of `merges` from an index on, and their code behind these. */
  private within(node: number, index: number): void {
    const { code, structure: shape } = this;
    const merge = shape.merges[node][index];
    if (merge === undefined) {
      if (node === 0) this.dispatch();
      else this.body(node);
      return;
    }
    const looks = this.options.exact && shape.targetOf[merge] >= 0 && !shape.isLook[merge];
    this.blockDepth[merge] = code.depth;
    if (looks) code.block();
    this.targetDepth[merge] = code.depth;
    code.block();
    this.within(node, index + 1);
    code.op(OP.unreachable);
    code.end();
    this.forget();
    if (looks) {
      this.look(merge, shape.needed[merge]);
      code.end();
    }
    this.node(merge);
  }

  /** Leaves before a node if the budget is below what its way needs. */
  private look(node: number, needed: number): void {
    const { code, structure: shape } = this;
    code.get(BUDGET);
    code.const(needed);
    code.op(OP.i32_lt_s);
    code.ifRarely();
    this.leaveFor(shape.starts[node], REASON_BUDGET);
    code.end();
  }

  /** Nothing is known statically: every way to here has put things in their places. */
  private forget(): void {
    this.flags = UNKNOWN_FLAGS;
    this.registers = UNKNOWN_REGISTERS;
    this.uncounted = 0;
  }

  private dispatch(): void {
    const { code, structure: shape } = this;
    const depths = shape.targets.map((eip) => this.targetDepth[shape.nodeOf.get(eip) ?? 0]);
    if (depths.length === 1) code.br(depths[0]);
    else {
      code.get(TARGET);
      code.brTable(depths);
    }
  }

  /** Goes to a block of the region, or out of it. */
  private goTo(from: number, eip: number): void {
    const { code, structure: shape } = this;
    const node = shape.nodeOf.get(eip);
    if (node === undefined) {
      this.leaveFor(eip, REASON_LINK);
      return;
    }
    const isBack = node <= from;
    if (!isBack && !shape.isMerge[node]) {
      this.node(node);
      return;
    }
    if (isBack && shape.dominates(node, from)) {
      this.goRound(node);
      return;
    }
    this.settle();
    if (isBack) this.dispatchTo(from, node);
    else code.br(this.blockDepth[node]);
  }

  private goRound(node: number): void {
    const { code, flags } = this;
    const round = this.rounds[node];
    if (round?.brings(flags)) this.count();
    else {
      this.settle();
      round?.keep();
    }
    code.br(this.loopDepth[node]);
  }

  /**
   * Goes to a dispatch target. Those with larger numbers are still to come, their blocks are open: the ways there need no look. Others
   * are gone to by the dispatcher, and looked at.
   */
  private dispatchTo(from: number, node: number): void {
    const { code, structure: shape } = this;
    if (node > from) {
      code.br(this.blockDepth[node]);
      return;
    }
    code.const(shape.targetOf[node]);
    code.set(TARGET);
    code.br(DISPATCH);
  }

  /** Counts what has been done and makes the flags plain: locals alone say how things stand. */
  private settle(): void {
    const { code } = this;
    this.count();
    if (this.flags.lazy !== null) {
      code.const(this.flags.lazy);
      code.set(LAZY);
    }
  }

  private count(): void {
    const { code } = this;
    if (this.uncounted === 0) return;
    code.get(BUDGET);
    code.const(this.uncounted);
    code.op(OP.i32_sub);
    code.set(BUDGET);
  }

  private leaveFor(eip: number, reason: number): void {
    const { code } = this;
    this.settle();
    code.const(eip);
    code.set(NEXT_EIP);
    code.const(reason);
    code.set(REASON);
    code.br(OUT);
  }

  /** Before the instruction under way, for the interpreter. */
  leave(): void {
    this.leaveFor(this.eip, REASON_MEMORY);
  }

  pushBudget(): void {
    const { code } = this;
    code.get(BUDGET);
    if (this.uncounted === 0) return;
    code.const(this.uncounted);
    code.op(OP.i32_sub);
  }

  refills(): boolean {
    return this.looksUp(this.options.refilled.has(this.eip));
  }

  pokes(linear: Value): boolean {
    return this.looksUp(this.options.refilled.has(this.eip) || (linear.constant && linear.n >>> 0 >= DEVICES));
  }

  private looksUp(does: boolean): boolean {
    if (does) this.lookups.add(this.eip);
    return does;
  }

  // --- blocks ---
  private body(node: number): void {
    const { code, structure: shape, options } = this;
    const block = this.region.blocks.get(shape.starts[node]);
    if (block === undefined) throw new Error(`compiler: no block at ${shape.starts[node].toString(16)}`);
    if (shape.isLook[node]) {
      this.count();
      this.uncounted = 0;
      if (options.exact) this.look(node, shape.needed[node]);
      else if (shape.isLoop[node]) this.look(node, 0);
    }
    const whole = options.handOver?.get(block.start);
    if (whole !== undefined) {
      code.get(BUDGET);
      code.const(whole);
      code.op(OP.i32_ge_s);
      code.if();
      this.leaveFor(block.start, REASON_LINK);
      code.end();
    }
    this.eip = block.start;
    let last: WasmOps | undefined;
    for (const instruction of block.instructions) {
      last = this.lower(instruction);
      this.eip = (this.eip + instruction.length) | 0;
    }
    this.endBlock(node, block, last);
  }

  private lower(instruction: Instruction): WasmOps {
    const ops = new WasmOps(instruction, this.eip, this.flags, this.registers, this, (count) => {
      this.temporaries = Math.max(this.temporaries, count);
    });
    ops.lower();
    this.flags = ops.flags;
    this.registers = ops.registers;
    this.uncounted++;
    return ops;
  }

  private endBlock(node: number, block: Block, last: WasmOps | undefined): void {
    const { end, target, next } = block;
    if (end === "fall") this.goTo(node, next);
    else if (end === "jump") this.goTo(node, target);
    else if (end === "condition") this.branch(node, block, last);
    else if (end === "call") this.call(node, target);
    else if (end === "interpret") this.leaveFor(next, REASON_INTERPRET);
    else if (end === "leave") this.leaveFor(next, REASON_LINK);
    else if (end === "yield") this.leaveFor(next, REASON_YIELD);
    else this.goToValue(node, last, end === "return");
  }

  private branch(node: number, block: Block, last: WasmOps | undefined): void {
    const { code } = this;
    if (last?.outcome.kind !== "if") throw new Error("compiler: a condition without one");
    last.put(last.outcome.condition);
    const { flags, registers, uncounted } = this;
    code.if();
    this.goTo(node, block.target);
    code.else();
    this.flags = flags;
    this.registers = registers;
    this.uncounted = uncounted;
    this.goTo(node, block.next);
    code.end();
    code.op(OP.unreachable);
  }

  private call(node: number, routine: number): void {
    const [target] = this.structure.jumps[node];
    if (target === undefined) {
      this.leaveFor(routine, REASON_LINK);
      return;
    }
    this.settle();
    this.dispatchTo(node, target);
  }

  /** A return or an indirect jump: to a dispatch target of this region, looked for by halves, or out of it. */
  private goToValue(node: number, last: WasmOps | undefined, isReturn: boolean): void {
    const { code } = this;
    if (last?.outcome.kind !== "to") throw new Error("compiler: a jump without a target");
    const { target } = last.outcome;
    this.settle();
    this.search(node, last, target, this.structure.jumps[node]);
    last.put(target);
    code.set(NEXT_EIP);
    code.const(isReturn ? REASON_LINK : REASON_LINK | (this.options.slot << REASON_SLOT_SHIFT));
    code.set(REASON);
    code.br(OUT);
  }

  private search(from: number, ops: WasmOps, value: Value, known: readonly number[]): void {
    const { code, structure: shape } = this;
    if (known.length <= 2) {
      for (const node of known) {
        ops.put(value);
        code.const(shape.starts[node]);
        code.op(OP.i32_eq);
        code.if();
        this.dispatchTo(from, node);
        code.end();
      }
      return;
    }
    const middle = known.length >> 1;
    ops.put(value);
    code.const(shape.starts[known[middle]]);
    code.op(OP.i32_lt_u);
    code.if();
    this.search(from, ops, value, known.slice(0, middle));
    code.else();
    this.search(from, ops, value, known.slice(middle));
    code.end();
  }
}
