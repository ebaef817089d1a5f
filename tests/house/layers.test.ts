// Imports run one way, so there is never a cycle, and the machine has nothing in reach that is not the same every time.

import { existsSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import ts from "typescript";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { filesUnder, packageJson, ROOT } from "./tree.ts";

const test = suite("layers");

const ANYTHING = ["*"];

/** A layer, the layers that it may import besides itself, and what it may use of Node and of npm. The longest path wins. */
const LAYERS: readonly (readonly [folder: string, layers: readonly string[], packages?: readonly string[]])[] = [
  ["emulator/isa", []],
  ["emulator/memory", ["emulator/isa"]],
  ["emulator/cpu", ["emulator/isa", "emulator/memory"]],
  ["emulator/devices", ["emulator/memory"]],
  ["emulator/engine", ["emulator/isa", "emulator/cpu", "emulator/memory"]],
  ["emulator/machine", ["emulator/isa", "emulator/cpu", "emulator/memory", "emulator/devices", "emulator/engine"]],
  [
    "emulator",
    ["emulator/isa", "emulator/cpu", "emulator/memory", "emulator/devices", "emulator/engine", "emulator/machine"],
  ],
  ["kernel", ["#asm"]],
  ["firmware", ["#asm"]],
  ["tools/asm", ["emulator/isa"], ["node:"]],
  ["tools/explore", ["#emulator", "#asm", "tools/asm"], ["node:"]],
  ["tools/programs", ["#asm", "#kernel"]],
  ["tools/scenarios", ["#asm", "#emulator", "#explore", "#harness", "#kernel"], ["node:"]],
  ["tools/verify", ["#emulator", "#asm", "tools/asm"], ["node:"]],
  ["tools/trace", ["#emulator", "#asm", "tools/asm"], ["node:"]],
  ["tools/gdb", ["#emulator", "#asm", "tools/asm"], ["node:"]],
  ["tools/harness", ["#asm", "#emulator", "#explore", "#kernel"], ["node:"]],
  ["tools/bench", ["#asm", "#emulator", "#kernel", "tools/programs"], ["node:"]],
  ["tools/cli", ANYTHING, ["node:", "pino", "tsx", "yargs"]],
  ["tools/demo", ANYTHING, ["node:"]],
  ["tools/build", ANYTHING, ["node:", "esbuild", "typescript"]],
  ["tests", ANYTHING, ["node:", "typescript", "uvu", "ring0"]],
];

/** What the machine must not know: clocks, chance, the environment, terminals, timers, and code made from text. */
const NOT_IN_THE_MACHINE = new Set(
  `Date Intl console crypto eval fetch global globalThis performance process require setImmediate setInterval setTimeout
   queueMicrotask Function WeakRef FinalizationRegistry Atomics SharedArrayBuffer`.split(/\s+/),
);

const sources = ["emulator", "firmware", "kernel", "tests", "tools"].flatMap((top) => filesUnder(top, /\.ts$/));

/** The layer that a file or folder of the project lies in. */
function layerOf(path: string): (typeof LAYERS)[number] | undefined {
  return LAYERS.filter(([folder]) => path === folder || path.startsWith(`${folder}/`)).sort(
    ([a], [b]) => b.length - a.length,
  )[0];
}

/** Every module that a file names: imports, exports from, imports of types, imports at run time. */
function importsOf(file: string): string[] {
  return ts.preProcessFile(readFileSync(ROOT + file, "utf8"), true, true).importedFiles.map(({ fileName }) => fileName);
}

/** Why an import is not allowed, or undefined where it is. */
function objection(file: string, specifier: string): string | undefined {
  const [from, layers, packages = []] = layerOf(file) ?? ["no layer", [], []];
  if (specifier.startsWith(".")) {
    const target = posix.join(posix.dirname(file), specifier);
    if (!existsSync(ROOT + target) && !target.includes("/generated/")) return "there is no such file";
    const to = layerOf(target)?.[0] ?? "no layer";
    return to === from || layers.includes(to) || layers === ANYTHING ? undefined : `${from} may not import ${to}`;
  }
  if (specifier.startsWith("#")) {
    if (!(specifier in packageJson.imports)) return "not in the imports of package.json";
    return layers.includes(specifier) || layers === ANYTHING ? undefined : `${from} may not import ${specifier}`;
  }
  const allowed = packages.some((name) => (name.endsWith(":") ? specifier.startsWith(name) : isOf(name, specifier)));
  return allowed ? undefined : `${from} may not use the package ${specifier}`;
}

function isOf(name: string, specifier: string): boolean {
  return specifier === name || specifier.startsWith(`${name}/`);
}

/** The forbidden names that a file of the machine uses: free identifiers, and Math.random. */
function forbiddenNames(file: string): string[] {
  const source = ts.createSourceFile(file, readFileSync(ROOT + file, "utf8"), ts.ScriptTarget.ES2023, true);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isPropertyAccessExpression(node) && node.getText() === "Math.random") found.push("Math.random");
    if (ts.isIdentifier(node) && NOT_IN_THE_MACHINE.has(node.text) && !isMemberName(node)) found.push(node.text);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** Whether an identifier names a member (`row.process`, `{ process: 1 }`) and so is nobody's global. */
function isMemberName(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node;
  return (
    (ts.isPropertyAssignment(parent) ||
      ts.isPropertySignature(parent) ||
      ts.isPropertyDeclaration(parent) ||
      ts.isMethodDeclaration(parent) ||
      ts.isMethodSignature(parent)) &&
    parent.name === node
  );
}

test("every source file lies in a layer", () => {
  assert.equal(
    sources.filter((file) => !layerOf(file)),
    [],
  );
});

test("every import goes the one way that its layer allows", () => {
  const objections = sources.flatMap((file) =>
    importsOf(file).flatMap((specifier) => {
      const why = objection(file, specifier);
      return why ? [`${file} imports ${specifier}: ${why}`] : [];
    }),
  );
  assert.equal(objections, []);
});

test("the machine has no clock, chance, environment, file or terminal", () => {
  const machine = filesUnder("emulator", /\.ts$/);
  assert.ok(machine.length > 0);
  const uses = machine.flatMap((file) => forbiddenNames(file).map((name) => `${file} uses ${name}`));
  assert.equal(uses, []);
});

test.run();
