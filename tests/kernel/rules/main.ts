// Which rules hold: runs every test whose title has a rule's id, and says rule by rule how it went.
//
//   npm run -s rules             a line a rule
//   npm run -s rules -- --json   an array of objects: id, statement, tests, state, and what the rest waits for or lacks
//
// States: pass, fail, later (with what it waits for), missing. Exit codes: 0 nothing fails, 1 something does.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { filesUnder, ROOT } from "../../house/tree.ts";
import { LACKING, PARTLY_WAITING, rules, WAITING } from "./table.ts";

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

/** Every test whose title names a rule. */
function taggedTests(): readonly Tagged[] {
  return filesUnder("tests", /\.test\.ts$/).flatMap((file) =>
    [...readFileSync(ROOT + file, "utf8").matchAll(TITLE)]
      .map(([, , title = ""]) => ({ file, title, ids: [...new Set(title.match(ID) ?? [])] }))
      .filter(({ ids }) => ids.length > 0),
  );
}

/** Runs a test file to its end. */
function run(file: string): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ["--conditions=ring0-source", "--import", "tsx", file], {
      cwd: ROOT,
      env: { ...process.env, NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "pipe"],
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

async function runAll(files: readonly string[]): Promise<readonly Outcome[]> {
  const queue = [...files];
  const outcomes: Outcome[] = [];
  const worker = async (): Promise<void> => {
    for (let file = queue.shift(); file; file = queue.shift()) outcomes.push(await run(file));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return outcomes;
}

const tagged = taggedTests();
const outcomes = await runAll([...new Set(tagged.map(({ file }) => file))]);
const brokenFiles = new Set(outcomes.filter(({ isWhole }) => !isWhole).map(({ file }) => file));
const failedIds = new Set(outcomes.flatMap(({ failed }) => failed.flatMap((title) => title.match(ID) ?? [])));

const report = rules.map(({ id, statement }) => {
  const tests = tagged.filter(({ ids }) => ids.includes(id));
  const fails = failedIds.has(id) || tests.some(({ file }) => brokenFiles.has(file));
  const waitsFor = WAITING.get(id);
  const lacks = LACKING.get(id);
  const state = fails ? "fail" : waitsFor ? "later" : tests.length === 0 || lacks ? "missing" : "pass";
  const later = PARTLY_WAITING.get(id);
  return {
    id,
    statement,
    tests: tests.map(({ file, title }) => `${file}: ${title}`),
    state,
    ...(waitsFor ? { waitsFor } : {}),
    ...(later ? { later } : {}),
    ...(lacks ? { lacks } : {}),
  };
});

if (process.argv.includes("--json")) console.log(JSON.stringify(report, null, 2));
else {
  for (const { id, statement, state, waitsFor, later, lacks } of report) {
    const rest = [waitsFor && `waits for ${waitsFor}`, later && `later: ${later}`, lacks && `lacks ${lacks}`];
    console.log([`${state.padEnd(8)}${id.padEnd(8)} ${statement}`, ...rest.filter(Boolean)].join("; "));
  }
  const counts = new Map<string, number>();
  for (const { state } of report) counts.set(state, (counts.get(state) ?? 0) + 1);
  console.log([...counts].map(([state, count]) => `${count} ${state}`).join(", "));
}
process.exitCode = report.some(({ state }) => state === "fail") ? 1 : 0;
