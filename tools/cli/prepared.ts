// The quick form of the command: its modules as one script, with the code that V8 made of them when the package was built.
//
// To load a hundred modules takes longer than to boot a small kernel. `npm run build` writes the form (tools/build/prepare.ts); without it
// everything works, a tenth of a second later.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Script } from "node:vm";
import { isFile, isProgram } from "./words.ts";

type Quick = typeof import("./quick.ts");

/** The form's place beside `dist/`'s modules, whose imports it shares. */
const PREPARED = new URL("./quick.prepared", import.meta.url);

/** What stacks call the script: V8's code has the name in it, so it is the same wherever the package lies. */
const NAME = "ring0/dist/tools/cli/quick.js";

/** The script, and how to run it. */
export interface Prepared {
  readonly script: Script;
  /** V8 took the code that came with it. Another V8, or one with other flags, compiles the script anew. */
  readonly isQuick: boolean;
  run(): Quick;
}

/**
 * The words ask to run an image. A program imports the package's modules itself and they must be the same as the command's; other
 * commands run for longer than they load.
 */
export function isForPrepared(words: readonly string[]): boolean {
  const [first = ""] = words;
  return (first === "run" || isFile(first)) && !words.some(isProgram);
}

/**
 * The quick form, or undefined where there is none that can be used: not built, or cut short, or a Node that cannot `require` modules,
 * which the form does where the modules import later.
 */
export function readPrepared(): Prepared | undefined {
  if (!process.features.require_module) return undefined;
  try {
    const bytes = readFileSync(PREPARED);
    const end = 4 + bytes.readUInt32LE(0);
    return prepare(bytes.toString("latin1", 4, end), bytes.subarray(end));
  } catch {
    return undefined;
  }
}

/** The form as a file: the length of the text, the text (ASCII), V8's code. */
export function preparedBytes(text: string, code: Uint8Array): Uint8Array {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  return Buffer.concat([length, Buffer.from(text, "latin1"), code]);
}

/** A CommonJS module's text as a script. Its `require` finds what `quick.js` would; `import()` it must not have. */
export function prepare(text: string, code?: Buffer): Prepared {
  const url = new URL("./quick.js", PREPARED);
  const source = `(function (exports, module, require, __url) {${text}\n})`;
  const script = new Script(source, { filename: NAME, cachedData: code });
  return {
    script,
    isQuick: code !== undefined && script.cachedDataRejected === false,
    run() {
      const module = { exports: {} };
      script.runInThisContext()(module.exports, module, createRequire(url), url.href);
      return module.exports as Quick;
    },
  };
}
