// The first program, on our machine and on QEMU: 4 processors count to 1000 each under one lock.

import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Machine } from "#emulator";
import image, { total } from "../../../tools/programs/counter.ts";

const test = suite("counter");

test("every processor counts to 1000, and then all are halted", () => {
  for (const processors of [1, 2, 4, 32]) {
    const machine = Machine.boot(image, { processors });
    const { reason } = machine.run({ maxInstructions: 20_000_000 });
    assert.is(reason, "halted");
    assert.is(machine.memory.dword(image.addressOf(total)), 1000 * processors);
  }
});

const qemuIsHere = spawnSync("qemu-system-i386", ["--version"]).status === 0;
if (!qemuIsHere) console.log("skipped: QEMU is not on the PATH");

(qemuIsHere ? test : test.skip)("the same file leaves 4000 on QEMU", async () => {
  const folder = mkdtempSync(join(tmpdir(), "ring0-qemu-"));
  const file = join(folder, "counter.elf");
  writeFileSync(file, image.elf());
  try {
    assert.is(await totalOnQemu(file, image.addressOf(total), 4000), 4000);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** Run a file on QEMU's 4 processors until a doubleword has a value, or 20 seconds; what it has then. */
async function totalOnQemu(file: string, address: number, expected: number): Promise<number> {
  const machine = ["-accel", "tcg,thread=single", "-smp", "4", "-display", "none", "-no-reboot", "-serial", "none"];
  const qemu = spawn("qemu-system-i386", [...machine, "-monitor", "stdio", "-kernel", file]);
  let said = "";
  let value = -1;
  qemu.stdout.on("data", (text) => (said += text));
  const ended = new Promise((resolve) => qemu.on("exit", resolve));
  for (let tries = 0; tries < 100 && value !== expected; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    said = "";
    qemu.stdin.write(`xp /1wd 0x${address.toString(16)}\n`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    value = Number(/[0-9a-f]{16}: +(\d+)/.exec(said)?.[1] ?? -1);
  }
  qemu.stdin.write("quit\n");
  await ended;
  return value;
}

test.run();
