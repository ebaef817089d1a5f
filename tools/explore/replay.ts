// A failure, seen again: its decisions taken one by one, and everything that happened on the way.

import { layout } from "#emulator";
import { Execution, READY, type Recorder } from "./execution.ts";
import { type Decision, FAILURE_VERSION, type Failure } from "./failure.ts";
import type { Scenario } from "./scenario.ts";
import { act, nobodyGoesOn, PROGRESS } from "./search.ts";
import { hex } from "./text.ts";
import type { Model } from "./verdict.ts";

export interface Replay {
  /** The violation was seen again, and the final state has the hash of the failure. */
  readonly reproduced: boolean;
  /** What differs, where it was not. */
  readonly difference?: string;
  /** What was seen in the end, where a property was violated. */
  readonly property?: string;
  readonly message?: string;
  /** Hash of the final state: sixteen hexadecimal digits. */
  readonly stateHash: string;
}

/** Takes a failure's decisions again in its scenario: the same program, or the answer says that it is another one. */
export function replay(failure: Failure, scenario: Scenario, recorder: Recorder | null = null): Replay {
  const execution = new Execution(scenario);
  const stateHash = (): string => execution.rewinder.machine.stateHash();
  const image = stateHash();
  if (image !== failure.image)
    return {
      reproduced: false,
      difference: `the program is another one: its hash is ${image}, not ${failure.image}`,
      stateHash: image,
    };
  for (const address of failure.shared) execution.share(address);
  execution.unreduced = true;
  execution.recorder = recorder;
  let ending = execution.begin();
  for (const [number, decision] of failure.decisions.entries()) {
    const agent = agentOf(execution, decision);
    const same =
      ending === "done" &&
      (agent === undefined
        ? execution.isReady(decision.processor) && sameDecision(execution.next(decision.processor), decision)
        : execution.interrupts.canCome(agent));
    if (!same) {
      const wanted = `P${decision.processor} ${decision.kind} ${hex(decision.address)}`;
      const difference = `decision ${number + 1} (${wanted}) cannot be taken`;
      return { reproduced: false, difference, stateHash: stateHash() };
    }
    ending = agent === undefined ? execution.advance(decision.processor) : execution.interrupt(agent);
  }
  const seen = violationNow(execution, ending);
  const hash = stateHash();
  const difference =
    seen?.property !== failure.property
      ? `seen in the end: ${seen?.property ?? "nothing wrong"}; expected: ${failure.property}`
      : hash !== failure.stateHash
        ? `the final state's hash is ${hash}; expected: ${failure.stateHash}`
        : undefined;
  return { reproduced: difference === undefined, difference, ...seen, stateHash: hash };
}

/** The failure that a schedule of actions ends in. The last one may be the one that violates the property. */
export function record(
  scenario: Scenario,
  shared: readonly number[],
  schedule: readonly number[],
  model: Model,
): Failure {
  const execution = new Execution(scenario);
  const { machine } = execution.rewinder;
  const image = machine.stateHash();
  for (const address of shared) execution.share(address);
  execution.unreduced = true;
  let ending = execution.begin();
  const decisions: Decision[] = [];
  for (const action of schedule) {
    const agent = execution.interrupts.agents[action - execution.processors];
    decisions.push(
      agent === undefined
        ? execution.next(action)
        : { processor: agent.processor, kind: "interrupt", address: agent.vector },
    );
    ending = act(execution, action);
  }
  const seen = violationNow(execution, ending);
  if (!seen) throw new Error(`${scenario.name}: the schedule ${schedule.join(" ")} violates nothing when taken again`);
  const { name, processors, rounds, mutant } = scenario;
  return {
    version: FAILURE_VERSION,
    scenario: { name, processors, rounds, ...(mutant === undefined ? {} : { mutant }) },
    options: { model },
    image,
    shared: [...shared],
    decisions,
    ...seen,
    stateHash: machine.stateHash(),
  };
}

/** Which agent's interrupt a decision is; undefined: it is a step. */
function agentOf({ interrupts }: Execution, { processor, kind, address }: Decision): number | undefined {
  if (kind !== "interrupt") return undefined;
  const agent = interrupts.agents.findIndex((one) => one.processor === processor && one.vector === address);
  return agent < 0 ? undefined : agent;
}

function sameDecision(a: Decision, b: Decision): boolean {
  return a.kind === b.kind && a.address === b.address;
}

/** What is wrong at the end of a schedule. */
function violationNow(execution: Execution, ending: string): { property: string; message: string } | undefined {
  if (ending === "violated") return execution.violation ?? undefined;
  if (ending !== "done") return undefined;
  if (execution.isOver) return execution.finish() === "violated" ? (execution.violation ?? undefined) : undefined;
  const message = `nobody can go on: ${waitingText(execution)}`;
  return nobodyGoesOn(execution) === true ? { property: PROGRESS, message } : undefined;
}

/** Who waits where, and for what. */
function waitingText(execution: Execution): string {
  const { blueprint, rewinder } = execution;
  return Array.from(execution.status, (status, processor) => {
    if (status === READY) {
      const { address } = execution.next(processor);
      const writer = execution.writers[address >>> 2];
      const left = writer === undefined || writer === 0 ? "from the start" : `as P${writer - 1} left it`;
      const value = blueprint.valueText(rewinder.dword(address - (address % 4)));
      const word = `${blueprint.nameOf(address)}, which holds ${value} ${left}`;
      return `${execution.whereIs(processor)} waits for a change of ${word}`;
    }
    if (execution.hasEnded(processor)) return `P${processor} is over`;
    const halted = rewinder.activity(processor) === layout.HALTED;
    const how = halted
      ? "waits for an interrupt, and none will come"
      : "goes round in circles, and nobody writes what it reads";
    return `${execution.whereIs(processor)} ${how}`;
  }).join("; ");
}
