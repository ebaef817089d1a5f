// The 16550, driven through its ports and from outside.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Uart, type UartOptions } from "../../../emulator/devices/uart.ts";
import { makeWords } from "./words.ts";

const test = suite("the 16550");

const [DATA, IER, IIR, FCR, LCR, MCR, LSR, MSR, SCR] = [0, 1, 2, 2, 3, 4, 5, 6, 7];

function makeUart(options: UartOptions = {}) {
  const sent: number[] = [];
  /** The interrupt line's changes. */
  const edges: boolean[] = [];
  const uart = new Uart(
    makeWords(),
    {
      output: (byte) => sent.push(byte),
      interrupt: (asserted) => {
        if (asserted !== (edges.at(-1) ?? false)) edges.push(asserted);
      },
    },
    options,
  );
  uart.reset();
  const read = (register: number) => uart.readPort(uart.firstPort + register);
  const write = (register: number, ...bytes: number[]) => {
    for (const byte of bytes) uart.writePort(uart.firstPort + register, byte);
  };
  const line = () => edges.at(-1) ?? false;
  const receive = (...bytes: number[]) => uart.receive(Uint8Array.from(bytes));
  return { uart, sent, edges, read, write, line, receive };
}

test("a byte written leaves at once, and the transmitter is always ready", () => {
  const { sent, read, write } = makeUart();
  write(DATA, 0x48, 0x69);
  assert.equal([sent, read(LSR)], [[0x48, 0x69], 0x60]);
});

test("registers keep their writable bits", () => {
  for (const [register, expected] of [
    [IER, 0xf],
    [LCR, 0x7f],
    [MCR, 0x1f],
    [SCR, 0xff],
  ]) {
    const { read, write } = makeUart();
    write(register, register === LCR ? 0x7f : 0xff);
    assert.is(read(register), expected);
  }
});

test("the divisor latch hides data and interrupt enable", () => {
  const { read, write, sent } = makeUart();
  write(IER, 1);
  write(LCR, 0x83);
  write(DATA, 0x0c);
  write(IER, 0x02);
  assert.equal([read(DATA), read(IER)], [0x0c, 0x02]);
  write(LCR, 3);
  assert.equal([read(IER), sent], [1, []]);
});

test("received bytes come out in their order, as many as there is room for", () => {
  for (const [fcr, room] of [
    [0, 1],
    [1, 16],
  ]) {
    const { uart, read, write, receive } = makeUart();
    write(FCR, fcr);
    assert.is(uart.room, room);
    assert.is(receive(...Array.from({ length: 20 }, (_, i) => i + 1)), room);
    for (let i = 1; i <= room; i++) {
      assert.is(read(LSR) & 1, 1);
      assert.is(read(DATA), i);
    }
    assert.equal([read(LSR) & 1, read(DATA)], [0, 0]);
  }
});

test("the FIFO wraps", () => {
  const { read, write, receive } = makeUart();
  write(FCR, 1);
  for (let i = 0; i < 40; i += 2) {
    receive(i, i + 1);
    assert.equal([read(DATA), read(DATA)], [i, i + 1]);
  }
});

test("clearing the FIFO, or switching it, drops what was received", () => {
  for (const fcr of [3, 0]) {
    const { read, write, receive } = makeUart();
    write(FCR, 1);
    receive(1, 2, 3);
    write(FCR, fcr);
    assert.is(read(LSR) & 1, 0);
  }
});

test("each source interrupts when enabled and says so, the more urgent first", () => {
  const { read, write, line, receive } = makeUart();
  write(FCR, 1);
  write(IER, 0xf);
  assert.equal([read(IIR), line()], [0xc2, false]); // reading it clears the transmitter's
  receive(1);
  assert.is(read(IIR), 0xc4);
  write(MCR, 0x10); // loopback: the modem inputs drop
  assert.is(read(IIR), 0xc4);
  read(DATA);
  assert.is(read(IIR), 0xc0);
  assert.is(read(MSR) & 0xf, 0b1011);
  assert.equal([read(IIR), line()], [0xc1, false]);
});

test("received data interrupts at the FIFO's trigger level, and as timed out below it", () => {
  for (const [level, count, expected] of [
    [0x01, 1, 0xc4],
    [0x41, 3, 0xcc],
    [0x41, 4, 0xc4],
    [0x81, 7, 0xcc],
    [0x81, 8, 0xc4],
    [0xc1, 13, 0xcc],
    [0xc1, 14, 0xc4],
  ]) {
    const { read, write, receive } = makeUart();
    write(FCR, level);
    write(IER, 1);
    receive(...new Array<number>(count).fill(7));
    assert.is(read(IIR), expected);
  }
});

test("every byte sent with its interrupt enabled is a new edge", () => {
  const { edges, write } = makeUart();
  write(IER, 2);
  write(DATA, 1, 2);
  assert.equal(edges, [true, false, true, false, true]);
});

test("an overrun is reported and interrupts as a line status until read", () => {
  const { read, write, line } = makeUart();
  write(IER, 4);
  write(MCR, 0x10);
  write(DATA, 1, 2);
  assert.equal([read(IIR), line()], [6, true]);
  assert.equal([read(LSR) & 3, read(LSR) & 3, line()], [3, 1, false]);
  assert.is(read(DATA), 2);
});

test("in loopback bytes come back, nothing goes out or in, and modem outputs are inputs", () => {
  const { sent, read, write, receive } = makeUart();
  write(MCR, 0x1a);
  write(DATA, 0x55);
  assert.equal([sent, read(DATA), receive(1), read(MSR) & 0xf0], [[], 0x55, 0, 0x90]);
  for (const [mcr, inputs] of [
    [0x11, 0x20],
    [0x12, 0x10],
    [0x14, 0x40],
    [0x18, 0x80],
  ]) {
    write(MCR, mcr);
    assert.is(read(MSR) & 0xf0, inputs);
  }
});

test("the ring indicator reports only its end", () => {
  const { read, write } = makeUart();
  write(MCR, 0x10);
  read(MSR);
  write(MCR, 0x14);
  assert.is(read(MSR) & 0xf, 0);
  write(MCR, 0x10);
  assert.is(read(MSR) & 0xf, 4);
});

test("OUT2 gates the interrupt only where the option says so", () => {
  for (const [gated, out2, expected] of [
    [false, false, true],
    [true, false, false],
    [true, true, true],
  ] as const) {
    const { write, line } = makeUart({ out2GatesInterrupt: gated });
    write(MCR, out2 ? 8 : 0);
    write(IER, 2);
    assert.is(line(), expected);
  }
});

test("two ports keep their words apart", () => {
  const words = makeWords();
  const wiring = { output: () => {}, interrupt: () => {} };
  const [first, second] = [new Uart(words, wiring), new Uart(words, wiring, { index: 1, firstPort: 0x2f8 })];
  first.writePort(0x3ff, 1);
  second.writePort(0x2ff, 2);
  assert.equal([first.readPort(0x3ff), second.readPort(0x2ff)], [1, 2]);
});

test.run();
