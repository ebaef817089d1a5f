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
/** What is made last, of everything else. */
const LAST = ["tools/cli/ring0.cjs", "tools/cli/quick.prepared"].map((file) => join(DIST, file));
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

const isWhole = [MADE_OF, ...LAST].every((file) => existsSync(file));
if (words.includes("--again") || !isWhole || readFileSync(MADE_OF, "utf8") !== digestOf(ROOT)) {
  if (!existsSync(join(ROOT, COMPILER)))
    fail("the compiler is not installed; npm ci, with development packages, would do");
  // What is not whole, the compiler would take for what it made itself.
  for (const file of isWhole && words.length === 0 ? [MADE_OF, ...LAST] : [DIST])
    rmSync(file, { force: true, recursive: true });
  runSource("generate.ts");
  const sources = digestOf(ROOT);
  run(COMPILER, "-p", "tsconfig.build.json");
  runSource("constants.ts", "dist/emulator");
  runSource("prepare.ts");
  // Otherwise somebody has written meanwhile, and nobody knows of what it was made.
  if (digestOf(ROOT) === sources) writeFileSync(MADE_OF, sources);
}
