// Ordinary spin locks, step by step: the word, the results, the calling conventions, and a wait that changes nothing.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  KeAcquireSpinLockAtDpcLevel,
  KefAcquireSpinLockAtDpcLevel,
  KefReleaseSpinLockFromDpcLevel,
  KeInitializeSpinLock,
  KeReleaseSpinLockFromDpcLevel,
  KeTestSpinLock,
  KeTryToAcquireSpinLockAtDpcLevel,
} from "#kernel";
import { Guest } from "../guest.ts";

const test = suite("KeAcquireSpinLockAtDpcLevel");

const routines = [
  KeAcquireSpinLockAtDpcLevel,
  KefAcquireSpinLockAtDpcLevel,
  KefReleaseSpinLockFromDpcLevel,
  KeInitializeSpinLock,
  KeReleaseSpinLockFromDpcLevel,
  KeTestSpinLock,
  KeTryToAcquireSpinLockAtDpcLevel,
];

function setup(processors: number, word = 0) {
  const guest = new Guest(processors, routines);
  const lock = guest.allocate(4);
  guest.machine.memory.setDword(lock, word);
  return { guest, lock };
}

/** A BOOLEAN result: the low byte alone. */
const boolean = ({ eax }: { eax: number }) => eax & 0xff;

test("an initialised lock is free", () => {
  const { guest, lock } = setup(1, 0xcccccccc);
  const { popped } = guest.call(0, KeInitializeSpinLock, { stack: [lock] });
  assert.is(guest.dword(lock), 0);
  assert.is(popped, 4);
});

test("acquire sets the lock's bit, release clears the word; the fastcall pair is five instructions, one locked", () => {
  const { guest, lock } = setup(1);
  const taken = guest.call(0, KefAcquireSpinLockAtDpcLevel, { ecx: lock });
  assert.is(guest.dword(lock), 1);
  const left = guest.call(0, KefReleaseSpinLockFromDpcLevel, { ecx: lock });
  assert.is(guest.dword(lock), 0);
  assert.equal([taken.steps + left.steps, taken.locked, left.locked], [5, 1, 0]);
});

test("the stdcall forms do the same and pop their argument", () => {
  const { guest, lock } = setup(1);
  assert.is(guest.call(0, KeAcquireSpinLockAtDpcLevel, { stack: [lock] }).popped, 4);
  assert.is(guest.dword(lock), 1);
  assert.is(guest.call(0, KeReleaseSpinLockFromDpcLevel, { stack: [lock] }).popped, 4);
  assert.is(guest.dword(lock), 0);
});

test("who finds the lock held waits without changing anything, and gets it when it is free", () => {
  for (const [Acquire, given] of [
    [KefAcquireSpinLockAtDpcLevel, (lock: number) => ({ ecx: lock })],
    [KeAcquireSpinLockAtDpcLevel, (lock: number) => ({ stack: [lock] })],
  ] as const) {
    const { guest, lock } = setup(2);
    guest.call(0, KefAcquireSpinLockAtDpcLevel, { ecx: lock });
    guest.begin(1, Acquire, given(lock));
    guest.stepTo(1, "spin");
    const loop = () => guest.steps(1, 4);
    loop();
    const before = guest.state(1);
    loop();
    assert.is(guest.state(1), before);
    guest.call(0, KefReleaseSpinLockFromDpcLevel, { ecx: lock });
    guest.finish(1);
    assert.is(guest.dword(lock), 1);
  }
});

test("trying takes a free lock, and gives up at once on a held one", () => {
  const { guest, lock } = setup(1);
  const first = guest.call(0, KeTryToAcquireSpinLockAtDpcLevel, { ecx: lock });
  assert.equal([boolean(first), first.locked, guest.dword(lock)], [1, 1, 1]);
  const second = guest.call(0, KeTryToAcquireSpinLockAtDpcLevel, { ecx: lock });
  assert.equal([boolean(second), second.locked, guest.dword(lock)], [0, 0, 1]);
});

test("trying fails when another takes the lock between the look and the attempt", () => {
  const { guest, lock } = setup(2);
  guest.begin(0, KeTryToAcquireSpinLockAtDpcLevel, { ecx: lock });
  guest.step(0);
  guest.step(0);
  guest.call(1, KefAcquireSpinLockAtDpcLevel, { ecx: lock });
  assert.is(boolean(guest.finish(0)), 0);
});

test("testing says whether a lock of either kind is free, and acquires nothing", () => {
  for (const [word, free] of [
    [0, 1],
    [1, 0],
    [0x00102000, 0],
  ] as const) {
    const { guest, lock } = setup(1, word);
    assert.is(boolean(guest.call(0, KeTestSpinLock, { ecx: lock })), free);
    assert.is(guest.dword(lock), word);
  }
});

test.run();
