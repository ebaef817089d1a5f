// Instruction to bytes: of the forms that take the operands, the one with the fewest bytes (Intel SDM vol. 2, ch. 2 and 3.1).
import { type Encoded, emit, type Fields } from "./emit.ts";
import { forms } from "./forms.ts";
import { type Form, type Instruction, NONE } from "./instruction.ts";
import type { OperandSpec, Register } from "./operands.ts";

/** A memory operand. A register, a symbol's address or both; what the brackets of the assembler hold. */
export interface Memory {
  readonly kind: "memory";
  /** Bits accessed; 0: the other operand, or the mnemonic, tells. */
  readonly size: 0 | 8 | 16 | 32 | 48 | 64;
  /** A segment's encoding asks for its override prefix, NONE for the default segment. */
  readonly segment: number;
  readonly base: Register | null;
  readonly index: Register | null;
  readonly scale: 1 | 2 | 4 | 8;
  readonly displacement: number;
  /** A width to use though a shorter one would do, as for a displacement that the linker fills in. */
  readonly displacementSize?: 0 | 8 | 16 | 32;
  /** For an address without registers; otherwise the registers tell. */
  readonly addressSize?: 16 | 32;
  /** JMP and CALL through a far pointer. */
  readonly far?: boolean;
}

/** `value` may be written signed or unsigned: -2^(n-1) to 2^n - 1 for n bits. `size` (bits) asks for one width of immediate. */
export interface Immediate {
  readonly kind: "immediate";
  readonly value: number;
  readonly size?: 8 | 16 | 32;
}

/** A target by its signed distance from the end of the instruction; `size` (bits) asks for one width. */
export interface Relative {
  readonly kind: "relative";
  readonly distance: number;
  readonly size?: 8 | 16 | 32;
}

/** A far code pointer; `size` is that of the offset, the code's own where left out. */
export interface Far {
  readonly kind: "far";
  readonly selector: number;
  readonly offset: number;
  readonly size?: 16 | 32;
}

export type EncodeOperand = Register | Memory | Immediate | Relative | Far;

export interface EncodeOptions {
  /** Default size of the code segment. */
  readonly bits: 16 | 32;
  readonly lock?: boolean;
  readonly repeat?: 0 | 0xf2 | 0xf3;
  /** A segment override for string forms and XLATB, whose memory operand is not written. */
  readonly segment?: number;
  /** Sizes for forms whose operands do not tell: PUSH ES, RET, IRET; LOOP, MOVSB. */
  readonly operandSize?: 16 | 32;
  readonly addressSize?: 16 | 32;
  /** Use this very form. */
  readonly form?: Form;
}

/** An operand or a combination of operands that no form of the instruction takes. */
export class EncodeError extends Error {
  override name = "EncodeError";
}

/** Other names of the same instructions. */
const synonyms: Readonly<Record<string, string>> = {
  SAL: "SHL",
  XLAT: "XLATB",
  ICEBP: "INT1",
  WAIT: "FWAIT",
  RETN: "RET",
  LOOPZ: "LOOPE",
  LOOPNZ: "LOOPNE",
  SETALC: "SALC",
};
const conditionSynonyms = "C:B NAE:B NC:AE NB:AE Z:E NZ:NE NA:BE NBE:A PE:P PO:NP NGE:L NL:GE NG:LE NLE:G".split(" ");

const byMnemonic = new Map<string, readonly Form[]>();
for (const form of forms) byMnemonic.set(form.mnemonic, [...(byMnemonic.get(form.mnemonic) ?? []), form]);
for (const [name, mnemonic] of Object.entries(synonyms)) byMnemonic.set(name, byMnemonic.get(mnemonic)!);
for (const pair of conditionSynonyms) {
  const [name, condition] = pair.split(":");
  for (const family of ["J", "SET", "CMOV"])
    byMnemonic.set(`${family}${name}`, byMnemonic.get(`${family}${condition}`)!);
}
// PUSHA and its like without D: the code's own size, as the manual lets assemblers choose; with W the 16-bit one.
for (const name of ["PUSHA", "POPA", "PUSHF", "POPF", "IRET"]) {
  byMnemonic.set(`${name}W`, byMnemonic.get(name)!);
  byMnemonic.set(name, [...byMnemonic.get(name)!, ...byMnemonic.get(`${name}D`)!]);
}

/** Every mnemonic `encode` takes, synonyms included, in upper case. */
export const mnemonics: readonly string[] = [...byMnemonic.keys()].sort();

/** The forms a mnemonic (any case, synonyms included) may become; empty for an unknown one. */
export const formsOf = (mnemonic: string): readonly Form[] => byMnemonic.get(mnemonic.toUpperCase()) ?? [];

/**
 * Encode in the fewest bytes. Throws EncodeError, which names what was asked and what would do.
 *
 * The size of the code wins where nothing else tells (`PUSH 1`, `RET`); 67 and 66 are added as the operands need them.
 */
export function encode(mnemonic: string, operands: readonly EncodeOperand[], options: EncodeOptions): Encoded {
  const candidates = options.form === undefined ? formsOf(mnemonic) : [options.form];
  if (candidates.length === 0) throw new EncodeError(`there is no instruction ${mnemonic.toUpperCase()}`);
  let best: Encoded | undefined;
  let reason = "";
  for (const form of candidates) {
    if (form.alias && options.form === undefined) continue;
    for (const written of orders(form, operands)) {
      const fields = match(form, written, options, candidates);
      if (typeof fields === "string") reason = fields || reason;
      else {
        const encoded = emit(fields, options.bits);
        if (best === undefined || shorter(encoded, best)) best = encoded;
      }
    }
  }
  if (best !== undefined) return best;
  const found = operands.map(describe).join(", ");
  if (reason !== "") throw new EncodeError(`${mnemonic.toUpperCase()} ${found}: ${reason}`);
  const takes = new Set(candidates.filter((form) => !form.alias).map((form) => `(${form.operands.join(", ")})`));
  throw new EncodeError(`no form of ${mnemonic.toUpperCase()} takes (${found}); it takes ${[...takes].join(", ")}`);
}

/** Of two of one length (16-bit `ADD AX, 1`) the sign-extended byte, as assemblers do; then the earlier row. */
const shorter = (one: Encoded, other: Encoded): boolean =>
  one.bytes.length < other.bytes.length ||
  (one.bytes.length === other.bytes.length && extendsSign(one.form) && !extendsSign(other.form));

/** Encode a decoded instruction again, in its own form: equal in every field but perhaps `length`. */
export const encodeInstruction = (instruction: Instruction, bits: 16 | 32): number[] => emit(instruction, bits).bytes;

/** The operand lists a form may be matched with: as written, turned round, or with the immediate the form implies. */
function orders(form: Form, operands: readonly EncodeOperand[]): readonly (readonly EncodeOperand[])[] {
  const [first, second] = operands;
  if (form.commutes && first !== undefined && second !== undefined) return [operands, [second, first]];
  if (form.defaultImmediate !== NONE && first === undefined) {
    return [[{ kind: "immediate", value: form.defaultImmediate }]];
  }
  // IMUL r32, imm: the source is the destination.
  if (form.operands.length === 3 && form.mnemonic === "IMUL" && first && second?.kind === "immediate") {
    return [[first, first, second]];
  }
  return [operands];
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The fields of `form` for these operands; or why not: "" for another shape, words for a value that does not fit. */
function match(
  form: Form,
  operands: readonly EncodeOperand[],
  options: EncodeOptions,
  candidates: readonly Form[],
): Fields | string {
  if (operands.length !== form.operands.length) return "";
  const { bits } = options;
  const asked = options.operandSize ?? askedSize(operands) ?? bits;
  if (form.operandSize !== 0 && form.operandSize !== asked && leavesSizeOpen(form, candidates)) return "";
  const fields: Mutable<Fields> = {
    form,
    operandSize: form.operandSize || options.operandSize || bits,
    addressSize: form.addressSize || options.addressSize || bits,
    lock: options.lock ?? false,
    repeat: options.repeat ?? 0,
    segmentOverride: options.segment ?? NONE,
    reg: NONE,
    rm: NONE,
    memory: false,
    base: NONE,
    index: NONE,
    scale: 0,
    displacement: 0,
    immediate: 0,
    immediate2: 0,
  };
  for (let i = 0; i < operands.length; i++) {
    const problem = place(fields, form, i, operands[i]!, form.operands[i]!, options, candidates);
    if (problem !== undefined) return problem;
  }
  if (options.addressSize !== undefined && form.addressSize !== 0 && form.addressSize !== options.addressSize)
    return "";
  if (fields.lock && !(form.lockable && fields.memory)) {
    return "LOCK is allowed only where a read-modify-write has memory for its destination";
  }
  if (fields.repeat !== 0 && !form.repeatable) return "only string instructions repeat";
  return fields;
}

/** The operand size that the width of an immediate, a target or a far pointer asks for. */
function askedSize(operands: readonly EncodeOperand[]): 16 | 32 | undefined {
  for (const operand of operands) {
    if (operand.kind === "memory") {
      if (operand.far && operand.size !== 0) return operand.size === 48 ? 32 : 16;
    } else if (operand.kind !== "register" && operand.size !== undefined && operand.size !== 8) return operand.size;
  }
  return undefined;
}

/** Do the operands leave the operand size to a prefix, there being a form of the other size? */
function leavesSizeOpen(form: Form, candidates: readonly Form[]): boolean {
  return (
    !form.operands.some((spec) => /^(?:r|r\/m|moffs)(?:16|32)$|^E?AX$/.test(spec)) &&
    candidates.some((other) => other.operandSize !== 0 && other.operandSize !== form.operandSize)
  );
}

/** Put one operand where its form holds it; the problem, if there is one. */
function place(
  fields: Mutable<Fields>,
  form: Form,
  i: number,
  operand: EncodeOperand,
  spec: OperandSpec,
  options: EncodeOptions,
  candidates: readonly Form[],
): string | undefined {
  const role = form.roles[i]!;
  switch (operand.kind) {
    case "register": {
      if (role === "fixed") return spec === operand.name.toUpperCase() ? undefined : "";
      if (registerSpec(operand) !== spec.replace("/m", "")) return "";
      if (role === "rm" && !form.rmRegister) return "";
      if (role !== "rm" && role !== "reg" && role !== "opcode") return "";
      const missing = missingRegister(i, operand);
      if (missing !== undefined) return missing;
      if (role === "rm") fields.rm = operand.number;
      else fields.reg = operand.number;
      return undefined;
    }
    case "memory":
      if (role === "moffs") return placeOffset(fields, operand, spec, options);
      if (role !== "rm" || !form.rmMemory) return "";
      return sizeProblem(form, spec, operand, candidates) ?? placeMemory(fields, operand, options);
    case "immediate":
      return placeImmediate(fields, form, role === "immediate2", operand, spec);
    case "relative": {
      if (role !== "relative" || (operand.size !== undefined && spec !== `rel${operand.size}`)) return "";
      const size = Number(spec.slice(3));
      // A 16-bit target wraps at 64 KiB, so every distance within it will do; a 32-bit one likewise.
      const least = size === 8 ? -128 : size === 16 ? -0xffff : -0xffffffff;
      const most = size === 8 ? 127 : -least;
      if (operand.distance < least || operand.distance > most) {
        return `the target is ${operand.distance} bytes away, and ${spec} reaches ${least} to ${most}`;
      }
      fields.immediate = operand.distance | 0;
      return undefined;
    }
    case "far": {
      const size = spec === "ptr16:16" ? 16 : 32;
      if (role !== "far" || (operand.size !== undefined && operand.size !== size)) return "";
      const problem = rangeProblem(operand.offset, size) ?? rangeProblem(operand.selector, 16);
      fields.immediate = operand.offset | 0;
      fields.immediate2 = operand.selector;
      return problem;
    }
  }
}

function registerSpec(register: Register): string {
  if (register.class === "sreg") return "Sreg";
  return register.class === "cr" || register.class === "dr" ? register.class.toUpperCase() : register.class;
}

/** CS is no destination of MOV, and CR1, CR5 to CR7 do not exist: #UD if encoded. */
function missingRegister(i: number, register: Register): string | undefined {
  if (register.class === "sreg" && register.name === "cs" && i === 0) {
    return "CS is loaded by a far JMP, CALL or RET, not by MOV";
  }
  if (register.class === "cr" && ![0, 2, 3, 4].includes(register.number))
    return `there is no ${register.name.toUpperCase()}`;
  return undefined;
}

/** An immediate of a form that extends its sign to the operand: 83, 6B, 6A. */
const extendsSign = (form: Form): boolean =>
  form.map === 1 && (form.opcode === 0x83 || form.opcode === 0x6b || form.opcode === 0x6a);

function placeImmediate(
  fields: Mutable<Fields>,
  form: Form,
  second: boolean,
  operand: Immediate,
  spec: OperandSpec,
): string | undefined {
  if (/^\d$/.test(spec)) return operand.value === Number(spec) && operand.size === undefined ? undefined : "";
  if (!spec.startsWith("imm") || (operand.size !== undefined && spec !== `imm${operand.size}`)) return "";
  const size = Number(spec.slice(3)) as 8 | 16 | 32;
  let value = operand.value;
  if (extendsSign(form)) {
    const problem = rangeProblem(value, form.operandSize as 16 | 32);
    if (problem !== undefined) return problem;
    value = form.operandSize === 16 ? (value << 16) >> 16 : value | 0;
    if (value < -128 || value > 127) return `${operand.value} does not fit a sign-extended imm8 (-128 to 127)`;
  }
  const problem = rangeProblem(value, size);
  if (problem !== undefined) return problem;
  if (second) fields.immediate2 = value;
  else fields.immediate = value | 0;
  return undefined;
}

/** A value may be signed or unsigned in its bits. */
function rangeProblem(value: number, size: 8 | 16 | 32): string | undefined {
  const most = 2 ** size - 1;
  const least = -(2 ** (size - 1));
  if (Number.isInteger(value) && value >= least && value <= most) return undefined;
  return `${value} does not fit ${size} bits (${least} to ${most})`;
}

/** Bits a memory operand of this spec accesses; 0 where only the address counts. */
function memoryBits(spec: OperandSpec): number {
  const match = /^(?:r\/)?m(\d+)?(?:[&:](\d+))?$/.exec(spec);
  return Number(match?.[1] ?? 0) + Number(match?.[2] ?? 0);
}

/** "" when the sizes differ, words when nothing tells the size, undefined when all is well. */
function sizeProblem(form: Form, spec: OperandSpec, operand: Memory, candidates: readonly Form[]): string | undefined {
  const bits = memoryBits(spec);
  const far = spec.includes(":");
  if (
    form.operands.length === 1 &&
    far !== (operand.far ?? operand.size === 48) &&
    bits !== 0 &&
    /JMP|CALL/.test(form.mnemonic)
  ) {
    return "";
  }
  if (bits === 0) return undefined;
  if (operand.size !== 0) return operand.size === bits ? undefined : "";
  if (far || spec.includes("&")) return undefined;
  const tells = form.operands.some(
    (other, i) =>
      form.roles[i] !== "rm" && (other === `r${bits}` || (form.roles[i] === "fixed" && /^E?A[XL]$/.test(other))),
  );
  if (tells) return undefined;
  const sizes = new Set<number>();
  for (const other of candidates) {
    const rm = other.operands[other.roles.indexOf("rm")];
    if (!other.alias && other.rmMemory && rm !== undefined && !rm.includes(":")) sizes.add(memoryBits(rm));
  }
  return sizes.size === 1 ? undefined : "the size of the memory operand is not known; say byte, word or dword";
}

/** The short MOV between AL, AX, EAX and an address without registers. */
function placeOffset(
  fields: Mutable<Fields>,
  operand: Memory,
  spec: OperandSpec,
  options: EncodeOptions,
): string | undefined {
  if (operand.base !== null || operand.index !== null) return "";
  if (operand.size !== 0 && spec !== `moffs${operand.size}`) return "";
  const addressSize = operand.addressSize ?? options.addressSize ?? options.bits;
  if (operand.displacementSize !== undefined && operand.displacementSize !== addressSize) return "";
  return placeAddress(fields, operand, addressSize);
}

/** Address size, segment and displacement of a memory operand. */
function placeAddress(fields: Mutable<Fields>, operand: Memory, addressSize: 16 | 32): string | undefined {
  const problem = rangeProblem(operand.displacement, addressSize);
  if (problem !== undefined) return `the displacement ${problem} of a ${addressSize}-bit address`;
  fields.memory = true;
  fields.addressSize = addressSize;
  if (operand.segment !== NONE) fields.segmentOverride = operand.segment;
  fields.displacement = addressSize === 32 ? operand.displacement | 0 : (operand.displacement << 16) >> 16;
  return undefined;
}

const BX = 3;
const ESP = 4;
const EBP = 5;

/** Base, index and displacement; in 16-bit addressing only BX or BP with SI or DI, in either order. */
function placeMemory(fields: Mutable<Fields>, operand: Memory, options: EncodeOptions): string | undefined {
  let { base, index, scale } = operand;
  const kind = (base ?? index)?.class;
  if ((kind !== undefined && kind !== "r16" && kind !== "r32") || (base && index && base.class !== index.class)) {
    return "an address is made of 32-bit registers, or of 16-bit ones";
  }
  const addressSize =
    kind === undefined ? (operand.addressSize ?? options.addressSize ?? options.bits) : kind === "r16" ? 16 : 32;
  if (operand.addressSize !== undefined && operand.addressSize !== addressSize) {
    return `the registers make a ${addressSize}-bit address, and a ${operand.addressSize}-bit one was asked for`;
  }
  const problem = placeAddress(fields, operand, addressSize);
  if (problem !== undefined) return problem;

  if (addressSize === 16) {
    const isBase = (register: Register | null): boolean => register?.number === BX || register?.number === EBP;
    if ((base !== null && !isBase(base)) || (index !== null && isBase(index))) [base, index] = [index, base];
    const indexAllowed = index === null || index.number === 6 || index.number === 7;
    if (scale !== 1 || (base !== null && !isBase(base)) || !indexAllowed) {
      return "a 16-bit address is BX or BP, plus SI or DI, plus a displacement";
    }
  } else if (index !== null) {
    if (index.number === ESP && scale === 1 && base?.number !== ESP) [base, index] = [index, base];
    else if (index.number === ESP) return "ESP cannot be an index";
    // A lone index wants a full displacement; as a base, or as base and index both, it does not. (EBP changes the segment.)
    if (base === null && index !== null && (scale === 1 || (scale === 2 && index.number !== EBP))) {
      base = index;
      if (scale === 1) index = null;
      scale = 1;
    }
  }
  fields.base = base?.number ?? NONE;
  fields.index = index?.number ?? NONE;
  fields.scale = index === null ? 0 : Math.log2(scale);
  if (base !== null || (addressSize === 16 && index !== null)) {
    if (operand.displacementSize !== undefined) {
      const least =
        operand.displacement === 0 ? 0 : fields.displacement >= -128 && fields.displacement <= 127 ? 8 : addressSize;
      if (
        operand.displacementSize < least ||
        operand.displacementSize > addressSize ||
        operand.displacementSize === 48 - addressSize
      ) {
        return `the displacement ${operand.displacement} cannot have ${operand.displacementSize} bits in a ${addressSize}-bit address`;
      }
      fields.displacementBits = operand.displacementSize;
    }
  }
  return undefined;
}

function describe(operand: EncodeOperand): string {
  switch (operand.kind) {
    case "register":
      return registerSpec(operand);
    case "memory":
      return operand.size === 0 ? "m" : `m${operand.size}`;
    case "immediate":
      return operand.size === undefined ? `${operand.value}` : `imm${operand.size}`;
    case "relative":
      return operand.size === undefined ? "rel" : `rel${operand.size}`;
    case "far":
      return `ptr16:${operand.size ?? "16/32"}`;
  }
}
