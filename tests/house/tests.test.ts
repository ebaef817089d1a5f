// The tests themselves: uvu passes a file whose run() was forgotten, so somebody has to look.

import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { filesUnder, ROOT } from "./tree.ts";

const test = suite("the tests");

const texts = filesUnder("tests", /\.test\.ts$/).map((file) => ({ file, text: readFileSync(ROOT + file, "utf8") }));

test("every suite of every test file is run", () => {
  const suites = texts.flatMap(({ file, text }) =>
    [...text.matchAll(/^const (\w+) = suite\(/gm)].map(([, name]) => ({ file, text, name })),
  );
  const forgotten = suites.filter(({ text, name }) => !new RegExp(`^${name}\\.run\\(\\);`, "m").test(text));
  assert.equal(
    forgotten.map(({ file, name }) => `${file}: ${name}.run() is missing`),
    [],
  );
});

test("every test file calls run()", () => {
  assert.equal(
    texts.filter(({ text }) => !/\brun\(\);/.test(text)).map(({ file }) => file),
    [],
  );
});

test("no test is left out by a forgotten only()", () => {
  assert.equal(
    texts.filter(({ text }) => /^\w+\.only\(/m.test(text)).map(({ file }) => file),
    [],
  );
});

test.run();
