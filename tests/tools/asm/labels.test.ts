// Labels and branches: each as short as it can be, and each where its author said.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Assembler, dword, eax, ecx, link, proc } from "#asm";

const test = suite("labels");

const bytesOf = (body: (a: Assembler) => void): string => {
  const [section] = link(proc("routine", body), { multiboot: false }).sections;
  return Buffer.from(section?.bytes ?? []).toString("hex");
};
const fill = (a: Assembler, count: number): void => {
  for (let i = 0; i < count; i++) a.nop();
};
const nops = (count: number): string => "90".repeat(count);

test("a backward branch is short up to 128 bytes and near beyond", () => {
  const back = (count: number) => bytesOf((a) => void [a.label("x"), fill(a, count), a.jmp("x")]);
  assert.is(back(126), `${nops(126)}eb80`);
  assert.is(back(127), `${nops(127)}e97cffffff`);
});

test("a forward branch is short up to 127 bytes and near beyond", () => {
  const forward = (count: number) => bytesOf((a) => void [a.jz("x"), fill(a, count), a.label("x")]);
  assert.is(forward(127), `747f${nops(127)}`);
  assert.is(forward(128), `0f8480000000${nops(128)}`);
});

test("a branch that grows makes the branches over it grow", () => {
  const both = bytesOf((a) => {
    a.jmp("outer");
    a.jmp("far");
    fill(a, 124);
    a.label("outer");
    fill(a, 4);
    a.label("far");
  });
  assert.is(both, `e981000000e980000000${nops(128)}`);
});

test("a long branch is near even where a short one reaches", () => {
  assert.is(
    bytesOf((a) => void [a.label("x"), a.long.jmp("x")]),
    "e9fbffffff",
  );
});

test("16-bit code has 16-bit distances", () => {
  const forward = bytesOf((a) => void [a.bits(16), a.jnz("x"), fill(a, 128), a.label("x")]);
  assert.is(forward, `0f858000${nops(128)}`);
});

test("an alignment inside a routine is kept when branches grow", () => {
  const image = link(
    proc("routine", (a) => {
      a.jmp("x");
      a.align(32);
      a.label("aligned");
      fill(a, 128);
      a.label("x");
    }),
  );
  assert.is(image.addressOf("routine.aligned") % 32, 0);
});

test("labels of one name in two routines are two labels", () => {
  const callee = proc("callee", (a) => void [a.label("loop"), a.jmp("loop")]);
  const image = link(proc("main", (a) => void [a.label("loop"), a.call(callee), a.jmp("loop")]));
  assert.is(image.addressOf("main.loop"), image.addressOf("main"));
  assert.is(image.addressOf(callee.label("loop")), image.addressOf(callee));
});

test("a label is an address for operands, before it is placed and after", () => {
  const main = proc("main", (a) => {
    a.mov(eax, a.addressOf("table"));
    const table = a.label("table");
    a.mov(ecx, dword(eax.times(4), table));
  });
  const image = link(main, { multiboot: false });
  const address = image.addressOf("main.table");
  const view = new DataView(image.flat().buffer);
  assert.is(view.getUint32(1, true), address);
  assert.is(view.getUint32(8, true), address);
});

test.run();
