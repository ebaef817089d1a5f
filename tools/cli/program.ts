// Programs written with the assembler: a FILE.ts that says `export default image`.
import { register } from "node:module";
import { basename, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Image } from "#asm";
import { CommandError } from "./exit.ts";

/** Whoever runs this file's source reads TypeScript already. */
const isSource = import.meta.url.endsWith(".ts");
/** Where this package's own code is, as stacks name it. */
const PACKAGE = new URL("../../", import.meta.url).href;
let knowsPackage = false;
let readsTypeScript = isSource;

/** From the first program on, this process knows the package by its name, and TypeScript if the program is written in it. */
async function prepare(file: string): Promise<void> {
  if (!knowsPackage) register(`./resolve.${isSource ? "ts" : "js"}`, import.meta.url);
  knowsPackage = true;
  if (readsTypeScript || !/ts$/.test(file)) return;
  readsTypeScript = true;
  const tsx = await import("tsx/esm/api");
  tsx.register({ tsconfig: false }); // the same whatever lies in the current folder
}

/** The image that a program exports. Throws CommandError, with the program's line where there is one. */
export async function importProgram(file: string): Promise<Image> {
  await prepare(file);
  const exported = await defaultOf(file);
  if (isImage(exported)) return exported;
  const found = exported === undefined ? "has no default export" : `exports ${typeof exported} by default`;
  throw new CommandError(`${file}: the file ${found}; a program says: export default link(main, { start: "all" })`);
}

/** What a file exports by default. A file whose `await` nothing will ever answer would end the process without a word. */
async function defaultOf(file: string): Promise<unknown> {
  let giveUp = (): void => {};
  const nothingLeft = new Promise<never>((_, reject) => {
    giveUp = () => reject(new CommandError(`${file}: it awaits what never comes`));
    process.once("beforeExit", giveUp);
  });
  try {
    const module: Promise<{ default?: unknown }> = import(pathToFileURL(resolve(file)).href);
    return (await Promise.race([module, nothingLeft])).default;
  } catch (error) {
    throw error instanceof CommandError ? error : new CommandError(describe(file, error));
  } finally {
    process.off("beforeExit", giveUp);
  }
}

function isImage(value: unknown): value is Image {
  return typeof value === "object" && value !== null && "elf" in value && typeof value.elf === "function";
}

/** One line for whatever a program's file did instead of exporting an image: where, and what. */
function describe(file: string, error: unknown): string {
  if (!(error instanceof Error)) return `${file}: threw ${String(error)}`;
  if (error.name === "AssemblyError") return error.message;
  const [, path, line, mistake] = /^(.+):(\d+):\d+: ERROR: (.*)$/m.exec(error.message) ?? []; // as esbuild writes it
  if (error.name === "TransformError" && path) return `${basename(path)}:${line}: ${mistake}`;
  return `${placeOf(error) ?? file}: ${error.name}: ${error.message.replace(/\s*\n\s*/g, " ")}`;
}

/** The author's line, `program.ts:41`: the first on the stack of an error that is neither Node's nor a package's. */
function placeOf({ stack = "" }: Error): string | undefined {
  for (const entry of stack.split("\n")) {
    const [, path, line] = /^(?:\s+at (?:.*\()?)?((?:file:\/\/|[\\/]|[A-Z]:).*?):(\d+)(?::\d+)?\)?$/.exec(entry) ?? [];
    if (path && !path.includes("/node_modules/") && !path.startsWith(PACKAGE)) return `${basename(path)}:${line}`;
  }
  return undefined;
}
