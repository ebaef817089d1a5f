// The files of the project as the house's rules see them: what git would commit, nothing that is generated.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The project's folder, with a slash at its end. */
export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

type Conditions = Record<string, string>;

/** What package.json says about what is inside and what is seen from outside. */
export const packageJson: {
  name: string;
  bin: Record<string, string>;
  exports: Record<string, Conditions | string>;
  imports: Record<string, Conditions>;
} = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8"));

/** The tracked files, as paths from the project's folder. */
export const trackedFiles: readonly string[] = execFileSync("git", ["ls-files", "-z"], { cwd: ROOT, encoding: "utf8" })
  .split("\0")
  .filter((file) => file !== "" && existsSync(ROOT + file));

/** The tracked files of a folder whose path matches. */
export function filesUnder(folder: string, pattern: RegExp): string[] {
  return trackedFiles.filter((file) => file.startsWith(`${folder}/`) && pattern.test(file));
}
