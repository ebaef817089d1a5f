// The options that describe a machine and what boots on it, the same for every command that has one.
import { basename } from "node:path";
import { type BootOptions, Machine } from "#emulator";
import { CommandError } from "./exit.ts";
import { readBytes, type Subject } from "./subject.ts";

const MIB = 0x100000;
const MAX_PROCESSORS = 32;
const MAX_MIB = 3072;
const ROM_UNIT = 0x10000;
const LARGEST_ROM = 16 * MIB;

/** As yargs wants them. Numbers are read here, so that every mistake gets the same kind of line. */
export const machineOptions = {
  smp: { type: "string", default: "1", requiresArg: true, describe: "Processors: 1 to 32" },
  m: { alias: "memory", type: "string", default: "128", requiresArg: true, describe: "Memory in MiB: 1 to 3072" },
  append: { type: "string", default: "", requiresArg: true, describe: "The kernel's command line" },
  bios: {
    type: "string",
    requiresArg: true,
    describe: "A ROM to start in (npm run build:firmware); without one the image is entered directly",
  },
  initrd: { type: "string", requiresArg: true, describe: 'Modules: "FILE ARGS,FILE ARGS"' },
  seed: { type: "string", default: "1", requiresArg: true, describe: "Seed of the schedule: equal seeds, equal runs" },
  engine: {
    choices: ["interpreter", "compiled", "auto"],
    default: "auto",
    requiresArg: true,
    describe: "What executes instructions: the same run with each; auto compiles what is hot",
  },
  "split-rmw": {
    type: "boolean",
    default: false,
    describe: "Others may get in between the load and the store of an unlocked read-modify-write",
  },
  "max-instructions": { type: "string", requiresArg: true, describe: "Stop after so many, all processors together" },
} as const;

/** What the options above come to on a command line. */
export interface MachineArguments {
  readonly smp: string;
  readonly m: string;
  readonly append: string;
  readonly bios?: string | undefined;
  readonly initrd?: string | undefined;
  readonly seed: string;
  readonly engine: string;
  readonly "split-rmw": boolean;
  readonly "max-instructions"?: string | undefined;
}

/** A machine to be booted, as often as somebody wants it: each time the same. */
export interface Setup {
  readonly subject: Subject;
  readonly processors: number;
  readonly memory: number;
  readonly seed: number;
  readonly maxInstructions: number;
  boot(serial: (byte: number) => void): Machine;
}

/** Reads the options. Throws CommandError. */
export function readSetup(subject: Subject, args: MachineArguments): Setup {
  const processors = integer("--smp", args.smp, 1, MAX_PROCESSORS);
  const memory = mebibytes(args.m) * MIB;
  const seed = integer("--seed", args.seed, -(2 ** 31), 2 ** 32 - 1);
  const limit = args["max-instructions"];
  const maxInstructions =
    limit === undefined ? Number.POSITIVE_INFINITY : integer("--max-instructions", limit, 0, Number.MAX_SAFE_INTEGER);
  const options: BootOptions = {
    processors,
    memory,
    seed,
    engine: args.engine as BootOptions["engine"],
    commandLine: args.append,
    modules: modulesOf(args.initrd),
    splitRmw: args["split-rmw"],
    name: subject.name,
    ...(args.bios !== undefined && { rom: romOf(args.bios) }),
  };
  const boot = (serial: (byte: number) => void) =>
    subject.isRom ? new Machine({ ...options, serial }) : Machine.boot(subject.bytes, { ...options, serial });
  return { subject, processors, memory, seed, maxInstructions, boot };
}

/** A whole number within limits; `1e6` and `1_000_000` are numbers too. */
export function integer(option: string, text: string, least: number, most: number): number {
  const value = text.trim() === "" ? Number.NaN : Number(text.replaceAll("_", ""));
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new CommandError(`${option} ${text}: a whole number from ${least} to ${most} would do`);
}

/** `128`, `128M` or `1G`. */
function mebibytes(text: string): number {
  const [, digits = "", unit = "M"] = /^(\d+)([MG]?)$/i.exec(text) ?? [];
  const value = Number(digits) * (unit.toUpperCase() === "G" ? 1024 : 1);
  if (digits !== "" && value >= 1 && value <= MAX_MIB) return value;
  throw new CommandError(`-m ${text}: 1 to ${MAX_MIB} (MiB) would do, or a number with M or G`);
}

/** A ROM's bytes. */
function romOf(file: string): Uint8Array {
  const rom = readBytes(file);
  if (rom.length > 0 && rom.length % ROM_UNIT === 0 && rom.length <= LARGEST_ROM) return rom;
  throw new CommandError(`--bios ${file}: ${rom.length} bytes; a multiple of 64 KiB up to 16 MiB would do`);
}

/** `FILE ARGS,FILE ARGS`: each file's bytes, and its name (no host's folders) and arguments as text. */
function modulesOf(initrd: string | undefined): BootOptions["modules"] {
  if (initrd === undefined) return [];
  return initrd.split(",").map((module) => {
    const [, file = "", rest = ""] = /^(\S+)(.*)$/.exec(module) ?? [];
    if (file === "")
      throw new CommandError(`--initrd ${initrd}: a file name is missing; "FILE ARGS,FILE ARGS" would do`);
    return { bytes: readBytes(file), text: basename(file) + rest };
  });
}
