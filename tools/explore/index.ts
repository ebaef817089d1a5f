// ring0/explore: every schedule of a small guest program, name by name.

/** The search, and what it says. */
export { explore } from "./explore.ts";
/** Failures: as files, seen again, and as text for people. */
export {
  type Decision,
  FAILURE_VERSION,
  type Failure,
  FailureFileError,
  readFailure,
  type StepKind,
  writeFailure,
} from "./failure.ts";
export { type LockMarks, lockMonitor } from "./lock-monitor.ts";
/** Properties to hold on every schedule. */
export type { Hooks, Monitor, MonitorWords, Watch } from "./monitor.ts";
export { type Replay, replay } from "./replay.ts";
export { type FormatOptions, formatFailure } from "./report.ts";
/** What is explored. */
export {
  type InterruptAgent,
  type Scenario,
  ScenarioError,
  type ScenarioOptions,
  type SetupMemory,
  type StackRange,
  type Start,
} from "./scenario.ts";
export { type ExploreOptions, MODELS, type Model, type Outcome, type Verdict, type Violation } from "./verdict.ts";
