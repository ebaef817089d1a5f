// Where in the author's files a call was made: the line that every assembled byte and every error remembers.

import { existsSync, readFileSync } from "node:fs";
import { findSourceMap, SourceMap } from "node:module";
import { basename } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** A line of a source file; `file` is an absolute path. */
export interface SourceLine {
  readonly file: string;
  readonly line: number;
}

/** A place in the script that ran. What was written there is looked up when somebody asks: most lines nobody asks for. */
export class Site {
  readonly #script: string;
  readonly #row: number;
  readonly #column: number;
  #source: SourceLine | undefined;

  constructor(script: string, row: number, column: number) {
    this.#script = script;
    this.#row = row;
    this.#column = column;
  }

  /** The line as its author wrote it: of the TypeScript file, wherever its source map can be found. */
  get source(): SourceLine {
    this.#source ??= original(this.#script, this.#row, this.#column);
    return this.#source;
  }

  /** As errors print it: `spinlock.ts:41`. */
  toString(): string {
    return `${basename(this.source.file)}:${this.source.line}`;
  }
}

/** What the assembler has to say about its author's program; the message begins with the author's file and line. */
export class AssemblyError extends Error {
  override readonly name = "AssemblyError";
  readonly site: Site;

  constructor(site: Site, message: string) {
    super(`${site}: ${message}`);
    this.site = site;
  }
}

/** Any function: only its identity matters here. */
type Callee = (...args: never[]) => unknown;

/** The place from which `callee`, which is running, was called. */
export function callSite(callee: Callee): Site {
  const { prepareStackTrace, stackTraceLimit } = Error;
  const holder: { stack?: unknown } = {};
  try {
    Error.stackTraceLimit = 1;
    Error.prepareStackTrace = (_, frames) => frames;
    Error.captureStackTrace(holder, callee);
    const [frame] = holder.stack as NodeJS.CallSite[];
    return new Site(frame?.getFileName() ?? "unknown", frame?.getLineNumber() ?? 0, frame?.getColumnNumber() ?? 0);
  } finally {
    Error.prepareStackTrace = prepareStackTrace;
    Error.stackTraceLimit = stackTraceLimit;
  }
}

const maps = new Map<string, SourceMap | undefined>();

/** The line behind a compiled one. Without a source map the script is what its author wrote. */
function original(script: string, row: number, column: number): SourceLine {
  const path = pathOf(script);
  if (!maps.has(path)) maps.set(path, findSourceMap(script) ?? mapBeside(path));
  const entry = maps.get(path)?.findEntry(row - 1, column - 1);
  if (entry === undefined || !("originalSource" in entry)) return { file: path, line: row };
  return { file: pathOf(new URL(entry.originalSource, pathToFileURL(path)).href), line: entry.originalLine + 1 };
}

/** The map that tsc writes beside each file of dist/; Node itself reads it only when asked on its command line. */
function mapBeside(path: string): SourceMap | undefined {
  const file = `${path}.map`;
  return existsSync(file) ? new SourceMap(JSON.parse(readFileSync(file, "utf8"))) : undefined;
}

function pathOf(script: string): string {
  return script.startsWith("file:") ? fileURLToPath(script) : script;
}
