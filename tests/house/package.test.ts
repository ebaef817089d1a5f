// The package as its users get it: what it exports is there, in the source and built, and loads.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { packageJson, ROOT } from "./tree.ts";

const test = suite("the package");

/** What an entry says for a condition; an entry without conditions says the same for all. */
const target = (entry: string | Record<string, string>, condition: string) =>
  typeof entry === "string" ? entry : entry[condition];

const entries = Object.entries({ ...packageJson.exports, ...packageJson.imports });

test("every export and import exists in the source", () => {
  const missing = entries.map(([, entry]) => target(entry, "ring0-source")).filter((file) => !existsSync(ROOT + file));
  assert.equal(missing, []);
});

test("every export and import exists in dist, with its types", () => {
  const built = entries.flatMap(([, entry]) => {
    const file = target(entry, "default");
    return file?.endsWith(".js") ? [file, file.replace(/\.js$/, ".d.ts")] : [];
  });
  assert.ok(built.length > 0);
  assert.equal(
    built.filter((file) => !existsSync(ROOT + file)),
    [],
  );
});

test("dist is the source's name, the folder for itself", () => {
  for (const [name, entry] of entries) {
    const source = target(entry, "ring0-source");
    if (source?.endsWith(".ts")) {
      const built = source.replace(/^\.\//, "./dist/").replace(/\.ts$/, ".js");
      assert.is(target(entry, "default"), built, name);
    }
  }
});

for (const name of Object.keys(packageJson.exports).filter((name) => !name.endsWith(".json"))) {
  const specifier = name.replace(".", packageJson.name);
  test(`import "${specifier}" loads what is built`, () => {
    const script = `import * as all from ${JSON.stringify(specifier)}; console.log(Object.keys(all).length)`;
    const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      cwd: ROOT,
      encoding: "utf8",
    });
    assert.ok(Number(stdout) > 0, stderr || "it exports nothing");
  });
}

test("the types stand alone: a strict program that knows neither Node nor a browser type-checks against them", () => {
  const folder = mkdtempSync(join(tmpdir(), "ring0-types-"));
  try {
    mkdirSync(join(folder, "node_modules"));
    symlinkSync(ROOT, join(folder, "node_modules", packageJson.name), "dir");
    const compilerOptions = { strict: true, module: "nodenext", target: "es2023", types: [], noEmit: true };
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({ compilerOptions: { ...compilerOptions, lib: ["es2023"] } }),
    );
    writeFileSync(
      join(folder, "user.ts"),
      `import { Machine } from "ring0";
      import { eax, link, proc } from "ring0/asm";
      import { explore } from "ring0/explore";
      const main = proc("main", (a) => a.mov(eax, 1));
      // @ts-expect-error: MOV takes no number for a destination
      proc("wrong", (a) => a.mov(1, eax));
      export const reason: string = Machine.boot(link(main), { processors: 2 }).run().reason;
      export const verdict: Function = explore;
      `,
    );
    const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
    const { stdout } = spawnSync(process.execPath, [compiler, "-p", folder], { encoding: "utf8" });
    assert.is(stdout, "");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("the commands are programs of Node", () => {
  const [command] = Object.values(packageJson.bin) as [string];
  assert.match(readFileSync(ROOT + command, "utf8"), /^#!\/usr\/bin\/env node\n/);
});

test.run();
