// A kernel's bug check on the command line: the exit code, and the routine and source line that the image's symbols tell.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import doubleRelease from "../../../tools/programs/double-release.ts";
import { expect, file, folder } from "./command.ts";

const test = suite("ring0 run and bug checks");

const image = file("double-release.elf", doubleRelease.elf());
const LINE =
  /^ring0: bug check 0x10 on processor 0 at (0x[0-9a-f]+), (\w+)\+0x[0-9a-f]+, (\S+:\d+), called at (0x[0-9a-f]+), (\w+)\+0x[0-9a-f]+, (\S+:\d+)$/m;

const { stdout, stderr } = expect(6, image, "--smp", "4");
const [, address = "", routine, source, callerAddress = "", caller, callerSource] = LINE.exec(stderr) ?? [];

test("the screen is the guest's, the routine and the line are ours", () => {
  assert.match(stdout, /^\*\*\* STOP: 0x00000010 \(/m);
  assert.match(stderr, LINE);
  assert.is(routine, "KefReleaseSpinLockFromDpcLevel");
  assert.match(source ?? "", /kernel\/ke\/spinlock\.ts:\d+$/);
  assert.is(caller, "DriverThread");
  assert.match(callerSource ?? "", /double-release\.ts:\d+$/);
});

const hasAddr2line = spawnSync("addr2line", ["--version"]).status === 0;
if (!hasAddr2line) console.log("skipped: addr2line is not on the PATH");

(hasAddr2line ? test : test.skip)("addr2line agrees", () => {
  const { stdout } = spawnSync("addr2line", ["-e", join(folder, image), address, callerAddress], { encoding: "utf8" });
  assert.equal(stdout.trim().split("\n"), [source, callerSource]);
});

test.run();
