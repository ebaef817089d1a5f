// Asks this host's processor about byte strings, through the C program beside this file; and our decoder likewise.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type DecodeFailure, decode, type Instruction } from "../../../../emulator/isa/index.ts";
import type { Answer } from "../rules.ts";
import { stringLength } from "./strings.ts";

/** What the processor says about each of the strings laid end to end, in code of 16 or 32 bits. */
export function askProcessor(strings: Uint8Array, bits: 16 | 32): Answer[] {
  const directory = mkdtempSync(join(tmpdir(), "witness-"));
  try {
    const program = join(directory, "lengths");
    const source = fileURLToPath(new URL("lengths.c", import.meta.url));
    execFileSync("gcc", ["-m32", "-O2", "-Wall", "-fno-stack-protector", "-o", program, source]);
    const said = execFileSync(program, [`${bits}`], { input: strings, maxBuffer: 1 << 30 });
    if (said.length * 8 !== strings.length)
      throw new Error(`${said.length / 2} answers for ${strings.length / 16} strings`);
    return Array.from({ length: said.length / 2 }, (_, i) => ({ length: said[2 * i]!, exception: said[2 * i + 1]! }));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** What our decoder says when given ever more bytes: the outcome, and the bytes it asked for. */
export function askDecoder(
  strings: { readonly [index: number]: number },
  start: number,
  bits: 16 | 32,
): { ours: Instruction | DecodeFailure; asked: number } {
  for (let asked = 1; ; asked++) {
    const ours = decode(strings, start, asked, bits);
    if (ours !== "truncated" || asked === stringLength) return { ours, asked };
  }
}
