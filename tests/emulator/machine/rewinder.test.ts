// Steps that are taken back leave nothing behind, and the hash kept up along the way is the one from scratch.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { data, dword, eax, ebx, ecx, edi, esi, esp, link, proc } from "#asm";
import { Machine, Rewinder, type StepWatcher } from "#emulator";

const test = suite("rewinder");

const words = data("words", 64);
const stacks = data("stacks", 2 * 64);

/** Loads, stores, read-modify-writes with and without LOCK, stack, strings, across doublewords. */
const program = proc("program", (a) => {
  a.mov(esi, words);
  a.mov(ecx, 3);
  a.label("again");
  a.inc(dword(words));
  a.lock.add(dword(words, 4), ecx);
  a.push(dword(words));
  a.pop(dword(words, 8));
  a.mov(dword(words, 13), 0x12345678); // across two doublewords
  a.mov(edi, words.plus(32));
  a.mov(esi, words);
  a.movsd();
  a.xchg(dword(words, 20), eax);
  a.mov(ebx, dword(words, 20));
  a.add(dword(esp, -4), ebx);
  a.dec(ecx);
  a.jnz("again");
  a.hlt();
});

const image = link(program, { base: 0x8000, multiboot: false, include: [stacks] });

const indifferent: StepWatcher = {
  instruction() {},
  mayAccess: () => true,
  accessed() {},
  exception: (vector) => assert.unreachable(`exception ${vector}`),
};

function start(watcher: StepWatcher = indifferent): Rewinder {
  const machine = new Machine({ processors: 2, memory: 0x100000 });
  for (const { address, bytes } of image.sections) machine.memory.set(address, bytes);
  const rewinder = new Rewinder(machine, watcher);
  for (const processor of [0, 1])
    rewinder.start(processor, image.entry, image.addressOf(stacks) + (processor + 1) * 64);
  return rewinder;
}

/** Processors in an order that is mixed and the same every time. */
const order = Array.from({ length: 150 }, (_, step) => ((step * step * 7 + step) >> 2) & 1);

test("the hash follows every step", () => {
  const rewinder = start();
  for (const processor of order) {
    rewinder.save(processor);
    rewinder.step();
    rewinder.setMonitor(processor, rewinder.monitor(processor) + 1);
    rewinder.settle();
    assert.is(rewinder.hashText(), rewinder.machine.stateHash());
  }
});

test("taking steps back leads through the same states backwards", () => {
  const rewinder = start();
  const states: string[] = [];
  for (const processor of order) {
    states.push(rewinder.hashText());
    rewinder.save(processor);
    for (let steps = 0; steps < 1 + (processor & 1); steps++) rewinder.step();
    rewinder.setMonitor(3, states.length);
    rewinder.settle();
  }
  for (const state of states.reverse()) {
    rewinder.undo();
    assert.is(rewinder.hashText(), state);
    assert.is(rewinder.machine.stateHash(), state);
  }
  assert.is(rewinder.depth, 0);
});

test("the same steps lead to the same state, also after others were taken back", () => {
  const walk = (rewinder: Rewinder, processors: readonly number[]): string => {
    for (const processor of processors) {
      rewinder.save(processor);
      rewinder.step();
      rewinder.settle();
    }
    return rewinder.hashText();
  };
  const other = start();
  walk(other, [1, 0, 0, 1, 1, 0, 0, 1, 0]);
  while (other.depth > 0) other.undo();
  assert.is(walk(other, order), walk(start(), order));
});

test("what steps did is done again at once, with the same state and hash, and can be taken back", () => {
  const rewinder = start();
  for (const processor of order) {
    const before = rewinder.hashText();
    rewinder.save(processor);
    for (let step = 0; step < 4; step++) rewinder.step();
    rewinder.setMonitor(processor, rewinder.monitor(processor) + 1);
    rewinder.settle();
    const [after, effect] = [rewinder.hashText(), rewinder.effect()];
    rewinder.undo();
    assert.is(rewinder.machine.stateHash(), before);
    rewinder.save(processor);
    rewinder.redo(effect);
    assert.equal([rewinder.hashText(), rewinder.machine.stateHash()], [after, after]);
  }
  while (rewinder.depth > 0) rewinder.undo();
  assert.is(rewinder.machine.stateHash(), start().machine.stateHash());
});

test("a processor refused an access stands where it stood", () => {
  let allowed = 0;
  const rewinder = start({ ...indifferent, mayAccess: () => allowed-- > 0 });
  rewinder.save(0);
  for (let steps = 0; steps < 3; steps++) rewinder.step();
  rewinder.settle();
  const before = rewinder.hashText();
  for (let tries = 0; tries < 2; tries++) {
    rewinder.step();
    rewinder.settle();
    assert.is(rewinder.hashText(), before);
  }
  allowed = 1;
  assert.is(rewinder.step().kind, "access"); // INC has read; its write is the next step
  rewinder.settle();
  assert.is(rewinder.dword(image.addressOf(words)), 0);
  allowed = 1;
  assert.is(rewinder.step().kind, "retired");
  assert.is(rewinder.dword(image.addressOf(words)), 1);
});

test("two processors in the middle of unlocked increments lose one", () => {
  const rewinder = start();
  const steps = (processor: number, count: number): void => {
    rewinder.save(processor);
    for (let step = 0; step < count; step++) rewinder.step();
  };
  steps(0, 3);
  steps(1, 3);
  steps(0, 1); // reads
  steps(1, 1); // reads
  steps(0, 1); // writes
  steps(1, 1); // writes
  assert.is(rewinder.dword(image.addressOf(words)), 1);
});

test.run();
