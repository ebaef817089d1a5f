// Rows in regular families: the sixteen conditions, the reserved NOPs, the extensions not built (vol. 2, appendix A).
import type { Row } from "./instruction.ts";

/** The sixteen conditions, in the order of their encoding (vol. 1, appendix B), and the flags each reads. */
export const conditions = [
  ["O", "o"],
  ["NO", "o"],
  ["B", "c"],
  ["AE", "c"],
  ["E", "z"],
  ["NE", "z"],
  ["BE", "zc"],
  ["A", "zc"],
  ["S", "s"],
  ["NS", "s"],
  ["P", "p"],
  ["NP", "p"],
  ["L", "so"],
  ["GE", "so"],
  ["LE", "szo"],
  ["G", "szo"],
] as const;

const hex = (byte: number): string => byte.toString(16).toUpperCase().padStart(2, "0");

/** Jcc, SETcc, CMOVcc: the condition is the low half of the opcode. A failed CMOVcc keeps its destination, hence `rw`. */
export const conditional: readonly Row[] = conditions.flatMap(([condition, reads], code): Row[] => [
  [`J${condition} rel8`, `o16 ${hex(0x70 + code)} cb`, `r reads:${reads}`],
  [`J${condition} rel8`, `o32 ${hex(0x70 + code)} cb`, `r reads:${reads}`],
  [`J${condition} rel16`, `0F ${hex(0x80 + code)} cw`, `r reads:${reads}`],
  [`J${condition} rel32`, `0F ${hex(0x80 + code)} cd`, `r reads:${reads}`],
  [`SET${condition} r/m8`, `0F ${hex(0x90 + code)} /r`, `w reads:${reads}`],
  [`CMOV${condition} r16, r/m16`, `0F ${hex(0x40 + code)} /r`, `rw,r reads:${reads}`],
  [`CMOV${condition} r32, r/m32`, `0F ${hex(0x40 + code)} /r`, `rw,r reads:${reads}`],
]);

/** The P6's reserved NOPs: a ModR/M byte whose memory operand is never touched. */
export const reservedNops: readonly Row[] = [0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f].flatMap(
  (opcode): Row[] => [
    ["NOP r/m16", `0F ${hex(opcode)} /r`, "alias -"],
    ["NOP r/m32", `0F ${hex(opcode)} /r`, "alias -"],
  ],
);

/** A block of opcodes whose length is known and whose work is not built: `10-17` in hexadecimal, after `prefix`. */
const unbuilt = (name: string, mnemonic: string, prefix: string, ranges: string, suffix: string): readonly Row[] =>
  ranges.split(" ").flatMap((range): Row[] => {
    const [first = 0, last = first] = range.split("-").map((text) => Number.parseInt(text, 16));
    return Array.from({ length: last - first + 1 }, (_, i) => [
      mnemonic,
      `${prefix}${hex(first + i)}${suffix}`,
      `alias unimplemented:${name}`,
    ]);
  });

/** Floating point and the vector extensions up to SSE2 (vol. 2, appendix A): CPUID does not claim them. */
export const extensions: readonly Row[] = [
  ...unbuilt("x87", "ESC", "", "D8-DF", " /r"),
  ...unbuilt("x87", "FWAIT", "", "9B", ""),
  ...unbuilt("MMX", "EMMS", "0F ", "77", ""),
  ...unbuilt(
    "MMX",
    "MMX",
    "0F ",
    "60-6B 6E-6F 74-76 7E-7F D1-D3 D5 D8-D9 DB-DD DF E1-E2 E5 E8-E9 EB-ED EF F1-F3 F5",
    " /r",
  ),
  ...unbuilt("MMX", "MMX", "0F ", "F8-FA FC-FE", " /r"),
  ...unbuilt("MMX", "MMX", "0F ", "71-73", " /r ib"),
  ...unbuilt(
    "SSE",
    "SSE",
    "0F ",
    "10-17 28-2F 50-5F 6C-6D AE C3 D4 D6-D7 DA DE E0 E3-E4 E6-E7 EA EE F4 F6-F7 FB",
    " /r",
  ),
  ...unbuilt("SSE", "SSE", "0F ", "70 C2 C4-C6", " /r ib"),
];
