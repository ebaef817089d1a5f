// Source lines of what is built: those of the TypeScript file, though only its JavaScript runs.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite("sites");

const root = new URL("../../../", import.meta.url);
const isBuilt = existsSync(new URL("dist/kernel/index.js", root));
if (!isBuilt) console.log("skipped: dist/ is not built");

(isBuilt ? test : test.skip)("lines and errors of built code name the TypeScript source", () => {
  const script = `
    import { link } from "ring0/asm";
    import { KeTestSpinLock, KeInitializeSpinLock } from "ring0/kernel";
    const image = link(KeTestSpinLock);
    const { file, line } = image.lineOf(image.entry);
    console.log(file, line);
    try { image.addressOf(KeInitializeSpinLock); } catch (error) { console.log(error.message); }`;
  const options = { cwd: root, encoding: "utf8" } as const;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], options);
  assert.match(stdout, /[\\/]kernel[\\/]ke[\\/]spinlock\.ts \d+\n/, stderr);
  assert.match(stdout, /: KeInitializeSpinLock is not in the image: nothing refers to it\n/);
});

test.run();
