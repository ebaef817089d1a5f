// npm run witness:lengths [COUNT] [-- --record]: lengths and validity of COUNT random strings (1,000,000), half of them in 16-bit code.
import { writeFileSync } from "node:fs";
import { need32Bit } from "../../../host.ts";
import { judge, rules, view } from "../rules.ts";
import { askDecoder, askProcessor } from "./ask.ts";
import { randomStrings, stringLength } from "./strings.ts";

const count = Number(process.argv.slice(2).find((word) => /^\d+$/.test(word)) ?? 1_000_000);
const record = process.argv.includes("--record");

const text = (strings: Uint8Array, i: number): string =>
  Buffer.from(strings.subarray(i * stringLength, (i + 1) * stringLength)).toString("hex");

const tally = new Map<string, number>([["", 0], ...rules.map(({ name }) => [name, 0] as [string, number])]);
const outcomes = { instructions: 0, "#UD": 0, "too long": 0 };
const differences: string[] = [];
need32Bit("witness:lengths");
const recorded: (readonly [16 | 32, string, number, number])[] = [];

for (const bits of [32, 16] as const) {
  const strings = randomStrings(count / 2, bits);
  const answers = askProcessor(strings, bits);
  const kept = new Map<string, number>();
  answers.forEach((host, i) => {
    const start = i * stringLength;
    const { ours, asked } = askDecoder(strings, start, bits);
    const verdict = judge(strings, start, ours, asked, host);
    outcomes[typeof ours !== "string" ? "instructions" : ours === "too long" ? "too long" : "#UD"]++;
    if (verdict !== undefined) tally.set(verdict, tally.get(verdict)! + 1);
    else {
      const said = typeof ours === "string" ? ours : ours.form.syntax;
      differences.push(
        `${bits} ${text(strings, i)}: ours ${said} after ${asked}, processor ${host.exception} after ${host.length}`,
      );
    }
    // Of each form, and of each opcode without one, two examples.
    const kind = typeof ours === "string" ? `${ours} ${verdict} ${view(strings, start).opcode}` : `${ours.form.id}`;
    const examples = kept.get(kind) ?? 0;
    if (examples < 2) recorded.push([bits, text(strings, i), host.length, host.exception]);
    kept.set(kind, examples + 1);
  });
}

console.log(
  `${count} strings: ${Object.entries(outcomes)
    .map(([name, n]) => `${n} ${name}`)
    .join(", ")}`,
);
for (const [name, n] of tally) console.log(`${String(n).padStart(9)}  ${name || "agree"}`);
console.log(`${String(differences.length).padStart(9)}  differ by no rule`);
for (const difference of differences.slice(0, 20)) console.log(difference);
if (record) {
  const lines = recorded.map((line) => JSON.stringify(line));
  writeFileSync(new URL("recorded/lengths.json", import.meta.url), `[\n${lines.join(",\n")}\n]\n`);
  console.log(`${recorded.length} recorded`);
}
process.exitCode = differences.length === 0 ? 0 : 1;
