// A golden case as NASM and as the GNU assembler (Intel syntax, no register prefix) spell it.
import { type EncodeOperand, type Memory, NONE, segmentRegisters } from "../../../../emulator/isa/index.ts";
import type { Case } from "./cases.ts";

export type Assembler = "nasm" | "gas";

/** The source line of a case. `end` is a label at the instruction's end, from which relative targets are counted. */
export function spell(assembler: Assembler, one: Case, end: string): string {
  const { form, options } = one;
  const nasm = assembler === "nasm";
  const words: string[] = [];
  if (options.lock) words.push("lock");
  if (options.repeat) words.push(options.repeat === 0xf2 ? "repne" : "rep");
  if (options.segment !== undefined) words.push(segmentRegisters[options.segment]!.name);
  if (options.addressSize !== undefined) words.push(`${nasm ? "a" : "addr"}${options.addressSize}`);
  const bare = one.operands.find(
    (operand): operand is Memory => operand.kind === "memory" && !operand.base && !operand.index,
  );
  if (bare && !nasm && addressBits(bare, options.bits) !== options.bits)
    words.push(`addr${addressBits(bare, options.bits)}`);
  // A size that is the code's own needs no word; NASM and GNU as would take one all the same.
  const asks = options.operandSize !== undefined && !namesSize.test(one.mnemonic) && !(nasm && saysWidth(one));
  if (asks && options.operandSize !== options.bits) {
    words.push(`${nasm ? "o" : "data"}${options.operandSize}`);
  }
  if (!nasm && one.operands.some((operand) => operand.kind === "memory" && gasNear32(operand, one)))
    words.push("data32");
  words.push(one.mnemonic.toLowerCase());
  if (nasm && saysWidth(one)) words.push(form.roles[0] === "relative" ? "near" : "", sizeWords[form.operandSize]!);
  const operands = one.operands.map((operand) => operandText(nasm, operand, one, end));
  if (form.defaultImmediate !== NONE && operands[0] === "0xa") operands.pop();
  return `${words.filter((word) => word !== "").join(" ")} ${operands.join(", ")}`.trim();
}

/** NASM's `push word 1`, `jmp dword 8:0`, `jz near word there`: the word fixes the operand's width, where `o16` would not. */
const saysWidth = (one: Case): boolean =>
  one.operands.length === 1 &&
  !/^RET|^INT/.test(one.mnemonic) &&
  /^(?:rel|imm|ptr16:)(?:16|32)$/.test(one.form.operands[0]!);

/** In 16-bit code the GNU assembler takes a dword for a far pointer; a near one is a word with `data32`. */
const gasNear32 = (operand: Memory, one: Case): boolean =>
  !operand.far && operand.size === 32 && one.options.bits === 16 && /^(?:JMP|CALL)$/.test(one.mnemonic);

/** Mnemonics that say their operand size. */
const namesSize =
  /^(?:MOVS|CMPS|STOS|LODS|SCAS|INS|OUTS)[WD]$|^(?:PUSHA|POPA|PUSHF|POPF|IRET)[WD]$|^C(?:BW|WDE|WD|DQ)$/;

const addressBits = (operand: Memory, bits: 16 | 32): 16 | 32 => operand.addressSize ?? bits;

const sizeWords: Readonly<Record<number, string>> = { 8: "byte", 16: "word", 32: "dword", 48: "fword", 64: "qword" };

function operandText(nasm: boolean, operand: EncodeOperand, one: Case, end: string): string {
  switch (operand.kind) {
    case "register":
      return operand.name;
    case "immediate":
      return hex(operand.value);
    case "relative":
      return `${end}${operand.distance < 0 ? "" : "+"}${hex(operand.distance)}`;
    case "far":
      return `${hex(operand.selector)}:${hex(operand.offset)}`;
    case "memory":
      return nasm ? nasmMemory(operand, one) : gasMemory(operand, one);
  }
}

const hex = (value: number): string => `${value < 0 ? "-" : ""}0x${Math.abs(value).toString(16)}`;

const terms = (operand: Memory): string =>
  [
    operand.base?.name,
    operand.index && (operand.scale === 1 ? operand.index.name : `${operand.index.name}*${operand.scale}`),
    operand.displacement === 0 && (operand.base || operand.index) ? undefined : hex(operand.displacement),
  ]
    .filter((term) => term)
    .join("+")
    .replaceAll("+-", "-");

function nasmMemory(operand: Memory, one: Case): string {
  const { bits } = one.options;
  const wide = !operand.base && !operand.index && addressBits(operand, bits) !== bits;
  const inside = `${operand.segment === NONE ? "" : `${segmentRegisters[operand.segment]!.name}:`}${wide ? `${sizeWords[addressBits(operand, bits)]} ` : ""}${terms(operand)}`;
  if (operand.far) return `far [${inside}]`;
  const plain = /^(?:r\/)?m\d+$/.test(one.form.operands[one.form.roles.indexOf("rm")] ?? "m");
  return `${plain && operand.size !== 0 ? `${sizeWords[operand.size]} ` : ""}[${inside}]`;
}

function gasMemory(operand: Memory, one: Case): string {
  const needsSegment = !operand.base && !operand.index ? "ds:" : "";
  const segment = operand.segment === NONE ? needsSegment : `${segmentRegisters[operand.segment]!.name}:`;
  if (operand.far) return `far ptr ${segment}[${terms(operand)}]`;
  const plain = /^(?:(?:r\/)?m\d+|m16:\d+|moffs\d+)$/.test(
    one.form.operands.find((_, i) => /rm|moffs/.test(one.form.roles[i]!)) ?? "m",
  );
  const size = gasNear32(operand, one) ? 16 : operand.size;
  return `${plain && size !== 0 ? `${sizeWords[size]} ptr ` : ""}${segment}[${terms(operand)}]`;
}
