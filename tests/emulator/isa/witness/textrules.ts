// Our reading of an instruction against objdump's and ndisasm's: when they agree, and by which rule they may differ.
import { type Form, format, type Instruction } from "../../../../emulator/isa/index.ts";
import { type Disassembler, type Reading, read } from "./texts.ts";

/** One string that is an instruction of the table, with what both sides read. */
interface Pair {
  readonly tool: Disassembler;
  readonly bits: 16 | 32;
  readonly bytes: readonly number[];
  readonly instruction: Instruction;
  readonly form: Form;
  readonly ours: Reading;
  readonly theirs: Reading;
}

/** The byte that holds the opcode's ModR/M, which every form asked has. */
const modrmOf = ({ bytes, form }: Pair): number => {
  const opcodeAt = bytes.findIndex((byte) => !prefixes.has(byte)) + (form.map === 2 ? 1 : 0);
  return bytes[opcodeAt + 1] ?? 0;
};
const prefixes = new Set([0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65]);
const prefixCount = ({ bytes }: Pair): number => bytes.findIndex((byte) => !prefixes.has(byte));
const hasPrefix = ({ bytes }: Pair, ...wanted: number[]): boolean =>
  bytes
    .slice(
      0,
      bytes.findIndex((byte) => !prefixes.has(byte)),
    )
    .some((byte) => wanted.includes(byte));

/** The operands agree and the name too; only something beside them differs. */
const sameBut = (pair: Pair, change: Partial<Reading>): boolean =>
  agree({ ...pair, theirs: { ...pair.theirs, ...change } });

/** What a disassembler reads otherwise, and why that is right by us. */
export const rules: readonly {
  readonly name: string;
  readonly reason: string;
  readonly covers: (pair: Pair) => boolean;
}[] = [
  {
    name: "reserved NOPs have later names",
    reason: "PREFETCH, ENDBR, BNDMOV, CLDEMOTE and hint_nop are NOP on a P6, which does not look at their reg",
    covers: ({ form }) => form.mnemonic === "NOP" && form.map === 2,
  },
  {
    name: "NOP as XCHG of the accumulator with itself",
    reason: "the same byte 90, PAUSE included where 66 or 67 stands before",
    covers: ({ form, theirs }) => /^(?:NOP|PAUSE)$/.test(form.mnemonic) && form.map === 1 && theirs.mnemonic === "xchg",
  },
  {
    name: "undocumented repetitions of documented rows",
    reason:
      "82, TEST /1, shift /6, MOVZX and MOVSX of a word to a word, BSWAP of a word: NASM's table leaves them out, processors do not",
    covers: ({ tool, form }) => tool === "ndisasm" && form.alias,
  },
  {
    name: "fields that do not matter",
    reason: "NASM's table wants reg = 0 in SETcc, mod = 3 in MOV CR and MOV DR; processors ignore them",
    covers: (pair) =>
      pair.tool === "ndisasm" &&
      (pair.form.mnemonic.startsWith("SET")
        ? (modrmOf(pair) & 0x38) !== 0
        : /\b[CD]R\b/.test(pair.form.syntax) && modrmOf(pair) < 0xc0),
  },
  {
    name: "fences with a register field",
    reason: "the manual: any 0F AE with mod = 3 and that digit; both disassemblers want rm = 0",
    covers: (pair) => pair.form.mnemonic.endsWith("FENCE") && ((modrmOf(pair) & 7) !== 0 || hasPrefix(pair, 0x66)),
  },
  {
    name: "SALC",
    reason: "objdump does not know the undocumented instruction",
    covers: ({ tool, form }) => tool === "objdump" && form.mnemonic === "SALC",
  },
  {
    name: "prefixes that later made another instruction",
    reason:
      "F3 BSF is TZCNT, F3 BSR is LZCNT, F3 WBINVD is WBNOINVD, and 66 or F2 there is bad to objdump; a P6 ignores the prefix",
    covers: (pair) => /^(?:BSF|BSR|WBINVD)$/.test(pair.form.mnemonic) && hasPrefix(pair, 0xf3, 0xf2, 0x66),
  },
  {
    name: "NOTRACK",
    reason:
      "objdump takes 3E before an indirect jump or call for a prefix of control-flow enforcement, whatever segment follows",
    covers: ({ tool, form, bytes, theirs, ours }) =>
      tool === "objdump" &&
      /^(?:JMP|CALL)$/.test(form.mnemonic) &&
      bytes.includes(0x3e) &&
      theirs.mnemonic === ours.mnemonic,
  },
  {
    name: "selectors in the name of a wide register",
    reason: "a selector is 16 bits wide; MOV Sreg, LAR and LSL name the register as it was or by the operand size",
    covers: (pair) => {
      if (!/Sreg, r\/m16|^LAR|^LSL/.test(pair.form.syntax)) return false;
      const narrow = pair.theirs.operands.map((operand, i) => (i === 1 ? operand.replace(/^e/, "") : operand));
      return sameBut(pair, { operands: narrow });
    },
  },
  {
    name: "operand size told by the target alone",
    reason: "objdump writes no size beside code pointers, and m16:16 as a dword; the bits of the target tell it",
    covers: (pair) =>
      /rel|ptr16|m16:/.test(pair.form.syntax) && pair.theirs.told === 0 && sameBut(pair, { told: pair.ours.told }),
  },
  {
    name: "targets beyond 64 KiB in 16-bit code",
    reason: "ndisasm cuts targets to 16 bits though the operand size is 32",
    covers: (pair) => {
      const { tool, bits, form, ours, theirs } = pair;
      const [target] = ours.operands;
      return (
        tool === "ndisasm" &&
        bits === 16 &&
        form.roles[0] === "relative" &&
        form.operandSize === 32 &&
        theirs.mnemonic === ours.mnemonic &&
        (Number(target) & 0xffff) === Number(theirs.operands[0])
      );
    },
  },
  {
    name: "very many prefixes",
    reason: "objdump prints the prefixes of such a string as lines of their own, and ndisasm gives up on some",
    covers: (pair) => prefixCount(pair) > 8,
  },
];

const modulus = (value: number, bits: number): number => ((value % 2 ** bits) + 2 ** bits) % 2 ** bits;

/** Equal operands: the same text, or the same but for numbers that are one number in the operand's width. */
function sameOperand(one: string, other: string, width: number): boolean {
  if (one === other) return true;
  const number = /-?\d+(?=\]?$)/;
  const [a, b] = [number.exec(one), number.exec(other)];
  if (a === null || b === null || one.slice(0, a.index) !== other.slice(0, b.index)) return false;
  return modulus(Number(a[0]), width) === modulus(Number(b[0]), width);
}

function width({ operandSize, addressSize }: Instruction, form: Form, i: number): number {
  const spec = form.operands[i];
  if (form.roles[i] === "rm" || form.roles[i] === "moffs") return addressSize;
  const extended = form.map === 1 && [0x83, 0x6a, 0x6b].includes(form.opcode);
  if (spec === "imm8" && !extended) return 8;
  return spec === "imm16" ? 16 : operandSize;
}

function agree({ ours, theirs, instruction, form, bits }: Pair): boolean {
  if (ours.lock !== theirs.lock || ours.repeat !== theirs.repeat || ours.mnemonic !== theirs.mnemonic) return false;
  // A size that is the code's own may go unsaid.
  if ((ours.told || bits) !== (theirs.told || bits) && ours.told !== 0) return false;
  if (ours.operands.length !== theirs.operands.length) return false;
  const same = (order: readonly string[]): boolean =>
    order.every((operand, i) => sameOperand(operand, theirs.operands[i]!, width(instruction, form, i)));
  return same(ours.operands) || (form.commutes && same([...ours.operands].reverse()));
}

/** "" when ours and the disassembler's line say the same, the name of the rule that covers them, or undefined: a difference. */
export function judgeText(
  tool: Disassembler,
  bits: 16 | 32,
  bytes: readonly number[],
  instruction: Instruction,
  at: number,
  text: string,
): string | undefined {
  const ours = read(format(instruction, at, { bits }));
  const pair: Pair = { tool, bits, bytes, instruction, form: instruction.form, ours, theirs: read(text) };
  return agree(pair) ? "" : rules.find(({ covers }) => covers(pair))?.name;
}
