// The start stub: what `main` finds in its registers, on which processors it runs, and what happens when it returns.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { array, data, dword, eax, ebx, ecx, esp, type LinkOptions, link, proc, startup, struct, u32 } from "#asm";
import { Machine } from "#emulator";

const test = suite("the start stub");

const FOUND = struct({ index: u32, information: u32, stack: u32, flags: u32 });
const found = data("found", array(FOUND, 32).size);
const IF = 1 << 9;
const DF = 1 << 10;

/** Every processor notes what it found, and returns. */
const main = proc("main", (a) => {
  a.imul(ecx, eax, FOUND.size);
  a.mov(dword(ecx, found, FOUND.index), eax);
  a.mov(dword(ecx, found, FOUND.information), ebx);
  a.mov(dword(ecx, found, FOUND.stack), esp);
  a.pushfd();
  a.pop(dword(ecx, found, FOUND.flags));
  a.ret();
});

function run(options: LinkOptions, processors: number) {
  const image = link(main, options);
  const machine = Machine.boot(image, { processors });
  const { reason } = machine.run({ maxInstructions: 1_000_000 });
  const entries = Array.from({ length: processors }, (_, index) => {
    const at = image.addressOf(found) + index * FOUND.size;
    const [number, information, stack, flags] = [0, 4, 8, 12].map((offset) => machine.memory.dword(at + offset));
    return { index: number, information, stack: stack ?? 0, flags: flags ?? 0 };
  });
  return { image, machine, reason, entries };
}

test("all processors enter with their index, the loader's information and a stack of their own, interrupts off", () => {
  for (const processors of [1, 2, 32]) {
    const { image, machine, reason, entries } = run({ start: "all", stackSize: 1024 }, processors);
    assert.is(reason, "halted");
    assert.is(machine.memory.dword(image.addressOf(startup.processors)), processors);
    const information = machine.memory.dword(image.addressOf(startup.multiboot));
    assert.ok(information > 0);
    const bottom = image.addressOf("start.stacks");
    entries.forEach((entry, index) => {
      assert.is(entry.index, index);
      assert.is(entry.information, information);
      assert.is(entry.stack, bottom + (index + 1) * 1024 - 4, "below it: the address to return to");
      assert.is(entry.flags & (IF | DF), 0);
    });
  }
});

test("the processors run in flat protected mode with their local APICs enabled", () => {
  const { machine } = run({ start: "all" }, 3);
  for (const { cs, ds, es, fs, gs, ss, cr0, activity } of machine.processors) {
    assert.equal(
      [cs.selector, ds.selector, es.selector, fs.selector, gs.selector, ss.selector],
      [8, 16, 16, 16, 16, 16],
    );
    assert.equal([cs.base, cs.limit, ds.base, ds.limit], [0, 0xffffffff, 0, 0xffffffff]);
    assert.is(cr0 & 1, 1);
    assert.is(activity, "halted");
  }
});

test('start: "boot" runs main on the boot processor alone', () => {
  const { machine, image, reason, entries } = run({ start: "boot" }, 2);
  assert.is(reason, "halted");
  assert.is(machine.memory.dword(image.addressOf(startup.processors)), 1);
  assert.ok(entries[0]?.stack !== 0);
  assert.is(entries[1]?.stack, 0);
  assert.is(machine.processors[1]?.activity, "waiting");
});

test("without a start stub main is the entry", () => {
  const image = link(main);
  assert.is(image.entry, image.addressOf(main));
});

test.run();
