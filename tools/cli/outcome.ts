// How a run ended, as an exit code and as a sentence.
import type { Machine, RunResult } from "#emulator";
import { EXIT, type ExitCode } from "./exit.ts";
import { grouped } from "./grouped.ts";
import { totalOf } from "./turns.ts";

/** Port F4h: 0 is success, 6 a bug check, anything else a failure. A reset that the guest asked for is no crash. */
export function exitCodeOf({ reason, guestExit }: RunResult): ExitCode {
  switch (reason) {
    case "halted":
    case "reset":
      return EXIT.ok;
    case "guest exit":
      return guestExit === 0 ? EXIT.ok : guestExit === EXIT.crashed ? EXIT.crashed : EXIT.failed;
    case "budget":
    case "stopped":
      return EXIT.unfinished;
    case "triple fault":
      return EXIT.crashed;
    case "not implemented":
      return EXIT.ours;
  }
}

/** What a person wants to know: why it ended, after how much. */
export function describeOutcome(result: RunResult, seconds: number): string {
  const { reason, detail, guestExit } = result;
  const total = totalOf(result.instructions);
  const how =
    reason === "guest exit"
      ? `guest exit ${guestExit}`
      : reason === "not implemented"
        ? `not implemented: ${detail}`
        : detail
          ? `${reason}: ${detail}`
          : reason;
  return `${how}, after ${grouped(total)} instructions in ${seconds.toFixed(2)} s`;
}

/** Seconds until the tool and the image are loaded, the machine is made, the run is over. */
export interface Times {
  readonly load: number;
  readonly boot: number;
  readonly run: number;
}

/** Where the time went, for who asks with --stats. */
export function describeTimes({ load, boot, run }: Times): string {
  const [loading, booting, running] = [load, boot, run].map((seconds) => seconds.toFixed(2));
  return `ring0: time: ${loading} s to load the tool and the image, ${booting} s to make the machine, ${running} s to run it\n`;
}

/** What the engine did, for who asks with --stats: `total` instructions in all. */
export function describeEngine({ statistics }: Machine, total: number): string {
  if (statistics === null) return "ring0: engine: the interpreter alone\n";
  const { compiled, regions, bytes, invalidated, flushes, instructions, exits } = statistics;
  const share = total === 0 ? 0 : (100 * instructions) / total;
  const ways = Object.entries(exits).map(([reason, count]) => `${reason} ${grouped(count)}`);
  return (
    `ring0: engine: ${share.toFixed(1)} % of the instructions in compiled code\n` +
    `ring0: engine: ${grouped(compiled)} regions compiled, ${grouped(regions)} of them there in ${grouped(bytes)} bytes; ` +
    `${grouped(invalidated)} dropped because their code was written, all dropped ${flushes} times\n` +
    `ring0: engine: back to the interpreter: ${ways.join(", ")}\n`
  );
}
