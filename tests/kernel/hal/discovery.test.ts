// Which processors the kernel finds and starts, wherever it learns of them from.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type BootOptions, Machine } from "#emulator";
import { firmwareRom } from "#firmware";
import { KeActiveProcessors, KiProcessors, KPCR, KPROCESSOR, linkKernel } from "#kernel";
import { qemuIsHere, runOnQemu } from "../qemu.ts";

const test = suite("processors");

const image = linkKernel();
const BDA_EBDA_SEGMENT = 0x40e;
const EBDA = 0x9f000;
const EBDA_SIZE = 0x1000;

/** Wipe what a loader or a firmware has told of the machine. */
function withoutTables(machine: Machine): void {
  machine.memory.set(BDA_EBDA_SEGMENT, new Uint8Array(2));
  machine.memory.set(EBDA, new Uint8Array(EBDA_SIZE));
}

const ways: readonly [title: string, options: BootOptions, change?: (machine: Machine) => void][] = [
  ["the MADT that the loader leaves", {}],
  ["the firmware's MADT", { rom: firmwareRom() }],
  ["the firmware's MP table", { rom: firmwareRom({ withoutMadt: true }) }],
  ["their answers, where there is no table", {}, withoutTables],
];

for (const [title, options, change] of ways)
  test(`every processor is found by ${title}`, () => {
    for (const processors of [1, 2, 5, 8]) {
      const machine = Machine.boot(image, { ...options, processors, memory: 8 << 20, commandLine: "noclock" });
      change?.(machine);
      const { reason } = machine.run({ maxInstructions: 100_000_000 });
      assert.is(reason, "halted"); // every processor idles, and nothing comes to wake it
      const physical = (linear: number) => linear + image.load;
      assert.is(machine.memory.dword(physical(image.addressOf(KeActiveProcessors))), 2 ** processors - 1);
      for (const { number, fs, eip } of machine.processors) {
        const page = image.addressOf(KiProcessors) + number * KPROCESSOR.size;
        const word = (offset: number) => machine.memory.dword(physical(page + offset));
        assert.is(fs.base, page);
        assert.is(word(KPCR.SelfPcr.offset), page);
        assert.is(word(KPCR.SetMember.offset), 2 ** number);
        assert.is(word(KPCR.HalReserved.element(0).offset), number); // the APIC ID
        assert.match(image.nameAt(eip) ?? "", /^KiIdleLoop/);
      }
    }
  });

/** Machines of QEMU's, with its own firmware. */
const foreign: readonly [title: string, options: readonly string[]][] = [
  ["whose tables lie above 2 GiB", ["-m", "3072"]],
  ["with MP tables only", ["-machine", "pc,acpi=off", "-smp", "4,sockets=4"]],
  ["with another chip set", ["-machine", "q35"]],
];

for (const [title, more] of foreign)
  (qemuIsHere ? test : test.skip)(`every processor is found on a PC ${title}`, () => {
    const { status, serial } = runOnQemu(image, { processors: 4, commandLine: "workload", more });
    assert.match(serial, /^TOTAL processors 4\r$/m);
    assert.is(status, 1);
  });

test.run();
