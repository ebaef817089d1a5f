// Every folder has its map: a README that says what is here and what is deliberately not.

import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ROOT, trackedFiles } from "./tree.ts";

const test = suite("the maps");

const TOPS = ["emulator", "firmware", "kernel", "tests", "tools"];

/** The top folders, and those directly in emulator/, kernel/ and tools/. */
const folders = new Set(
  trackedFiles.flatMap((file) => {
    const [top, second, third] = file.split("/");
    if (top === undefined || !TOPS.includes(top)) return [];
    return third === undefined || second === undefined || top === "tests" ? [top] : [top, `${top}/${second}`];
  }),
);

/** The folders' README files that are tracked. */
const maps = [...folders].map((folder) => `${folder}/README.md`).filter((file) => trackedFiles.includes(file));

test("every folder has a README.md", () => {
  const without = [...folders].filter((folder) => !maps.includes(`${folder}/README.md`));
  assert.equal(without, []);
  for (const top of TOPS) assert.ok(folders.has(top), `${top}/ holds nothing`);
});

test("every map says what is not there", () => {
  const silent = maps.filter((file) => !/\bnot here\b/i.test(readFileSync(ROOT + file, "utf8")));
  assert.equal(silent, []);
});

test.run();
