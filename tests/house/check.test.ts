// time limit: 300 s
// The formatter, the linter and the compiler find nothing to say.

import { spawnSync } from "node:child_process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ROOT } from "./tree.ts";

const test = suite("formatter, linter, types");

/** Run a tool of node_modules with this Node; its whole output is the message when it finds something. */
function findsNothing(tool: string, ...options: string[]): void {
  const { status, stdout, stderr } = spawnSync(process.execPath, [`node_modules/${tool}`, ...options], {
    cwd: ROOT,
    encoding: "utf8",
  });
  assert.is(status, 0, `${tool} ${options.join(" ")}\n${stdout}${stderr}`);
}

test("biome finds nothing to mend", () =>
  findsNothing("@biomejs/biome/bin/biome", "check", "--error-on-warnings", "."));
test("the types are right everywhere, tests included", () => findsNothing("typescript/bin/tsc", "-p", "tsconfig.json"));
test("the machine compiles without the DOM and Node", () => findsNothing("typescript/bin/tsc", "-p", "emulator"));

test.run();
