// What dist/ is made of.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { basename, join, sep } from "node:path";

const folders = ["emulator", "firmware", "kernel", "tools"];
const files = ["package.json", "package-lock.json", "tsconfig.json", "tsconfig.build.json"];

/** Modules, what is generated among them; not what editors leave beside them. */
const isSource = (file: string): boolean => file.endsWith(".ts") && !basename(file).startsWith(".");

/** The files of a project's folder that its build depends on, as paths from there with slashes, in one order everywhere. */
function sourcesOf(root: string): string[] {
  const found = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter(isSource)
      .map((file) => join(folder, file).replaceAll(sep, "/")),
  );
  return [...found, ...files].sort();
}

const thisNode = `${process.version} ${process.platform} ${process.arch}`;

/** A digest of what the build of a project's folder depends on: its sources' names and bytes, and the Node that V8's code is for. */
export function digestOf(root: string, node = thisNode): string {
  const hash = createHash("sha256").update(node);
  for (const file of sourcesOf(root)) {
    const bytes = readFileSync(join(root, file));
    hash.update(`\0${file} ${bytes.length}\0`).update(bytes);
  }
  return hash.digest("hex");
}
