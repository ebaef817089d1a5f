// The I/O APIC, driven through its two windows and its inputs.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { IOREGSEL, IOWIN, IoApic } from "../../../emulator/devices/ioapic.ts";
import { makeWords } from "./words.ts";

const test = suite("the I/O APIC");

const MASKED = 0x10000;
const LEVEL = 0x8000;
const REMOTE_IRR = 0x4000;

function makeIoApic() {
  const sent: string[] = [];
  const ioapic = new IoApic(makeWords(), {
    send: (mode, vector, destination, logical, level) =>
      sent.push(`${mode} ${vector} to ${logical ? "logical" : "physical"} ${destination}${level ? " level" : ""}`),
    notImplemented: (name) => sent.push(`not implemented: ${name}`),
  });
  ioapic.reset();
  const read = (register: number) => {
    ioapic.write(IOREGSEL, register);
    return ioapic.read(IOWIN);
  };
  const write = (register: number, value: number) => {
    ioapic.write(IOREGSEL, register);
    ioapic.write(IOWIN, value);
  };
  /** Sets the low word of an input's redirection entry. */
  const redirect = (gsi: number, low: number) => write(0x10 + 2 * gsi, low);
  const remoteIrr = (gsi: number) => (read(0x10 + 2 * gsi) & REMOTE_IRR) !== 0;
  return { ioapic, sent, read, write, redirect, remoteIrr };
}

test("it is version 11h with 24 entries, all masked", () => {
  const { read } = makeIoApic();
  assert.is(read(1), 0x170011);
  for (let gsi = 0; gsi < 24; gsi++) assert.equal([read(0x10 + 2 * gsi), read(0x11 + 2 * gsi)], [MASKED, 0]);
});

test("registers keep their writable bits, and reserved ones read as 0", () => {
  for (const [register, expected] of [
    [0, 0x0f000000],
    [1, 0x170011],
    [2, 0],
    [3, 0],
    [0x10, 0x1afff],
    [0x11, 0xff000000 | 0],
    [0x3f, 0xff000000 | 0],
    [0x40, 0],
    [0xff, 0],
  ]) {
    const { read, write } = makeIoApic();
    write(register, -1);
    assert.is(read(register), expected, `register ${register.toString(16)}h`);
  }
});

test("the selector holds eight bits", () => {
  const { ioapic } = makeIoApic();
  ioapic.write(IOREGSEL, 0x12345601);
  assert.is(ioapic.read(IOREGSEL), 1);
});

test("an edge sends the entry's message, once", () => {
  const { ioapic, sent, write, redirect } = makeIoApic();
  write(0x10 + 2 * 4 + 1, 0x3000000);
  redirect(4, 0x51);
  for (const asserted of [true, true, false, true]) ioapic.setLine(4, asserted);
  assert.equal(sent, ["0 81 to physical 3", "0 81 to physical 3"]);
});

test("an edge on a masked input is lost", () => {
  const { ioapic, sent, redirect } = makeIoApic();
  ioapic.setLine(4, true);
  redirect(4, 0x51);
  assert.equal(sent, []);
});

test("a level sends again after its EOI while asserted, and waits for that EOI", () => {
  const { ioapic, sent, redirect, remoteIrr } = makeIoApic();
  redirect(9, LEVEL | 0x61);
  ioapic.setLine(9, true);
  ioapic.setLine(9, false);
  ioapic.setLine(9, true);
  assert.is(sent.length, 1);
  assert.is(remoteIrr(9), true);
  ioapic.endOfInterrupt(0x62);
  assert.is(sent.length, 1);
  ioapic.endOfInterrupt(0x61);
  assert.equal(sent, ["0 97 to physical 0 level", "0 97 to physical 0 level"]);
  ioapic.setLine(9, false);
  ioapic.endOfInterrupt(0x61);
  assert.equal([sent.length, remoteIrr(9)], [2, false]);
});

test("a level that is asserted while masked is sent when the mask goes", () => {
  const { ioapic, sent, redirect } = makeIoApic();
  redirect(9, MASKED | LEVEL | 0x61);
  ioapic.setLine(9, true);
  assert.equal(sent, []);
  redirect(9, LEVEL | 0x61);
  assert.is(sent.length, 1);
});

test("an entry made edge-triggered forgets its remote IRR", () => {
  const { ioapic, redirect, remoteIrr } = makeIoApic();
  redirect(9, LEVEL | 0x61);
  ioapic.setLine(9, true);
  redirect(9, MASKED | LEVEL | 0x61);
  assert.is(remoteIrr(9), true);
  redirect(9, MASKED | 0x61);
  assert.is(remoteIrr(9), false);
});

test("mode, destination mode and destination go out as the entry says", () => {
  for (const [low, high, expected] of [
    [0x51, 0, "0 81 to physical 0"],
    [0x800 | 0x51, 0x5000000, "0 81 to logical 5"],
    [0x400, 0xff000000, "4 0 to physical 255"],
    [0x500, 0x1000000, "5 0 to physical 1"],
    [0x600, 0, "not implemented: delivery mode 6 through the I/O APIC"],
    [0x700, 0, "not implemented: ExtINT delivery through the I/O APIC"],
  ] as const) {
    const { ioapic, sent, write, redirect } = makeIoApic();
    write(0x11, high | 0);
    redirect(0, low);
    ioapic.setLine(0, true);
    assert.equal(sent, [expected]);
  }
});

test.run();
