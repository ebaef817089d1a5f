// The firmware configuration device against QEMU's description of it.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FirmwareConfiguration } from "../../../emulator/devices/fwcfg.ts";
import { Machine } from "../../../emulator/index.ts";
import { makeWords } from "./words.ts";

const test = suite("fw_cfg");

function makeDevice() {
  const device = new FirmwareConfiguration(makeWords());
  device.offer(new Map([[5, Uint8Array.of(1, 2, 3)]]));
  device.reset();
  const take = (count: number) => Array.from({ length: count }, () => device.readPort());
  return { device, take };
}

test("a selected item gives its bytes from the start, then zeros", () => {
  const { device, take } = makeDevice();
  device.select(5);
  assert.equal(take(5), [1, 2, 3, 0, 0]);
  device.select(5);
  assert.equal(take(1), [1]);
});

test("an item that is not there gives zeros", () => {
  const { device, take } = makeDevice();
  device.select(0x1234);
  assert.equal(take(2), [0, 0]);
});

test("bytes written change nothing", () => {
  const { device, take } = makeDevice();
  device.select(5);
  device.writePort();
  assert.equal(take(3), [1, 2, 3]);
});

/** An item of a machine, through its board's ports. */
function item(machine: Machine, key: number, length: number): number[] {
  machine.board.writePort(0x510, 2, key);
  return Array.from({ length }, () => machine.board.readPort(0x511, 1));
}

test("a machine says who it is, its RAM and its processors, and that it has no DMA and no files", () => {
  const machine = new Machine({ processors: 7, memory: 32 * 0x100000 });
  assert.equal(item(machine, 0, 4), [0x51, 0x45, 0x4d, 0x55]);
  assert.equal(item(machine, 1, 4), [1, 0, 0, 0]);
  assert.equal(item(machine, 3, 8), [0, 0, 0, 2, 0, 0, 0, 0]);
  assert.equal(item(machine, 5, 2), [7, 0]);
  assert.equal(item(machine, 0x19, 4), [0, 0, 0, 0]);
});

test("what is selected, and how far it has been read, comes back with a snapshot", () => {
  const machine = new Machine({ processors: 3 });
  item(machine, 0, 1);
  const snapshot = machine.snapshot();
  item(machine, 5, 2);
  machine.restore(snapshot);
  assert.is(machine.board.readPort(0x511, 1), 0x45);
});

test.run();
