// The assembler's methods, read off the instruction table: their names, and their types as TypeScript text.

import { formsOf as everyFormOf, mnemonics as everyMnemonic, type Form } from "../../emulator/isa/index.ts";

/** The forms that the assembler writes: aliases are for the decoder only. */
const formsOf = (mnemonic: string): readonly Form[] => everyFormOf(mnemonic).filter((form) => !form.alias);

/** Every mnemonic with a method, synonyms included, in capitals. */
export const mnemonics: readonly string[] = everyMnemonic.filter((mnemonic) => formsOf(mnemonic).length > 0);

/** The sizes in bits of a branch's relative forms: `[8, 16, 32]` for JMP; empty for what is no branch. */
export function relativeSizes(mnemonic: string): ReadonlySet<number> {
  const sizes = new Set<number>();
  for (const form of formsOf(mnemonic)) {
    if (form.operands[0]?.startsWith("rel")) sizes.add(Number(form.operands[0].slice(3)));
  }
  return sizes;
}

/** The text of `mnemonics.ts`: an interface with a method for each mnemonic and an overload for each form. */
export function mnemonicsSource(): string {
  return [
    "// The assembler's methods, one overload a form. `write-mnemonics.ts` writes them from the instruction table.",
    "",
    `import type { Register } from "../../emulator/isa/index.ts";`,
    `import type { Imm, Imm8, RM8, RM16, RM32, Target } from "./operand-kinds.ts";`,
    `import type { FarPointer, MemoryOperand, Named } from "./operands.ts";`,
    "",
    "/** Every instruction that the table has, by its mnemonic in lower case. */",
    "export interface Mnemonics {",
    ...mnemonics.flatMap((name) => overloads(name, signaturesOf(name))),
    "}",
    "",
    "/** Where LOCK is legal: a read and a write of one place in memory. */",
    "export interface LockMnemonics {",
    ...mnemonics.flatMap((name) => overloads(name, lockedSignaturesOf(name))),
    "}",
    "",
    "/** What REP, REPE and REPNE repeat. */",
    "export interface StringMnemonics {",
    ...mnemonics.flatMap((name) => (isString(name) ? overloads(name, signaturesOf(name)) : [])),
    "}",
    "",
  ].join("\n");
}

/** One way to call a method: the form as the manual writes it, and a type for each operand. */
interface Signature {
  readonly syntax: string;
  readonly types: readonly string[];
}

function overloads(name: string, signatures: readonly Signature[]): string[] {
  return signatures.flatMap(({ syntax, types }) => {
    const parameters = types.map((type, index) => `${parameterName(index, types.length)}: ${type}`).join(", ");
    return [`  /** ${syntax} */`, `  ${name.toLowerCase()}(${parameters}): void;`];
  });
}

function parameterName(index: number, count: number): string {
  if (count === 1) return "operand";
  return ["destination", "source", "third"][index] ?? "operand";
}

function signaturesOf(name: string): readonly Signature[] {
  const all = formsOf(name).flatMap((form): Signature[] => {
    const { operands } = form;
    if (operands.some((operand) => operand === "1" || operand.startsWith("moffs"))) return []; // other forms say the same
    const rest = form.syntax.slice(form.mnemonic.length);
    const signature = { syntax: name + rest, types: operands.map(typeOf) };
    if (form.defaultImmediate >= 0) return [{ syntax: name, types: [] }, signature];
    if (name === "IMUL" && operands.length === 3) return [signature, twoOperandImul(operands)];
    if (!form.commutes) return [signature];
    return [
      signature,
      { syntax: `${name} ${[...operands].reverse().join(", ")}`, types: [...signature.types].reverse() },
    ];
  });
  return withoutNarrower(all);
}

/** IMUL r32, imm32 is written for IMUL r32, r32, imm32. */
function twoOperandImul([destination = "", , immediate = ""]: readonly string[]): Signature {
  return { syntax: `IMUL ${destination}, ${immediate}`, types: [typeOf(destination), typeOf(immediate)] };
}

function lockedSignaturesOf(name: string): readonly Signature[] {
  const all = formsOf(name).flatMap((form): Signature[] => {
    if (!form.lockable) return [];
    const types = form.operands.map((operand) => typeOf(operand.replace("r/m", "m")));
    return [{ syntax: `LOCK ${name}${form.syntax.slice(form.mnemonic.length)}`, types }];
  });
  return withoutNarrower(all);
}

function isString(name: string): boolean {
  return formsOf(name).some((form) => form.repeatable);
}

/** The TypeScript type of an operand in the manual's notation. */
function typeOf(operand: string): string {
  const plain: { readonly [operand: string]: string } = {
    "r/m8": "RM8",
    "r/m16": "RM16",
    "r/m32": "RM32",
    m: "MemoryOperand",
    m16: "MemoryOperand<0 | 16>",
    m64: "MemoryOperand<0 | 64>",
    "m16&16": "MemoryOperand<0 | 32>",
    "m32&32": "MemoryOperand<0 | 64>",
    "m16&32": "MemoryOperand<0 | 48>",
    imm8: "Imm8",
    imm16: "Imm",
    imm32: "Imm",
    Sreg: 'Register<"sreg">',
    CR: 'Register<"cr">',
    DR: 'Register<"dr">',
  };
  if (plain[operand]) return plain[operand];
  if (/^r(?:8|16|32)$/.test(operand)) return `Register<"${operand}">`;
  if (operand.startsWith("rel")) return "Target";
  if (operand.startsWith("ptr")) return "FarPointer";
  const sized = /^m(?:16:)?(8|16|32)$/.exec(operand);
  if (sized) return `MemoryOperand<${operand.includes(":") ? Number(sized[1]) + 16 : sized[1]}>`;
  if (operand === "3") return "3";
  const register = operand.toLowerCase();
  const kind = /^e..$/.test(register) && register !== "es" ? "r32" : registerClass(register);
  return `Named<"${kind}", "${register}">`;
}

function registerClass(register: string): string {
  if (/^.s$/.test(register)) return "sreg";
  return /^.[lh]$/.test(register) ? "r8" : "r16";
}

/** What a type takes in, besides itself. */
const WIDER: { readonly [type: string]: readonly string[] } = {
  RM8: ['Register<"r8">', "MemoryOperand<8>"],
  RM16: ['Register<"r16">', "MemoryOperand<16>"],
  RM32: ['Register<"r32">', "MemoryOperand<32>"],
  Imm: ["Imm8"],
};

function takesIn(wide: string, narrow: string): boolean {
  if (wide === narrow || (WIDER[wide] ?? []).includes(narrow)) return true;
  const named = /^Named<("\w+"),/.exec(narrow);
  return named !== null && takesIn(wide, `Register<${named[1]}>`);
}

/** Without those that another takes in: `ADD AL, imm8` beside `ADD r/m8, imm8`. Of equals the first stays. */
function withoutNarrower(all: readonly Signature[]): readonly Signature[] {
  const covers = (a: Signature, b: Signature): boolean =>
    a.types.length === b.types.length && a.types.every((type, index) => takesIn(type, b.types[index] as string));
  return all.filter(
    (one, index) => !all.some((other, at) => at !== index && covers(other, one) && (!covers(one, other) || at < index)),
  );
}
