// Assembles the golden cases with NASM and with GNU as, and writes what they made to golden.json. Both must be on PATH.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Case, cases } from "./cases.ts";
import { type Assembler, spell } from "./spell.ts";

/** Each case fills a slot: its bytes, then zeros, then in the last byte its length. */
const slot = 32;

function source(assembler: Assembler, bits: 16 | 32, chosen: readonly (Case | null)[]): string {
  const nasm = assembler === "nasm";
  const lines = chosen.map((one, i) => {
    const text = one === null ? "" : spell(assembler, one, `e${i}`);
    return nasm
      ? `s${i}: ${text}\ne${i}: times ${slot - 1}-(e${i}-s${i}) db 0\ndb e${i}-s${i}`
      : `s${i}: ${text}\ne${i}: .skip ${slot - 1}-(e${i}-s${i}), 0\n.byte e${i}-s${i}`;
  });
  // Room on both sides, so that targets lie inside.
  const header = nasm ? `bits ${bits}\n` : `.intel_syntax noprefix\n.code${bits}\n`;
  return `${header}${lines.join("\n")}\n`;
}

/** The bytes of each case as hexadecimal text, or the assembler's complaint after "!". */
function assemble(assembler: Assembler, bits: 16 | 32, chosen: readonly Case[]): string[] {
  const directory = mkdtempSync(join(tmpdir(), "golden-"));
  const input = join(directory, "cases.s");
  const output = join(directory, "cases.o");
  const binary = join(directory, "cases.bin");
  const complaints = new Map<number, string>();
  const headerLines = assembler === "nasm" ? 1 : 2;
  try {
    for (;;) {
      writeFileSync(
        input,
        source(
          assembler,
          bits,
          chosen.map((one, i) => (complaints.has(i) ? null : one)),
        ),
      );
      const command = assembler === "nasm" ? "nasm" : "as";
      const args = assembler === "nasm" ? ["-f", "bin", "-w-all", "-o", binary, input] : ["--32", "-o", output, input];
      const result = spawnSync(command, args, { encoding: "utf8" });
      if (result.status === 0) break;
      const before = complaints.size;
      for (const match of result.stderr.matchAll(/:(\d+): (?:error|Error): (.*)/g)) {
        complaints.set(Math.trunc((Number(match[1]) - 1 - headerLines) / 3), `!${match[2]}`);
      }
      if (complaints.size === before) throw new Error(`${command} failed: ${result.error ?? result.stderr}`);
    }
    if (assembler === "gas") execFileSync("objcopy", ["-O", "binary", "-j", ".text", output, binary]);
    const bytes = readFileSync(binary);
    return chosen.map((_, i) => {
      const at = i * slot;
      return complaints.get(i) ?? bytes.subarray(at, at + bytes[at + slot - 1]!).toString("hex");
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const lines: string[] = [];
for (const bits of [32, 16] as const) {
  const chosen = cases.filter((one) => one.options.bits === bits);
  const nasm = assemble("nasm", bits, chosen);
  const gas = assemble("gas", bits, chosen);
  chosen.forEach((one, i) => {
    const row = [bits, one.form.syntax, spell("nasm", one, "$$"), nasm[i], ...(gas[i] === nasm[i] ? [] : [gas[i]])];
    lines.push(JSON.stringify(row));
  });
}
writeFileSync(new URL("golden.json", import.meta.url), `[\n${lines.join(",\n")}\n]\n`);
console.log(`${lines.length} cases`);
