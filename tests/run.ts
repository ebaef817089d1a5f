// Runs the test files, each in a process of its own with a time limit, and sums up what uvu says of them.
//
//   npm test                    all of them
//   npm test -- lapic kernel/   those whose path contains one of the words
//
// A file may ask for more time in its first lines: `// time limit: 300 s`. A line of output that begins with "skipped:"
// is shown even when the file passes. Exit codes: 0 all is well, 1 something failed, 4 nothing ran.

import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

type Job = { file: string; limitSeconds: number };
type Outcome = { passed: number; failed: number; skipped: number; why?: string; output: string };

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const DEFAULT_LIMIT_SECONDS = 120;
const AT_ONCE = 2;

const { FORCE_COLOR: _, ...environment } = process.env; // Node warns where it meets both this and NO_COLOR
const running = new Set<ChildProcess>();

/** The test files whose path contains one of the words (all of them when there is no word), the long ones first. */
function findJobs(words: string[]): Job[] {
  return readdirSync(`${ROOT}tests`, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => `tests/${name.replaceAll("\\", "/")}`)
    .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
    .map((file) => ({ file, limitSeconds: limitOf(file) }))
    .sort((a, b) => b.limitSeconds - a.limitSeconds || (a.file < b.file ? -1 : 1));
}

/** The time limit that a file's first lines ask for, in seconds. */
function limitOf(file: string): number {
  const head = readFileSync(ROOT + file, "utf8").slice(0, 1000);
  return Number(/^\/\/ time limit: (\d+) s/m.exec(head)?.[1] ?? DEFAULT_LIMIT_SECONDS);
}

/** Run one file to its end or its limit; what it started goes with it. */
function runFile({ file, limitSeconds }: Job): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ["--conditions=ring0-source", "--import", "tsx", file], {
      cwd: ROOT,
      env: { ...environment, NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true, // a process group of its own, so that its children can be ended too
    });
    let output = "";
    let late = false;
    const keep = (text: string) => {
      output += text;
    };
    child.stdout.setEncoding("utf8").on("data", keep);
    child.stderr.setEncoding("utf8").on("data", keep);
    const timer = setTimeout(() => {
      late = true;
      endGroup(child);
    }, limitSeconds * 1000);
    running.add(child);
    child.on("exit", () => endGroup(child)); // a grandchild left behind would hold the pipes open
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      running.delete(child);
      resolve(judge(output, late ? `not done after ${limitSeconds} s` : undefined, code, signal));
    });
  });
}

/** End a test's process and all that it started. */
function endGroup(child: ChildProcess): void {
  try {
    process.kill(-(child.pid as number), "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // all gone already
  }
}

/** Read uvu's closing lines. What is not a whole, green summary of at least one test counts as a failure. */
function judge(output: string, late: string | undefined, code: number | null, signal: string | null): Outcome {
  const summary = [...output.matchAll(/^ {2}Total: +(\d+)\n {2}Passed: +(\d+)\n {2}Skipped: +(\d+)$/gm)].at(-1);
  const [total, passed, skipped] = (summary?.slice(1) ?? [0, 0, 0]).map(Number) as [number, number, number];
  let why = late;
  if (why === undefined && !summary) why = `ended without a summary (${signal ?? `exit code ${code}`})`;
  if (why === undefined && total + skipped === 0) why = "runs no test: is run() called?";
  if (why === undefined && code !== 0 && passed === total)
    why = `every test passed, yet ${signal ?? `exit code ${code}`}`;
  return { passed, failed: total - passed + (why === undefined ? 0 : 1), skipped, why, output };
}

/** One line for a file; all that it printed when it failed. */
function report(file: string, { passed, failed, skipped, why, output }: Outcome, seconds: number): void {
  const counts = `${passed} passed${failed ? `, ${failed} FAILED` : ""}${skipped ? `, ${skipped} skipped` : ""}`;
  console.log(`${failed ? "✘" : "•"} ${file}: ${counts}, ${seconds.toFixed(1)} s${why ? `: ${why}` : ""}`);
  if (failed) console.log(output.trimEnd().replaceAll(/^/gm, "    "));
  else for (const line of output.match(/^skipped: .*$/gm) ?? []) console.log(`    ${line}`);
}

const jobs = findJobs(process.argv.slice(2));
const sum = { passed: 0, failed: 0, skipped: 0 };

/** Take files from the list until there is none left. */
async function worker(): Promise<void> {
  for (let job = jobs.shift(); job; job = jobs.shift()) {
    const start = performance.now();
    const outcome = await runFile(job);
    report(job.file, outcome, (performance.now() - start) / 1000);
    for (const key of ["passed", "failed", "skipped"] as const) sum[key] += outcome[key];
  }
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    for (const child of running) endGroup(child);
    process.exit(1);
  });
}

await Promise.all(Array.from({ length: AT_ONCE }, worker));
if (sum.passed + sum.failed === 0) console.log("no test ran: no file matched, or every test was skipped");
process.exitCode = sum.failed > 0 ? 1 : sum.passed === 0 ? 4 : 0;
console.log(`${sum.passed} passed, ${sum.failed} failed${sum.skipped ? `, ${sum.skipped} skipped` : ""}`);
