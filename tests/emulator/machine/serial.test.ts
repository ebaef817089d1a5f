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

const TEXT = "a line that is longer than any FIFO of a 16550.";

/** A machine that has been given `text`, and what it has sent back so far. */
function boot(text: string) {
  const echoed: string[] = [];
  const serial = (byte: number) => echoed.push(String.fromCharCode(byte));
  const machine = Machine.boot(image, { memory: 2 << 20, serial });
  machine.run({ maxInstructions: 1000 });
  machine.receive(Buffer.from(text));
  return { machine, echoed };
}

/** Runs to the end in turns of `turn` instructions. */
function run(text: string, turn = 10_000_000) {
  const { machine, echoed } = boot(text);
  let { reason, clock } = machine.run({ maxInstructions: 1000 });
  while (reason === "budget") ({ reason, clock } = machine.run({ maxInstructions: clock + turn }));
  return { echoed: echoed.join(""), reason, hash: machine.hash() };
}

test("more bytes than the port holds arrive whole and in order, in the same way each time", () => {
  const first = run(TEXT);
  assert.is(first.reason, "guest exit");
  assert.is(first.echoed, TEXT);
  assert.equal(run(TEXT), first);
});

test("when input arrives does not depend on the turns that a run is made in", () => {
  const whole = run(TEXT);
  for (const turn of [1, 7, 100]) assert.equal(run(TEXT, turn), whole, `turns of ${turn}`);
});

test("a snapshot keeps the input that waits for room", () => {
  const { machine, echoed } = boot(TEXT);
  machine.run({ maxInstructions: 1050 });
  const snapshot = machine.snapshot();
  const before = echoed.splice(0).join("");
  machine.run();
  const rest = echoed.splice(0).join("");
  assert.is(before + rest, TEXT);
  machine.restore(snapshot);
  machine.run();
  assert.is(echoed.join(""), rest);
});

test("input may be long", () => {
  const { machine } = boot("x".repeat(300_000));
  assert.is(machine.run({ maxInstructions: 5000 }).reason, "budget");
});

test.run();
