// What the build depends on: with the same sources it need not be made again, with any other it must.
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { digestOf, GENERATED } from "../../../tools/build/sources.ts";

const test = suite("the sources of the build");

const root = mkdtempSync(join(tmpdir(), "ring0-sources-"));
const write = (file: string, text: string): void => {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), text);
};
for (const file of ["package.json", "package-lock.json", "tsconfig.json", "tsconfig.build.json"]) write(file, "{}");
for (const file of ["emulator/a.ts", "firmware/b.ts", "kernel/ke/c.ts", "tools/cli/d.ts"]) write(file, `// ${file}`);

const moveLine = (): void => {
  write("emulator/a.ts", "");
  write("emulator/b.ts", "// emulator/A.ts");
};

/** A change, whether the build must be made again after it, and what it is. */
const changes: readonly (readonly [what: string, again: boolean, change: () => void])[] = [
  ["nothing", false, () => {}],
  ["a file written as it was", false, () => write("emulator/a.ts", "// emulator/a.ts")],
  ["what is generated", false, () => write(`${GENERATED}/handlers.ts`, "// 1")],
  ["a test", false, () => write("tests/a.test.ts", "// 1")],
  ["a byte", true, () => write("emulator/a.ts", "// emulator/A.ts")],
  ["a new file", true, () => write("kernel/ke/d.ts", "")],
  ["a file's name", true, () => renameSync(join(root, "kernel/ke/d.ts"), join(root, "kernel/ke/e.ts"))],
  ["a file that is gone", true, () => rmSync(join(root, "kernel/ke/e.ts"))],
  ["text in another file", true, moveLine],
  ["a setting of the compiler", true, () => write("tsconfig.build.json", '{ "extends": "./tsconfig.json" }')],
  ["a package", true, () => write("package-lock.json", '{ "packages": {} }')],
];
for (const [what, again, change] of changes)
  test(`${what} ${again ? "is" : "is no"} reason to make it again`, () => {
    const before = digestOf(root);
    change();
    assert.is(digestOf(root) !== before, again);
  });

test.after(() => rmSync(root, { recursive: true }));
test.run();
