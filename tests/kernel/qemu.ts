// The same image on QEMU: what it says on its serial port, and with what it leaves.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Image } from "#asm";

/** Whether QEMU is on the PATH, and asked at all: mutants are our own tests' affair. A test file says so where it is not. */
export const qemuIsHere =
  process.env["RING0_MUTANT"] === undefined && spawnSync("qemu-system-i386", ["--version"]).status === 0;
if (!qemuIsHere) console.log("skipped: QEMU is not on the PATH");

export interface QemuOptions {
  readonly processors: number;
  readonly commandLine?: string;
  /** The bytes of a firmware in place of QEMU's own. */
  readonly rom?: Uint8Array;
  /** What else QEMU's command line shall say. */
  readonly more?: readonly string[];
  /** Monitor commands instead of an end by the guest; `"FILE"` in them is a file whose bytes are returned. */
  readonly monitor?: readonly string[];
  /** How long the guest runs before the first of them. */
  readonly milliseconds?: number;
}

export interface QemuRun {
  /** QEMU's exit status: (value << 1) | 1 for a value on port F4h. */
  readonly status: number | null;
  readonly serial: string;
  readonly file: Uint8Array;
}

const LIMIT_MILLISECONDS = 60_000;

/** Run an image (null: none) to its end, or as far as the monitor commands let it. Virtual time is one host thread's. */
export function runOnQemu(
  image: Image | null,
  { processors, commandLine = "", rom, more = [], monitor, milliseconds = 0 }: QemuOptions,
): QemuRun {
  const folder = mkdtempSync(join(tmpdir(), "ring0-qemu-"));
  const [kernel, bios] = [join(folder, "kernel.elf"), join(folder, "firmware.rom")];
  const [serial, file] = [join(folder, "serial"), join(folder, "file")];
  for (const [path, bytes] of [
    [kernel, image?.elf() ?? ""],
    [bios, rom ?? ""],
    [serial, ""],
    [file, ""],
  ] as const)
    writeFileSync(path, bytes);
  try {
    const given = ["-accel", "tcg,thread=single", "-smp", `${processors}`, ...more];
    if (image) given.push("-kernel", kernel, "-append", commandLine);
    if (rom) given.push("-bios", bios);
    const quiet = [
      "-display",
      "none",
      "-no-reboot",
      "-serial",
      `file:${serial}`,
      "-monitor",
      monitor ? "stdio" : "none",
    ];
    const exit = monitor ? [] : ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"];
    const commands = [...(monitor ?? []), "quit"].map((line) => line.replaceAll("FILE", file)).join("\n");
    const shell = `(sleep ${milliseconds / 1000}; printf '%s\\n' "$COMMANDS") | exec qemu-system-i386 "$@"`;
    const { status } = monitor
      ? spawnSync("sh", ["-c", shell, "sh", ...given, ...quiet], {
          env: { ...process.env, COMMANDS: commands },
          timeout: LIMIT_MILLISECONDS,
        })
      : spawnSync("qemu-system-i386", [...given, ...quiet, ...exit], { timeout: LIMIT_MILLISECONDS });
    return { status, serial: readFileSync(serial, "latin1"), file: readFileSync(file) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
