// The real-time clock and its memory against the MC146818A data sheet and the AT's register map.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { CMOS_DATA, CMOS_INDEX, Cmos } from "../../../emulator/devices/cmos.ts";
import { makeWords } from "./words.ts";

const test = suite("the CMOS clock and memory");

const MIB = 0x100000;
const SECOND = 1e9;
const HOUR = 3600 * SECOND;
const DAY = 24 * HOUR;
const DATE_AND_TIME = [0x32, 9, 8, 7, 4, 2, 0];

function makeCmos(ramSize = 128 * MIB) {
  const missing: string[] = [];
  const cmos = new Cmos(makeWords(), ramSize, { notImplemented: (name) => missing.push(name) });
  cmos.reset();
  const read = (register: number, now = 0) => {
    cmos.writePort(CMOS_INDEX, register, now);
    return cmos.readPort(CMOS_DATA, now);
  };
  const write = (register: number, value: number, now = 0) => {
    cmos.writePort(CMOS_INDEX, register, now);
    cmos.writePort(CMOS_DATA, value, now);
  };
  /** Century, year, month, day, hour, minute, second. */
  const moment = (now: number) => DATE_AND_TIME.map((register) => read(register, now));
  return { cmos, missing, read, write, moment };
}

const word = (read: (register: number) => number, register: number) => read(register) | (read(register + 1) << 8);

for (const [ramSize, extended, high] of [
  [MIB, 0, 0],
  [16 * MIB, 15 * 1024, 0],
  [128 * MIB, 0xffff, 112 * 16],
  [3072 * MIB, 0xffff, 3056 * 16],
] as const)
  test(`${ramSize / MIB} MiB show in the three sizes of memory`, () => {
    const { read } = makeCmos(ramSize);
    assert.equal(
      [0x15, 0x17, 0x30, 0x34].map((at) => word(read, at)),
      [640, extended, extended, high],
    );
  });

for (const [title, now, expected] of [
  ["begins on 1 January 2026", 0, [0x20, 0x26, 1, 1, 0, 0, 0]],
  ["counts seconds, minutes and hours", 13 * HOUR + 61 * SECOND, [0x20, 0x26, 1, 1, 0x13, 1, 1]],
  ["knows the lengths of months", 59 * DAY, [0x20, 0x26, 3, 1, 0, 0, 0]],
  ["knows leap years", (2 * 365 + 59) * DAY, [0x20, 0x28, 2, 0x29, 0, 0, 0]],
  ["ends a year", 365 * DAY - SECOND, [0x20, 0x26, 0x12, 0x31, 0x23, 0x59, 0x59]],
] as const)
  test(`the clock ${title}`, () => assert.equal(makeCmos().moment(now), expected));

test("the first day is a Thursday, and Sunday is 1", () => {
  const { read } = makeCmos();
  assert.equal(
    [0, 3 * DAY].map((now) => read(6, now)),
    [5, 1],
  );
});

test("binary and 12-hour forms are had by status B", () => {
  const { read, write } = makeCmos();
  const at = 13 * HOUR + 45 * 60 * SECOND;
  write(0x0b, 0x06);
  assert.equal([read(4, at), read(2, at)], [13, 45]);
  write(0x0b, 0x00);
  assert.equal([read(4, at), read(2, at), read(4, 0)], [0x81, 0x45, 0x12]);
});

test("a clock set with SET goes on from there", () => {
  const { write, moment } = makeCmos();
  write(0x0b, 0x82);
  const set = [0x19, 0x99, 0x12, 0x31, 0x23, 0x59, 0x58];
  for (const [index, register] of DATE_AND_TIME.entries()) write(register, set[index] as number, 5 * SECOND);
  assert.equal(moment(60 * SECOND), set);
  write(0x0b, 0x02, 100 * SECOND);
  assert.equal(moment(103 * SECOND), [0x20, 0, 1, 1, 0, 0, 1]);
});

test("a register set without SET moves the clock at once", () => {
  const { write, moment } = makeCmos();
  write(4, 0x17, HOUR);
  assert.equal(moment(2 * HOUR), [0x20, 0x26, 1, 1, 0x18, 0, 0]);
});

test("memory keeps what was written, the shutdown code among it, until power-on", () => {
  const { cmos, read, write } = makeCmos();
  write(0x0f, 0x0a);
  write(0x7f, 0x55);
  assert.equal([read(0x0f), cmos.shutdownCode, read(0x7f)], [0x0a, 0x0a, 0x55]);
  cmos.reset();
  assert.equal([cmos.shutdownCode, read(0x7f)], [0, 0]);
});

test("status C and D cannot be written, and the time is always valid", () => {
  const { read, write } = makeCmos();
  for (const register of [0x0c, 0x0d]) write(register, 0x7f);
  assert.equal([read(0x0c), read(0x0d), read(0x0a)], [0, 0x80, 0x26]);
});

test("enabling an interrupt is told as not built", () => {
  const { missing, write } = makeCmos();
  write(0x0b, 0x42);
  assert.equal(missing, ["interrupts of the real-time clock"]);
});

test.run();
