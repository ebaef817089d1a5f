// The failure file: all that is needed to see a violation again, on any machine, bit by bit.

import type { ScenarioOptions } from "./scenario.ts";
import type { Model } from "./verdict.ts";

/** Raised whenever a failure of an older version could not be replayed as it was found. */
export const FAILURE_VERSION = 1;

/**
 * What a step does. To memory: `update` is a locked read and write in one. At a boundary where an interrupt could come: `run` goes
 * on, `window` does where others' messages could have come, and `interrupt` takes one; their address is EIP, or the vector.
 */
export const STEP_KINDS = ["read", "write", "update", "run", "window", "interrupt"] as const;
export type StepKind = (typeof STEP_KINDS)[number];

/** One step or choice: which processor, and what it does. Addresses of memory are physical. */
export interface Decision {
  readonly processor: number;
  readonly kind: StepKind;
  readonly address: number;
}

export interface Failure {
  readonly version: typeof FAILURE_VERSION;
  readonly scenario: ScenarioOptions & { readonly name: string };
  readonly options: { readonly model: Model };
  /** State hash before the first instruction: sixteen hexadecimal digits. Another one would be another program. */
  readonly image: string;
  /** Addresses of the words whose accesses are visible steps. */
  readonly shared: readonly number[];
  readonly decisions: readonly Decision[];
  readonly property: string;
  readonly message: string;
  /** Hash of the state after the last decision. */
  readonly stateHash: string;
}

/** A failure file that cannot be used: what was found and what would do. */
export class FailureFileError extends Error {
  override readonly name = "FailureFileError";
}

/** A failure as the text of a file. */
export function writeFailure(failure: Failure): string {
  return `${JSON.stringify(failure, null, 2)}\n`;
}

/** The failure in a file's text. Throws FailureFileError where it is none, or of another version. */
export function readFailure(text: string): Failure {
  const value = parse(text);
  if (!isRecord(value)) throw new FailureFileError("not a failure file: an object was expected");
  if (value["version"] !== FAILURE_VERSION)
    throw new FailureFileError(
      `a failure file of version ${String(value["version"])}; version ${FAILURE_VERSION} can be read`,
    );
  const { scenario, options, shared, decisions } = value;
  const complete =
    isRecord(scenario) &&
    typeof scenario["name"] === "string" &&
    isCount(scenario["processors"]) &&
    isCount(scenario["rounds"]) &&
    (scenario["mutant"] === undefined || typeof scenario["mutant"] === "string") &&
    isRecord(options) &&
    options["model"] === "sc" &&
    Array.isArray(shared) &&
    shared.every(isCount) &&
    Array.isArray(decisions) &&
    decisions.every(isDecision) &&
    ["image", "property", "message", "stateHash"].every((key) => typeof value[key] === "string");
  if (!complete)
    throw new FailureFileError("not a whole failure file: some of its parts are missing or of another kind");
  return value as unknown as Failure;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new FailureFileError(`not a failure file: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 0;
}

function isDecision(value: unknown): boolean {
  return (
    isRecord(value) &&
    isCount(value["processor"]) &&
    isCount(value["address"]) &&
    STEP_KINDS.some((kind) => kind === value["kind"])
  );
}
