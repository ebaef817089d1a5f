// Programs written with the assembler: a FILE.ts that says `export default image`.
import { register } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Image } from "#asm";
import { CommandError } from "./exit.ts";

/** Whether a file name is that of a program rather than of an image. */
export function isProgram(file: string): boolean {
  return /\.[cm]?[jt]s$/.test(file);
}

/** Whoever runs this file's source reads TypeScript already. */
const isSource = import.meta.url.endsWith(".ts");
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
  const url = pathToFileURL(resolve(file)).href;
  let exported: unknown;
  try {
    exported = ((await import(url)) as { default?: unknown }).default;
  } catch (error) {
    throw new CommandError(describe(file, url, error));
  }
  if (isImage(exported)) return exported;
  const found = exported === undefined ? "has no default export" : `exports ${typeof exported} by default`;
  throw new CommandError(`${file}: the file ${found}; a program says: export default link(main, { start: "all" })`);
}

function isImage(value: unknown): value is Image {
  return typeof value === "object" && value !== null && "elf" in value && typeof value.elf === "function";
}

/** One message for whatever a program's file did instead of exporting an image. */
function describe(file: string, url: string, error: unknown): string {
  if (!(error instanceof Error)) return `${file}: threw ${String(error)}`;
  if (error.name === "AssemblyError" || error.name === "TransformError") return error.message;
  const where = (error.stack ?? "").split("\n").find((line) => line.includes(url));
  return `${file}: ${error.name}: ${error.message}${where ? `\n${where}` : ""}`;
}
