// Which rules hold: runs every test whose title has a rule's id, and says rule by rule how it went.
//
//   npm run -s rules             a line a rule
//   npm run -s rules -- --json   an array of objects: id, statement, tests, state, and what the rest waits for
//   npm run -s rules -- --mutants [ID...] [--jobs N]   a mistake a rule: rule, mutant, killed by, what else fails
//
// States: pass, fail, later (with what it waits for), missing. Exit codes: 0 nothing fails, 1 something does, 2 usage.

import { parseArgs } from "node:util";
import { reportMutants } from "./mutation.ts";
import { all, run, taggedTests } from "./runs.ts";
import { MILESTONE_1, PARTLY_WAITING, rules, WAITING } from "./table.ts";

/** Files or mutants at a time, unless told otherwise. */
const JOBS = 2;
/** A file that has not ended by then says nothing. */
const LIMIT_MS = 300_000;

/** Every rule, with how its tests went. */
async function reportRules(jobs: number, asJson: boolean): Promise<boolean> {
  const tagged = taggedTests();
  const files = [...new Set(tagged.map(({ file }) => file))];
  const outcomes = await all(files, jobs, async (file) => ({ file, ...(await run([file], LIMIT_MS)) }));
  const brokenFiles = new Set(outcomes.filter(({ isWhole }) => !isWhole).map(({ file }) => file));
  const failedIds = new Set(outcomes.flatMap(({ failures }) => failures.flatMap(({ ids }) => ids)));

  const report = rules.map(({ id, statement }) => {
    const tests = tagged.filter(({ ids }) => ids.includes(id));
    const fails = failedIds.has(id) || tests.some(({ file }) => brokenFiles.has(file));
    const waitsFor = WAITING.get(id);
    const state = fails ? "fail" : waitsFor ? "later" : tests.length === 0 ? "missing" : "pass";
    const later = PARTLY_WAITING.get(id);
    return {
      id,
      statement,
      tests: tests.map(({ file, title }) => `${file}: ${title}`),
      state,
      ...(waitsFor ? { waitsFor } : {}),
      ...(later ? { later } : {}),
    };
  });

  if (asJson) console.log(JSON.stringify(report, null, 2));
  else {
    for (const { id, statement, state, waitsFor, later } of report) {
      const rest = [waitsFor && `waits for ${waitsFor}`, later && `later: ${later}`];
      console.log([`${state.padEnd(8)}${id.padEnd(8)} ${statement}`, ...rest.filter(Boolean)].join("; "));
    }
    console.log(`Milestone 1: ${countsOf(report.filter(({ id }) => MILESTONE_1.has(id)))}`);
    console.log(`all rules:   ${countsOf(report)}`);
  }
  return !report.some(({ state }) => state === "fail");
}

function countsOf(report: readonly { readonly state: string }[]): string {
  const counts = new Map<string, number>();
  for (const { state } of report) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].map(([state, count]) => `${count} ${state}`).join(", ");
}

/** The command line, or what is wrong with it. */
function commandLine() {
  const { values, positionals } = parseArgs({
    options: {
      json: { type: "boolean", default: false },
      mutants: { type: "boolean", default: false },
      jobs: { type: "string", default: `${JOBS}` },
    },
    allowPositionals: true,
  });
  const jobs = Number(values.jobs);
  if (!Number.isInteger(jobs) || jobs < 1) throw new RangeError(`--jobs ${values.jobs}: a number from 1 on will do`);
  const unknown = positionals.filter((id) => !rules.some((rule) => rule.id === id));
  if (unknown.length > 0) throw new RangeError(`no such rule: ${unknown.join(" ")}`);
  if (positionals.length > 0 && !values.mutants) throw new RangeError("rules are named after --mutants only");
  return { ...values, jobs, ids: positionals };
}

let line: ReturnType<typeof commandLine> | undefined;
try {
  line = commandLine();
} catch (error) {
  console.error(`rules: ${(error as Error).message}`);
  process.exitCode = 2;
}
if (line) {
  const isWell = await (line.mutants ? reportMutants(line.ids, line.jobs) : reportRules(line.jobs, line.json));
  process.exitCode = isWell ? 0 : 1;
}
