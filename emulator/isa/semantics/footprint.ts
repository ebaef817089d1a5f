// Reads a meaning as a footprint: which registers, flags and memory an instruction reads and writes, without running it.
import type { Form, Instruction } from "../instruction.ts";
import { meaningOf } from "./index.ts";
import { ADJUST, CARRY, ESP, type Ops, OVERFLOW, PARITY, SIGN, type Size, ZERO } from "./ops.ts";

/** What one instruction touches. Register sets are masks by encoding (bit 0 EAX .. bit 7 EDI), flags masks of EFLAGS. */
export interface Footprint {
  readonly registersRead: number;
  readonly registersWritten: number;
  readonly flagsRead: number;
  readonly flagsWritten: number;
  /** Bytes read and written at the memory operand; 0 where it is not accessed (LEA), or not there. */
  readonly memoryRead: number;
  readonly memoryWritten: number;
  /** Bytes pushed (positive) or popped (negative), 0 for neither. */
  readonly stack: number;
  /** It may go on elsewhere than at the next instruction. */
  readonly jumps: boolean;
}

const STATUS = CARRY | PARITY | ADJUST | ZERO | SIGN | OVERFLOW;
/** Flags that the conditions 0, 2, 4 .. 14 look at. */
const CONDITION_FLAGS = [OVERFLOW, CARRY, ZERO, CARRY | ZERO, SIGN, PARITY, SIGN | OVERFLOW, ZERO | SIGN | OVERFLOW];
const FIXED = ["AL CL DL BL AH CH DH BH", "AX CX DX BX SP BP SI DI", "EAX ECX EDX EBX ESP EBP ESI EDI"].map((names) =>
  names.split(" "),
);

/** The footprint of a data-flow instruction; undefined for the others, whose effects are found by watching them run. */
export function footprintOf(instruction: Instruction): Footprint | undefined {
  const meaning = meaningOf(instruction.form);
  if (!meaning) return undefined;
  const ops = new FootprintOps(instruction);
  meaning(ops);
  return ops.footprint();
}

class FootprintOps implements Ops<null> {
  readonly form: Form;
  readonly size: Size;
  readonly srcSize: Size;
  readonly addressSize: 16 | 32;
  private readonly instruction: Instruction;
  private registersRead = 0;
  private registersWritten = 0;
  private flagsRead = 0;
  private flagsWritten = 0;
  private memoryRead = 0;
  private memoryWritten = 0;
  private stack = 0;
  private jumps = false;

  constructor(instruction: Instruction) {
    this.instruction = instruction;
    this.form = instruction.form;
    this.addressSize = instruction.addressSize;
    this.size = this.sizeOf(0);
    this.srcSize = this.form.operands.length > 1 ? this.sizeOf(1) : this.size;
  }

  footprint(): Footprint {
    const { registersRead, registersWritten, flagsRead, flagsWritten, memoryRead, memoryWritten, stack, jumps } = this;
    return { registersRead, registersWritten, flagsRead, flagsWritten, memoryRead, memoryWritten, stack, jumps };
  }

  private sizeOf(index: number): Size {
    const spec = this.form.operands[index] ?? "";
    const bits = Number(/^(?:r|r\/m|m|moffs)(8|16|32)$/.exec(spec)?.[1] ?? 0);
    if (bits === 8 || bits === 16 || bits === 32) return bits;
    const fixed = FIXED.findIndex((names) => names.includes(spec.toUpperCase()));
    return fixed === 0 ? 8 : fixed === 1 ? 16 : fixed === 2 ? 32 : this.instruction.operandSize;
  }

  /** AH to BH are parts of EAX to EBX. */
  private static bit(register: number, size: Size): number {
    return 1 << (size === 8 ? register & 3 : register);
  }

  private addressRegisters(): void {
    const { base, index } = this.instruction;
    if (base >= 0) this.registersRead |= 1 << base;
    if (index >= 0) this.registersRead |= 1 << index;
  }

  private operand(index: number, write: boolean): null {
    const spec = this.form.operands[index] ?? "";
    const size = this.sizeOf(index);
    const fixed = FIXED.find((names) => names.includes(spec.toUpperCase()));
    const { reg, rm, memory } = this.instruction;
    if (fixed) return this.register(fixed.indexOf(spec.toUpperCase()), size, write);
    if (/^r\d/.test(spec)) return this.register(reg, size, write);
    if (/^r\/m/.test(spec) && !memory) return this.register(rm, size, write);
    if (/^(r\/m|m)/.test(spec)) {
      this.addressRegisters();
      if (write) this.memoryWritten = size / 8;
      else this.memoryRead = size / 8;
    }
    return null;
  }

  private register(number: number, size: Size, write: boolean): null {
    if (write) this.registersWritten |= FootprintOps.bit(number, size);
    else this.registersRead |= FootprintOps.bit(number, size);
    return null;
  }

  get dst(): null {
    return this.operand(0, false);
  }
  get src(): null {
    return this.operand(1, false);
  }
  get third(): null {
    return this.operand(2, false);
  }
  setDst(): void {
    this.operand(0, true);
  }
  setSrc(): void {
    this.operand(1, true);
  }
  get address(): null {
    this.addressRegisters();
    return null;
  }
  displace(): void {}
  loadByte(): null {
    this.memoryRead = 1;
    return null;
  }
  reg(number: number, size: Size = 32): null {
    return this.register(number, size, false);
  }
  setReg(number: number, _value: null, size: Size = 32): void {
    this.register(number, size, true);
  }

  const = (): null => null;
  add = (): null => null;
  sub = (): null => null;
  and = (): null => null;
  or = (): null => null;
  xor = (): null => null;
  not = (): null => null;
  mul = (): null => null;
  mulHighSigned = (): null => null;
  mulHighUnsigned = (): null => null;
  shl = (): null => null;
  shr = (): null => null;
  sar = (): null => null;
  clz = (): null => null;
  divU = (): null => null;
  remU = (): null => null;
  divide64 = (): { quotient: null; remainder: null } => ({ quotient: null, remainder: null });
  fit = (): null => null;
  unsigned = (): null => null;
  eq = (): null => null;
  ne = (): null => null;
  ltS = (): null => null;
  ltU = (): null => null;
  either = (): null => null;
  both = (): null => null;
  select = (): null => null;

  condition(code: number): null {
    this.flagsRead |= CONDITION_FLAGS[code >> 1];
    return null;
  }
  flag(flag: number): null {
    this.flagsRead |= flag;
    return null;
  }
  private status(mask: number): void {
    this.flagsWritten |= mask;
  }
  flagsOfAdd = (): void => this.status(STATUS);
  flagsOfSub = (): void => this.status(STATUS);
  flagsOfCompare = (): void => this.status(STATUS);
  flagsOfIncrement = (): void => this.status(STATUS & ~CARRY);
  flagsOfDecrement = (): void => this.status(STATUS & ~CARRY);
  flagsOfLogic = (): void => this.status(STATUS);
  flagsOfResult = (): void => this.status(STATUS);
  setFlag(flag: number): void {
    this.status(flag);
  }
  setZero = (): void => this.status(ZERO);
  setFlagByte = (): void => this.status(STATUS & ~OVERFLOW);
  flagByte(): null {
    this.flagsRead |= STATUS & ~OVERFLOW;
    return null;
  }
  when(_condition: null, effects: () => void): void {
    effects();
  }
  faultIf(): void {}

  private moveStack(bytes: number): null {
    this.register(ESP, 32, false);
    this.register(ESP, 32, true);
    this.stack = bytes;
    return null;
  }
  push(): void {
    this.moveStack(this.instruction.operandSize / 8);
  }
  pop(): null {
    return this.moveStack(-this.instruction.operandSize / 8);
  }
  popFromFrame(): null {
    this.register(5, 32, false);
    return this.pop();
  }
  release(): void {}
  get nextEip(): null {
    return null;
  }
  jumpRelative(): void {
    this.jumps = true;
  }
  jumpRelativeIf(): void {
    this.jumps = true;
  }
  jumpTo(): void {
    this.jumps = true;
  }
  yield(): void {}
}
