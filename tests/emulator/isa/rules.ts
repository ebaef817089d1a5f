// Where this table, the P6's, and a processor of today part ways: every difference the hardware witness may show, by rule.
import type { DecodeFailure, Instruction } from "../../../emulator/isa/index.ts";

/** The parts of a byte string that the rules look at. */
export interface View {
  readonly lock: boolean;
  readonly operandPrefix: boolean;
  readonly repeat: boolean;
  /** The opcode byte, 0x0f00 added in the two-byte map. */
  readonly opcode: number;
  readonly reg: number;
  /** ModR/M names a register. */
  readonly register: boolean;
}

/** What the processor said: the least number of bytes it asked for, and the exception that came with them. */
export interface Answer {
  readonly length: number;
  readonly exception: number;
}

const undefinedOpcode = 6;
const generalProtection = 13;

/** Split a string; bytes beyond its end count as zero. */
export function view(bytes: { readonly [index: number]: number }, start: number): View {
  let at = start;
  let lock = false;
  let operandPrefix = false;
  let repeat = false;
  for (; at < start + 15; at++) {
    const byte = bytes[at]!;
    if (byte === 0xf0) lock = true;
    else if (byte === 0x66) operandPrefix = true;
    else if (byte === 0xf2 || byte === 0xf3) repeat = true;
    else if (![0x67, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65].includes(byte)) break;
  }
  let opcode = bytes[at++] ?? 0;
  if (opcode === 0x0f) opcode = 0x0f00 | (bytes[at++] ?? 0);
  const modrm = bytes[at] ?? 0;
  return { lock, operandPrefix, repeat, opcode, reg: (modrm >> 3) & 7, register: modrm >= 0xc0 };
}

type Ours = Instruction | DecodeFailure;

export interface Rule {
  readonly name: string;
  readonly reason: string;
  readonly covers: (view: View, ours: Ours, host: Answer) => boolean;
}

const oneOf = (...opcodes: number[]) => {
  const set = new Set(opcodes);
  return ({ opcode }: View, ours: Ours): boolean => ours === "invalid" && set.has(opcode);
};

export const rules: readonly Rule[] = [
  {
    name: "instructions whose work is #UD",
    reason: "UD2 and RSM outside system management are decoded here and raise #UD when executed",
    covers: (_, ours, host) =>
      typeof ours !== "string" &&
      /^(?:UD2|RSM)$/.test(ours.form.mnemonic) &&
      host.exception === undefinedOpcode &&
      host.length === ours.length,
  },
  {
    name: "UD1 without ModR/M",
    reason: "the manual gives UD1 a ModR/M byte; AMD's processors raise #UD without looking at one",
    covers: ({ opcode }, _, host) => opcode === 0x0fb9 && host.exception === undefinedOpcode,
  },
  {
    name: "extensions not built, undefined for the processor",
    reason:
      "x87, MMX and SSE opcodes, SYSENTER and SYSEXIT are decoded to their length, and whether each prefix and operand is defined is not looked at",
    covers: (_, ours, host) =>
      typeof ours !== "string" && ours.form.unimplemented !== "" && host.exception === undefinedOpcode,
  },
  {
    name: "VEX, EVEX and XOP",
    reason:
      "C5, C4 and 62 with a register, and 8F with another digit than 0, are #UD on a P6 and prefixes of vector code today",
    covers: ({ opcode, reg, register }, ours) =>
      (ours === "invalid" || ours === "too long") &&
      ((register && (opcode === 0xc4 || opcode === 0xc5 || opcode === 0x62)) || (opcode === 0x8f && reg !== 0)),
  },
  {
    name: "vector code after SSE2",
    reason: "SSE3, SSE4a and the three-byte maps 0F 38 and 0F 3A came after the P6",
    covers: oneOf(0x0f38, 0x0f3a, 0x0f78, 0x0f79, 0x0f7c, 0x0f7d, 0x0fd0, 0x0ff0),
  },
  { name: "POPCNT", reason: "0F B8 came after the P6", covers: oneOf(0x0fb8) },
  { name: "3DNow! and its prefetches", reason: "0F 0D and 0F 0F are AMD's", covers: oneOf(0x0f0d, 0x0f0f) },
  { name: "SYSCALL and SYSRET", reason: "0F 05 and 0F 07 came after the P6", covers: oneOf(0x0f05, 0x0f07) },
  {
    name: "0F 01 with a register",
    reason: "virtualisation, XGETBV, MONITOR, RDTSCP and others came after the P6",
    covers: ({ opcode, register }, ours) => ours === "invalid" && opcode === 0x0f01 && register,
  },
  {
    name: "0F C7 with another digit",
    reason: "RDRAND, RDSEED, RDPID and XSAVES came after the P6",
    covers: ({ opcode, reg }, ours) => ours === "invalid" && opcode === 0x0fc7 && reg !== 1,
  },
  {
    name: "LOCK MOV CR",
    reason: "AMD's processors read LOCK MOV CR0 as MOV CR8",
    covers: ({ opcode, lock }, ours) => ours === "invalid" && lock && (opcode === 0x0f20 || opcode === 0x0f22),
  },
  {
    name: "LOCK VERW",
    reason: "this processor ignores LOCK there; the manuals say #UD",
    covers: ({ opcode, lock, reg }, ours) => ours === "invalid" && lock && opcode === 0x0f00 && reg === 5,
  },
  {
    name: "66 SFENCE",
    reason: "66 0F AE F8 was PCOMMIT for a while, and is #UD; the P6's successors ignored the prefix",
    covers: ({ opcode, operandPrefix, reg, register }, _, host) =>
      opcode === 0x0fae && operandPrefix && register && reg >= 5 && host.exception === undefinedOpcode,
  },
];

/** "" when the decoder and the processor agree, the name of the rule that covers them, or undefined: a difference. */
export function judge(
  bytes: { readonly [index: number]: number },
  start: number,
  ours: Ours,
  asked: number,
  host: Answer,
): string | undefined {
  const agree =
    host.length === asked &&
    (ours === "invalid"
      ? host.exception === undefinedOpcode
      : ours === "too long"
        ? host.exception === generalProtection
        : host.exception !== undefinedOpcode);
  if (agree) return "";
  const seen = view(bytes, start);
  return rules.find(({ covers }) => covers(seen, ours, host))?.name;
}
