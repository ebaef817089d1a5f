// What dist/ is made of.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, sep } from "node:path";

/** Made of the other sources: not one of them. */
export const GENERATED = "emulator/engine/interpreter/generated";

const folders = ["emulator", "firmware", "kernel", "tools"];
const files = ["package.json", "package-lock.json", "tsconfig.json", "tsconfig.build.json"];

/** The files of a project's folder that its build depends on, as paths from there with slashes, in one order everywhere. */
function sourcesOf(root: string): string[] {
  const found = folders
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((name) => join(folder, name)),
    )
    .filter((file) => statSync(join(root, file)).isFile())
    .map((file) => file.replaceAll(sep, "/"));
  return [...found.filter((file) => !file.startsWith(`${GENERATED}/`)), ...files].sort();
}

/** A digest of what the build of a project's folder depends on: its sources' names and bytes, and this Node, which V8's code is for. */
export function digestOf(root: string): string {
  const hash = createHash("sha256").update(`${process.version} ${process.platform} ${process.arch}`);
  for (const file of sourcesOf(root)) {
    const bytes = readFileSync(join(root, file));
    hash.update(`\0${file} ${bytes.length}\0`).update(bytes);
  }
  return hash.digest("hex");
}
