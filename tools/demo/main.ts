// `npm start`: the main job from end to end. A kernel boots on a multiprocessor; a lock of it runs, is proved, and breaks when it
// is changed.
import { type BootOptions, Machine } from "#emulator";
import { explore, replay } from "#explore";
import { firmwareRom } from "#firmware";
import { linkKernel } from "#kernel";
import { grouped } from "../cli/grouped.ts";
import { verdictText } from "../cli/verdict.ts";
import queuedLock from "../programs/queued-lock.ts";
import { mutantsOf, scenarioByName } from "../scenarios/index.ts";

const MIB = 0x100000;
const PROCESSORS = 4;
const ROUNDS = 10_000;
const MUTANT = "M3";

const say = (text: string): void => {
  process.stdout.write(text);
};

const indented = (text: string): string => text.replace(/^(?=.)/gm, "  ");

/** One part of the demonstration: what it is about, and whether it went as it should. */
function part(number: number, title: string, perform: () => boolean): boolean {
  const bold = process.stdout.isTTY === true && !process.env["NO_COLOR"];
  const heading = `${number}. ${title}`;
  say(`${bold ? `\x1b[1m${heading}\x1b[0m` : heading}\n\n`);
  const isRight = perform();
  say(isRight ? "\n" : "\nThis is not as it should be.\n\n");
  return isRight;
}

/** A guest on the machine: what it says on its serial port, if it ends well, else nothing. */
function run(image: Parameters<typeof Machine.boot>[0], options: BootOptions): string {
  let serial = "";
  const machine = Machine.boot(image, {
    processors: PROCESSORS,
    memory: 16 * MIB,
    ...options,
    serial: (byte) => {
      serial += String.fromCharCode(byte);
    },
  });
  const began = performance.now();
  const { reason, guestExit, instructions } = machine.run();
  const seconds = (performance.now() - began) / 1000;
  say(indented(serial.replaceAll("\r", "")));
  const total = instructions.reduce((sum, count) => sum + count, 0);
  say(`  ${grouped(total)} instructions in ${seconds.toFixed(2)} s, machine hash ${machine.hash()}\n`);
  return reason === "guest exit" && guestExit === 0 ? serial : "";
}

/** The kernel from the reset vector on: it finds its processors, and all of them take locks and run DPCs. */
function runKernel(): boolean {
  return run(linkKernel(), { rom: firmwareRom(), commandLine: "workload" }).includes("VERDICT ok");
}

/** The program that takes one lock and checks itself. */
function runProgram(): boolean {
  const expected = PROCESSORS * ROUNDS;
  return run(queuedLock, {}).includes(`TOTAL ${expected} expected ${expected}`);
}

/** Every schedule of two processors that take the lock, by its forms for DISPATCH_LEVEL or, with interrupts, by those that raise. */
function prove(name: string, rounds: number): boolean {
  const scenario = scenarioByName(name, { processors: 2, rounds });
  const verdict = explore(scenario, { model: "sc" });
  say(indented(verdictText(verdict, scenario)));
  return verdict.verdict === "verified";
}

/** One instruction of the lock changed: the search finds the schedule that breaks it, and it breaks each time. */
function breakIt(): boolean {
  const scenario = scenarioByName("queued-lock", { processors: 2, rounds: 1, mutant: MUTANT });
  const verdict = explore(scenario, { model: "sc" });
  say(indented(verdictText(verdict, scenario)));
  const [violation] = verdict.violations;
  if (verdict.verdict !== "violated" || !violation) return false;
  const again = replay(violation.failure, scenario);
  say(`\n  replayed: ${again.reproduced ? "the same" : "another"} final state ${again.stateHash}\n`);
  return again.reproduced;
}

const mistake = mutantsOf("queued-lock").get(MUTANT);
const results = [
  part(1, `A kernel from the reset vector on, its locks and DPCs on ${PROCESSORS} processors`, runKernel),
  part(2, `A queued spin lock on ${PROCESSORS} processors, ${grouped(ROUNDS)} acquisitions each`, runProgram),
  part(3, "The same routines on every schedule of 2 processors x 2 acquisitions", () => prove("queued-lock", 2)),
  part(4, "From PASSIVE_LEVEL, with a clock interrupt and its DPC anywhere on each processor", () =>
    prove("raising-queued-lock", 1),
  ),
  part(5, `A broken variant: ${mistake}`, breakIt),
];
const isRight = results.every((result) => result);
say(isRight ? "All as it should be. Next: npx ring0 --help, and README.md.\n" : "Something is not as it should be.\n");
process.exitCode = isRight ? 0 : 1;
