// `ring0 trace`: runs as `ring0 run` does and tells what the processors did, instruction by instruction.
import { closeSync, writeSync } from "node:fs";
import { type Machine, type RunResult, TraceRing } from "#emulator";
import {
  type Classes,
  type Filter,
  jsonLine,
  Recorder,
  readRecord,
  type SymbolTable,
  symbolsOf,
  TraceText,
} from "../../trace/index.ts";
import { rangeOfSymbol, readRange } from "../address.ts";
import { command } from "../command.ts";
import { CommandError, EXIT, type ExitCode } from "../exit.ts";
import { grouped } from "../grouped.ts";
import type { Host } from "../host.ts";
import { integer, machineOptions, readSetup } from "../options.ts";
import { describeOutcome, exitCodeOf } from "../outcome.ts";
import { openFile, openSerial, serialOption } from "../serial.ts";
import { readSubject } from "../subject.ts";
import { didYouMean } from "../suggest.ts";
import { runInTurns } from "../turns.ts";

/** Records kept before they are formatted, when all of them are wanted. */
const BLOCK = 1024;
const MOST_KEPT = 100_000;

export const trace = command({
  usage: "trace <image>",
  summary: "Run an image or a program and show each instruction: registers changed, memory read and written",
  positionals: { image: { type: "string", demandOption: true, describe: "As for run" } },
  options: {
    ...machineOptions,
    cpu: { type: "string", array: true, requiresArg: true, describe: "Only this processor (may be given again)" },
    symbol: { type: "string", array: true, requiresArg: true, describe: "Only inside this routine (again)" },
    range: { type: "string", array: true, requiresArg: true, describe: "Only at these addresses: START-END (again)" },
    class: {
      alias: "d",
      type: "string",
      array: true,
      requiresArg: true,
      describe: "Only locked, io or interrupt instructions (again, or with commas)",
    },
    access: {
      type: "string",
      array: true,
      requiresArg: true,
      describe: "Only accesses to this variable or these addresses (again)",
    },
    first: { type: "string", requiresArg: true, describe: "Stop after so many lines" },
    last: { type: "string", requiresArg: true, describe: "Show only the last so many" },
    ring: {
      type: "boolean",
      default: false,
      describe: `Keep full records in a ring of --last (${BLOCK}) and show none: what recording alone takes`,
    },
    fold: { type: "boolean", default: true, describe: "Tell equal turns of a waiting loop once" },
    json: { type: "boolean", default: false, describe: "One JSON object a line; with --ring one in all" },
    D: { alias: "output", type: "string", requiresArg: true, describe: "Write the trace to this file" },
    serial: {
      ...serialOption,
      describe: "The guest's serial port: stdio, file:PATH or none (none; with -D or --ring stdio)",
    },
  },
  examples: [
    ["trace counter.ts --first 20", "the first instructions"],
    ["trace counter.ts --smp 2 --class locked --last 10", "the last locked ones"],
    ["trace kernel.elf --symbol main --access total", "accesses of main to a variable"],
    ["trace kernel.elf --ring --last 100000", "full records of the last 100,000 steps, not shown"],
  ],
  async run(args, host) {
    const subject = await readSubject(args.image);
    const setup = readSetup(subject, args);
    const symbols = symbolsOf(subject.bytes, subject.name);
    const filter = readFilter(args, setup.processors, symbols);
    if (args.first !== undefined && args.last !== undefined)
      throw new CommandError("trace: --first and --last at once; one of them would do");
    if (args.ring && args.D !== undefined)
      throw new CommandError("trace: --ring shows no record that -D could write; --last without --ring would do");
    const first =
      args.first === undefined ? Number.POSITIVE_INFINITY : integer("--first", args.first, 1, Number.MAX_SAFE_INTEGER);
    const last = args.last === undefined ? undefined : integer("--last", args.last, 1, MOST_KEPT);
    const serial = openSerial(args.serial ?? defaultSerial(args), host);
    const output = openOutput(args.D, host);

    const text = new TraceText(symbols, { fold: args.fold });
    const ring = new TraceRing(last ?? BLOCK);
    const print = (): void => {
      const events = ring.drain().map((record) => readRecord(record, symbols));
      output.write(args.json ? events.map(jsonLine).join("") : text.format(events));
    };
    const machine = setup.boot((byte) => serial.put(byte));
    const limit = firstOnly(machine, first);
    const isOnlyKept = args.ring || last !== undefined;
    const kept = (record: Int32Array): void => {
      if (!limit.take()) return;
      ring.push(record);
      if (!isOnlyKept && ring.length === BLOCK) print();
    };
    const recorder = new Recorder(machine, filter, isOnlyKept && args.first === undefined ? ring : kept);
    machine.observe(recorder);
    const began = host.now();
    const result = await runInTurns(machine, setup.maxInstructions, host, () => serial.flush());
    const seconds = host.now() - began;
    recorder.finish();
    const exitCode = limit.reached() ? EXIT.ok : exitCodeOf(result);
    if (!args.ring) print();
    serial.close();
    output.close();
    if (args.ring && args.json)
      host.out.write(`${JSON.stringify(ringObject(ring, machine, result, exitCode, seconds))}\n`);
    else if (args.ring) host.err.write(`ring0: ${describeOutcome(result, seconds)}; ${describeRing(ring)}\n`);
    else if (!limit.reached()) host.err.write(`ring0: ${describeOutcome(result, seconds)}\n`);
    return exitCode;
  },
});

/** Standard output is the guest's where the trace does not need it. */
function defaultSerial({ D, ring, json }: { D?: string | undefined; ring: boolean; json: boolean }): string {
  return D !== undefined || (ring && !json) ? "stdio" : "none";
}

/** `the last 1,024 of 3,456,789 records are kept`. */
function describeRing({ length, total }: TraceRing): string {
  return `the last ${grouped(length)} of ${grouped(total)} records kept`;
}

/** What `--ring --json` says. */
function ringObject(ring: TraceRing, machine: Machine, result: RunResult, exitCode: ExitCode, seconds: number): object {
  const { reason, guestExit, detail, instructions, clock } = result;
  const { total: records, length: kept } = ring;
  return { reason, exitCode, guestExit, detail, hash: machine.hash(), instructions, clock, seconds, records, kept };
}

/** Lets so many records through and then stops the machine. */
function firstOnly(machine: Machine, most: number): { take(): boolean; reached(): boolean } {
  let taken = 0;
  return {
    take: () => {
      if (taken >= most) return false;
      if (++taken === most) machine.stop();
      return true;
    },
    reached: () => taken >= most,
  };
}

function openOutput(path: string | undefined, host: Host): { write(text: string): void; close(): void } {
  if (path === undefined) return { write: (text) => host.out.write(text), close: () => {} };
  const file = openFile("-D", path);
  return { write: (text) => writeSync(file, text), close: () => closeSync(file) };
}

interface FilterArguments {
  readonly cpu?: readonly string[] | undefined;
  readonly symbol?: readonly string[] | undefined;
  readonly range?: readonly string[] | undefined;
  readonly class?: readonly string[] | undefined;
  readonly access?: readonly string[] | undefined;
}

function readFilter(args: FilterArguments, processors: number, symbols: SymbolTable): Filter {
  const { cpu = [], symbol = [], range = [], access = [], class: words = [] } = args;
  const ranges = [
    ...symbol.map((name) => rangeOfSymbol("--symbol", name, symbols)),
    ...range.map((text) => readRange("--range", text, symbols)),
  ];
  const hasClasses = words.length > 0 || access.length > 0;
  const classes = { ...readClasses(words), memory: access.map((text) => readRange("--access", text, symbols, 4)) };
  return {
    ...(cpu.length > 0 ? { processors: cpu.map((text) => integer("--cpu", text, 0, processors - 1)) } : {}),
    ...(ranges.length > 0 ? { ranges } : {}),
    ...(hasClasses ? { classes } : {}),
  };
}

/** The classes by name; `int` is QEMU's word for interrupts. */
function readClasses(words: readonly string[]): Classes {
  const known: Readonly<Record<string, keyof Classes>> = {
    locked: "locked",
    io: "io",
    interrupt: "interrupt",
    int: "interrupt",
  };
  const classes: { -readonly [K in keyof Classes]: Classes[K] } = {};
  for (const word of words.flatMap((text) => text.split(","))) {
    const name = known[word];
    if (!name || name === "memory")
      throw new CommandError(
        `--class ${word}: no such class${didYouMean(word, Object.keys(known)) || "; locked, io or interrupt would do, or --access"}`,
      );
    classes[name] = true;
  }
  return classes;
}
