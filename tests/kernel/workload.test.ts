// time limit: 600 s
// The kernel's workload, in every build, on few and many processors, here and on QEMU.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Image } from "#asm";
import { type BootOptions, Machine } from "#emulator";
import { firmwareRom } from "#firmware";
import { linkKernel } from "#kernel";
import { qemuIsHere, runOnQemu } from "./qemu.ts";

const test = suite("workload");

const free = linkKernel();
const checked = linkKernel({ checked: true });
const counting = linkKernel({ counters: true });
const rom = firmwareRom();
const MOST_INSTRUCTIONS = 2_000_000_000;

function runHere(image: Image, processors: number, options: BootOptions = {}) {
  let serial = "";
  const machine = Machine.boot(image, {
    ...options,
    processors,
    commandLine: "workload",
    serial: (byte) => {
      serial += String.fromCharCode(byte);
    },
  });
  const { reason, guestExit } = machine.run({ maxInstructions: MOST_INSTRUCTIONS });
  return { reason, guestExit, serial, hash: machine.hash() };
}

/** The lines that say the same on every machine. */
const fixed = (serial: string) => serial.split("\r\n").filter((line) => /^(TOTAL|VERDICT) /.test(line));

/** What they say on so many processors. */
const expected = (processors: number) => [
  `TOTAL processors ${processors}`,
  `TOTAL ordinary lock ${10_110 * processors} of ${10_110 * processors}`,
  `TOTAL queued lock ${10_110 * processors} of ${10_110 * processors}`,
  `TOTAL DPCs from the clock ${10 * processors} of ${10 * processors}`,
  `TOTAL DPCs from others ${100 * processors} of ${100 * processors}`,
  "VERDICT first come, first served: ok",
  "VERDICT levels and processors: ok",
  "VERDICT ok",
];

for (const [name, image, numbers] of [
  ["free", free, [1, 2, 8, 16, 32]],
  ["checked", checked, [1, 2, 8, 16, 32]],
  ["counting", counting, [4]],
] as const)
  for (const processors of numbers)
    test(`the ${name} build does its work on ${processors}`, () => {
      const { reason, guestExit, serial } = runHere(image, processors);
      assert.equal([reason, guestExit], ["guest exit", 0]);
      assert.equal(fixed(serial), expected(processors));
      assert.ok(Number(/INFO clock ticks (\d+)/.exec(serial)?.[1]) >= 10);
    });

test("it runs in 4 MiB", () => {
  assert.equal(fixed(runHere(free, 2, { memory: 4 << 20 }).serial), expected(2));
});

test("it is the same through the firmware", () => {
  for (const processors of [1, 4]) {
    const { guestExit, serial } = runHere(free, processors, { rom });
    assert.is(guestExit, 0);
    assert.equal(fixed(serial), expected(processors));
  }
});

test("equal seeds give equal machines, other seeds others", () => {
  const [first, again, other] = [1, 1, 2].map((seed) => runHere(free, 4, { seed }));
  assert.is(first.hash, again.hash);
  assert.is.not(first.hash, other.hash);
  assert.equal(fixed(other.serial), expected(4));
});

test("more processors than one wait for each other's locks", () => {
  const { serial } = runHere(counting, 4);
  const contended = [...serial.matchAll(/processor \d acquired (\d+), contended (\d+)/g)];
  assert.is(contended.length, 4);
  for (const [, acquired, waited] of contended) {
    assert.ok(Number(acquired) >= 20_220);
    assert.ok(Number(waited) > 0 && Number(waited) < Number(acquired));
  }
});

for (const [name, image, options] of [
  ["the free build", free, {}],
  ["the checked build", checked, {}],
  ["the free build through our firmware", free, { rom }],
] as const)
  for (const processors of [1, 2, 4, 8])
    (qemuIsHere ? test : test.skip)(`${name} says the same on QEMU's ${processors}`, () => {
      const { status, serial } = runOnQemu(image, { ...options, processors, commandLine: "workload" });
      assert.equal(fixed(serial), expected(processors));
      assert.is(status, 1);
    });

(qemuIsHere ? test : test.skip)("QEMU leaves the kernel's text as it was", () => {
  const text = free.sections.find(({ name }) => name === ".text");
  assert.ok(text);
  const { serial, file } = runOnQemu(free, {
    processors: 4,
    commandLine: "workload",
    monitor: [`pmemsave ${(text.address + free.load) >>> 0} ${text.size} "FILE"`],
    milliseconds: 5000,
  });
  assert.equal(fixed(serial), expected(4));
  assert.is(Buffer.compare(file, text.bytes), 0);
});

test.run();
