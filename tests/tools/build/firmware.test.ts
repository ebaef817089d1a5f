// `npm run build:firmware`: the file it writes, its options, and what it says of wrong ones.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { firmwareRom } from "#firmware";

const test = suite("build:firmware");

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "ring0-firmware-"));
const file = (name: string) => join(folder, name);

/** Runs the script in the project; its exit code and what it says. */
function build(...words: string[]) {
  const script = ["--conditions=ring0-source", "--import", "tsx", "tools/build/firmware.ts"];
  const { status, stderr } = spawnSync(process.execPath, [...script, ...words], { cwd: ROOT, encoding: "utf8" });
  return { status, stderr };
}

const written = (name: string) => new Uint8Array(readFileSync(file(name)));

test("the file holds the ROM", () => {
  assert.equal(build("--output", file("plain.rom")), { status: 0, stderr: "" });
  assert.equal(written("plain.rom"), firmwareRom());
});

test("--no-madt and --mp-table make other tables", () => {
  const mpTable = Uint8Array.of(1, 2, 3, 4);
  writeFileSync(file("table.bin"), mpTable);
  assert.is(build("--no-madt", "--mp-table", file("table.bin"), "--output", file("odd.rom")).status, 0);
  assert.equal(written("odd.rom"), firmwareRom({ withoutMadt: true, mpTable }));
  assert.not.equal(written("odd.rom"), firmwareRom());
});

for (const [title, words, expected] of [
  ["an unknown option", ["--madt"], /^build:firmware: .*'--madt'/],
  ["a table that is not there", ["--mp-table", "none.bin"], /^build:firmware: .*no such file.*none\.bin/],
  ["a table that is too large", ["--mp-table", "package-lock.json"], /^build:firmware: .*1024 bytes/],
] as const)
  test(`${title} is one line and exit code 2`, () => {
    const { status, stderr } = build(...words, "--output", file("not.rom"));
    assert.is(status, 2);
    assert.match(stderr, expected);
    assert.is(stderr.trimEnd().split("\n").length, 1);
  });

test.after(() => rmSync(folder, { recursive: true }));

test.run();
