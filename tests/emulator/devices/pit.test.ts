// The 8254 and port 61h, driven through their ports at given times.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { clocksAt, DUE_PIT, Pit, ticksOf } from "../../../emulator/devices/pit.ts";
import { makeWords } from "./words.ts";

const test = suite("the 8254");

const CONTROL = 0x43;
const PORT_61 = 0x61;

/** A timer whose operations are timed in its own input clocks; `edges` are channel 0's as the interrupt controllers see them. */
function makePit() {
  const words = makeWords();
  const edges: string[] = [];
  let clock = 0;
  const pit = new Pit(words, {
    interrupt: (asserted) => edges.push(`${asserted ? "+" : "-"}${clock}`),
    changed: () => {},
  });
  pit.reset();
  edges.length = 0;
  const out = (port: number, ...bytes: number[]) => {
    for (const byte of bytes) pit.writePort(port, byte, ticksOf(clock));
  };
  const read = (port: number) => pit.readPort(port, ticksOf(clock));
  /** Programs a channel for a 16-bit count at the present clock. */
  const program = (channel: number, mode: number, count: number, bcd = 0) => {
    out(CONTROL, (channel << 6) | 0x30 | (mode << 1) | bcd);
    out(0x40 + channel, count & 0xff, count >>> 8);
  };
  const count = (channel: number) => {
    out(CONTROL, channel << 6);
    return read(0x40 + channel) | (read(0x40 + channel) << 8);
  };
  const status = (channel: number) => {
    out(CONTROL, 0xe0 | (2 << channel));
    return read(0x40 + channel);
  };
  const due = () => words.f64[DUE_PIT];
  /** Goes to a clock, serving what falls due on the way. */
  const goTo = (target: number) => {
    while (due() <= ticksOf(target)) {
      const now = due();
      clock = clocksAt(now);
      pit.fire(now);
    }
    clock = target;
  };
  const output = (channel: number) => pit.output(channel, ticksOf(clock));
  return { pit, edges, out, read, program, count, status, due, goTo, output };
}

test("clocks and ticks convert exactly, there and back, at any time", () => {
  for (const clocks of [0, 1, 2, 1193181, 1193182, 1193183, 2 ** 31, 2 ** 43, 2 ** 43 + 1]) {
    const ticks = ticksOf(clocks);
    assert.is(clocksAt(ticks), clocks);
    if (clocks > 0) assert.is(clocksAt(ticks - 1), clocks - 1);
  }
  assert.is(clocksAt(1e9), 1193182);
});

test("an idle timer is never due", () => {
  const { due, count } = makePit();
  assert.equal([due(), count(0)], [Number.POSITIVE_INFINITY, 0]);
});

test("mode 0 rises once, a clock after the count has run out", () => {
  const { program, goTo, edges, due } = makePit();
  program(0, 0, 100);
  goTo(1000);
  assert.equal(edges, ["-0", "+101"]);
  assert.is(due(), Number.POSITIVE_INFINITY);
});

test("mode 0 counts on below zero, and starts again on a new count", () => {
  const { program, goTo, count, out, output } = makePit();
  program(0, 0, 100);
  goTo(1 + 60);
  assert.is(count(0), 40);
  goTo(1 + 101);
  assert.equal([count(0), output(0)], [0xffff, true]);
  out(0x40, 50);
  assert.is(output(0), false);
  out(0x40, 0);
  goTo(102 + 51);
  assert.equal([output(0), count(0)], [true, 0]);
});

test("mode 2 asks once a period", () => {
  const { program, goTo, edges, due } = makePit();
  program(0, 2, 100);
  assert.is(due(), ticksOf(101));
  goTo(350);
  assert.equal(edges, ["-101", "+101", "-201", "+201", "-301", "+301"]);
});

test("mode 2 counts down from the count to one, low during the one", () => {
  const { out, program, goTo, count, output } = makePit();
  program(2, 2, 4);
  goTo(5);
  assert.equal([count(2), output(2)], [4, true]); // its gate is low: nothing counts
  out(PORT_61, 1);
  const seen: [number, boolean][] = [];
  for (let clock = 6; clock <= 11; clock++) {
    goTo(clock);
    seen.push([count(2), output(2)]);
  }
  assert.equal(seen, [
    [4, true],
    [3, true],
    [2, true],
    [1, false],
    [4, true],
    [3, true],
  ]);
});

test("mode 3 is high for half the period, the longer half of an odd count", () => {
  for (const [written, expected] of [
    [4, ["-3", "+5", "-7", "+9"]],
    [5, ["-4", "+6", "-9"]],
    [2, ["-2", "+3", "-4", "+5", "-6", "+7", "-8", "+9"]],
  ] as const) {
    const { program, goTo, edges } = makePit();
    program(0, 3, written);
    goTo(9);
    assert.equal(edges, expected, `count ${written}`);
  }
});

test("mode 3 counts by twos, twice a period", () => {
  const { program, goTo, count } = makePit();
  program(0, 3, 6);
  const seen: number[] = [];
  for (let clock = 1; clock <= 7; clock++) {
    goTo(clock);
    seen.push(count(0));
  }
  assert.equal(seen, [6, 4, 2, 6, 4, 2, 6]);
});

test("a new count in mode 2 waits for the end of the period", () => {
  const { program, out, goTo, edges } = makePit();
  program(0, 2, 100);
  goTo(50);
  out(0x40, 10, 0);
  goTo(125);
  assert.equal(edges, ["-101", "+101", "-111", "+111", "-121", "+121"]);
});

test("a new count in mode 3 waits for the end of the half period", () => {
  const { program, out, goTo, edges } = makePit();
  program(0, 3, 100);
  goTo(20);
  out(0x40, 10, 0);
  goTo(62);
  assert.equal(edges, ["-51", "+56", "-61"]);
});

test("mode 4 is low for one clock after the count, once", () => {
  const { program, goTo, edges } = makePit();
  program(0, 4, 10);
  goTo(1000);
  assert.equal(edges, ["-11", "+12"]);
});

test("modes 1 and 5 start at the rising gate of channel 2, again at the next", () => {
  for (const [mode, levels] of [
    [1, [true, false, false, true, false]],
    [5, [true, true, false, true, true]],
  ] as const) {
    const { program, goTo, out, output } = makePit();
    program(2, mode, 10);
    goTo(100);
    const seen = [output(2)];
    out(PORT_61, 1); // loaded at clock 101, runs out at 111
    for (const clock of [102, mode === 1 ? 110 : 111, 112]) {
      goTo(clock);
      seen.push(output(2));
    }
    out(PORT_61, 0);
    out(PORT_61, 1);
    goTo(114);
    seen.push(output(2));
    assert.equal(seen, levels, `mode ${mode}`);
  }
});

test("a low gate holds mode 0's count", () => {
  const { program, goTo, out, count, output, read } = makePit();
  out(PORT_61, 1);
  program(2, 0, 100);
  goTo(1 + 30);
  out(PORT_61, 0);
  goTo(500);
  assert.equal([count(2), output(2)], [70, false]);
  out(PORT_61, 1);
  goTo(500 + 69);
  assert.equal([count(2), read(PORT_61) & 0x21], [1, 1]);
  goTo(500 + 70);
  assert.is(read(PORT_61) & 0x21, 0x21);
});

test("port 61h keeps its four low bits and toggles the refresh bit", () => {
  const { pit } = makePit();
  pit.writePort(PORT_61, 0xff, 0);
  assert.is(pit.readPort(PORT_61, 0) & 0xf, 0xf);
  const bits = [0, 15084, 15085, 30169, 30170].map((now) => pit.readPort(PORT_61, now) & 0x10);
  assert.equal(bits, [0, 0, 0x10, 0x10, 0]);
});

test("a latched count stays until it is read, whatever is latched meanwhile", () => {
  const { program, goTo, out, read } = makePit();
  program(0, 2, 1000);
  goTo(1 + 300);
  out(CONTROL, 0);
  goTo(1 + 400);
  out(CONTROL, 0);
  assert.is(read(0x40) | (read(0x40) << 8), 700);
  assert.is(read(0x40) | (read(0x40) << 8), 600);
});

test("counts are read and written by low byte, high byte or both", () => {
  for (const [access, bytes, expected] of [
    [0x10, [0x34], [0x34, 0x34]],
    [0x20, [0x12], [0x12, 0x12]],
    [0x30, [0x34, 0x12], [0x34, 0x12]],
  ] as const) {
    const { out, read, goTo } = makePit();
    out(CONTROL, access | 4);
    out(0x40, ...bytes);
    goTo(1);
    assert.equal([read(0x40), read(0x40)], expected);
  }
});

test("a count of 0 is the largest, in binary and in BCD", () => {
  for (const [bcd, period] of [
    [0, 65536],
    [1, 10000],
  ]) {
    const { program, due } = makePit();
    program(0, 2, 0, bcd);
    assert.is(due(), ticksOf(1 + period));
  }
});

test("BCD counts are decimal digits", () => {
  const { program, goTo, count } = makePit();
  program(0, 2, 0x1000, 1);
  goTo(1 + 1);
  assert.is(count(0), 0x0999);
});

test("the status tells output, null count and how the channel was programmed", () => {
  const { out, status, goTo } = makePit();
  out(CONTROL, 0x34);
  assert.is(status(0), 0xc0 | 0x34);
  out(0x40, 100, 0);
  assert.is(status(0), 0xc0 | 0x34);
  goTo(1);
  assert.is(status(0), 0x80 | 0x34);
  out(0x40, 50, 0);
  assert.is(status(0), 0xc0 | 0x34);
});

test("reading back latches status before count", () => {
  const { program, out, read, goTo } = makePit();
  program(0, 2, 0x1234);
  goTo(1);
  out(CONTROL, 0xc2);
  assert.equal([read(0x40), read(0x40), read(0x40)], [0xb4, 0x34, 0x12]);
});

test("what is due at the very tick of a write comes before it", () => {
  const { pit, program, edges, due } = makePit();
  program(0, 2, 100);
  pit.writePort(PORT_61, 0, due());
  assert.is(edges.length, 2);
  assert.is(due(), ticksOf(201));
});

test("the control port does not read", () => {
  assert.is(makePit().read(CONTROL), 0xff);
});

test.run();
