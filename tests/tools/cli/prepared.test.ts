// The quick form of the command: which words it is for, that V8 takes its code, and that it does what the modules do.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { isForPrepared, prepare, scriptOf } from "../../../tools/cli/prepared.ts";
import { expect, file, folder, ROOT, ring0 } from "./command.ts";

const test = suite("quick form");

const cases: readonly (readonly [words: string[], isPrepared: boolean])[] = [
  [["run", "kernel.elf"], true],
  [["run", "--kernel", "kernel", "--bios", "firmware.rom"], true],
  [["kernel.elf", "--smp", "4"], true],
  [["./kernel"], true],
  [["run", "counter.ts", "--smp", "4"], false],
  [["run", "--kernel", "counter.mjs"], false],
  [["counter.ts"], false],
  [["trace", "kernel.elf"], false],
  [["explore", "queued-lock"], false],
  [["--version"], false],
  [[], false],
];
for (const [words, isPrepared] of cases)
  test(`ring0 ${words.join(" ")}: ${isPrepared ? "the quick form" : "the modules"}`, () => {
    assert.is(isForPrepared(words), isPrepared);
  });

/** What a script says, in a process that has the built command's modules. */
function say(script: string, ...words: string[]): string {
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script, ...words], {
    cwd: folder,
    encoding: "latin1",
  });
  assert.is(stderr, "");
  return stdout;
}
const PREPARED = JSON.stringify(join(ROOT, "dist/tools/cli/prepared.js"));
const WHOLE = JSON.stringify(join(ROOT, "dist/tools/cli/whole.js"));

test("V8 takes the code that was made of the built form", () => {
  assert.is(say(`import { readPrepared } from ${PREPARED}; console.log(readPrepared().isQuick);`), "true\n");
});

test("a form with another V8's code is compiled anew, and runs", async () => {
  const prepared = prepare(scriptOf("module.exports = { runWords: async () => 7 };"), Buffer.alloc(100, 1));
  assert.is(prepared.isQuick, false);
  assert.is(await prepared.run().runWords([]), 7);
});

// 'A' and 'B' to COM1, and 0 to the exit port; LIDT with a limit of nothing, and INT3.
const image = file("letters.bin", bootSector("ba f8 03 b0 41 ee b0 42 ee 30 c0 e6 f4 f4"));
const crash = file("crash.bin", bootSector("0f 01 1e 40 7c cc"));

function bootSector(code: string): Uint8Array {
  const bytes = new Uint8Array(512);
  bytes.set(code.split(" ").map((byte) => Number.parseInt(byte, 16)));
  bytes.set([0x55, 0xaa], 510);
  return bytes;
}

const lines: readonly string[][] = [
  ["run", image],
  ["run", image, "--json", "--seed", "3"],
  [image, "--smp", "2"],
  ["run", crash],
  ["run", "missing.elf"],
  ["run", image, "--smpp", "4"],
  ["run", "--help"],
];
for (const words of lines)
  test(`ring0 ${words.join(" ")}: the same as by the modules`, () => {
    const quick = ring0(...words);
    const script = `import { runWords } from ${WHOLE};
      process.exitCode = await runWords(process.argv.slice(1));`;
    const slow = spawnSync(process.execPath, ["--input-type=module", "-e", script, "--", ...words], {
      cwd: folder,
      encoding: "latin1",
      env: { ...process.env, NO_COLOR: "1" },
    });
    const timeless = (text: string): string => text.replace(/"seconds":[\d.e-]+|[\d.]+ s\b/g, "TIME");
    assert.is(timeless(quick.stdout), timeless(slow.stdout));
    assert.is(timeless(quick.stderr), timeless(slow.stderr));
    assert.is(quick.status, slow.status);
  });

test("the letters arrive", () => {
  assert.is(expect(0, "run", image).stdout, "AB");
});

test.run();
