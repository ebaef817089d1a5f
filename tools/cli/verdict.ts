// What an exploration found, as a person reads it.
import { formatFailure, type InterruptAgent, type Scenario, type Verdict } from "#explore";
import { grouped } from "./grouped.ts";
import { titleOf } from "./scenario.ts";

/** Lines of text: what was proved and how much was seen, or the failure step by step, which `command` replays. */
export function verdictText(verdict: Verdict, scenario: Scenario, command?: string): string {
  const { states, transitions, seconds, passes, collisionBound, reason } = verdict;
  const [violation] = verdict.violations;
  if (violation) return formatFailure(violation.failure, scenario, command === undefined ? {} : { command });
  const lines = [`${titleOf(scenario)}, model ${verdict.model}: ${verdict.verdict}${reason ? `: ${reason}` : ""}`];
  const isProof = verdict.verdict === "verified";
  if (isProof) lines.push("  every property holds on every schedule");
  if (verdict.interrupts)
    lines.push(`  with interrupts at any boundary: ${verdict.interrupts.map(agentText).join(", ")}`);
  if (verdict.masked !== undefined) lines.push(`  ${verdict.masked} is left out of the states: nobody reads it`);
  if (verdict.clock === "frozen") lines.push("  with a clock that stands still");
  const count = (what: number, word: string) => `${grouped(what)} ${word}`;
  const searched = `${passes} ${passes === 1 ? "pass" : "passes"}, ${seconds.toFixed(2)} s`;
  lines.push(`  ${count(states, "states")}, ${count(transitions, "transitions")}, ${searched}`);
  if (isProof) lines.push(`  two states taken for one with a probability below ${collisionBound.toExponential(0)}`);
  return lines.map((line) => `${line}\n`).join("");
}

/** `D1h once on P0` */
function agentText({ processor, vector, budget }: InterruptAgent): string {
  const times = budget === 1 ? "once" : `${budget} times`;
  return `${vector.toString(16).toUpperCase()}h ${times} on P${processor}`;
}
