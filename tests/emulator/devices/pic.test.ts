// The 8259 pair, driven through its ports and inputs.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Pic } from "../../../emulator/devices/pic.ts";
import { makeWords } from "./words.ts";

const test = suite("the 8259 pair");

const [MASTER, MASTER_DATA, SLAVE, SLAVE_DATA] = [0x20, 0x21, 0xa0, 0xa1];
const EOI = 0x20;
const [READ_IRR, READ_ISR, POLL] = [0x0a, 0x0b, 0x0c];

/** A pair as a PC sets it up, at vectors 20h and 28h, with nothing masked; `icw4` is the master's. */
function makePic(icw4 = 1) {
  const levels: boolean[] = [];
  const pic = new Pic(makeWords(), { output: (asserted) => levels.push(asserted) });
  pic.reset();
  const out = (...writes: [number, number][]) => {
    for (const [port, value] of writes) pic.writePort(port, value);
  };
  out([MASTER, 0x11], [MASTER_DATA, 0x20], [MASTER_DATA, 4], [MASTER_DATA, icw4]);
  out([SLAVE, 0x11], [SLAVE_DATA, 0x28], [SLAVE_DATA, 2], [SLAVE_DATA, 1]);
  out([MASTER_DATA, 0], [SLAVE_DATA, 0]);
  const raise = (...irqs: number[]) => {
    for (const irq of irqs) pic.setLine(irq, true);
  };
  const lower = (...irqs: number[]) => {
    for (const irq of irqs) pic.setLine(irq, false);
  };
  const isr = (port: number) => {
    pic.writePort(port, READ_ISR);
    return pic.readPort(port);
  };
  const irr = (port: number) => {
    pic.writePort(port, READ_IRR);
    return pic.readPort(port);
  };
  /** Takes every request that comes through, in turn, without ending any. */
  const take = () => {
    const vectors: number[] = [];
    while (pic.output) vectors.push(pic.acknowledge());
    return vectors;
  };
  return { pic, levels, out, raise, lower, isr, irr, take };
}

test("nothing comes through before software initialises the chips", () => {
  const levels: boolean[] = [];
  const pic = new Pic(makeWords(), { output: (asserted) => levels.push(asserted) });
  pic.reset();
  for (let irq = 0; irq < 16; irq++) pic.setLine(irq, true);
  assert.equal([pic.output, levels], [false, [false]]);
});

test("each input has its vector", () => {
  for (const irq of [0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]) {
    const { pic, raise } = makePic();
    raise(irq);
    assert.is(pic.acknowledge(), 0x20 + irq);
  }
});

test("the lower input goes first, the slave's in the place of input 2", () => {
  const { raise, take, out } = makePic();
  raise(7, 14, 3, 9, 1, 0);
  const order: number[] = [];
  for (let vector = take(); vector.length > 0; vector = take()) {
    order.push(...vector);
    if (order.at(-1)! >= 0x28) out([SLAVE, EOI]);
    out([MASTER, EOI]);
  }
  assert.equal(order, [0x20, 0x21, 0x29, 0x2e, 0x23, 0x27]);
});

test("an input in service holds off itself and those below, not those above", () => {
  const { raise, lower, take } = makePic();
  raise(4);
  assert.equal(take(), [0x24]);
  lower(4);
  raise(4, 5);
  assert.equal(take(), []);
  raise(1);
  assert.equal(take(), [0x21]);
});

test("a specific EOI ends its input, a non-specific one the highest in service", () => {
  const { raise, take, out, isr } = makePic();
  raise(4);
  take();
  raise(1);
  take();
  assert.is(isr(MASTER), 0x12);
  out([MASTER, 0x60 | 4]);
  assert.is(isr(MASTER), 2);
  out([MASTER, EOI]);
  assert.is(isr(MASTER), 0);
});

test("a mask holds a request back without losing it", () => {
  const { pic, raise, out, irr } = makePic();
  out([MASTER_DATA, 0x10]);
  raise(4);
  assert.equal([pic.output, irr(MASTER), pic.readPort(MASTER_DATA)], [false, 0x10, 0x10]);
  out([MASTER_DATA, 0]);
  assert.is(pic.acknowledge(), 0x24);
});

test("a request whose line has gone is a spurious input 7, which is not in service", () => {
  const { pic, raise, lower, isr } = makePic();
  raise(4);
  lower(4);
  assert.equal([pic.output, pic.acknowledge(), isr(MASTER)], [false, 0x27, 0]);
});

test("an edge is one request; a level asks again until it goes", () => {
  const { pic, raise, take, out } = makePic();
  out([0x4d0, 0x20]);
  raise(4, 5);
  assert.equal(take(), [0x24]);
  out([MASTER, EOI]);
  assert.equal(take(), [0x25]);
  out([MASTER, EOI]);
  assert.equal(take(), [0x25]);
  out([MASTER, EOI]);
  pic.setLine(5, false);
  assert.equal(take(), []);
});

test("the ELCR keeps the inputs that are edges on every board", () => {
  const { pic, out } = makePic();
  out([0x4d0, 0xff], [0x4d1, 0xff]);
  assert.equal([pic.readPort(0x4d0), pic.readPort(0x4d1)], [0xf8, 0xde]);
});

test("automatic EOI leaves nothing in service, and rotates where asked", () => {
  const { raise, lower, take, out, isr } = makePic(3);
  raise(4);
  assert.equal([take(), isr(MASTER)], [[0x24], 0]);
  out([MASTER, 0x80]);
  lower(4);
  raise(4);
  take();
  raise(3, 5);
  assert.equal(take(), [0x25, 0x23]);
});

test("rotation makes an input the lowest", () => {
  for (const [title, command, expected] of [
    ["on a non-specific EOI", 0xa0, [0x24]],
    ["on a specific EOI", 0xe0 | 3, [0x24]],
    ["by command", 0xc0 | 0, []],
  ] as const) {
    const { raise, take, out } = makePic();
    raise(3);
    take();
    out([MASTER, command]);
    raise(0, 4);
    assert.equal(take().slice(0, 1), expected, title);
  }
});

test("in special mask mode an input in service that is masked holds off nobody", () => {
  const { raise, take, out } = makePic();
  raise(1);
  take();
  raise(6);
  out([MASTER_DATA, 2]);
  assert.equal(take(), []);
  out([MASTER, 0x68]);
  assert.equal(take(), [0x26]);
});

test("in special fully nested mode the slave interrupts its own service with something higher", () => {
  for (const [icw4, expected] of [
    [1, []],
    [0x11, [0x28]],
  ] as const) {
    const { raise, take } = makePic(icw4);
    raise(12);
    take();
    raise(8);
    assert.equal(take(), expected);
  }
});

test("polling takes a request without an acknowledge cycle", () => {
  const { pic, raise, out, isr } = makePic();
  raise(4);
  out([MASTER, POLL]);
  assert.is(pic.readPort(MASTER), 0x84);
  assert.is(isr(MASTER), 0x10);
  out([MASTER, POLL]);
  assert.is(pic.readPort(MASTER), 0);
});

test("initialising again forgets edges, masks and what is in service", () => {
  const { pic, raise, out, isr, irr } = makePic();
  raise(4);
  pic.acknowledge();
  raise(5);
  out([MASTER_DATA, 0xff]);
  out([MASTER, 0x11], [MASTER_DATA, 0x50], [MASTER_DATA, 4], [MASTER_DATA, 1]);
  assert.equal([isr(MASTER), irr(MASTER), pic.readPort(MASTER_DATA), pic.output], [0, 0, 0, false]);
  raise(6);
  assert.is(pic.acknowledge(), 0x56);
});

test("single chips and those without ICW4 take fewer initialisation words", () => {
  const { pic, out, raise } = makePic();
  out([MASTER, 0x12], [MASTER_DATA, 0x60], [MASTER_DATA, 0xef]);
  assert.is(pic.readPort(MASTER_DATA), 0xef);
  raise(4);
  assert.is(pic.acknowledge(), 0x64);
});

test.run();
