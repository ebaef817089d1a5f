// Exhaustive exploration of a scenario: every schedule of its processors' visible steps.

import { discover } from "./discover.ts";
import { Execution } from "./execution.ts";
import { record } from "./replay.ts";
import { type Scenario, ScenarioError } from "./scenario.ts";
import { type Finding, ownersOf, type SearchOptions, type SearchResult, search } from "./search.ts";
import { scheduleText } from "./text.ts";
import type { ExploreOptions, Model, Verdict, Violation } from "./verdict.ts";

/**
 * Every schedule of a scenario. The same scenario and options give the same verdict with the same counts. Throws
 * ScenarioError for a scenario that proves nothing: an empty section, or processors that never contend.
 */
export function explore(scenario: Scenario, options: ExploreOptions = {}): Verdict {
  const { model = "sc", maxStates = Number.POSITIVE_INFINITY, everyAccess = false } = options;
  const { reduction = true, recall = true } = options;
  const started = performance.now();
  const execution = new Execution(scenario);
  if (everyAccess) for (const address of execution.blueprint.dataAddresses()) execution.share(address);
  execution.unreduced = !reduction;
  const { found, passes } = searchAll(execution, scenario, {
    maxStates,
    recall,
    progress: options.progress,
  });
  const shared = execution.sharedAddresses();
  const violations = found.ending === "unfinished" ? [] : violationsOf(found, execution, scenario, shared, model);
  const verdict =
    found.ending === "unfinished"
      ? "unfinished"
      : violations.length > 0
        ? "violated"
        : found.ending === "bounded"
          ? "bounded"
          : "verified";
  if (verdict === "verified") demandEvidence(scenario, execution);
  const { name, processors, rounds, mutant } = scenario;
  return {
    verdict,
    scenario: { name, processors, rounds, ...(mutant === undefined ? {} : { mutant }) },
    model,
    states: found.states,
    transitions: found.transitions,
    seconds: (performance.now() - started) / 1000,
    violations,
    ...(scenario.clock === undefined ? {} : { clock: scenario.clock }),
    ...(scenario.stacks === undefined ? {} : { masked: "memory below the stack pointer" }),
    ...(scenario.interrupts === undefined ? {} : { interrupts: scenario.interrupts }),
    ...(found.reason === undefined ? {} : { reason: found.reason }),
    outcomes: [...found.outcomes].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, outcome]) => outcome),
    shared: shared.map((address) => execution.blueprint.nameOf(address)),
    passes,
    collisionBound: found.states ** 2 / 2 ** 65,
  };
}

/**
 * Passes until no further word turns out to be shared. Until then steps are taken for private that are not, and what
 * monitors say is not to be believed; so a pass that has found violations, and has not looked behind them, is followed by
 * one that passes over them, to see whether it knew all shared words.
 */
function searchAll(
  execution: Execution,
  scenario: Scenario,
  options: SearchOptions,
): { found: SearchResult; passes: number } {
  discover(execution);
  for (let passes = 1; ; passes++) {
    const found = search(execution, scenario, options);
    if (found === undefined) continue;
    if (found.ending === "unfinished" || found.findings.length === 0) return { found, passes };
    passes++;
    const maxStates = Math.min(options.maxStates, found.states * CONFIRMATION + CONFIRMATION_LEAST);
    execution.lenient = true;
    const confirmed = search(execution, scenario, { ...options, maxStates }) !== undefined;
    execution.lenient = false;
    if (confirmed) return { found, passes };
  }
}

/** How much larger than the pass with the violations the one behind them may grow. */
const CONFIRMATION = 4;
const CONFIRMATION_LEAST = 100_000;

/** A proof that could not have failed is none. */
function demandEvidence({ name, monitors, processors }: Scenario, { evidence }: Execution): void {
  for (const { demands } of monitors)
    for (const [demand, complaint] of Object.entries(demands)) {
      if (processors === 1)
        throw new ScenarioError(`${name}: a single processor contends with nobody, which proves nothing`);
      if (!evidence.has(demand)) throw new ScenarioError(`${name}: ${complaint}`);
    }
}

/** For each property that does not hold the simplest schedule on which it fails. */
function violationsOf(
  found: SearchResult,
  execution: Execution,
  scenario: Scenario,
  shared: readonly number[],
  model: Model,
): Violation[] {
  const { findings, graph, states } = found;
  if (findings.length === 0) return [];
  const owners = ownersOf(execution);
  const routes = graph.simplest(findings, states, owners);
  const best = new Map<string, { finding: Finding; schedule: readonly number[]; cost: number }>();
  findings.forEach((finding, number) => {
    const route = routes[number]!;
    const known = best.get(finding.property);
    if (!known || route.cost < known.cost) best.set(finding.property, { finding, ...route });
  });
  return [...best.values()]
    .sort((a, b) => a.cost - b.cost)
    .map(({ finding, schedule }) => {
      const whole = finding.action === undefined ? schedule : [...schedule, finding.action];
      const failure = record(scenario, shared, whole, model);
      const { property, message, stateHash } = failure;
      const text = scheduleText(
        whole.map((action) => owners[action]!),
        whole.map((action) => action >= scenario.processors),
      );
      return { property, message, schedule: text, stateHash, failure };
    });
}
