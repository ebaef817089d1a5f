// Instruction to text, in the Intel syntax that NASM reads: `lock cmpxchg [ecx], edx`, `mov dword [ecx+0x4], 0x0`.
import { conditions } from "./families.ts";
import { type Form, type Instruction, NONE } from "./instruction.ts";
import {
  controlRegisters,
  debugRegisters,
  type OperandSpec,
  registers8,
  registers16,
  registers32,
  segmentRegisters,
} from "./operands.ts";

export interface FormatOptions {
  /** Default size of the code segment (32): what `o16 o32 a16 a32` are measured against. */
  readonly bits?: 16 | 32;
  /** The name of an address, for jump targets and addresses without registers. */
  readonly symbol?: (address: number) => string | undefined;
}

/**
 * One instruction as text. `address` is the offset of its first byte in the code segment, from which targets are counted.
 *
 * A size word stands before a memory operand whose size no register tells; prefixes without effect are not shown.
 */
export function format(instruction: Instruction, address: number, options: FormatOptions = {}): string {
  const { form } = instruction;
  const { bits = 32, symbol } = options;
  const words: string[] = [];
  if (instruction.lock) words.push("lock");
  if (form.repeatable && instruction.repeat !== 0) words.push(repeatName(form, instruction.repeat));
  if (takesHiddenAddress(form)) {
    if (instruction.segmentOverride !== NONE && readsHiddenSource(form)) {
      words.push(segmentRegisters[instruction.segmentOverride]!.name);
    }
    if (form.addressSize === 0 && instruction.addressSize !== bits) words.push(`a${instruction.addressSize}`);
  }
  if (hidesOperandSize(form) && form.operandSize !== bits) {
    if (saysWidth(form)) words.push(nameOf(form), `${form.roles[0] === "relative" ? "near " : ""}${widthOf(form)}`);
    else words.push(`o${form.operandSize}`, nameOf(form));
  } else words.push(nameOf(form));
  const operands =
    form.unimplemented !== "" && form.operands.length === 0
      ? [] // An escape to a processor extension: its operands are that extension's.
      : form.operands.map((spec, i) => operandText(instruction, spec, i, address, bits, symbol));
  if (form.defaultImmediate !== NONE && instruction.immediate === form.defaultImmediate) operands.pop();
  return operands.length === 0 ? words.join(" ") : `${words.join(" ")} ${operands.join(", ")}`;
}

/** The conditions as programmers mostly say them: jz, jnz, jc, jnc. */
const spokenConditions: Readonly<Record<string, string>> = { E: "Z", NE: "NZ", B: "C", AE: "NC" };
const spoken = new Map<string, string>();
for (const [condition] of conditions) {
  for (const family of ["J", "SET", "CMOV"]) {
    spoken.set(family + condition, (family + (spokenConditions[condition] ?? condition)).toLowerCase());
  }
}

/** 16-bit forms whose 32-bit ones end in D: named with W, since the bare name means the code's own size. */
const wordNames = new Set(["PUSHA", "POPA", "PUSHF", "POPF", "IRET"]);

function nameOf(form: Form): string {
  const name = spoken.get(form.mnemonic) ?? form.mnemonic.toLowerCase();
  return wordNames.has(form.mnemonic) ? `${name}w` : name;
}

const comparesStrings = (form: Form): boolean => form.mnemonic.startsWith("CMPS") || form.mnemonic.startsWith("SCAS");

function repeatName(form: Form, repeat: number): string {
  if (repeat === 0xf2) return "repne";
  return comparesStrings(form) ? "repe" : "rep";
}

/** Forms that address memory or count by registers they do not name. */
const takesHiddenAddress = (form: Form): boolean =>
  form.repeatable || form.mnemonic === "XLATB" || form.mnemonic.startsWith("LOOP");

/** Of the string forms, those with a source in DS that an override moves. */
const readsHiddenSource = (form: Form): boolean => /^(?:MOVS|CMPS|LODS|OUTS|XLAT)/.test(form.mnemonic);

/** Mnemonics that say their operand size. */
const sizedName = /^(?:MOVS|CMPS|STOS|LODS|SCAS|INS|OUTS)[WD]$|^(?:PUSHA|POPA|PUSHF|POPF|IRET)D?$|^C(?:BW|WDE|WD|DQ)$/;

/** Is the operand size told by neither the mnemonic nor an operand? */
const hidesOperandSize = (form: Form): boolean =>
  form.operandSize !== 0 &&
  !sizedName.test(form.mnemonic) &&
  !form.operands.some((spec) => /^(?:r|r\/m|moffs)(?:16|32)$|^E?AX$/.test(spec));

/** Forms whose one operand is as wide as the operand size; NASM wants the width beside it: `jmp near word 0x8000`. */
const saysWidth = (form: Form): boolean =>
  form.operands.length === 1 &&
  /^(?:rel|imm|ptr16:)(?:16|32)$/.test(form.operands[0]!) &&
  !form.mnemonic.startsWith("RET");

const widthOf = (form: Form): string => (form.operandSize === 16 ? "word" : "dword");

type Symbolizer = ((address: number) => string | undefined) | undefined;

function operandText(
  instruction: Instruction,
  spec: OperandSpec,
  i: number,
  address: number,
  bits: 16 | 32,
  symbol: Symbolizer,
): string {
  const { form } = instruction;
  switch (form.roles[i]!) {
    case "fixed":
      return spec.toLowerCase();
    case "reg":
    case "opcode":
      return registerName(spec, instruction.reg);
    case "rm":
      if (!instruction.memory) return registerName(spec, instruction.rm);
      return `${sizeWord(form, spec)}${memoryText(instruction, bits, symbol)}`;
    case "moffs":
      return memoryText(instruction, bits, symbol);
    case "immediate":
      return immediateText(form, spec, instruction.immediate);
    case "immediate2":
      return hex(instruction.immediate2);
    case "relative": {
      const sum = address + instruction.length + instruction.immediate;
      const target = instruction.operandSize === 16 ? sum & 0xffff : sum >>> 0;
      return symbol?.(target) ?? hex(target);
    }
    case "far":
      return `${hex(instruction.immediate2)}:${hex(instruction.immediate >>> 0)}`;
  }
}

function registerName(spec: OperandSpec, number: number): string {
  switch (spec) {
    case "Sreg":
      return segmentRegisters[number]!.name;
    case "CR":
      return controlRegisters[number]!.name;
    case "DR":
      return debugRegisters[number]!.name;
  }
  const file = spec.endsWith("16") ? registers16 : spec.endsWith("32") ? registers32 : registers8;
  return file[number]!.name;
}

const sizeWords: Readonly<Record<string, string>> = { 8: "byte ", 16: "word ", 32: "dword ", 64: "qword " };

/** The word before a memory operand: `far` for a pointer to code, a size where no register of that size stands beside. */
function sizeWord(form: Form, spec: OperandSpec): string {
  if (spec.includes(":")) return form.operands.length === 1 ? "far " : "";
  const size = /^(?:r\/)?m(\d+)$/.exec(spec)?.[1];
  if (size === undefined) return "";
  // MOVZX and MOVSX have a source of their own size.
  const told = form.operands.some((other, i) => form.roles[i] === "reg" && other === `r${size}`);
  if (told && !/^MOV[ZS]X$/.test(form.mnemonic)) return "";
  return sizeWords[size]!;
}

function memoryText(instruction: Instruction, bits: 16 | 32, symbol: Symbolizer): string {
  const { base, index, displacement, addressSize } = instruction;
  const segment = instruction.segmentOverride === NONE ? "" : `${segmentRegisters[instruction.segmentOverride]!.name}:`;
  if (base === NONE && index === NONE) {
    const at = addressSize === 32 ? displacement >>> 0 : displacement & 0xffff;
    const width = addressSize === bits ? "" : sizeWords[addressSize]!;
    return `[${segment}${width}${symbol?.(at) ?? hex(at)}]`;
  }
  const file = addressSize === 32 ? registers32 : registers16;
  const scaled =
    index === NONE ? "" : `${file[index]!.name}${instruction.scale === 0 ? "" : `*${1 << instruction.scale}`}`;
  const terms = [base === NONE ? "" : file[base]!.name, scaled].filter((term) => term !== "").join("+");
  return `[${segment}${terms}${offsetText(displacement, addressSize)}]`;
}

/** Small negative displacements are fields below a pointer; large ones are addresses of tables. */
function offsetText(displacement: number, addressSize: 16 | 32): string {
  if (displacement === 0) return "";
  if (displacement < 0 && displacement >= -0x8000) return `-${hex(-displacement)}`;
  return `+${hex(addressSize === 32 ? displacement >>> 0 : displacement & 0xffff)}`;
}

/** Bytes that extend to a wider operand show their sign; all other immediates show their bits. */
function immediateText(form: Form, spec: OperandSpec, value: number): string {
  if (spec === "imm32") return hex(value >>> 0);
  if (spec === "imm16") return hex(value & 0xffff);
  const signed = form.map === 1 && (form.opcode === 0x83 || form.opcode === 0x6b || form.opcode === 0x6a);
  if (signed) return value < 0 ? `-${hex(-value)}` : hex(value);
  return hex(value & 0xff);
}

const hex = (value: number): string => `0x${value.toString(16)}`;
