// The emulators that are measured: how each is started, and whether it is here at all.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { extname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { MachineOptions } from "#emulator";

/** What is to run. */
export interface Job {
  readonly image: string;
  readonly commandLine: string;
  readonly processors: number;
}

export interface Peer {
  readonly name: string;
  readonly parallel: boolean;
  /** Why it cannot be measured here and what would help; empty when it can. */
  missing(): string;
  /** A command whose standard output is the guest's first serial port. */
  command(job: Job): readonly string[];
}

const V86_VERSION = "0.5.462";
/** Where npm puts it with `--prefix build/v86`: in the folder it is started in. */
const V86_FOLDER = resolve("build/v86/node_modules/v86");

/** A program beside this file, as Node is to run it: from the source or from what was built of it. */
function beside(name: string): string[] {
  const extension = extname(fileURLToPath(import.meta.url));
  const file = fileURLToPath(new URL(`./${name}${extension}`, import.meta.url));
  return [process.execPath, ...(extension === ".ts" ? ["--conditions=ring0-source", "--import", "tsx"] : []), file];
}

const ours = (name: string, engine: MachineOptions["engine"], inexact = false): Peer => ({
  name,
  parallel: true,
  missing: () => "",
  command: ({ image, commandLine, processors }) => [
    ...beside("ours"),
    image,
    JSON.stringify({ engine, inexact, processors, commandLine }),
  ],
});

const qemu = (name: string, ...extra: readonly string[]): Peer => ({
  name,
  parallel: true,
  missing: () =>
    spawnSync("qemu-system-i386", ["--version"]).status === 0
      ? ""
      : "there is no qemu-system-i386 (Debian: qemu-system-x86)",
  // One host thread: with several, contended locks on more processors than the host has may never end.
  command: ({ image, commandLine, processors }) => [
    ..."qemu-system-i386 -accel tcg,thread=single -m 128 -display none -no-reboot -net none -monitor none".split(" "),
    ..."-serial stdio -device isa-debug-exit,iobase=0xf4,iosize=4".split(" "),
    ...extra,
    "-smp",
    String(processors),
    "-kernel",
    image,
    "-append",
    commandLine,
  ],
});

const v86 = (folder: string): Peer => ({
  name: "v86",
  parallel: false,
  missing: () =>
    existsSync(join(folder, "build/libv86.mjs"))
      ? ""
      : `it is not in ${folder}: npm install --no-save --prefix build/v86 v86@${V86_VERSION}, or --v86 FOLDER`,
  command: ({ image, commandLine }) => [...beside("v86"), resolve(folder, "build"), image, commandLine],
});

/** Every emulator there may be; `v86Folder` is where the npm package lies. */
export function peersOf(v86Folder = V86_FOLDER): readonly Peer[] {
  return [
    ours("interpreter", "interpreter"),
    ours("compiled", "auto"),
    ours("inexact", "auto", true),
    v86(v86Folder),
    qemu("qemu"),
    qemu("qemu-icount", "-icount", "shift=0,sleep=off"),
  ];
}

/** Those measured unless others are asked for. */
export const USUAL_PEERS = ["interpreter", "compiled", "v86", "qemu"];
