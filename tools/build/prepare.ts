// Writes the quick form of the command (tools/cli/prepared.ts) from what the compiler emitted: one script, and V8's code for it.
//
// V8 keeps the functions that have been compiled by then, so the script runs a kernel first.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { linkKernel } from "#kernel";
import type { Prepared } from "../cli/prepared.ts";

const CLI = new URL("../../dist/tools/cli/", import.meta.url);
/** The built one: V8's code knows the script by its place. */
const { prepare, preparedBytes }: typeof import("../cli/prepared.ts") = await import(new URL("prepared.js", CLI).href);

/** The command's modules as the text of one CommonJS module. Packages, and commands that are not `run`, stay outside. */
async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("whole.js", CLI))],
    bundle: true,
    write: false,
    platform: "node",
    target: "node20",
    format: "cjs",
    charset: "ascii",
    supported: { "dynamic-import": false }, // V8 forgets what a script with cached code may import
    external: ["yargs", "pino", "tsx", ...others.map((name) => `./commands/${name}.js`)],
    define: { "import.meta.url": "__url" },
    logLevel: "warning",
  });
  return outputFiles[0].text;
}

const others = ["trace", "explore", "replay", "asm", "disasm", "info", "bench"];

/** Runs the kernel's workload, and says nothing of it. */
async function warmUp({ run }: Prepared): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "ring0-"));
  try {
    const image = join(folder, "kernel.elf");
    writeFileSync(image, linkKernel().elf());
    const { runCommandLine, processHost } = run();
    const quiet = { write: () => {}, isTerminal: false };
    const words = ["run", image, "--smp", "4", "--append", "workload"];
    const exitCode = await runCommandLine(words, { ...processHost(), out: quiet, err: quiet });
    if (exitCode !== 0) throw new Error(`prepare: the kernel's workload ended with ${exitCode}; 0 would do`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const text = await bundle();
const prepared = prepare(text);
await warmUp(prepared);
writeFileSync(new URL("whole.prepared", CLI), preparedBytes(text, prepared.script.createCachedData()));
