// The queued-lock program: what it prints, that it tells a good lock from bad ones, and that it runs on QEMU as well.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { data, dword, eax, ecx, edx, type Image, proc } from "#asm";
import { Machine } from "#emulator";
import { KLOCK_QUEUE_HANDLE } from "#kernel";
import image, { queuedLock, spinLock } from "../../../tools/programs/queued-lock.ts";

const test = suite("the queued-lock program");

function run(image: Image, processors: number, commandLine: string, seed = 1) {
  let serial = "";
  const machine = Machine.boot(image, {
    processors,
    seed,
    commandLine,
    serial: (byte) => (serial += String.fromCharCode(byte)),
  });
  const { reason, guestExit } = machine.run({ maxInstructions: 50_000_000 });
  return { serial, reason, guestExit };
}

test("it counts every processor's acquisitions, finds them in order, and exits with 0", () => {
  for (const processors of [1, 2, 4, 8]) {
    const { serial, reason, guestExit } = run(image, processors, "rounds=300");
    assert.is(reason, "guest exit");
    assert.is(guestExit, 0, serial);
    const all = 300 * processors;
    assert.match(serial, new RegExp(`^QUEUED LOCK processors ${processors} rounds 300\r\n`));
    assert.is(serial.match(/^PROCESSOR \d+ acquisitions 300 waited \d+\r$/gm)?.length, processors);
    assert.match(serial, `\r\nTOTAL ${all} expected ${all}\r\nFIFO ok\r\n`);
    assert.match(serial, /VERDICT ok\r\n$/);
  }
});

test("with PAUSE in the section every pair of processors hands over, and more than a tenth waits", () => {
  for (const processors of [2, 4, 8]) {
    const { serial } = run(image, processors, "rounds=1000");
    const pairs = processors * (processors - 1);
    assert.match(serial, `pairs ${pairs}/${pairs}\r\n`);
    const [, contended] = /CONTENDED (\d+) of/.exec(serial) ?? [];
    assert.ok(Number(contended) >= 100 * processors, serial);
  }
});

test("equal seeds give equal sequences, others other ones", () => {
  const sequence = (seed: number) => /SEQUENCE (\w+)/.exec(run(image, 4, "rounds=200", seed).serial)?.[1];
  assert.is(sequence(1), sequence(1));
  assert.is(new Set([1, 2, 3, 4, 5].map(sequence)).size, 5);
});

test("the number of processors to wait for can be said", () => {
  assert.match(run(image, 3, "kernel cpus=3 rounds=10").serial, /^QUEUED LOCK processors 3 rounds 10\r\n/);
});

test("a lock that locks nothing is found out", () => {
  const nothing = proc("nothing", (a) => a.ret());
  const { serial, guestExit } = run(queuedLock({ acquire: nothing, release: nothing }), 4, "rounds=300");
  assert.is(guestExit, 1);
  assert.match(serial, /VERDICT broken\r\n$/);
});

test("a lock that keeps no order is found out by its order alone", () => {
  // A test-and-set lock; whoever gets it links the one before behind itself, as if that one were waiting.
  const before = data("before", 4);
  const acquire = proc("unfairAcquire", (a) => {
    a.label("retry");
    a.pause();
    a.lock.bts(dword(ecx), 0);
    a.jc("retry");
    a.mov(eax, dword(before));
    a.mov(dword(before), edx);
    a.mov(dword(edx, KLOCK_QUEUE_HANDLE.LockQueue.Next), eax);
    a.ret();
  });
  const release = proc("unfairRelease", (a) => {
    a.mov(dword(spinLock), 0);
    a.ret();
  });
  const { serial, guestExit } = run(queuedLock({ acquire, release }), 4, "rounds=300");
  assert.match(serial, /TOTAL 1200 expected 1200\r\nFIFO broken \d+ times\r\n/);
  assert.is(guestExit, 1);
});

const qemuIsHere = spawnSync("qemu-system-i386", ["--version"]).status === 0;
if (!qemuIsHere) console.log("skipped: QEMU is not on the PATH");

(qemuIsHere ? test : test.skip)("the same file says the same on QEMU", () => {
  const folder = mkdtempSync(join(tmpdir(), "ring0-qemu-"));
  const file = join(folder, "queued-lock.elf");
  writeFileSync(file, image.elf());
  const machine = "-accel tcg,thread=single -smp 4 -display none -no-reboot -serial stdio -monitor none".split(" ");
  const exit = ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"];
  const options = { encoding: "utf8", timeout: 60_000 } as const;
  const qemu = spawnSync("qemu-system-i386", [...machine, ...exit, "-kernel", file, "-append", "rounds=1000"], options);
  rmSync(folder, { recursive: true });
  assert.is(qemu.status, 1, qemu.stderr); // (0 << 1) | 1
  assert.match(qemu.stdout, /TOTAL 4000 expected 4000\r\nFIFO ok\r\nHANDOVERS \d+ pairs 12\/12\r\n/);
});

test.run();
