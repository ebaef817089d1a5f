// How a run ended, as an exit code and as a sentence.
import type { RunResult } from "#emulator";
import { EXIT, type ExitCode } from "./exit.ts";
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
  return `${how}, after ${total.toLocaleString("en")} instructions in ${seconds.toFixed(2)} s`;
}
