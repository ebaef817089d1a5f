// Reads a meaning as program text: the body of the handler that tier 0 runs for one form.
import type { Form } from "../../isa/instruction.ts";
import type { Ops, Size } from "../../isa/semantics/index.ts";
import { ADJUST, CARRY, OVERFLOW, PARITY, SIGN, ZERO } from "../../isa/semantics/ops.ts";
import { R_EFLAGS, R_EIP, R_FA, R_FB, R_FRES, R_LAZY } from "../../memory/layout.ts";
import { LAZY_EXACT, LAZY_SUBTRACTION } from "./lazy.ts";
import * as F from "./record.ts";

const ALL = CARRY | PARITY | ADJUST | ZERO | SIGN | OVERFLOW;
// biome-ignore format: columns
const FIXED_REGISTERS: Record<string, [number, Size]> = {
  AL: [0, 8], CL: [1, 8], DL: [2, 8], BL: [3, 8], AH: [4, 8], CH: [5, 8], DH: [6, 8], BH: [7, 8],
  AX: [0, 16], CX: [1, 16], DX: [2, 16], BX: [3, 16], SP: [4, 16], BP: [5, 16], SI: [6, 16], DI: [7, 16],
  EAX: [0, 32], ECX: [1, 32], EDX: [2, 32], EBX: [3, 32], ESP: [4, 32], EBP: [5, 32], ESI: [6, 32], EDI: [7, 32],
};

/** Bits an operand notation stands for, or undefined where it has no size of its own. */
export function sizeOfSpec(spec: string): Size | undefined {
  const fixed = FIXED_REGISTERS[spec.toUpperCase()];
  if (fixed) return fixed[1];
  const size = Number(/^(?:r|r\/m|m|moffs|imm)(8|16|32)$/.exec(spec)?.[1] ?? 0);
  return size === 8 || size === 16 || size === 32 ? size : undefined;
}

const field = (f: number): string => `code[p + ${f}]`;
const flagWord = (r: number): string => `i32[c + ${r}]`;

/** Where the rm operand is, and the address size: what the generator makes separate handlers for. */
export interface Variant {
  readonly memory: boolean;
  readonly addressSize: 16 | 32;
}

/** The array that holds values of a size, the shift from byte to element, and the address bits a TLB tag is compared on. */
function view(size: Size): { array: string; shift: number; tagMask: string } {
  if (size === 32) return { array: "i32", shift: 2, tagMask: "-4093" };
  if (size === 16) return { array: "i16", shift: 1, tagMask: "-4095" };
  return { array: "i8", shift: 0, tagMask: "-4096" };
}

/** Drops constants that nothing uses: their expressions have no effect. */
function withoutUnused(lines: readonly string[]): string[] {
  const kept = lines.filter((line) => {
    const name = /^const (t\d+|c) = /.exec(line)?.[1];
    return name === undefined || lines.some((other) => other !== line && new RegExp(`\\b${name}\\b`).test(other));
  });
  return kept.length === lines.length ? kept : withoutUnused(kept);
}

export class TextOps implements Ops<string> {
  readonly size: Size;
  readonly srcSize: Size;
  readonly addressSize: 16 | 32;
  readonly form: Form;
  private readonly variant: Variant;
  private readonly lines: string[] = [];
  private readonly writes: string[] = [];
  private readonly commits: string[] = [];
  private readonly operandTexts: (string | undefined)[] = [];
  private temps = 0;
  private extra = "";
  private memoryAddress = "";
  private readWriteSlot = "";
  private stackTop = "";
  private end = "";

  constructor(form: Form, variant: Variant) {
    this.form = form;
    this.variant = variant;
    this.addressSize = variant.addressSize;
    const sizes = form.operands.map(sizeOfSpec);
    this.size = sizes[0] ?? (form.operandSize === 0 ? 32 : form.operandSize);
    if (form.operands.length === 1 && /^imm|^rel/.test(form.operands[0])) this.size = form.operandSize === 16 ? 16 : 32;
    this.srcSize = sizes[1] ?? this.size;
  }

  /** The finished body: reads, then memory writes, then registers and flags, then where to go on. */
  body(): string {
    const { lines, writes, commits } = this;
    const end = this.end || `return p + ${F.STRIDE};`;
    return withoutUnused(["const c = g[0];", ...lines, ...writes, ...commits, end]).join("\n  ");
  }

  private temp(expression: string): string {
    if (/^-?\w+$/.test(expression)) return expression;
    const name = `t${++this.temps}`;
    this.lines.push(`const ${name} = ${expression};`);
    return name;
  }

  /** A change of registers or flags: it comes after every read and every memory write. */
  private emit(effect: string): void {
    this.commits.push(effect);
  }

  private checked(call: string): string {
    return `${call}; if (g[2] !== 0) return ${F.FAULT};`;
  }

  // --- operands ---
  private registerText(number: string | number, size: Size, scaled: boolean): string {
    if (size === 32) return `i32[c + ${number}]`;
    if (size === 16) return `i16[(c << 1) + ${scaled ? number : Number(number) * 2}]`;
    return `i8[(c << 2) + ${scaled ? number : (Number(number) & 3) * 4 + (Number(number) >> 2)}]`;
  }

  private addressText(): string {
    if (this.memoryAddress !== "") return this.memoryAddress;
    const width = (sizeOfSpec(this.form.operands.find((o) => /^(r\/m|m)/.test(o)) ?? "") ?? this.size) / 8;
    const name = `a${++this.temps}`;
    const sum = `${field(F.F_DISP)} + i32[c + ${field(F.F_BASE)}] + (i32[c + ${field(F.F_INDEX)}] << ${field(F.F_SCALE)})`;
    const write = this.form.access.some((a, i) => a.includes("w") && /^(r\/m|m)/.test(this.form.operands[i]));
    this.lines.push(
      `let ${name} = (${sum}${this.extra ? ` + ${this.extra}` : ""}) | 0;`,
      `if (${field(F.F_MODE)} !== 0) { ${name} = segmented(p, ${name}, ${width}, ${write ? 1 : 0}); if (g[2] !== 0) return ${F.FAULT}; }`,
    );
    this.memoryAddress = name;
    return name;
  }

  private load(address: string, size: Size): string {
    const { array, shift, tagMask } = view(size);
    const slot = `s${++this.temps}`;
    const value = `v${this.temps}`;
    const slow = size === 32 ? `read32(${address})` : `(read${size}(${address}) << ${32 - size}) >> ${32 - size}`;
    this.lines.push(
      `const ${slot} = g[6] + ((${address} >>> 11) & 0x7fe);`,
      `let ${value} = 0;`,
      `if (i32[${slot}] === (${address} & ${tagMask})) ${value} = ${array}[(${address} + i32[${slot} + 1]) >>> ${shift}];`,
      `else { ${this.checked(`${value} = ${slow}`)} }`,
    );
    return value;
  }

  private store(address: string, size: Size, value: string): void {
    const { array, shift, tagMask } = view(size);
    const slot = `s${++this.temps}`;
    this.writes.push(
      `const ${slot} = g[7] + ((${address} >>> 11) & 0x7fe);`,
      `if (i32[${slot}] === (${address} & ${tagMask})) ${array}[(${address} + i32[${slot} + 1]) >>> ${shift}] = ${value};`,
      `else { ${this.checked(`write${size}(${address}, ${value})`)} }`,
    );
  }

  /** Read for a later write to the same place: one translation, with the rights of a write. */
  private loadForUpdate(address: string, size: Size): string {
    const { array, shift, tagMask } = view(size);
    const slot = `x${++this.temps}`;
    const value = `v${this.temps}`;
    const entry = `s${this.temps}`;
    const slow = size === 32 ? `update32(${address})` : `(update${size}(${address}) << ${32 - size}) >> ${32 - size}`;
    this.lines.push(
      `const ${entry} = g[7] + ((${address} >>> 11) & 0x7fe);`,
      `let ${slot} = -1;`,
      `let ${value} = 0;`,
      `if (i32[${entry}] === (${address} & ${tagMask})) { ${slot} = (${address} + i32[${entry} + 1]) >>> ${shift}; ${value} = ${array}[${slot}]; }`,
      `else { ${this.checked(`${value} = ${slow}`)} }`,
    );
    this.readWriteSlot = slot;
    return value;
  }

  private storeUpdate(address: string, size: Size, value: string): void {
    const { array } = view(size);
    this.writes.push(
      `if (${this.readWriteSlot} >= 0) ${array}[${this.readWriteSlot}] = ${value};`,
      `else { ${this.checked(`write${size}(${address}, ${value})`)} }`,
    );
  }

  private operand(index: number): string {
    const known = this.operandTexts[index];
    if (known !== undefined) return known;
    const text = this.readOperand(this.form.operands[index], this.form.access[index]);
    this.operandTexts[index] = text;
    return text;
  }

  private readOperand(spec: string, access: string): string {
    const fixed = FIXED_REGISTERS[spec.toUpperCase()];
    if (fixed) return this.temp(this.registerText(fixed[0], fixed[1], false));
    if (/^(imm|rel)/.test(spec)) return this.temp(field(F.F_IMM));
    if (/^\d$/.test(spec)) return spec;
    const size = sizeOfSpec(spec) ?? this.size;
    if (/^r\d/.test(spec)) return this.temp(this.registerText(field(F.F_REG), size, true));
    if (/^r\/m/.test(spec) && !this.variant.memory) return this.temp(this.registerText(field(F.F_RM), size, true));
    const address = this.addressText();
    return access.includes("w") ? this.loadForUpdate(address, size) : this.load(address, size);
  }

  private writeOperand(index: number, value: string): void {
    const spec = this.form.operands[index];
    const fixed = FIXED_REGISTERS[spec.toUpperCase()];
    const size = fixed?.[1] ?? sizeOfSpec(spec) ?? this.size;
    if (fixed) this.emit(`${this.registerText(fixed[0], size, false)} = ${value};`);
    else if (/^r\d/.test(spec)) this.emit(`${this.registerText(field(F.F_REG), size, true)} = ${value};`);
    else if (!this.variant.memory && /^r\/m/.test(spec))
      this.emit(`${this.registerText(field(F.F_RM), size, true)} = ${value};`);
    else if (this.readWriteSlot !== "") this.storeUpdate(this.addressText(), size, value);
    else this.store(this.addressText(), size, value);
  }

  get dst(): string {
    return this.operand(0);
  }
  get src(): string {
    return this.operand(1);
  }
  get third(): string {
    return this.operand(2);
  }
  setDst(value: string): void {
    this.writeOperand(0, value);
  }
  setSrc(value: string): void {
    this.writeOperand(1, value);
  }
  get address(): string {
    const sum = `(${field(F.F_DISP)} + i32[c + ${field(F.F_BASE)}] + (i32[c + ${field(F.F_INDEX)}] << ${field(F.F_SCALE)})) | 0`;
    return this.temp(this.addressSize === 16 ? `(${sum}) & 0xffff` : sum);
  }
  displace(bytes: string): void {
    if (this.variant.memory) this.extra = bytes;
  }
  loadByte(offset: string): string {
    const name = `a${++this.temps}`;
    this.lines.push(
      `let ${name} = ${offset};`,
      `if (${field(F.F_MODE)} !== 0) { ${name} = segmented(p, ${name}, 1, 0); if (g[2] !== 0) return ${F.FAULT}; }`,
    );
    return this.load(name, 8);
  }
  reg(number: number, size: Size = 32): string {
    return this.temp(this.registerText(number, size, false));
  }
  setReg(number: number, value: string, size: Size = 32): void {
    this.emit(`${this.registerText(number, size, false)} = ${value};`);
  }

  // --- arithmetic ---
  const = (value: number): string => String(value | 0);
  add = (a: string, b: string): string => this.temp(`(${a} + ${b}) | 0`);
  sub = (a: string, b: string): string => this.temp(`(${a} - ${b}) | 0`);
  and = (a: string, b: string): string => this.temp(`${a} & ${b}`);
  or = (a: string, b: string): string => this.temp(`${a} | ${b}`);
  xor = (a: string, b: string): string => this.temp(`${a} ^ ${b}`);
  not = (a: string): string => this.temp(`~${a}`);
  mul = (a: string, b: string): string => this.temp(`Math.imul(${a}, ${b})`);
  mulHighSigned = (a: string, b: string): string => this.temp(`mulHighSigned(${a}, ${b})`);
  mulHighUnsigned = (a: string, b: string): string => this.temp(`mulHighUnsigned(${a}, ${b})`);
  shl = (a: string, b: string): string => this.temp(`${a} << ${b}`);
  shr = (a: string, b: string): string => this.temp(`(${a} >>> ${b}) | 0`);
  sar = (a: string, b: string): string => this.temp(`${a} >> ${b}`);
  clz = (a: string): string => this.temp(`Math.clz32(${a})`);
  divU = (a: string, b: string): string => this.temp(`((${a} >>> 0) / (${b} >>> 0)) | 0`);
  remU = (a: string, b: string): string => this.temp(`((${a} >>> 0) % (${b} >>> 0)) | 0`);
  divide64(high: string, low: string, divisor: string, signed: boolean): { quotient: string; remainder: string } {
    const quotient = `q${++this.temps}`;
    this.lines.push(
      `${this.checked(`const ${quotient} = divide${signed ? "Signed" : "Unsigned"}(${high}, ${low}, ${divisor})`)}`,
    );
    return { quotient, remainder: this.temp("g[REMAINDER]") };
  }
  fit = (a: string, size: Size = this.size): string =>
    size === 32 ? a : this.temp(`(${a} << ${32 - size}) >> ${32 - size}`);
  unsigned = (a: string, size: Size = this.size): string =>
    size === 32 ? a : this.temp(`${a} & ${size === 8 ? "0xff" : "0xffff"}`);

  eq = (a: string, b: string): string => this.temp(`${a} === ${b} ? 1 : 0`);
  ne = (a: string, b: string): string => this.temp(`${a} !== ${b} ? 1 : 0`);
  ltS = (a: string, b: string): string => this.temp(`${a} < ${b} ? 1 : 0`);
  ltU = (a: string, b: string): string => this.temp(`(${a} >>> 0) < (${b} >>> 0) ? 1 : 0`);
  either = (a: string, b: string): string => this.temp(`${a} | ${b}`);
  both = (a: string, b: string): string => this.temp(`${a} & ${b}`);
  select = (condition: string, a: string, b: string): string => this.temp(`${condition} !== 0 ? ${a} : ${b}`);

  // --- flags ---
  condition(code: number): string {
    const names = ["overflow", "carry", "zero", "belowEqual", "sign", "parity", "less", "lessEqual"];
    const text = `${names[code >> 1]}(c)`;
    return this.temp(`${(code & 1) !== 0 ? "!" : ""}${text} ? 1 : 0`);
  }
  flag(flag: number): string {
    if (flag === ADJUST) return this.temp("adjust(c) ? 1 : 0");
    const names: Record<number, string> = {
      [CARRY]: "carry",
      [ZERO]: "zero",
      [SIGN]: "sign",
      [PARITY]: "parity",
      [OVERFLOW]: "overflow",
    };
    return this.temp(`${names[flag]}(c) ? 1 : 0`);
  }
  private lazy(mask: number, a: string, b: string, r: string): void {
    if (a !== "") this.emit(`${flagWord(R_FA)} = ${a}; ${flagWord(R_FB)} = ${b};`);
    this.emit(`${flagWord(R_FRES)} = ${r}; ${flagWord(R_LAZY)} = ${mask};`);
  }
  flagsOfAdd(a: string, b: string, r: string): void {
    this.lazy(ALL, a, b, r);
  }
  flagsOfSub(a: string, b: string, r: string): void {
    this.lazy(ALL | LAZY_SUBTRACTION, a, b, r);
  }
  flagsOfCompare(a: string, b: string, r: string): void {
    this.lazy(ALL | LAZY_SUBTRACTION | LAZY_EXACT, a, b, r);
  }
  private keepCarry(): void {
    const bit = this.temp("carry(c) ? 1 : 0");
    this.emit(`${flagWord(R_EFLAGS)} = (${flagWord(R_EFLAGS)} & -2) | ${bit};`);
  }
  flagsOfIncrement(a: string, r: string): void {
    this.keepCarry();
    this.lazy(ALL & ~CARRY, a, "1", r);
  }
  flagsOfDecrement(a: string, r: string): void {
    this.keepCarry();
    this.lazy((ALL & ~CARRY) | LAZY_SUBTRACTION, a, "1", r);
  }
  /** 0 + r = r: the same flags, with nothing to put in place. */
  flagsOfLogic(r: string): void {
    this.lazy(ALL, "0", r, r);
  }
  flagsOfResult(r: string, carry: string, overflow: string): void {
    const bits = `${carry} | (${overflow} << 11)`;
    this.emit(`${flagWord(R_EFLAGS)} = (${flagWord(R_EFLAGS)} & ${~(CARRY | OVERFLOW | ADJUST)}) | ${bits};`);
    this.lazy(ZERO | SIGN | PARITY, "", "", r);
  }
  setFlag(flag: number, value: string): void {
    const shift = 31 - Math.clz32(flag);
    this.emit(`${flagWord(R_EFLAGS)} = (${flagWord(R_EFLAGS)} & ${~flag}) | (${value} << ${shift});`);
    if ((flag & ALL) !== 0) this.emit(`${flagWord(R_LAZY)} &= ${~flag};`);
  }
  setZero(r: string): void {
    this.emit(
      `${flagWord(R_EFLAGS)} = (${flagWord(R_EFLAGS)} & ${~ZERO}) | (${r} === 0 ? ${ZERO} : 0); ${flagWord(R_LAZY)} &= ${~ZERO};`,
    );
  }
  setFlagByte(bits: string): void {
    const mask = ALL & ~OVERFLOW;
    this.emit(
      `${flagWord(R_EFLAGS)} = (${flagWord(R_EFLAGS)} & ${~mask}) | (${bits} & ${mask}); ${flagWord(R_LAZY)} &= ${~mask};`,
    );
  }
  flagByte(): string {
    return this.temp("flagBits(c)");
  }

  when(condition: string, effects: () => void): void {
    // Inputs of the effects are computed beforehand: they are harmless when the condition fails.
    const at = this.commits.length;
    effects();
    const inside = this.commits.splice(at);
    this.commits.push(`if (${condition} !== 0) {`, ...inside, "}");
  }
  faultIf(condition: string, vector: number): void {
    this.lines.push(`if (${condition} !== 0) { raise(${vector}); return ${F.FAULT}; }`);
  }

  // --- stack ---
  push(value: string): void {
    const width = this.stackWidth();
    const top = `n${++this.temps}`;
    const address = `a${this.temps}`;
    this.lines.push(
      `let ${top} = (i32[c + 4] - ${width}) | 0;`,
      `let ${address} = ${top};`,
      `if ((${field(F.F_SPECIAL)} & ${F.SPECIAL_STACK}) !== 0) { ${this.checked(`${address} = pushAddress(${width})`)} ${top} = g[NEW_TOP]; }`,
    );
    this.store(address, width === 4 ? 32 : 16, value);
    this.emit(`i32[c + 4] = ${top};`);
  }

  private stackWidth(): 2 | 4 {
    return this.form.operandSize === 16 ? 2 : 4;
  }

  private popAt(fromFrame: boolean): string {
    const width = this.stackWidth();
    const top = `n${++this.temps}`;
    const address = `a${this.temps}`;
    this.lines.push(
      `let ${address} = i32[c + ${fromFrame ? 5 : 4}];`,
      `let ${top} = (${address} + ${width}) | 0;`,
      `if ((${field(F.F_SPECIAL)} & ${F.SPECIAL_STACK}) !== 0) { ${this.checked(`${address} = popAddress(${width}, ${address})`)} ${top} = g[NEW_TOP]; }`,
    );
    this.stackTop = top;
    const popped = this.load(address, width === 4 ? 32 : 16);
    this.emit(`i32[c + 4] = ${top};`);
    return popped;
  }
  pop(): string {
    return this.popAt(false);
  }
  popFromFrame(): string {
    return this.popAt(true);
  }
  release(bytes: string): void {
    this.emit(
      `i32[c + 4] = (${field(F.F_SPECIAL)} & ${F.SPECIAL_STACK}) !== 0 ? released(${this.stackTop}, ${bytes}) : (${this.stackTop} + ${bytes}) | 0;`,
    );
  }

  // --- control ---
  get nextEip(): string {
    const next = this.temp(`(g[13] + ${field(F.F_OFFSET)} + ${field(F.F_LENGTH)}) | 0`);
    return this.form.operandSize === 16 ? this.temp(`${next} & 0xffff`) : next;
  }
  private target(): string {
    const sum = `(g[13] + ${field(F.F_OFFSET)} + ${field(F.F_LENGTH)} + ${field(F.F_IMM)}) | 0`;
    return this.form.operandSize === 16 ? `(${sum}) & 0xffff` : sum;
  }
  private jumpText(): string[] {
    return [`const k = ${field(F.F_TARGET)};`, "if (k !== 0) return k;", `return jump(p, ${this.target()});`];
  }
  private limitCheck(target: string, condition: string): void {
    this.lines.push(
      `if ((${field(F.F_SPECIAL)} & ${F.SPECIAL_CODE}) !== 0${condition}) { ${this.checked(`checkTarget(${target})`)} }`,
    );
  }
  jumpRelative(): void {
    this.limitCheck(this.target(), "");
    this.end = this.jumpText().join("\n  ");
  }
  jumpRelativeIf(condition: string): void {
    this.limitCheck(this.target(), ` && ${condition} !== 0`);
    this.end = [`if (${condition} === 0) return p + ${F.STRIDE};`, ...this.jumpText()].join("\n  ");
  }
  jumpTo(offset: string): void {
    const target = this.form.operandSize === 16 ? this.temp(`${offset} & 0xffff`) : offset;
    this.limitCheck(target, "");
    this.end = `return jumpTo(${target});`;
  }
  yield(): void {
    this.emit("g[14] = 1;");
    this.emit(`i32[c + ${R_EIP}] = (g[13] + ${field(F.F_OFFSET)} + ${field(F.F_LENGTH)}) | 0;`);
    this.end = `return ${F.EXIT};`;
  }
}
