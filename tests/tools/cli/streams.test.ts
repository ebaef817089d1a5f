// Where the command's output goes: all of it arrives in files and in pipes, also in those that are full and do not block.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { file, folder, ROOT, read } from "./command.ts";

const test = suite("output streams");

// 200,000 times 'A' to COM1, and 0 to the exit port.
const bytes = new Uint8Array(512);
bytes.set([0x66, 0xb9, 0x40, 0x0d, 0x03, 0x00, 0xba, 0xf8, 0x03, 0xb0, 0x41, 0xee, 0x66, 0x49, 0x75, 0xfb]);
bytes.set([0x30, 0xc0, 0xe6, 0xf4, 0xf4], 16);
bytes.set([0x55, 0xaa], 510);
file("letters.bin", bytes);
const RING0 = `"${process.execPath}" "${ROOT}dist/tools/cli/ring0.cjs" letters.bin`;
const LETTERS = "A".repeat(200_000);

const FULL = "ring0: standard output cannot be written (ENOSPC); a place with room would do";

/** A process that lets the pipe it writes to not block, as long as it lives. */
const UNBLOCKED = `"${process.execPath}" -e "process.stdout.write(''); setTimeout(() => {}, 1500)" &`;

function shell(command: string): { status: number | null; stdout: string } {
  return spawnSync("sh", ["-c", command], { cwd: folder, encoding: "latin1", maxBuffer: 1 << 24 });
}

test("to a file", () => {
  assert.is(shell(`${RING0} >letters.txt 2>said.txt`).status, 0);
  assert.is(read("letters.txt"), LETTERS);
  assert.match(read("said.txt"), /^ring0: guest exit 0, after /);
});

test("to nobody", () => {
  assert.is(shell(`${RING0} >/dev/null 2>&1`).status, 0);
});

test("to a pipe that is read late", () => {
  assert.is(shell(`${RING0} | (sleep 0.5; cat)`).stdout, LETTERS);
});

test("to a full pipe that does not block", () => {
  assert.is(shell(`(${UNBLOCKED} sleep 0.2; ${RING0}) | (sleep 1; cat)`).stdout, LETTERS);
});

test("a reader that has gone away ends it quietly", () => {
  assert.is(shell(`(${RING0}; echo $? >status.txt) 2>said.txt | head -c 10`).stdout, "A".repeat(10));
  assert.is(read("status.txt"), "0\n");
  assert.is(read("said.txt"), "");
});

const hasFull = existsSync("/dev/full");
if (!hasFull) console.log("skipped: there is no /dev/full");
(hasFull ? test : test.skip)("a full disk is told", () => {
  assert.is(shell(`${RING0} >/dev/full 2>said.txt`).status, 2);
  assert.is(read("said.txt").split("\n").at(-2), FULL);
});

// Linux: with a file system of its own, in a name space of its own, where that is allowed.
const own = (command: string): string => `unshare -rm sh -c '${command}'`;
const hasOwn = shell(own("mount -t tmpfs -o size=64k none /mnt")).status === 0;
if (!hasOwn) console.log("skipped: no file system of its own can be had (unshare, mount)");
(hasOwn ? test : test.skip)("a full disk is told, also by writing to a file", () => {
  const command = `mount -t tmpfs -o size=64k none /mnt; ${RING0} >/mnt/letters.txt 2>said.txt`;
  assert.is(shell(own(command)).status, 2);
  assert.is(read("said.txt"), `${FULL}\n`);
});

test("without a place to go it runs all the same", () => {
  assert.is(shell(`${RING0} >&- 2>&-`).status, 0);
});

test.run();
