// Which rules hold: runs every test whose title has a rule's id, and says rule by rule how it went.
//
//   npm run -s rules             a line a rule
//   npm run -s rules -- --json   an array of objects: id, statement, tests, state, and what the rest waits for
//   npm run -s rules -- --mutants [ID...]   kernels with a mistake a rule: rule, mutant, killed by, what else fails
//
// States: pass, fail, later (with what it waits for), missing. Exit codes: 0 nothing fails, 1 something does.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { filesUnder, ROOT } from "../../house/tree.ts";
import { mutants, type RuleMutant } from "./mutants.ts";
import { PARTLY_WAITING, rules, WAITING } from "./table.ts";

/** A test that belongs to rules. A title made in a loop is the text that its author wrote. */
interface Tagged {
  readonly file: string;
  readonly title: string;
  readonly ids: readonly string[];
}

interface Outcome {
  readonly file: string;
  /** Titles of tests that failed; all belong to a file that did not come to its end. */
  readonly failed: readonly string[];
  readonly isWhole: boolean;
}

const ID = /\b(?:IRQL|APIC|SL|QL|RW|XI|IO|DPC|TMR|IPI|BC|LAY|CC|HW)-\d\d\b/g;
const TITLE = /\btest\)?\(\s*(["'`])(.*?[^\\])\1/gs;
const AT_ONCE = 2;
/** A file that has not ended by then says nothing. */
const LIMIT_MS = 300_000;
/** Files whose kernels a mutant reaches. */
const ON_MUTANTS = "tests/kernel/rules/";

/** Every test whose title names a rule. */
function taggedTests(): readonly Tagged[] {
  return filesUnder("tests", /\.test\.ts$/).flatMap((file) =>
    [...readFileSync(ROOT + file, "utf8").matchAll(TITLE)]
      .map(([, , title = ""]) => ({ file, title, ids: [...new Set(title.match(ID) ?? [])] }))
      .filter(({ ids }) => ids.length > 0),
  );
}

/** Runs a test file to its end; with a mutant on kernels that have its mistake. */
function run(file: string, mutant?: RuleMutant): Promise<Outcome> {
  return new Promise((resolve) => {
    const before = mutant ? ["--import", "./tests/kernel/rules/mutate.ts"] : [];
    const child = spawn(process.execPath, ["--conditions=ring0-source", "--import", "tsx", ...before, file], {
      cwd: ROOT,
      env: { ...process.env, NO_COLOR: "1", ...(mutant ? { RING0_MUTANT: mutant.rule } : {}) },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: LIMIT_MS,
    });
    let output = "";
    const keep = (text: string): void => {
      output += text;
    };
    child.stdout.setEncoding("utf8").on("data", keep);
    child.stderr.setEncoding("utf8").on("data", keep);
    child.on("close", () => {
      const failed = [...output.matchAll(/^ {3}FAIL {2}.*?"(.*)"$/gm)].map(([, title = ""]) => title);
      resolve({ file, failed, isWhole: /^ {2}Total: +[1-9]/m.test(output) });
    });
  });
}

/** Does all of something, a few at a time; results in the order of the work. */
async function all<T, R>(work: readonly T[], act: (one: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < work.length; index = next++) results[index] = await act(work[index]!);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}

/** Every rule, with how its tests went. */
async function reportRules(): Promise<boolean> {
  const tagged = taggedTests();
  const outcomes = await all([...new Set(tagged.map(({ file }) => file))], (file) => run(file));
  const brokenFiles = new Set(outcomes.filter(({ isWhole }) => !isWhole).map(({ file }) => file));
  const failedIds = new Set(outcomes.flatMap(({ failed }) => failed.flatMap((title) => title.match(ID) ?? [])));

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

  if (process.argv.includes("--json")) console.log(JSON.stringify(report, null, 2));
  else {
    for (const { id, statement, state, waitsFor, later } of report) {
      const rest = [waitsFor && `waits for ${waitsFor}`, later && `later: ${later}`];
      console.log([`${state.padEnd(8)}${id.padEnd(8)} ${statement}`, ...rest.filter(Boolean)].join("; "));
    }
    const counts = new Map<string, number>();
    for (const { state } of report) counts.set(state, (counts.get(state) ?? 0) + 1);
    console.log([...counts].map(([state, count]) => `${count} ${state}`).join(", "));
  }
  return !report.some(({ state }) => state === "fail");
}

/** Every mutant, with the tests of its rule that fail on it, and the other rules that it breaks in the same files. */
async function reportMutants(ids: readonly string[]): Promise<boolean> {
  const tagged = taggedTests().filter(({ file }) => file.startsWith(ON_MUTANTS));
  const wanted = mutants.filter(({ rule }) => ids.length === 0 || ids.includes(rule));
  const killed = await all(wanted, async (mutant) => {
    const files = [...new Set(tagged.filter(({ ids: own }) => own.includes(mutant.rule)).map(({ file }) => file))];
    const outcomes: Outcome[] = [];
    for (const file of files) outcomes.push(await run(file, mutant));
    const failed = outcomes.flatMap((outcome) => outcome.failed);
    const own = failed.filter((title) => title.match(ID)?.includes(mutant.rule));
    const others = new Set(failed.flatMap((title) => title.match(ID) ?? []).filter((id) => id !== mutant.rule));
    console.log(`${mutant.rule.padEnd(8)} ${mutant.summary}`);
    console.log(`         killed by: ${own[0] ?? "NOBODY"}${own.length > 1 ? ` and ${own.length - 1} more` : ""}`);
    console.log(`         also fails: ${[...others].sort().join(" ") || "nothing"}`);
    return own.length > 0 && outcomes.every(({ isWhole }) => isWhole);
  });
  console.log(`${killed.filter(Boolean).length} of ${wanted.length} mutants killed by their rules' own tests`);
  return killed.every(Boolean);
}

const [first, ...rest] = process.argv.slice(2);
const isWell = first === "--mutants" ? await reportMutants(rest) : await reportRules();
process.exitCode = isWell ? 0 : 1;
