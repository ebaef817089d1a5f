// Values in the place of constants' names: which uses are replaced, which must not be, and that it can be done again.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { withConstants } from "../../../tools/build/constants.ts";

const layout = { R_EIP: 9, BELOW: -4, LARGE: 2 ** 32, NEVER: Number.POSITIVE_INFINITY, NONE: -0, name: "text" };
const exportsOf = (own: Readonly<Record<string, unknown>>) => async (specifier: string | undefined) =>
  specifier === undefined ? own : specifier === "./layout.js" ? layout : {};
const inline = (text: string): Promise<string> => withConstants(text, exportsOf({ OWN: 7, moved: 1 }));

const named = 'import { R_EIP, BELOW as UNDER, LARGE, NEVER, NONE, name } from "./layout.js";\n';
const whole = 'import * as L from "./layout.js";\n';

const test = suite("constants in emitted code");

// A line that follows an import, and what becomes of it.
const cases: readonly [title: string, head: string, line: string, becomes: string][] = [
  ["a name", named, "x[R_EIP + 1]", "x[9 /* =R_EIP */ + 1]"],
  ["a renamed one", named, "x + UNDER", "x + (-4) /* =UNDER */"],
  ["beyond 32 bits", named, "x % LARGE", "x % 4294967296 /* =LARGE */"],
  ["through a namespace", whole, "x[L.R_EIP - L.BELOW]", "x[9 /* =L.R_EIP */ - (-4) /* =L.BELOW */]"],
  ["as a shorthand property", named, "f({ R_EIP })", "f({ R_EIP: 9 /* =R_EIP */ })"],
  ["as a computed key", named, "f({ [R_EIP]: 1 })", "f({ [9 /* =R_EIP */]: 1 })"],
  ["as an index of a member", named, "a.b[R_EIP].R_EIP", "a.b[9 /* =R_EIP */].R_EIP"],
  ["two on a line", named, "f(R_EIP, R_EIP)", "f(9 /* =R_EIP */, 9 /* =R_EIP */)"],
  ["an exported constant of its own", "export const OWN = 3 + 4;\n", "f(OWN)", "f(7 /* =OWN */)"],
  ["not a variable that is exported", "export let moved = 1;\n", "f(moved)", "f(moved)"],
  ["not a property or a key", named, "f({ R_EIP: a.R_EIP })", "f({ R_EIP: a.R_EIP })"],
  ["not in text", named, '"R_EIP" + `R_EIP`; // R_EIP', '"R_EIP" + `R_EIP`; // R_EIP'],
  ["not where a parameter hides it", named, "const f = (R_EIP) => R_EIP;", "const f = (R_EIP) => R_EIP;"],
  ["not where a variable hides it", whole, "{ const L = y; f(L.R_EIP); }", "{ const L = y; f(L.R_EIP); }"],
  ["not what is no number, or has no numeral", named, "f(name, NEVER, NONE)", "f(name, NEVER, NONE)"],
  ["not what a module does not export", whole, "f(L.OTHER)", "f(L.OTHER)"],
  ["not from packages", 'import { R_EIP } from "elsewhere";\n', "f(R_EIP)", "f(R_EIP)"],
  ["not in an export", named, "export { R_EIP };", "export { R_EIP };"],
];
for (const [title, head, line, becomes] of cases)
  test(`${title}: ${line}`, async () => {
    const once = await inline(`${head}${line}\n`);
    assert.is(once, `${head}${becomes}\n`);
    assert.is(await inline(once), once);
  });

test("a value that has changed since is renewed", async () => {
  const before = await withConstants(`${named}f(R_EIP, UNDER);\n`, async () => ({ R_EIP: -1, BELOW: 2.5 }));
  assert.is(await inline(before), `${named}f(9 /* =R_EIP */, (-4) /* =UNDER */);\n`);
});

test.run();
