// Linking against an image that is in memory already: its routines and variables are used, not linked again.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { data, dword, eax, link, proc } from "#asm";

const test = suite("linking against an image");

const shared = data("shared", 4);
const routine = proc("routine", (a) => {
  a.label("inside");
  a.inc(dword(shared));
  a.ret();
});
const before = link(routine, { base: 0x100000 });

const caller = proc("caller", (a) => {
  a.call(routine);
  a.mov(eax, shared);
  a.mov(eax, routine.label("inside"));
  a.ret();
});
const BASE = 0x200000;
const after = link(caller, { base: BASE, multiboot: false, against: before });

test("what is there already is not linked again", () => {
  assert.equal(
    after.symbols.map(({ name }) => name),
    ["caller"],
  );
});

test("references go to where it is", () => {
  for (const symbol of [routine, shared, routine.label("inside")])
    assert.is(after.addressOf(symbol), before.addressOf(symbol));
  const { bytes } = after.sections[0]!;
  const relative = new DataView(bytes.buffer).getInt32(1, true);
  assert.is(BASE + 5 + relative, before.addressOf(routine));
});

test("an image has what it links, and what the image before it has", () => {
  assert.equal([before.has(routine), before.has(caller)], [true, false]);
  assert.equal([after.has(routine), after.has(caller), after.has(shared)], [true, true, true]);
});

test.run();
