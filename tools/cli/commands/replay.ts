// `ring0 replay`: a failure that the explorer found, seen again step by step.
import { formatFailure, replay as replayFailure } from "#explore";
import { command } from "../command.ts";
import { EXIT } from "../exit.ts";
import { asCommandError, findScenario, loadFailure } from "../scenario.ts";

export const replay = command({
  usage: "replay <file>",
  summary: "See a failure again that explore has found",
  positionals: { file: { type: "string", demandOption: true, describe: "What explore wrote: SCENARIO.failure.json" } },
  options: { json: { type: "boolean", default: false, describe: "Print one JSON object" } },
  examples: [["replay queued-lock-M3.failure.json", "the steps of a failure"]],
  async run({ file, json }, host) {
    const failure = loadFailure(file);
    const scenario = findScenario(failure.scenario);
    try {
      const seen = replayFailure(failure, scenario);
      const { reproduced, property, message, stateHash, difference } = seen;
      if (json) host.out.write(`${JSON.stringify({ reproduced, property, message, stateHash, difference })}\n`);
      else host.out.write(formatFailure(failure, scenario, { command: `ring0 replay ${file}` }));
      if (reproduced) return EXIT.violation;
      host.err.write(`ring0: ${file}: not reproduced: ${difference}\n`);
      return EXIT.failed;
    } catch (error) {
      throw asCommandError(error);
    }
  },
});
