// `ring0 run`: boots an image or a program and lets it run to its end, its serial port on standard output.
import type { Machine, RunResult } from "#emulator";
import { command } from "../command.ts";
import { reportCrash } from "../crash.ts";
import { CommandError, EXIT, type ExitCode } from "../exit.ts";
import { type Host, StatusLine } from "../host.ts";
import { machineOptions, readSetup, type Setup } from "../options.ts";
import { describeEngine, describeOutcome, describeTimes, exitCodeOf, type Times } from "../outcome.ts";
import { KeptPort, openSerial, type SerialPort, serialOption } from "../serial.ts";
import { readRom, readSubject } from "../subject.ts";
import { runInTurns, totalOf } from "../turns.ts";

export const run = command({
  usage: "run [image]",
  summary: "Boot an image, or a program written with the assembler, and run it to its end",
  positionals: {
    image: { type: "string", describe: "A Multiboot kernel, a boot sector, or FILE.ts with `export default image`" },
  },
  options: {
    kernel: { type: "string", requiresArg: true, describe: "The image, named as QEMU does" },
    ...machineOptions,
    serial: { ...serialOption, default: "stdio" },
    stats: { type: "boolean", default: false, describe: "Say what the engine did, and where the time went" },
    json: { type: "boolean", default: false, describe: "Print one JSON object, the serial output inside" },
  },
  examples: [
    ["run kernel.elf -m 64 --append 'verbose'", "a Multiboot kernel"],
    ["counter.ts --smp 4 --seed 7", "a program on four processors"],
    ["run --bios build/firmware.rom --kernel kernel.elf", "the same kernel, from the reset vector on"],
  ],
  async run(args, host) {
    const file = args.image ?? args.kernel;
    if (file === undefined && args.bios === undefined)
      throw new CommandError("run: no image; `ring0 run kernel.elf` or `ring0 run program.ts` would do");
    if (args.image !== undefined && args.kernel !== undefined)
      throw new CommandError(`run: two images, ${args.image} and --kernel ${args.kernel}; one would do`);
    const setup = readSetup(file === undefined ? readRom(args.bios ?? "") : await readSubject(file), args);
    if (args.json) return runForMachines(setup, host, args.stats);
    return runForPeople(setup, openSerial(args.serial, host), host, args.stats);
  },
});

async function runForPeople(setup: Setup, serial: SerialPort, host: Host, stats: boolean): Promise<ExitCode> {
  const { machine, result, seconds, times } = await perform(setup, serial, host, !host.out.isTerminal);
  serial.close();
  if (!serial.atLineStart && host.out.isTerminal) host.out.write("\n");
  host.err.write(`ring0: ${describeOutcome(result, seconds)}\n`);
  if (stats) host.err.write(describeEngine(machine, totalOf(result.instructions)) + describeTimes(times));
  await explainEnd(setup, machine, result, seconds, host);
  return exitCodeOf(result);
}

async function runForMachines(setup: Setup, host: Host, stats: boolean): Promise<ExitCode> {
  const serial = new KeptPort();
  const { machine, result, seconds, times } = await perform(setup, serial, host, true);
  const exitCode = exitCodeOf(result);
  const object = {
    reason: result.reason,
    exitCode,
    guestExit: result.guestExit,
    detail: result.detail,
    hash: machine.hash(),
    instructions: result.instructions,
    clock: result.clock,
    seconds,
    image: setup.subject.name,
    processors: setup.processors,
    memory: setup.memory,
    seed: setup.seed,
    ...(stats && { engine: machine.statistics, times }),
    serial: serial.text,
  };
  host.out.write(`${JSON.stringify(object)}\n`);
  await explainEnd(setup, machine, result, seconds, host);
  return exitCode;
}

/** Says more of an end that needs it. */
async function explainEnd(
  setup: Setup,
  machine: Machine,
  result: RunResult,
  seconds: number,
  host: Host,
): Promise<void> {
  const exitCode = exitCodeOf(result);
  if (exitCode !== EXIT.crashed && exitCode !== EXIT.ours) return;
  await reportCrash(setup, machine, result, seconds, host);
}

/** The run itself, timed. */
async function perform(
  setup: Setup,
  serial: SerialPort,
  host: Host,
  withStatus: boolean,
): Promise<{ machine: Machine; result: RunResult; seconds: number; times: Times }> {
  const load = host.now();
  const machine = setup.boot((byte) => serial.put(byte));
  const status = new StatusLine(host);
  const began = host.now();
  const result = await runInTurns(machine, setup.maxInstructions, host, (instructions) => {
    serial.flush();
    if (withStatus) status.show(() => `${(instructions / 1e6).toFixed(0)} M instructions`);
  });
  status.clear();
  const seconds = host.now() - began;
  return { machine, result, seconds, times: { load, boot: began - load, run: seconds } };
}
