// Serial input from outside: it reaches the guest whole and in order, and the run repeats.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { al, dx, link, proc } from "#asm";
import { Machine } from "#emulator";

const test = suite("serial input");

const COM1 = 0x3f8;
const LINE_STATUS = COM1 + 5;
const DATA_READY = 1;

/** Sends back what it receives, and exits after a full stop. */
const echo = proc("echo", (a) => {
  a.label("wait");
  a.mov(dx, LINE_STATUS);
  a.in(al, dx);
  a.test(al, DATA_READY);
  a.jz("wait");
  a.mov(dx, COM1);
  a.in(al, dx);
  a.out(dx, al);
  a.cmp(al, ".".charCodeAt(0));
  a.jne("wait");
  a.xor(al, al);
  a.out(0xf4, al);
});
const image = link(echo, { start: "boot" });

function run(text: string) {
  let echoed = "";
  const machine = Machine.boot(image, { memory: 2 << 20, serial: (byte) => (echoed += String.fromCharCode(byte)) });
  machine.run({ maxInstructions: 1000 });
  machine.receive(Buffer.from(text));
  const { reason } = machine.run({ maxInstructions: 10_000_000 });
  return { echoed, reason, hash: machine.hash() };
}

test("more bytes than the port holds arrive whole and in order, in the same way each time", () => {
  const text = "a line that is longer than any FIFO of a 16550.";
  const first = run(text);
  assert.is(first.reason, "guest exit");
  assert.is(first.echoed, text);
  assert.equal(run(text), first);
});

test.run();
