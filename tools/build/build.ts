// npm run build: makes dist/ of the sources, unless what lies there was made of just these. npm runs it at every `npm ci`, and again
// when `npx ring0` is used for the first time.
//
//   build.ts [--again]   makes all of it, whatever lies there

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { digestOf } from "./sources.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const DIST = join(ROOT, "dist");
/** What dist/ was made of, as a digest; not there while it is being made. */
const MADE_OF = join(DIST, ".made-of");
/** By what the compiler knows what it need not write again. */
const COMPILED = join(DIST, ".tsbuildinfo");
/** What is made last. Who starts the command meanwhile has the old one, and no quick form. */
const COMMAND = join(DIST, "tools/cli/ring0.cjs");
const QUICK_FORM = join(DIST, "tools/cli/quick.prepared");
const COMPILER = "node_modules/typescript/bin/tsc";

/** Runs a script with Node; ends with it if it fails. */
function run(...words: string[]): void {
  const { status } = spawnSync(process.execPath, words, { cwd: ROOT, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}

/** Runs a script of this folder, from the sources. */
const runSource = (script: string, ...words: string[]): void =>
  run("--conditions=ring0-source", "--import", "tsx", `tools/build/${script}`, ...words);

function fail(why: string): never {
  console.error(`build: ${why}`);
  process.exit(2);
}

const words = process.argv.slice(2);
const unknown = words.find((word) => word !== "--again");
if (unknown !== undefined) fail(`no option ${unknown}; --again makes all of dist/, whatever lies there`);

const isWhole = [MADE_OF, COMMAND, QUICK_FORM].every((file) => existsSync(file));
if (words.includes("--again") || !isWhole || readFileSync(MADE_OF, "utf8") !== digestOf(ROOT)) {
  if (!existsSync(join(ROOT, COMPILER)))
    fail("the compiler is not installed; npm ci, with development packages, would do");
  // Where something is missing, the compiler's own files may be, too: it looks for none that it has written once.
  const gone = words.includes("--again") ? [DIST] : isWhole ? [MADE_OF, QUICK_FORM] : [MADE_OF, QUICK_FORM, COMPILED];
  for (const file of gone) rmSync(file, { force: true, recursive: true });
  runSource("generate.ts");
  const sources = digestOf(ROOT);
  run(COMPILER, "-p", "tsconfig.build.json");
  runSource("constants.ts", "dist/emulator");
  runSource("prepare.ts");
  // Otherwise somebody has written meanwhile, and nobody knows of what it was made.
  if (digestOf(ROOT) === sources) writeFileSync(MADE_OF, sources);
}
