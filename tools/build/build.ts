// npm run build: makes dist/ of the sources, unless what lies there was made of just these. npm runs it at every `npm ci`, and again
// when `npx ring0` is used for the first time.
//
//   build.ts [--again]   makes it whatever lies there

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { digestOf, GENERATED } from "./sources.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** What dist/ was made of, as a digest; not there while it is being made. */
const MADE_OF = join(ROOT, "dist/.made-of");
const QUICK_FORM = join(ROOT, "dist/tools/cli/quick.prepared");

const steps: readonly (readonly string[])[] = [
  ["run", "-s", "generate"],
  ["exec", "--", "tsc", "-p", "tsconfig.build.json"],
  ["run", "-s", "build:constants"],
  ["run", "-s", "build:prepared"],
];

const sources = digestOf(ROOT);
const isThere = existsSync(MADE_OF) && existsSync(QUICK_FORM) && existsSync(join(ROOT, GENERATED));
if (process.argv.includes("--again") || !isThere || readFileSync(MADE_OF, "utf8") !== sources) {
  for (const file of [MADE_OF, QUICK_FORM]) rmSync(file, { force: true });
  for (const step of steps) {
    const { status } = spawnSync("npm", step, { cwd: ROOT, stdio: "inherit", shell: process.platform === "win32" });
    if (status !== 0) process.exit(status ?? 1);
  }
  writeFileSync(MADE_OF, sources);
}
