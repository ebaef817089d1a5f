// time limit: 300 s
// The same ROM under QEMU's -bios: it boots the same images, says the same, and leaves the same tables.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Machine } from "#emulator";
import { firmwareRom } from "#firmware";
import { linkKernel } from "#kernel";
import queuedLock from "../../tools/programs/queued-lock.ts";
import { qemuIsHere, runOnQemu } from "../kernel/qemu.ts";
import { inspect, MARK } from "./inspect.ts";

const test = suite("the firmware under QEMU");
const needsQemu = qemuIsHere ? test : test.skip;

const MIB = 0x100000;
const ROM = firmwareRom();

for (const processors of [1, 2, 4])
  needsQemu(`the queued-lock program works on ${processors}`, () => {
    const { status, serial } = runOnQemu(queuedLock, { processors, rom: ROM, commandLine: "rounds=500" });
    assert.is(status, 1, serial);
    assert.match(serial, new RegExp(`^ring0 firmware: processors ${processors}, memory 128 MiB, loading 0x00100000, `));
    assert.match(serial, new RegExp(`^TOTAL ${500 * processors} expected ${500 * processors}\r$`, "m"));
  });

needsQemu("tables, sizes and map of memory are those of our machine", () => {
  const [processors, commandLine, memory] = [3, "some words", 64 * MIB];
  let ours = "";
  const serial = (byte: number) => {
    ours += String.fromCharCode(byte);
  };
  Machine.boot(inspect, { rom: ROM, processors, commandLine, memory, serial }).run({ maxInstructions: 5_000_000 });
  const theirs = runOnQemu(inspect, { processors, rom: ROM, commandLine, more: ["-m", "64"] }).serial;
  const [here, there] = [ours, theirs].map((text) => text.split(MARK));
  assert.is(here?.length, 5);
  assert.is(there?.length, 5);
  const upTo = (area: string | undefined, end: number) => [...(area ?? "").slice(0, end)].map((c) => c.charCodeAt(0));
  assert.equal(upTo(there?.[1], 0x400), upTo(here?.[1], 0x400), "RSDP, RSDT, MADT and MP pointer");
  // The processors' signatures differ, the I/O APIC's version too, and so the checksum.
  const wiring = (area: string | undefined) => upTo(area, 0x800).slice(0x400 + 44 + 3 * 20 + 16);
  assert.equal(wiring(there?.[1]), wiring(here?.[1]), "the MP table's interrupt entries");
  assert.is(
    upTo(there?.[1], 0x800)
      .slice(0x400, 0x400 + 204 + 3 * 20)
      .reduce((sum, byte) => (sum + byte) & 0xff),
    0,
  );
  assert.equal([there?.[2], there?.[3]], [here?.[2], here?.[3]], "mem_lower, mem_upper, memory map");
  assert.is(here?.[4], commandLine);
  assert.match(there?.[4] ?? "", /kernel\.elf some words$/);
});

needsQemu("where there is no kernel it says so", () => {
  const { serial } = runOnQemu(null, { processors: 1, rom: ROM, monitor: [], milliseconds: 1500 });
  assert.match(serial, /^ring0 firmware: .*, nothing to boot: fw_cfg holds no kernel; -kernel FILE would do\r\n$/);
});

/** The lines that say the same on every machine. */
const fixed = (serial: string) => serial.split("\r\n").filter((line) => /^(TOTAL|VERDICT) /.test(line));

for (const processors of [1, 2, 4, 8])
  needsQemu(`the kernel's workload says on ${processors} what it says here`, () => {
    const kernel = linkKernel();
    let here = "";
    const serial = (byte: number) => {
      here += String.fromCharCode(byte);
    };
    const machine = Machine.boot(kernel, { rom: ROM, processors, commandLine: "workload", serial });
    assert.is(machine.run({ maxInstructions: 2_000_000_000 }).guestExit, 0);
    const there = runOnQemu(kernel, { processors, rom: ROM, commandLine: "workload" });
    assert.is(there.status, 1, there.serial);
    assert.is(fixed(here).at(-1), "VERDICT ok");
    assert.equal(fixed(there.serial), fixed(here));
  });

test.run();
