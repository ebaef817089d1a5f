// `ring0 explore`: every schedule of a scenario, and the verdict; a violation leaves a file that replays it.
import { explore as exploreScenario, MODELS, type Model, type Scenario, type Verdict } from "#explore";
import { scenarioNames } from "../../scenarios/index.ts";
import { command } from "../command.ts";
import { CommandError, EXIT, type ExitCode } from "../exit.ts";
import { grouped } from "../grouped.ts";
import { type Host, StatusLine } from "../host.ts";
import { integer } from "../options.ts";
import { asCommandError, findScenario, saveFailure, scenarioList } from "../scenario.ts";
import { verdictText } from "../verdict.ts";

const EXIT_CODES: Readonly<Record<Verdict["verdict"], ExitCode>> = {
  verified: EXIT.ok,
  bounded: EXIT.unfinished,
  unfinished: EXIT.unfinished,
  violated: EXIT.violation,
};

export const explore = command({
  usage: "explore [scenario]",
  summary: "Try every schedule of a scenario: a proof, or the schedule that breaks it",
  positionals: { scenario: { type: "string", describe: `One of ${scenarioNames.join(", ")}` } },
  options: {
    processors: {
      type: "string",
      requiresArg: true,
      describe: "How many processors take part (2, or as many as the mutant needs to show itself)",
    },
    rounds: {
      type: "string",
      requiresArg: true,
      describe: "How often each goes through its section (1, or as often as the mutant needs)",
    },
    model: { choices: MODELS, default: "sc", requiresArg: true, describe: "Memory model" },
    mutant: { type: "string", requiresArg: true, describe: "A deliberately broken variant (--list names them)" },
    "max-states": {
      type: "string",
      requiresArg: true,
      describe: "Stop after so many states: the verdict is then bounded",
    },
    reduction: {
      type: "boolean",
      default: true,
      describe: "Look at choices that are one processor's own affair alone (--no-reduction: slower, finds the same)",
    },
    list: { type: "boolean", default: false, describe: "List scenarios and mutants" },
    output: { type: "string", requiresArg: true, describe: "Where a failure goes (SCENARIO.failure.json)" },
    json: { type: "boolean", default: false, describe: "Print one JSON object" },
  },
  examples: [
    ["explore queued-lock --processors 2 --rounds 2", "a proof"],
    ["explore queued-lock --mutant M3", "a lock that is broken, and how"],
  ],
  async run(args, host) {
    if (args.list) {
      host.out.write(scenarioList());
      return EXIT.ok;
    }
    if (args.scenario === undefined)
      throw new CommandError(`explore: no scenario; there are ${scenarioNames.join(", ")}`);
    const maxStates = count("--max-states", args["max-states"], Number.MAX_SAFE_INTEGER);
    const scenario = findScenario({
      name: args.scenario,
      processors: count("--processors", args.processors, 8),
      rounds: count("--rounds", args.rounds, 1000),
      mutant: args.mutant,
    });
    const verdict = search(scenario, { model: args.model, reduction: args.reduction, maxStates }, host);
    const failure = verdict.violations[0]?.failure;
    const file = args.output ?? defaultFile(scenario);
    if (failure) saveFailure(file, failure);
    host.out.write(args.json ? json(verdict, failure && file) : verdictText(verdict, scenario, `ring0 replay ${file}`));
    return EXIT_CODES[verdict.verdict];
  },
});

function count(option: string, value: string | undefined, most: number): number | undefined {
  return value === undefined ? undefined : integer(option, value, 1, most);
}

interface SearchArguments {
  readonly model: Model;
  readonly reduction: boolean;
  readonly maxStates: number | undefined;
}

function search(scenario: Scenario, { model, reduction, maxStates }: SearchArguments, host: Host): Verdict {
  const status = new StatusLine(host);
  try {
    return exploreScenario(scenario, {
      model,
      reduction,
      ...(maxStates === undefined ? {} : { maxStates }),
      progress: (states) => status.show(() => `${grouped(states)} states`),
    });
  } catch (error) {
    throw asCommandError(error);
  } finally {
    status.clear();
  }
}

/** `queued-lock-M3.failure.json` */
function defaultFile({ name, mutant }: Scenario): string {
  return `${name}${mutant === undefined ? "" : `-${mutant}`}.failure.json`;
}

/** The verdict without the failures' decisions, which are in their file. */
function json(verdict: Verdict, file: string | undefined): string {
  const violations = verdict.violations.map(({ property, message, schedule, stateHash }, i) => ({
    property,
    message,
    schedule,
    stateHash,
    ...(i === 0 ? { file } : {}),
  }));
  return `${JSON.stringify({ ...verdict, violations })}\n`;
}
