// Writes the quick form of the command (tools/cli/prepared.ts) from what the compiler emitted: one script, and V8's code for it.
//
// V8 keeps the functions that have been compiled by then, so the script runs a kernel first.
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { linkKernel } from "#kernel";
import { processHost } from "../cli/host.ts";
import { type Prepared, prepare, preparedBytes } from "../cli/prepared.ts";
import { withConstantsAgain } from "./bundled.ts";

const CLI = new URL("../../dist/tools/cli/", import.meta.url);

/** The command's modules as the text of one CommonJS module. Packages stay outside. */
async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("quick.js", CLI))],
    bundle: true,
    write: false,
    platform: "node",
    target: "node20",
    format: "cjs",
    charset: "ascii",
    supported: { "dynamic-import": false }, // V8 forgets what a script with cached code may import
    external: ["yargs", "pino", "tsx"],
    define: { "import.meta.url": "__url" },
    logLevel: "warning",
  });
  return withConstantsAgain(outputFiles[0].text);
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

const text = await bundle();
const prepared = prepare(text);
await warmUp(prepared);
// Whoever starts the command meanwhile finds no form, or a whole one.
const half = new URL("quick.half", CLI);
writeFileSync(half, preparedBytes(text, prepared.script.createCachedData()));
renameSync(half, new URL("quick.prepared", CLI));
