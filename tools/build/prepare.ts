// Writes what starts the command, from what the compiler emitted: `ring0.cjs`, and the quick form (tools/cli/prepared.ts), which is one
// script and V8's code for it.
//
// V8 keeps the functions that have been compiled by then, so the script runs a kernel first.
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build, transform } from "esbuild";
import { linkKernel } from "#kernel";
import { processHost } from "../cli/host.ts";
import { type Prepared, prepare, preparedBytes, scriptOf } from "../cli/prepared.ts";
import { withConstantsAgain } from "./bundled.ts";

const CLI = new URL("../../dist/tools/cli/", import.meta.url);

/** Modules as the text of one CommonJS module, in which `__url` is its address. */
async function bundle(entry: string, options: BuildOptions): Promise<string> {
  const { outputFiles = [] } = await build({
    ...options,
    entryPoints: [fileURLToPath(new URL(entry, CLI))],
    bundle: true,
    write: false,
    platform: "node",
    target: "node20",
    format: "cjs",
    charset: "ascii",
    define: { "import.meta.url": "__url" },
    logLevel: "warning",
  });
  return outputFiles[0].text;
}

/** The command as far as it runs images. Packages stay outside. */
async function quickForm(): Promise<string> {
  const text = await bundle("quick.js", {
    supported: { "dynamic-import": false }, // V8 forgets what a script with cached code may import
    external: ["yargs", "pino", "tsx"],
  });
  const { code } = await transform(withConstantsAgain(text), {
    minifyWhitespace: true,
    charset: "ascii",
    lineLimit: 120,
  });
  return code;
}

/** Runs the kernel's workload, and says nothing of it. */
async function warmUp({ run }: Prepared): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "ring0-"));
  try {
    const image = join(folder, "kernel.elf");
    writeFileSync(image, linkKernel().elf());
    const quiet = { write: () => {}, isTerminal: false };
    const words = ["run", image, "--smp", "4", "--append", "workload"];
    const exitCode = await run().runWords(words, { ...processHost(), out: quiet, err: quiet });
    if (exitCode !== 0) throw new Error(`prepare: the kernel's workload ended with ${exitCode}; 0 would do`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Whoever starts the command meanwhile finds no such file, or a whole one. */
function write(name: string, bytes: string | Uint8Array, mode: number): void {
  const half = new URL(`${name}.half`, CLI);
  rmSync(half, { force: true }); // one that was left has its own mode
  writeFileSync(half, bytes, { mode });
  renameSync(half, new URL(name, CLI));
}

const start = await bundle("main.js", {
  external: ["./whole.js"],
  banner: { js: '"use strict";\nconst __url = require("node:url").pathToFileURL(__filename).href;' },
});
write("ring0.cjs", start, 0o755);

const text = scriptOf(await quickForm());
const prepared = prepare(text);
await warmUp(prepared);
write("quick.prepared", preparedBytes(text, prepared.script.createCachedData()), 0o644);
