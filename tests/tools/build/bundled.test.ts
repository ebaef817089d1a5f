// Constants of a bundle: variables that nothing is assigned to, and no others.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { withConstantsAgain } from "../../../tools/build/bundled.ts";

const test = suite("bundled modules");

const cases: readonly (readonly [text: string, becomes: string])[] = [
  ["var a = 1;", "const a = 1;"],
  ["var f = (x) => -x + !x;", "const f = (x) => -x + !x;"],
  ["var { a, b: c } = o;", "const { a, b: c } = o;"],
  ["var a = 1; o[a] = 2; o.a = 3; o[a]++;", "const a = 1; o[a] = 2; o.a = 3; o[a]++;"],
  ["var a = 1; function f() { a = 2; }", "var a = 1; function f() { a = 2; }"],
  ["var a = 1; a += 2;", "var a = 1; a += 2;"],
  ["var a = 1; a++;", "var a = 1; a++;"],
  ["var a = 1; --a;", "var a = 1; --a;"],
  ["var a = 1; [a] = o;", "var a = 1; [a] = o;"],
  ["var a = 1; ({ b: a } = o);", "var a = 1; ({ b: a } = o);"],
  ["var a = 1; for (a of o) f();", "var a = 1; for (a of o) f();"],
  ["var a;", "var a;"],
  ["function f() { var a = 1; }", "function f() { var a = 1; }"],
];
for (const [text, becomes] of cases)
  test(text, () => {
    assert.is(withConstantsAgain(text), becomes);
  });

test.run();
