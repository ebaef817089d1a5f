// Assembles privileged.asm with NASM, runs it on QEMU, and records image and log. Both programs must be on PATH.
//
//   node --conditions=ring0-source --import tsx tests/emulator/cpu/privileged/regenerate.ts
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const directory = mkdtempSync(join(tmpdir(), "privileged-"));
const image = join(directory, "privileged.bin");
const log = join(directory, "log");
try {
  execFileSync("nasm", ["-f", "bin", fileURLToPath(new URL("privileged.asm", import.meta.url)), "-o", image]);
  const options = "-accel tcg,thread=single -display none -no-reboot -m 64".split(" ");
  execFileSync("qemu-system-i386", [...options, "-kernel", image, "-debugcon", `file:${log}`], { timeout: 30_000 });
  const recorded = {
    image: readFileSync(image).toString("base64"),
    log: readFileSync(log, "latin1").trimEnd().split("\n"),
  };
  writeFileSync(new URL("recorded/privileged.json", import.meta.url), `${JSON.stringify(recorded, null, 1)}\n`);
} finally {
  rmSync(directory, { recursive: true });
}
