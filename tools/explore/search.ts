// State-matched depth-first search over all schedules of visible steps, repeated until no further word turns out to be shared.

import type { Ending, Execution } from "./execution.ts";
import { Graph } from "./graph.ts";
import { Recall } from "./recall.ts";
import type { Scenario } from "./scenario.ts";
import { States } from "./states.ts";
import type { Outcome } from "./verdict.ts";

/** A state, or a step from it, in which a property does not hold. */
export interface Finding {
  readonly state: number;
  /** The action that leads into the violation; undefined: it is in the state itself. */
  readonly action?: number;
  readonly property: string;
}

export interface SearchResult {
  readonly ending: "complete" | "bounded" | "unfinished";
  /** Why it is unfinished. */
  readonly reason?: string;
  readonly states: number;
  readonly transitions: number;
  readonly findings: readonly Finding[];
  readonly outcomes: ReadonlyMap<string, Outcome>;
  readonly graph: Graph;
}

/** The property that is violated when nobody can go on. */
export const PROGRESS = "progress";

/** Outcomes and findings kept; more would say nothing new. */
const MOST_OUTCOMES = 1000;
const MOST_FINDINGS = 10_000;
/** A processor that waits comes back to where it was within so many visible steps. */
const LONGEST_WAIT = 10_000;
const PROGRESS_EVERY = 0x3fff;

/** What is on the way from the first state to the present one. */
interface Frame {
  state: number;
  /** The action to take next. */
  next: number;
  /** The only processor whose actions are taken, as its choices are its own affair; EVERYBODY: all are. */
  only: number;
  /** Some step changed memory or ended a program, so this state is no deadlock. */
  progress: boolean;
}

const EVERYBODY = -1;

/** Actions are steps, by number of processor, and then agents' interrupts. */
export function act(execution: Execution, action: number): Ending {
  const { processors } = execution;
  return action < processors ? execution.advance(action) : execution.interrupt(action - processors);
}

export function canAct(execution: Execution, action: number): boolean {
  const { processors, interrupts } = execution;
  return action < processors ? execution.isReady(action) : interrupts.canCome(action - processors);
}

/** The processor that each action is one of. */
export function ownersOf({ processors, interrupts }: Execution): number[] {
  return [
    ...Array.from({ length: processors }, (_, processor) => processor),
    ...interrupts.agents.map((a) => a.processor),
  ];
}

export interface SearchOptions {
  readonly maxStates: number;
  /** Steps seen before are not run again. */
  readonly recall: boolean;
  readonly progress?: (states: number) => void;
}

/** One pass; undefined if a word turned out to be shared, so that another pass is needed. Leaves the execution as it was. */
export function search(execution: Execution, scenario: Scenario, options: SearchOptions): SearchResult | undefined {
  const { rewinder } = execution;
  const owners = ownersOf(execution);
  const onPath = new Set<number>();
  const states = new States();
  const graph = new Graph();
  const findings: Finding[] = [];
  const outcomes = new Map<string, Outcome>();
  const frames: Frame[] = [];
  let depth = 0;

  const find = (finding: Finding): void => {
    if (findings.length < MOST_FINDINGS) findings.push(finding);
  };
  const leave = (): void => {
    while (rewinder.depth > 0) execution.undo();
    execution.recall = null;
  };
  const result = (ending: SearchResult["ending"], reason?: string): SearchResult => {
    leave();
    return { ending, reason, states: states.count, transitions: graph.count, findings, outcomes, graph };
  };
  const number = (): number => {
    const { low, high } = rewinder.hash();
    return states.number(low, high);
  };
  const enter = (state: number): void => {
    const frame = (frames[depth] ??= { state: 0, next: 0, only: EVERYBODY, progress: false });
    const only = privateOne(execution);
    Object.assign(frame, { state, next: 0, only, progress: only !== EVERYBODY });
    onPath.add(state);
    depth++;
    if ((states.count & PROGRESS_EVERY) === 0) options.progress?.(states.count);
    if (!execution.isOver) return;
    frame.progress = true;
    const outcome = outcomeOf(execution, scenario);
    if (outcomes.size < MOST_OUTCOMES) outcomes.set(JSON.stringify(outcome), outcome);
    if (execution.finish() === "violated") find({ state, property: execution.violation!.property });
    execution.violation = null;
  };

  const first = execution.begin();
  if (first === "sharing") {
    leave();
    return undefined;
  }
  if (first === "unfinished") return result("unfinished", execution.obstacle);
  if (first === "violated") {
    find({ state: number(), property: execution.violation!.property });
    return result("complete");
  }
  enter(number());
  if (options.recall) execution.recall = new Recall(rewinder);
  while (depth > 0) {
    const frame = frames[depth - 1]!;
    if (frame.next === owners.length) {
      if (!frame.progress) {
        const blocked = nobodyGoesOn(execution);
        if (blocked === "sharing") {
          leave();
          return undefined;
        }
        if (blocked) find({ state: frame.state, property: PROGRESS });
      }
      depth--;
      onPath.delete(frame.state);
      if (depth > 0) execution.undo();
      continue;
    }
    const action = frame.next++;
    if (frame.only !== EVERYBODY && owners[action] !== frame.only) continue;
    if (!canAct(execution, action)) continue;
    const { low, high } = rewinder.memory;
    const ending = act(execution, action);
    if (ending === "sharing") {
      leave();
      return undefined;
    }
    if (ending === "unfinished") return result("unfinished", execution.obstacle);
    if (ending === "violated") {
      find({ state: frame.state, action, property: execution.violation!.property });
      frame.progress = true;
      execution.undo();
      continue;
    }
    const state = number();
    if (state === frame.state) {
      execution.undo(); // it waits: nothing changes until somebody else writes what it reads
      continue;
    }
    const changed = rewinder.memory.low !== low || rewinder.memory.high !== high;
    if (changed || execution.hasEnded(owners[action]!)) frame.progress = true;
    graph.add(frame.state, action, state);
    if (!states.isNew && frame.only !== EVERYBODY && onPath.has(state)) {
      frame.only = EVERYBODY; // a circle in which the others would never be looked at
      frame.next = 0;
    }
    if (!states.isNew) execution.undo();
    else if (states.count > options.maxStates) return result("bounded", `${options.maxStates} states`);
    else enter(state);
  }
  return result("complete");
}

/**
 * Whether in the present state every processor whose program is not over waits for a change of what it reads: left alone it
 * comes back to where it was and has changed no memory, and on its way no interrupt can come. All of them together then stay so
 * for ever.
 */
export function nobodyGoesOn(execution: Execution): boolean | "sharing" {
  let blocked = false;
  for (let processor = 0; processor < execution.processors; processor++) {
    if (execution.hasEnded(processor)) continue;
    const ending = waits(execution, processor);
    if (ending !== true) return ending;
    blocked = true;
  }
  return blocked;
}

function waits(execution: Execution, processor: number): boolean | "sharing" {
  const { rewinder } = execution;
  const { depth } = rewinder;
  const { low, high } = rewinder.memory;
  const seen = new Set([rewinder.hashText()]);
  let answer: boolean | "sharing" | undefined;
  const agents = execution.interrupts.agentsOf(processor);
  for (let steps = 0; answer === undefined; steps++) {
    if (agents.some((agent) => execution.interrupts.canCome(agent))) answer = false;
    else if (!execution.isReady(processor)) answer = !execution.hasEnded(processor);
    else {
      const ending = execution.advance(processor);
      const changed = rewinder.memory.low !== low || rewinder.memory.high !== high;
      if (ending === "sharing") answer = "sharing";
      else if (ending !== "done" || changed || steps === LONGEST_WAIT) answer = false;
      else if (seen.has(rewinder.hashText())) answer = true;
      else seen.add(rewinder.hashText());
    }
  }
  while (rewinder.depth > depth) execution.undo();
  return answer;
}

/**
 * A processor in front of a choice that is its own affair. What others do meanwhile makes no difference to it, nor it to them, so
 * that only its actions need be taken here; and the others' from where it has come to something that concerns them.
 */
function privateOne(execution: Execution): number {
  for (let processor = 0; processor < execution.processors; processor++)
    if (execution.isPrivate(processor)) return processor;
  return EVERYBODY;
}

function outcomeOf(execution: Execution, { words }: Scenario): Outcome {
  const { blueprint, rewinder } = execution;
  return Object.fromEntries([...words].map(([address, name]) => [name, blueprint.valueText(rewinder.dword(address))]));
}
