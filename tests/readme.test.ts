// time limit: 300 s
// Every example of the README is run, and does what the README shows.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite("the README");

const ROOT = fileURLToPath(new URL("../", import.meta.url));

interface Example {
  readonly command: string;
  readonly shown: readonly string[];
}

/** What fences a block, its first line's words behind that, and its text. */
const blocks = [...readFileSync(`${ROOT}README.md`, "utf8").matchAll(/^```(\w+) ?(\S*)\n(.*?)^```$/gms)].map(
  ([, language, name, text]) => ({ language, name: name as string, text: text as string }),
);

/** Commands with what they print. */
const examples = blocks
  .filter(({ language }) => language === "console")
  .flatMap(({ text }) =>
    text
      .split(/^\$ /m)
      .slice(1)
      .map((part): Example => {
        const [command, ...shown] = part.trimEnd().split("\n");
        return { command: command as string, shown };
      }),
  );

/** Inside the project, so that a script finds the package by its name; the tools are where the README says. */
mkdirSync(`${ROOT}build`, { recursive: true });
const folder = mkdtempSync(`${ROOT}build/readme-`);
symlinkSync(`${ROOT}tools`, join(folder, "tools"));
for (const { language, name, text } of blocks) if (language === "ts") writeFileSync(join(folder, name), text);

const PROGRAMS: Readonly<Record<string, readonly string[]>> = {
  ring0: [`${ROOT}dist/tools/cli/ring0.cjs`],
  tsx: ["--import", "tsx"],
};

/** Standard output, then standard error, as lines. */
function run(command: string): string[] {
  const [npx, program = "", ...words] = command.split(" ");
  const before = PROGRAMS[program];
  assert.ok(npx === "npx" && before, `a command that the test does not know: ${command}`);
  const { stdout, stderr } = spawnSync(process.execPath, [...before, ...words], {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
  });
  return `${stdout}${stderr}`.replaceAll("\r", "").trimEnd().split("\n");
}

/** A line without what changes when a program does: numbers, addresses and the width of columns. */
function shape(line: string): string {
  return line
    .replace(/\b(?:0x[\da-f]+|[\da-f]{8,16}|[\da-f]{2}(?: [\da-f]{2})+)\b/g, "#")
    .replace(/\d[\d,.]*/g, "#")
    .replace(/\s+/g, " ")
    .trim();
}

/** Whether lines are as shown; a line of `...` stands for any number of them. */
function isAsShown(lines: readonly string[], shown: readonly string[]): boolean {
  const [first, ...rest] = shown;
  if (first === undefined) return lines.length === 0;
  if (first.trim() === "...") return lines.some((_, i) => isAsShown(lines.slice(i), rest)) || rest.length === 0;
  return lines[0] !== undefined && shape(lines[0]) === shape(first) && isAsShown(lines.slice(1), rest);
}

test("has examples of each kind", () => {
  assert.ok(examples.length >= 7);
  assert.equal(
    blocks.filter(({ language }) => language === "ts").map(({ name }) => name),
    ["counter.ts", "total.ts", "proof.ts"],
  );
});

for (const { command, shown } of examples)
  test(`shows what is printed by: ${command}`, () => {
    const lines = run(command);
    assert.ok(isAsShown(lines, shown), `printed:\n${lines.join("\n")}\nshown:\n${shown.join("\n")}`);
  });

test("shows the first program as it is in tools/programs", () => {
  const without = (text: string) => text.replace(/^\/\/ .*\n\n/, "").replace('"ring0/asm"', '"#asm"');
  const counter = blocks.find(({ name }) => name === "counter.ts")?.text ?? "";
  assert.is(without(counter), without(readFileSync(`${ROOT}tools/programs/counter.ts`, "utf8")));
});

test.after(() => rmSync(folder, { recursive: true }));
test.run();
