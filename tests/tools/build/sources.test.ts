// What the build depends on: with the same sources it need not be made again, with any other it must.
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { digestOf } from "../../../tools/build/sources.ts";

const test = suite("the sources of the build");

const settings = ["package.json", "package-lock.json", "tsconfig.json", "tsconfig.build.json"];
const modules = ["emulator/a.ts", "emulator/z.ts", "firmware/b.ts", "kernel/ke/c.ts", "tools/cli/d.ts"];
const generated = "emulator/engine/interpreter/generated/handlers.ts";

const root = mkdtempSync(join(tmpdir(), "ring0-sources-"));
const write = (file: string, text: string): void => {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), text);
};
const asItWas = (file: string): void => write(file, `// ${file}`);
const rename = (from: string, to: string): void => renameSync(join(root, from), join(root, to));
for (const file of [...settings, ...modules, generated]) asItWas(file);

/** Whether the build must be made again after a change, and what that is. */
const changes: readonly (readonly [again: boolean, what: string, change: () => void])[] = [
  [false, "nothing", () => {}],
  [false, "files written as they were", () => modules.forEach(asItWas)],
  [false, "a test", () => write("tests/a.test.ts", "// 1")],
  [false, "a page of documentation", () => write("kernel/README.md", "1")],
  [false, "what an editor leaves", () => symlinkSync("nobody@nowhere.1", join(root, "tools/.#main.ts"))],
  ...[...settings, ...modules, generated].map(
    (file) => [true, `a byte of ${file}`, () => write(file, `/* ${file}`)] as const,
  ),
  [true, "a new file", () => write("kernel/ke/new.ts", "")],
  [true, "a file's name", () => rename("kernel/ke/new.ts", "kernel/ke/newer.ts")],
  [true, "a file that is gone", () => rmSync(join(root, "kernel/ke/newer.ts"))],
];
for (const [again, what, change] of changes)
  test(`${what} is ${again ? "a" : "no"} reason to make it again`, () => {
    const before = digestOf(root);
    change();
    assert.is(digestOf(root) !== before, again);
  });

test("so is text that moves from one file to the next", () => {
  const digest = (a: string, z: string): string => {
    write("emulator/a.ts", a);
    write("emulator/z.ts", z);
    return digestOf(root);
  };
  assert.is(new Set([digest("12", "3"), digest("1", "23"), digest("123", ""), digest("3", "12")]).size, 4);
});

test("so is another Node", () => {
  assert.is(digestOf(root), digestOf(root, `${process.version} ${process.platform} ${process.arch}`));
  assert.is.not(digestOf(root), digestOf(root, "v0.0.0"));
});

test.after(() => rmSync(root, { recursive: true }));
test.run();
