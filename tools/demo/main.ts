// `npm start`: the main job from end to end. A lock runs on a multiprocessor, is proved, and breaks when it is changed.
import { Machine } from "#emulator";
import { explore, replay } from "#explore";
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

/** One part of the demonstration: what it is about, and whether it went as it should. */
function part(number: number, title: string, perform: () => boolean): boolean {
  const bold = process.stdout.isTTY === true && !process.env["NO_COLOR"];
  const heading = `${number}. ${title}`;
  say(`${bold ? `\x1b[1m${heading}\x1b[0m` : heading}\n\n`);
  const isRight = perform();
  say(isRight ? "\n" : "\nThis is not as it should be.\n\n");
  return isRight;
}

/** The program on the machine: it checks itself, and says what it found on its serial port. */
function runProgram(): boolean {
  let serial = "";
  const machine = Machine.boot(queuedLock, {
    processors: PROCESSORS,
    memory: 16 * MIB,
    serial: (byte) => {
      serial += String.fromCharCode(byte);
    },
  });
  const began = performance.now();
  const { reason, guestExit, instructions } = machine.run();
  const seconds = (performance.now() - began) / 1000;
  say(serial.replaceAll("\r", "").replace(/^(?=.)/gm, "  "));
  const total = instructions.reduce((sum, count) => sum + count, 0);
  say(`  ${total.toLocaleString("en")} instructions in ${seconds.toFixed(2)} s, machine hash ${machine.hash()}\n`);
  const expected = PROCESSORS * ROUNDS;
  return reason === "guest exit" && guestExit === 0 && serial.includes(`TOTAL ${expected} expected ${expected}`);
}

/** Every schedule of two processors that take the lock twice each. */
function prove(): boolean {
  const scenario = scenarioByName("queued-lock", { processors: 2, rounds: 2 });
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

const indented = (text: string): string => text.replace(/^(?=.)/gm, "  ");

const mistake = mutantsOf("queued-lock").get(MUTANT);
const results = [
  part(
    1,
    `A queued spin lock on ${PROCESSORS} processors, ${ROUNDS.toLocaleString("en")} acquisitions each`,
    runProgram,
  ),
  part(2, "The same routines on every schedule of 2 processors x 2 acquisitions", prove),
  part(3, `A broken variant: ${mistake}`, breakIt),
];
const isRight = results.every((result) => result);
say(isRight ? "All as it should be. Next: npx ring0 --help, and README.md.\n" : "Something is not as it should be.\n");
process.exitCode = isRight ? 0 : 1;
