// npm run witness:text [COUNT] [-- --record]: mnemonics and operands of random strings (200,000) against objdump and ndisasm.
import { writeFileSync } from "node:fs";
import { decode, format, type Instruction } from "../../../../emulator/isa/index.ts";
import { randomStrings, stringLength } from "./strings.ts";
import { judgeText, rules } from "./textrules.ts";
import { disassemble } from "./texts.ts";

const count = Number(process.argv.slice(2).find((word) => /^\d+$/.test(word)) ?? 200_000);
const recorded: string[] = [];
let differences = 0;

for (const bits of [32, 16] as const) {
  const strings = randomStrings(count / 2, bits + 100);
  const found: { bytes: number[]; instruction: Instruction }[] = [];
  for (let start = 0; start < strings.length; start += stringLength) {
    const instruction = decode(strings, start, stringLength, bits);
    if (typeof instruction === "string" || instruction.form.unimplemented !== "") continue;
    found.push({ bytes: [...strings.subarray(start, start + instruction.length)], instruction });
  }
  for (const tool of ["objdump", "ndisasm"] as const) {
    const lines = disassemble(
      tool,
      found.map(({ bytes }) => bytes),
      bits,
    );
    const tally = new Map<string, number>([["", 0], ...rules.map(({ name }) => [name, 0] as [string, number])]);
    const kept = new Set<string>();
    const unexplained: string[] = [];
    for (const [i, { text, at }] of lines.entries()) {
      const { bytes, instruction } = found[i]!;
      const verdict = judgeText(tool, bits, bytes, instruction, at, text);
      const hex = Buffer.from(bytes).toString("hex");
      if (verdict !== undefined) tally.set(verdict, tally.get(verdict)! + 1);
      else unexplained.push(`${hex}: ours ${format(instruction, at, { bits })}, ${tool} ${text}`);
      // One example of each form and verdict.
      const kind = `${instruction.form.id} ${verdict}`;
      if (!kept.has(kind)) recorded.push(JSON.stringify([tool, bits, hex, at, text]));
      kept.add(kind);
    }
    console.log(`${tool}, ${bits}-bit code: ${found.length} instructions`);
    for (const [name, n] of tally) if (n > 0) console.log(`${String(n).padStart(9)}  ${name || "agree"}`);
    console.log(`${String(unexplained.length).padStart(9)}  differ by no rule`);
    for (const difference of unexplained.slice(0, 20)) console.log(difference);
    differences += unexplained.length;
  }
}
if (process.argv.includes("--record")) {
  writeFileSync(new URL("recorded/texts.json", import.meta.url), `[\n${recorded.join(",\n")}\n]\n`);
  console.log(`${recorded.length} recorded`);
}
process.exitCode = differences === 0 ? 0 : 1;
