// The repository stands alone: nothing in it points at a place on the machine of whoever wrote it.

import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ROOT, trackedFiles } from "./tree.ts";

const test = suite("the repository alone");

/** An absolute path into somebody's home, work or scratch folder; `../work/` and `https://site/home/` are none. */
const PLACE = /(?<![\w.~/-])\/(?:work|root|home|tmp|Users)\/[\w.]/;

const REGISTRY = /"resolved": "(?!https:\/\/registry\.npmjs\.org\/)/;

/** The text of a file, or nothing for one that is not text. */
function textOf(file: string): string {
  const bytes = readFileSync(ROOT + file);
  return bytes.includes(0) ? "" : bytes.toString("utf8");
}

/** The lines of all tracked files that match, each with its place. */
const linesWith = (pattern: RegExp) =>
  trackedFiles.flatMap((file) =>
    textOf(file)
      .split("\n")
      .flatMap((line, index) => (pattern.test(line) ? [`${file}:${index + 1}: ${line.trim()}`] : [])),
  );

test("no file names an absolute place on a machine", () => assert.equal(linesWith(PLACE), []));

test("no file leaves work for later in a note", () => assert.equal(linesWith(/\b(?:TO[D]O|FIX[M]E|XX[X])\b/), []));

test("the lock file names no registry of its own", () => {
  assert.not.match(textOf("package-lock.json"), REGISTRY);
});

test("what is generated is not tracked", () => {
  assert.equal(
    trackedFiles.filter((file) => /(^|\/)(node_modules|dist|generated)\//.test(file)),
    [],
  );
});

test.run();
