// Writes what is made before the compiler runs: the interpreter's handlers, derived from the instruction set's meanings.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { generateHandlers } from "../../emulator/engine/interpreter/generate.ts";

const HANDLERS = new URL("../../emulator/engine/interpreter/generated/handlers.ts", import.meta.url);

/** Write text to a file unless it already says so: an untouched file is not compiled again. */
function writeIfChanged(url: URL, text: string): void {
  const file = fileURLToPath(url);
  if (textOf(file) === text) return;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

/** The text of a file, or undefined where there is none. */
function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

writeIfChanged(HANDLERS, generateHandlers());
