// The golden cases: for every form of the table operands of each kind, as the encoder takes them and as assemblers spell them.
import {
  DS,
  type EncodeOperand,
  type EncodeOptions,
  ES,
  type Form,
  FS,
  forms,
  type Memory,
  NONE,
  type Register,
  registers8,
  registers16,
  registers32,
  SS,
  segmentRegisters,
} from "../../../../emulator/isa/index.ts";
import { controlRegisters, debugRegisters } from "../../../../emulator/isa/operands.ts";

export interface Case {
  readonly form: Form;
  readonly mnemonic: string;
  readonly operands: readonly EncodeOperand[];
  readonly options: EncodeOptions;
}

/** Registers of the variants: none of the first is an accumulator, which has short forms; then one that is. */
const numbers = [1, 6, 0];
const sregs = [ES, DS, SS, FS];

const memory = (
  base: Register | null,
  displacement: number,
  index: Register | null = null,
  scale: 1 | 2 | 4 | 8 = 1,
  segment = NONE,
): Omit<Memory, "size"> => ({ kind: "memory", base, displacement, index, scale, segment });

const [, ecx, , ebx, esp, ebp, esi, edi] = registers32 as readonly Register[];
const [, , , bx, , bp, si, di] = registers16 as readonly Register[];

/** Every way to address: with 32-bit registers, with 16-bit ones, without any. */
const memories32: readonly Omit<Memory, "size">[] = [
  memory(ecx!, 0),
  memory(ebp!, -4),
  memory(esp!, 0x12345678),
  memory(esi!, 8, edi!, 4),
  memory(null, -0x10000, ebx!, 8),
  memory(ebp!, 0),
  { ...memory(null, 0x12345678), addressSize: 32 },
  memory(ebx!, 0, null, 1, FS),
];
const memories16: readonly Omit<Memory, "size">[] = [
  memory(bx!, 0),
  memory(bp!, -4),
  memory(si!, 0x1234),
  memory(bx!, 8, di!),
  memory(bp!, 0, si!),
  memory(bp!, 0),
  { ...memory(null, 0x1234), addressSize: 16 },
  memory(di!, 0, null, 1, FS),
];

/** Values that fit a sign-extended byte, that need all bits, that are negative. */
const immediates: Readonly<Record<string, readonly number[]>> = {
  imm8: [0x12, 0x7f, -2],
  imm16: [0x1234, 0x80, -0x1234],
  imm32: [0x12345678, 0x80, -0x12345678],
};

function registerFor(spec: string, variant: number): Register {
  const number = numbers[variant % numbers.length]!;
  if (spec === "Sreg") return segmentRegisters[sregs[variant % sregs.length]!]!;
  if (spec === "CR") return controlRegisters[[0, 3, 4][variant % 3]!]!;
  if (spec === "DR") return debugRegisters[[0, 3, 7][variant % 3]!]!;
  return (spec.endsWith("16") ? registers16 : spec.endsWith("32") ? registers32 : registers8)[number]!;
}

const byName = new Map(
  [...registers8, ...registers16, ...registers32, ...segmentRegisters].map((r) => [r.name as string, r as Register]),
);

/** Bits a memory operand accesses: 48 for far pointers and descriptor-table registers. */
function memorySize(spec: string): Memory["size"] {
  const match = /m(\d+)?(?:[&:](\d+))?$/.exec(spec);
  return (Number(match?.[1] ?? 0) + Number(match?.[2] ?? 0)) as Memory["size"];
}

function operandFor(
  form: Form,
  i: number,
  variant: number,
  addresses: readonly Omit<Memory, "size">[] | null,
): EncodeOperand {
  const spec = form.operands[i]!;
  switch (form.roles[i]!) {
    case "fixed":
      return byName.get(spec.toLowerCase()) ?? { kind: "immediate", value: Number(spec) };
    case "reg":
    case "opcode":
      // Another one than in rm, so that a direction turned round shows.
      return registerFor(spec, form.roles[i] === "reg" ? variant + 1 : variant);
    case "rm": {
      if (addresses === null) return registerFor(spec.replace("r/m", "r"), variant);
      const far = spec.includes(":") && form.operands.length === 1;
      return { ...addresses[variant % addresses.length]!, size: memorySize(spec), ...(far && { far }) };
    }
    case "moffs":
      return { ...addresses!.at(-2)!, displacement: 0x1234 + variant, size: Number(spec.slice(5)) as Memory["size"] };
    case "immediate":
      return { kind: "immediate", value: immediates[spec]![variant % 3]! };
    case "immediate2":
      return { kind: "immediate", value: variant };
    case "relative":
      return {
        kind: "relative",
        distance: spec === "rel8" ? [0, 0x70, -0x20][variant % 3]! : [0x400, 0x1000, -0x400][variant % 3]!,
      };
    case "far":
      return { kind: "far", selector: 8 + variant, offset: spec === "ptr16:16" ? 0x1234 : 0x12345 };
  }
}

/** Do the operands leave the size open, so that it must be asked for? */
const mustAsk = (form: Form): boolean =>
  form.operandSize !== 0 && !form.operands.some((spec) => /^(?:r|r\/m|moffs)(?:16|32)$|^E?AX$/.test(spec));

const sizedNames = new Set(["PUSHA", "POPA", "PUSHF", "POPF", "IRET"]);

/** All cases of a form in code of one size. */
function casesOf(form: Form, bits: 16 | 32): Case[] {
  const options: EncodeOptions = { bits, ...(mustAsk(form) && { operandSize: form.operandSize as 16 | 32 }) };
  const mnemonic = sizedNames.has(form.mnemonic) ? `${form.mnemonic}W` : form.mnemonic;
  const cases: Case[] = [];
  const add = (
    variant: number,
    addresses: readonly Omit<Memory, "size">[] | null,
    more: Partial<EncodeOptions> = {},
  ): void => {
    const operands = form.operands.map((_, i) => operandFor(form, i, variant, addresses));
    cases.push({ form, mnemonic, operands, options: { ...options, ...more } });
  };
  const hasRm = form.roles.includes("rm");
  const [own, other] = bits === 32 ? [memories32, memories16] : [memories16, memories32];
  if (form.roles.includes("moffs")) {
    add(0, own);
    add(1, other);
  } else if (!hasRm) {
    const variants = form.operands.length === 0 || form.roles.every((role) => role === "fixed") ? 1 : 3;
    for (let variant = 0; variant < variants; variant++) add(variant, null);
    if (form.repeatable) {
      add(0, null, { repeat: 0xf3 });
      if (/CMPS|SCAS/.test(form.mnemonic)) add(0, null, { repeat: 0xf2 });
    }
    if (form.repeatable || form.mnemonic === "XLATB" || form.mnemonic.startsWith("LOOP")) {
      add(0, null, { addressSize: bits === 32 ? 16 : 32 });
    }
    if (/MOVS|CMPS|LODS|OUTS|XLAT/.test(form.mnemonic)) add(0, null, { segment: ES });
  }
  if (hasRm && form.rmRegister) for (let variant = 0; variant < 3; variant++) add(variant, null);
  if (hasRm && form.rmMemory) {
    for (let variant = 0; variant < own.length; variant++) add(variant, own);
    add(2, other);
    add(3, other);
    add(6, other);
    if (form.lockable) add(0, own, { lock: true });
  }
  return cases;
}

/** Every case, in the order of the table: first 32-bit code, then 16-bit code. */
export const cases: readonly Case[] = ([32, 16] as const).flatMap((bits) =>
  forms.filter((form) => !form.alias).flatMap((form) => casesOf(form, bits)),
);
