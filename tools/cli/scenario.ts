// The explorer's failures and errors as a command's: files, messages, exit codes.
import { readFileSync, writeFileSync } from "node:fs";
import { type Failure, readFailure, type Scenario, writeFailure } from "#explore";
import { mutantsOf, scenarioByName, scenarioNames } from "../scenarios/index.ts";
import { CommandError, EXIT } from "./exit.ts";
import { readBytes } from "./subject.ts";
import { didYouMean } from "./suggest.ts";

export interface ScenarioRequest {
  readonly name: string;
  /** Unless given: 2 and 1, or what the mutant needs to show itself. */
  readonly processors?: number | undefined;
  readonly rounds?: number | undefined;
  readonly mutant?: string | undefined;
}

/** A built-in scenario. Throws CommandError, with the name that was probably meant. */
export function findScenario({ name, processors, rounds, mutant }: ScenarioRequest): Scenario {
  if (!scenarioNames.includes(name)) {
    const hint = didYouMean(name, scenarioNames) || `; there are ${scenarioNames.join(", ")}`;
    throw new CommandError(`no scenario "${name}"${hint}`);
  }
  try {
    return scenarioByName(name, {
      ...(processors === undefined ? {} : { processors }),
      ...(rounds === undefined ? {} : { rounds }),
      ...(mutant === undefined ? {} : { mutant }),
    });
  } catch (error) {
    throw asCommandError(error);
  }
}

/** The scenarios and their mutants, for who asks what there is. */
export function scenarioList(): string {
  const lines = scenarioNames.flatMap((name) => [
    name,
    ...[...mutantsOf(name)].map(([mutant, summary]) => `  --mutant ${mutant.padEnd(4)} ${summary}`),
  ]);
  return lines.map((line) => `${line}\n`).join("");
}

/** What the explorer's own errors mean to who typed the command; others pass. */
export function asCommandError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if (error.name === "ScenarioError") return new CommandError(error.message, EXIT.nothing);
  if (error.name === "ScenarioNameError" || error.name === "FailureFileError") return new CommandError(error.message);
  return error;
}

/** Reads a failure file. Throws CommandError. */
export function loadFailure(file: string): Failure {
  readBytes(file);
  try {
    return readFailure(readFileSync(file, "utf8"));
  } catch (error) {
    throw error instanceof Error && error.name === "FailureFileError"
      ? new CommandError(`${file}: ${error.message}`)
      : error;
  }
}

/** Writes a failure file. Throws CommandError. */
export function saveFailure(file: string, failure: Failure): void {
  try {
    writeFileSync(file, writeFailure(failure));
  } catch (error) {
    throw new CommandError(`--output ${file}: it cannot be written (${(error as NodeJS.ErrnoException).code})`);
  }
}

/** What a scenario is called in messages: `queued-lock with mutant M3, 2 processors x 1`. */
export function titleOf({ name, processors, rounds, mutant }: Scenario): string {
  return `${name}${mutant === undefined ? "" : ` with mutant ${mutant}`}, ${processors} processors x ${rounds}`;
}
