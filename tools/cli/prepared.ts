// The quick form of the command: its modules as one script, with the code that V8 made of them when the package was built.
//
// To load a hundred modules takes longer than to boot a small kernel. `npm run build` writes the form (tools/build/prepare.ts); without it
// everything works, a tenth of a second later.
import { closeSync, openSync, readSync } from "node:fs";
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
    const file = openSync(PREPARED, "r");
    try {
      return readForm(file);
    } finally {
      closeSync(file);
    }
  } catch {
    return undefined;
  }
}

/** Lengths of the text and of V8's code. */
const HEADER = 8;

/**
 * Memory that is touched for the first time costs more than to copy it: text and code share a buffer, one after the other, and the code
 * begins where V8 need not copy it to read it.
 */
function readForm(file: number): Prepared {
  const header = read(file, Buffer.alloc(HEADER), 0);
  const [textLength, codeLength] = [header.readUInt32LE(0), header.readUInt32LE(4)];
  const buffer = Buffer.allocUnsafeSlow(Math.max(textLength, codeLength));
  const text = read(file, buffer.subarray(0, textLength), HEADER).toString("latin1");
  return prepare(text, read(file, buffer.subarray(0, codeLength), HEADER + textLength));
}

/** Fills a buffer. */
function read(file: number, buffer: Buffer, position: number): Buffer {
  const length = readSync(file, buffer, { position });
  if (length < buffer.length) throw new RangeError(`${length} bytes; ${buffer.length} would do`);
  return buffer;
}

/** The form as a file: the lengths, the script's text (ASCII), V8's code. */
export function preparedBytes(script: string, code: Uint8Array): Uint8Array {
  const header = Buffer.alloc(HEADER);
  header.writeUInt32LE(script.length, 0);
  header.writeUInt32LE(code.length, 4);
  return Buffer.concat([header, Buffer.from(script, "latin1"), code]);
}

/** The script of a CommonJS module: its `require` finds what `quick.js` would; `import()` it must not have. */
export function scriptOf(module: string): string {
  return `(function (exports, module, require, __url) {${module}\n})`;
}

/** A script (`scriptOf`), to be run as a module is. */
export function prepare(text: string, code?: Buffer): Prepared {
  const url = new URL("./quick.js", PREPARED);
  const script = new Script(text, { filename: NAME, cachedData: code });
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
