// Whether this host can be a witness of code in a mode: it has a compiler for it, and its kernel starts such programs.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ANSWER = 32;
/** As the witnesses are compiled: with Linux's headers, and with the C library inside. */
const PROGRAM = `#include <asm/ldt.h>\n#include <stdlib.h>\nint main(void) { exit(${ANSWER}); }\n`;

/** Why the host's processor cannot be asked in a mode, or undefined if it can. */
export function whyNot(bits: 32 | 64): string | undefined {
  if (process.platform !== "linux" || process.arch !== "x64") return "Linux on an x86-64 processor would do";
  const directory = mkdtempSync(join(tmpdir(), "host-"));
  try {
    const program = join(directory, "probe");
    const made = spawnSync("gcc", [`-m${bits}`, "-static", "-x", "c", "-o", program, "-"], { input: PROGRAM });
    const packages = bits === 32 ? "gcc-multilib" : "gcc and libc6-dev";
    if (made.status !== 0) return `no compiler for ${bits}-bit programs; Debian's ${packages} would do`;
    if (spawnSync(program).status !== ANSWER) return `this host's kernel starts no ${bits}-bit programs`;
    return undefined;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Ends a script that needs the host's processor where that cannot be asked. */
export function need32Bit(script: string): void {
  const why = whyNot(32);
  if (why === undefined) return;
  console.error(`${script}: the host's processor cannot be asked: ${why}`);
  process.exit(2);
}
