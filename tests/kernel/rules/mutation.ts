// A mistake for each rule, and the tests that see it: the rule's own must, and what others do is told.

import { mutants, type RuleMutant } from "./mutants/index.ts";
import { all, type Outcome, run, type Tagged, taggedTests } from "./runs.ts";

/** All rules' tests take about 15 s of a processor; where many run into their bounds of steps it is more, and hosts are busy. */
const LIMIT_MS = 3_600_000;

/** Runs every rule's tests on every mutant; says mutant by mutant how it went. Whether each fails its own rule's by a verdict. */
export async function reportMutants(ids: readonly string[], jobs: number): Promise<boolean> {
  const started = performance.now();
  const tagged = taggedTests();
  const wanted = mutants.filter(({ rule }) => ids.length === 0 || ids.includes(rule));
  let done = 0;
  tell(`0 of ${wanted.length}`);
  const killed = await all(wanted, jobs, async (mutant) => {
    const outcome = await run(
      ["--import", "./tests/kernel/rules/mutate.ts", "tests/kernel/rules/together.ts", ...filesFor(mutant, tagged)],
      LIMIT_MS,
      { RING0_MUTANT: mutant.rule },
    );
    tell("");
    console.log(report(mutant, outcome));
    tell(`${++done} of ${wanted.length}`);
    return ownVerdicts(mutant, outcome).length > 0 && outcome.isWhole;
  });
  tell("");
  const minutes = ((performance.now() - started) / 60_000).toFixed(1);
  console.log(
    `${killed.filter(Boolean).length} of ${wanted.length} mutants killed by their rules' own tests, ${minutes} min`,
  );
  return killed.every(Boolean);
}

/** Every file with tests of rules, those with the mutant's own rule first: what they say is there whatever comes after. */
function filesFor({ rule }: RuleMutant, tagged: readonly Tagged[]): readonly string[] {
  const own = tagged.filter(({ ids }) => ids.includes(rule)).map(({ file }) => file);
  return [...new Set([...own, ...tagged.map(({ file }) => file)])];
}

function ownVerdicts({ rule }: RuleMutant, { failures }: Outcome): readonly string[] {
  return failures.filter(({ ids, isVerdict }) => isVerdict && ids.includes(rule)).map(({ title }) => title);
}

function report(mutant: RuleMutant, outcome: Outcome): string {
  const [first = "NOBODY", ...more] = ownVerdicts(mutant, outcome);
  const rulesOf = (isVerdict: boolean): string =>
    [...new Set(outcome.failures.filter((failure) => failure.isVerdict === isVerdict).flatMap(({ ids }) => ids))]
      .filter((id) => id !== mutant.rule)
      .sort()
      .join(" ");
  const lines = [
    `${mutant.rule.padEnd(8)} ${mutant.summary}`,
    `killed by: ${first}${more.length > 0 ? ` and ${more.length} more` : ""}`,
    `also fails: ${rulesOf(true) || "nothing"}`,
  ];
  const without = rulesOf(false);
  if (without !== "") lines.push(`ends without a verdict: ${without}`);
  if (!outcome.isWhole) lines.push(`does not come to an end: ${outcome.end.trim().replaceAll(/\s+/g, " ")}`);
  return lines.join("\n         ");
}

/** One line on a terminal that is written over; nothing elsewhere. */
function tell(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}
