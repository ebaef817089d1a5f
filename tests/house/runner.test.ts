// The test runner judges its files: one that hangs, does not load, or runs no test is a failure.

import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ROOT } from "./tree.ts";

const test = suite("the test runner");

const HEAD = 'import { suite } from "uvu";\nconst test = suite("x");\n';
const GREEN = 'test("a", () => {});\n';
const RUN = "test.run();\n";

/** Run test files of these texts in a project of their own; give the exit code, the last line, and the report. */
function run(
  files: Record<string, string>,
  ...words: string[]
): { status: number | null; last: string; report: string } {
  const project = mkdtempSync(join(tmpdir(), "ring0-runner-"));
  try {
    mkdirSync(join(project, "tests"));
    cpSync(`${ROOT}tests/run.ts`, join(project, "tests/run.ts"));
    symlinkSync(`${ROOT}node_modules`, join(project, "node_modules"));
    writeFileSync(join(project, "package.json"), '{ "type": "module" }');
    for (const [name, text] of Object.entries(files)) writeFileSync(join(project, `tests/${name}.test.ts`), text);
    const { status, stdout } = spawnSync(process.execPath, ["--import", "tsx", "tests/run.ts", ...words], {
      cwd: project,
      encoding: "utf8",
    });
    return { status, last: stdout.trimEnd().split("\n").at(-1) ?? "", report: stdout };
  } finally {
    rmSync(project, { recursive: true });
  }
}

/** A title, a test file's text, the exit code and the last line of a run of that file alone. */
const cases: [title: string, text: string, status: number, last: string][] = [
  ["a green test passes", HEAD + GREEN + RUN, 0, "1 passed, 0 failed"],
  ["a red test fails", `${HEAD}${GREEN}test("b", () => { throw new Error("red"); });\n${RUN}`, 1, "1 passed, 1 failed"],
  [
    "a skipped test is counted apart",
    `${HEAD}${GREEN}test.skip("b", () => {});\n${RUN}`,
    0,
    "1 passed, 0 failed, 1 skipped",
  ],
  [
    "a file whose tests are all skipped ran nothing",
    `${HEAD}test.skip("a", () => {});\n${RUN}`,
    4,
    "0 passed, 0 failed, 1 skipped",
  ],
  ["a forgotten run() fails", HEAD + GREEN, 1, "0 passed, 1 failed"],
  ["a suite with no test fails", HEAD + RUN, 1, "0 passed, 1 failed"],
  ["a file that does not load fails", 'import "./nowhere.ts";\n', 1, "0 passed, 1 failed"],
  ["a process that leaves half way fails", `${HEAD}test("a", () => process.exit(0));\n${RUN}`, 1, "0 passed, 1 failed"],
  [
    "a test that hangs fails at its time limit",
    `// time limit: 1 s\n${HEAD}test("a", () => { for (;;); });\n${RUN}`,
    1,
    "0 passed, 1 failed",
  ],
];

for (const [title, text, status, last] of cases) {
  test(title, () => {
    const result = run({ only: text });
    assert.is(result.last, last, result.report);
    assert.is(result.status, status, result.report);
  });
}

test("words choose the files, and none found is not a success", () => {
  const files = { one: HEAD + GREEN + RUN, two: HEAD + GREEN + GREEN + RUN };
  assert.is(run(files).last, "3 passed, 0 failed");
  assert.is(run(files, "two").last, "2 passed, 0 failed");
  assert.is(run(files, "three").status, 4);
});

test("a failing file's output is shown, a passing one's only where it says why it skipped", () => {
  const talk = 'console.log("chatter\\nskipped: no compiler");\n';
  const { report } = run({
    bad: `${HEAD}test("b", () => { throw new Error("the reason"); });\n${RUN}`,
    good: HEAD + talk + GREEN + RUN,
  });
  assert.match(report, "the reason");
  assert.match(report, "skipped: no compiler");
  assert.not.match(report, "chatter");
});

test.run();
