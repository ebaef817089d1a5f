// The built command as its users run it, and a folder for what it reads and writes.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as assert from "uvu/assert";

export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** A folder outside every package: what is found from there is found for every user. */
export const folder = mkdtempSync(join(tmpdir(), "ring0-cli-"));

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `ring0 WORDS` in `folder`; its output as text, a byte a character. */
export function ring0(...words: string[]): Ended {
  const environment = { ...process.env, NO_COLOR: "1" };
  const { status, stdout, stderr } = spawnSync(process.execPath, [`${ROOT}dist/tools/cli/ring0.cjs`, ...words], {
    cwd: folder,
    encoding: "latin1",
    env: environment,
    maxBuffer: 1 << 28,
  });
  return { status, stdout, stderr };
}

/** Runs a command that must end with this exit code. */
export function expect(status: number, ...words: string[]): Ended {
  const ended = ring0(...words);
  assert.is(ended.status, status, `ring0 ${words.join(" ")}\n${ended.stdout}\n${ended.stderr}`);
  return ended;
}

/** What a command prints with --json. */
export function json(status: number, ...words: string[]): Record<string, unknown> {
  return JSON.parse(expect(status, ...words, "--json").stdout);
}

/** Writes a file into the folder; gives its name. */
export function file(name: string, contents: string | Uint8Array): string {
  writeFileSync(join(folder, name), contents);
  return name;
}

export const read = (name: string): string => readFileSync(join(folder, name), "latin1");

/** Writes a program whose routine `main` has this body; gives its name. */
export function program(name: string, body: string, start: "all" | "boot" = "boot"): string {
  return file(
    name,
    `import { al, byte, data, dword, dx, eax, ebx, ecx, edx, link, memory, proc } from "ring0/asm";
const total = data("total", 4);
export const main = proc("main", (a) => {
${body}
});
export default link(main, { start: "${start}" });
`,
  );
}
