// time limit: 300 s
// The yardstick image, where it lies beside the checkout: GCC's and NASM's code, interrupts and paging, against the host and QEMU.

import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Machine } from "#emulator";
import { whyNot } from "../host.ts";

const source = fileURLToPath(new URL("../../../shared/perf", import.meta.url));
const found = (command: string): boolean => spawnSync(command, ["--version"]).error === undefined;
const missing = !existsSync(source) ? "no ../shared/perf" : ["gcc", "nasm", "make"].find((tool) => !found(tool));

const test = suite("the yardstick image");
const here = missing === undefined ? test : test.skip;
if (missing !== undefined) console.log(`skipped: ${missing}`);

const folder = mkdtempSync(join(tmpdir(), "ring0-yardstick-"));
const kernel = join(folder, "build/perf.elf");
test.before(() => {
  if (missing !== undefined) return;
  cpSync(source, folder, { recursive: true });
  const made = spawnSync("make", ["-C", folder, "all"], { encoding: "utf8" });
  assert.is(made.status, 0, made.stderr);
});
test.after(() => rmSync(folder, { recursive: true, force: true }));

/** The END lines of an output: row and checksum. */
const sums = (output: string): Map<string, string> =>
  new Map([...output.matchAll(/^END (\w+) ([0-9a-f]{8})\r?$/gm)].map(([, row, sum]) => [row, sum]));

function boot(commandLine: string, processors = 1): string {
  let serial = "";
  const machine = Machine.boot(readFileSync(kernel), {
    processors,
    commandLine,
    serial: (byte) => (serial += String.fromCharCode(byte)),
  });
  const { reason, detail } = machine.run({ maxInstructions: 2_000_000_000 });
  assert.is(reason, "guest exit", detail);
  assert.match(serial, /^ALL DONE$/m);
  return serial;
}

here("every row's checksum is the host's, or QEMU's where the host has no such row", () => {
  const ours = sums(boot("scale=1"));
  const why = whyNot(32);
  if (why !== undefined) console.log(`skipped: the host's rows, ${why}`);
  else {
    const native = sums(spawnSync(join(folder, "build/native"), ["scale=1"], { encoding: "utf8" }).stdout);
    assert.is(native.size, 14);
    for (const [row, sum] of native) assert.is(ours.get(row), sum, row);
  }
  if (!found("qemu-system-i386")) {
    console.log("skipped: the interrupt rows, for want of QEMU");
    return;
  }
  const machine = "-accel tcg,thread=single -m 128 -display none -no-reboot -serial stdio -monitor none".split(" ");
  const exit = ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"];
  const boots = [...machine, ...exit, "-kernel", kernel, "-append", "scale=1"];
  const qemu = sums(spawnSync("qemu-system-i386", boots, { encoding: "utf8", timeout: 120_000 }).stdout);
  assert.is(qemu.size, 19);
  for (const [row, sum] of qemu) assert.is(ours.get(row), sum, row);
});

here("no increment is lost under a contended lock on 4 and 8 processors", () => {
  for (const processors of [4, 8]) {
    const serial = boot(`scale=1 mode=smp cpus=${processors}`, processors);
    for (const row of ["smp_tas", "smp_mcs"]) {
      const expected = Number(new RegExp(`INFO ${row} expected=(\\d+)`).exec(serial)?.[1]);
      assert.is(Number.parseInt(sums(serial).get(row) ?? "", 16), expected);
    }
  }
});

test.run();
