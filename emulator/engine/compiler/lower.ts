// Reads a meaning as WebAssembly: the instructions of one guest instruction inside a region's function.
import { CR4_TSD } from "../../cpu/core.ts";
import { type Form, type Instruction, NONE } from "../../isa/instruction.ts";
import { CS } from "../../isa/operands.ts";
import { meaningOf } from "../../isa/semantics/index.ts";
import { EAX, EDX, type Ops, type Size } from "../../isa/semantics/ops.ts";
import * as L from "../../memory/layout.ts";
import { keyFlat } from "../interpreter/codecache.ts";
import { sizeOfSpec } from "../interpreter/text.ts";
import { FlagOps, type FlagState } from "./flags.ts";
import { BUDGET_END, POKE_FUNCTION, REFILL_FUNCTION, segmentOffset } from "./runtime.ts";
import { CPU, constant, FIRST_TEMPORARY, local, REGISTER, TLB, type Value, WIDE } from "./values.ts";
import { type Code, OP } from "./wasm.ts";

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
  /** Leaves the budget that there is before the instruction under way on the stack. */
  pushBudget(): void;
  /** Leaves before the instruction under way: inside an `if`. */
  leave(): void;
  /** Looks the page of a missing translation up and tries again; false: this place leaves instead. */
  refills(): boolean;
  /** A store to a linear address asks the device behind it, if there is no translation. */
  pokes(linear: Value): boolean;
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

/** What is known of registers at a place of the program: the values of those that hold constants, by number. */
export type KnownRegisters = ReadonlyMap<number, number>;
export const UNKNOWN_REGISTERS: KnownRegisters = new Map();

export class WasmOps extends FlagOps implements Ops<Value> {
  readonly form: Form;
  readonly size: Size;
  readonly srcSize: Size;
  readonly addressSize: 16 | 32;
  outcome: Outcome = { kind: "next" };
  private readonly instruction: Instruction;
  private readonly around: Surroundings;
  private readonly eip: number;
  /** What registers are known to hold in front of the instruction, and behind it once its changes are made. */
  registers: KnownRegisters;
  /** Memory writes, then changes of flags, then of registers: nothing may leave once one of them is done. */
  private readonly writes: (() => void)[] = [];
  private registerChanges: RegisterChange[] = [];
  private readonly operands: (Value | undefined)[] = [];
  private readonly temporariesUsed: (count: number) => void;
  private extra: Value = constant(0);
  private memoryAddress: Value | undefined;
  /** Address in the WebAssembly memory of an operand that is read and written. */
  private updated: Value | undefined;
  private stackTop: Value = constant(0);

  constructor(
    instruction: Instruction,
    eip: number,
    flags: FlagState,
    registers: KnownRegisters,
    around: Surroundings,
    temporariesUsed: (count: number) => void,
  ) {
    super(around.code, flags);
    const { form } = instruction;
    this.instruction = instruction;
    this.form = form;
    this.eip = eip;
    this.registers = registers;
    this.around = around;
    this.temporariesUsed = temporariesUsed;
    this.addressSize = instruction.addressSize;
    const sizes = form.operands.map(sizeOfSpec);
    this.size = sizes[0] ?? (form.operandSize === 0 ? 32 : form.operandSize);
    if (form.operands.length === 1 && /^imm|^rel/.test(form.operands[0])) this.size = form.operandSize === 16 ? 16 : 32;
    this.srcSize = sizes[1] ?? this.size;
  }

  /** The instruction's code. */
  lower(): void {
    if (this.form.mnemonic === "RDTSC") this.readTimeStamp();
    else meaningOf(this.form)?.(this);
    this.finish();
  }

  /** Time is the machine clock, which stands still while regions run: it is the end of the budget less what is left of that. */
  private readTimeStamp(): void {
    const { code, around } = this;
    code.get(CPU);
    code.load(L.R_CR4 * 4);
    code.const(CR4_TSD);
    code.op(OP.i32_and);
    this.leaveIf();
    const [sizeShift, timeShift] = [L.PROCESSOR_SIZE, L.PROCESSOR_TIME_SIZE].map((size) => 31 - Math.clz32(size));
    code.get(TLB);
    code.access(OP.f64_load, 3, BUDGET_END);
    around.pushBudget();
    code.op(OP.f64_convert_i32_s);
    code.op(OP.f64_sub);
    code.get(CPU);
    code.const(L.PROCESSOR_BASE);
    code.op(OP.i32_sub);
    code.const(sizeShift - timeShift);
    code.op(OP.i32_shr_u);
    code.access(OP.f64_load, 3, L.PROCESSOR_TIME + L.T_TSC_OFFSET);
    code.op(OP.f64_add);
    code.op(OP.i64_trunc_f64_s);
    code.set(WIDE);
    const low = this.keep(() => {
      code.get(WIDE);
      code.op(OP.i32_wrap_i64);
    });
    const high = this.keep(() => {
      code.get(WIDE);
      this.wideConst(32);
      code.op(OP.i64_shr_u);
      code.op(OP.i32_wrap_i64);
    });
    this.setReg(EAX, low, 32);
    this.setReg(EDX, high, 32);
  }

  /** Writes to memory, flags and registers, in this order. */
  private finish(): void {
    for (const write of this.writes) write();
    for (const change of this.flagChanges) change();
    this.flags = flagsAfter(this.flags, this.registerChanges);
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
        if (value.constant) this.code.const((value.n << shift) & mask);
        else {
          this.put(value);
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
    if (changes.length > 0) this.registers = knownAfter(this.registers, changes);
  }

  /** Leaves before this instruction if the value on the stack is not zero. */
  protected leaveIf(): void {
    this.code.ifRarely();
    this.around.leave();
    this.code.end();
  }

  // --- registers and operands ---
  reg(number: number, size: Size = 32): Value {
    const from = REGISTER + whole(number, size);
    const isHigh = size === 8 && number > 3;
    const known = this.registers.get(whole(number, size));
    if (known !== undefined) {
      const unused = 32 - size;
      return constant(((isHigh ? known >>> 8 : known) << unused) >> unused);
    }
    if (size === 32) return local(from);
    return this.keep(() => {
      this.code.get(from);
      if (isHigh) {
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
    const raised = form.mnemonic === "POP" && base === L.R_ESP ? operandSize / 8 : 0;
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
    const slot = this.temporary();
    this.differs(linear, size, write, slot);
    code.ifRarely();
    if (around.refills()) {
      this.refill(linear, size, write, slot);
      code.ifRarely();
      around.leave();
      code.end();
    } else around.leave();
    code.end();
    return this.keep(() => this.pushPlace(linear, write, slot));
  }

  /** Leaves on the stack whether the TLB's entry, whose address a local gets, is not the one for `size` bits at an address. */
  private differs(linear: Value, size: Size, write: boolean, slot: number): void {
    const { code } = this;
    if (linear.constant) code.const((linear.n >>> 9) & 0x1ff8);
    else {
      this.put(linear);
      code.const(9);
      code.op(OP.i32_shr_u);
      code.const(0x1ff8);
      code.op(OP.i32_and);
    }
    code.get(TLB);
    code.op(OP.i32_add);
    code.tee(slot);
    code.load(write ? L.TLB_BYTES : 0);
    const rest = size / 8 - 1;
    if (linear.constant) code.const((linear.n + rest) & -4096);
    else {
      this.put(linear);
      if (rest > 0) {
        code.const(rest);
        code.op(OP.i32_add);
      }
      code.const(-4096);
      code.op(OP.i32_and);
    }
    code.op(OP.i32_ne);
  }

  /** As `differs`, after a look into the page tables. */
  private refill(linear: Value, size: Size, write: boolean, slot: number): void {
    const { code } = this;
    code.get(CPU);
    code.get(TLB);
    this.put(linear);
    code.const(write ? 1 : 0);
    code.call(REFILL_FUNCTION);
    this.differs(linear, size, write, slot);
  }

  private pushPlace(linear: Value, write: boolean, slot: number): void {
    const { code } = this;
    this.put(linear);
    code.get(slot);
    code.load((write ? L.TLB_BYTES : 0) + 4);
    code.op(OP.i32_add);
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
    if (size === 32 && this.around.pokes(linear)) this.writes.push(() => this.storeOrPoke(linear, value));
    else this.writes.push(() => this.storeUpdateNow(this.translate(linear, size, true), size, value));
  }

  /** A store in a place where translations are often missing: devices have none. */
  private storeOrPoke(linear: Value, value: Value): void {
    const { code } = this;
    const slot = this.temporary();
    const done = code.depth;
    code.block();
    this.differs(linear, 32, true, slot);
    code.ifRarely();
    this.refill(linear, 32, true, slot);
    code.if();
    code.get(CPU);
    code.get(TLB);
    this.put(linear);
    this.put(value);
    code.call(POKE_FUNCTION);
    code.brIf(done);
    this.around.leave();
    code.end();
    code.end();
    this.pushPlace(linear, true, slot);
    this.put(value);
    code.access(OP.i32_store, 0, 0);
    code.end();
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

  // --- conditions ---
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
    const top = this.sub(local(REGISTER + L.R_ESP), constant(this.stackSize / 8));
    this.storeAt(top, this.stackSize, value);
    this.setReg(L.R_ESP, top);
  }
  private popAt(pointer: Value): Value {
    this.stackTop = this.add(pointer, constant(this.stackSize / 8));
    const popped = this.loadAt(pointer, this.stackSize);
    this.setReg(L.R_ESP, this.stackTop);
    return popped;
  }
  pop(): Value {
    return this.popAt(local(REGISTER + L.R_ESP));
  }
  popFromFrame(): Value {
    return this.popAt(local(REGISTER + L.R_EBP));
  }
  release(bytes: Value): void {
    this.setReg(L.R_ESP, this.add(this.stackTop, bytes));
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

function knownAfter(registers: KnownRegisters, changes: readonly RegisterChange[]): KnownRegisters {
  const after = new Map(registers);
  for (const { number, size, value } of changes) {
    if (size === 32 && value.constant) after.set(number, value.n);
    else after.delete(whole(number, size));
  }
  return after;
}

/** What is known of flags once registers have changed: a register may hold what the flags came from, or hold it no longer. */
function flagsAfter(flags: FlagState, changes: readonly RegisterChange[]): FlagState {
  const { source } = flags;
  if (source === null) return flags;
  const still = (value: Value | null): Value | null => {
    if (value === null || value.constant) return value;
    const isChanged = (register: number): boolean =>
      changes.some(({ number, size }) => REGISTER + whole(number, size) === register);
    if (value.n < FIRST_TEMPORARY) return isChanged(value.n) ? null : value;
    const taken = changes.find(({ value: to, size }) => size === 32 && !to.constant && to.n === value.n);
    if (taken === undefined) return null;
    const changed = changes.findLast(({ number, size }) => whole(number, size) === taken.number);
    return changed === taken ? local(REGISTER + taken.number) : null;
  };
  return { ...flags, source: { ...source, a: still(source.a), b: still(source.b), r: still(source.r) } };
}

/** The register that an encoding of a size lies in: AH lies in EAX. */
const whole = (number: number, size: Size): number => (size === 8 ? number & 3 : number);

/** The form's instructions can be part of a region: data flow, and the clock. */
export const hasMeaning = (form: Form): boolean => form.mnemonic === "RDTSC" || meaningOf(form) !== undefined;
