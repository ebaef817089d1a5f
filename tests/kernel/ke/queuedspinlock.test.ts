// In-stack queued spin locks, step by step: the lock's word, the handles, the order, and the race of a release with a newcomer.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  KeAcquireInStackQueuedSpinLockAtDpcLevel as Acquire,
  KLOCK_QUEUE_HANDLE,
  LOCK_QUEUE_OWNER,
  LOCK_QUEUE_WAIT,
  KeReleaseInStackQueuedSpinLockFromDpcLevel as Release,
} from "#kernel";
import { Guest } from "../guest.ts";

const test = suite("KeAcquireInStackQueuedSpinLockAtDpcLevel");

const { Next, Lock } = KLOCK_QUEUE_HANDLE.LockQueue;

/** A machine with a free lock and a handle full of garbage for each processor. */
function setup(processors: number) {
  const guest = new Guest(processors, [Acquire, Release]);
  const lock = guest.allocate(4, 0);
  const handles = Array.from({ length: processors }, () => guest.allocate(KLOCK_QUEUE_HANDLE.size));
  const handle = (number: number) => handles[number] as number;
  return {
    guest,
    lock,
    handle,
    next: (number: number) => guest.dword(handle(number) + Next.offset),
    word: (number: number) => guest.dword(handle(number) + Lock.offset),
    acquire: (number: number) => guest.call(number, Acquire, { ecx: lock, edx: handle(number) }),
    beginAcquire: (number: number) => guest.begin(number, Acquire, { ecx: lock, edx: handle(number) }),
    release: (number: number) => guest.call(number, Release, { ecx: handle(number) }),
    beginRelease: (number: number) => guest.begin(number, Release, { ecx: handle(number) }),
  };
}

test("a free lock is taken at once: its word is the handle, and the handle says owner", () => {
  const { guest, lock, handle, next, word, acquire } = setup(1);
  acquire(0);
  assert.is(guest.dword(lock), handle(0));
  assert.is(next(0), 0);
  assert.is(word(0), lock | LOCK_QUEUE_OWNER);
});

test("OldIrql and the bytes behind it are left alone", () => {
  const { guest, handle, acquire, release } = setup(1);
  acquire(0);
  assert.is(guest.dword(handle(0) + KLOCK_QUEUE_HANDLE.OldIrql.offset), 0xcccccccc);
  release(0);
  assert.is(guest.dword(handle(0) + KLOCK_QUEUE_HANDLE.OldIrql.offset), 0xcccccccc);
});

test("the release of a lock that nobody waits for makes it free", () => {
  const { guest, lock, next, word, acquire, release } = setup(1);
  acquire(0);
  release(0);
  assert.is(guest.dword(lock), 0);
  assert.is(next(0), 0);
  assert.is(word(0), lock);
});

test("an uncontended pair is at most 20 instructions, two of them locked", () => {
  const { acquire, release } = setup(1);
  const [taken, left] = [acquire(0), release(0)];
  assert.ok(taken.steps + left.steps <= 20, `${taken.steps} and ${left.steps}`);
  assert.is(taken.locked, 1);
  assert.is(left.locked, 1);
  assert.is(taken.popped + left.popped, 0);
});

test("who comes second is linked behind the first and waits, changing nothing", () => {
  const { guest, lock, handle, next, word, acquire, beginAcquire } = setup(2);
  acquire(0);
  beginAcquire(1);
  guest.stepTo(1, "spin");
  assert.is(guest.dword(lock), handle(1));
  assert.is(next(0), handle(1));
  assert.is(word(1), lock | LOCK_QUEUE_WAIT);
  const loop = () => guest.steps(1, 3);
  loop();
  const before = guest.state(1);
  loop();
  assert.is(guest.state(1), before);
});

test("the release hands over to who waits, and does not touch the lock's word", () => {
  const { guest, lock, handle, next, word, acquire, beginAcquire, release } = setup(2);
  acquire(0);
  beginAcquire(1);
  guest.stepTo(1, "spin");
  assert.is(release(0).locked, 0);
  assert.is(word(1), lock | LOCK_QUEUE_OWNER);
  assert.is(next(0), 0);
  assert.is(guest.dword(lock), handle(1));
  guest.finish(1);
  release(1);
  assert.is(guest.dword(lock), 0);
});

test("waiters enter in the order in which they came", () => {
  for (const order of [
    [1, 2, 3],
    [1, 3, 2],
    [2, 1, 3],
    [2, 3, 1],
    [3, 1, 2],
    [3, 2, 1],
  ]) {
    const { guest, lock, acquire, beginAcquire, release } = setup(4);
    acquire(0);
    for (const number of order) {
      beginAcquire(number);
      guest.stepTo(number, "spin");
    }
    let owner = 0;
    for (const number of order) {
      release(owner);
      for (const waiting of order) for (let i = 0; i < 6 && !guest.returned(waiting); i++) guest.step(waiting);
      const inside = order.filter((waiting) => guest.returned(waiting));
      assert.equal(inside, order.slice(0, order.indexOf(number) + 1), `order ${order}`);
      owner = number;
    }
    release(owner);
    assert.is(guest.dword(lock), 0);
  }
});

test("a release waits for a newcomer that has the lock's word but has not linked itself yet", () => {
  const { guest, lock, handle, word, acquire, beginAcquire, beginRelease, release } = setup(2);
  acquire(0);
  beginAcquire(1);
  while (guest.dword(lock) !== handle(1)) guest.step(1);
  beginRelease(0);
  guest.stepTo(0, "link");
  const loop = () => guest.steps(0, 3);
  loop();
  const before = guest.state(0);
  loop();
  assert.is(guest.state(0), before);
  guest.stepTo(1, "spin");
  guest.finish(0);
  assert.is(word(1), lock | LOCK_QUEUE_OWNER);
  guest.finish(1);
  release(1);
  assert.is(guest.dword(lock), 0);
});

test("a handle can be used again as soon as its release has returned", () => {
  const { guest, lock, handle, acquire, beginAcquire, release } = setup(2);
  acquire(0);
  beginAcquire(1);
  guest.stepTo(1, "spin");
  release(0);
  beginAcquire(0);
  guest.stepTo(0, "spin");
  guest.finish(1);
  release(1);
  guest.finish(0);
  assert.is(guest.dword(lock), handle(0));
  release(0);
  assert.is(guest.dword(lock), 0);
});

test.run();
