// What the checked kernel finds: each misuse, the bug check that it ends in, and that right use ends in none.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  DISPATCH_LEVEL,
  HELD_LOCKS,
  KeAcquireInStackQueuedSpinLock,
  KeAcquireInStackQueuedSpinLockAtDpcLevel,
  KeAcquireSpinLockAtDpcLevel,
  KefAcquireSpinLockAtDpcLevel,
  KefReleaseSpinLockFromDpcLevel,
  KeInitializeSpinLock,
  KeInsertQueueDpc,
  KeReleaseInStackQueuedSpinLock,
  KeReleaseInStackQueuedSpinLockFromDpcLevel,
  KeReleaseSpinLock,
  KeTryToAcquireSpinLockAtDpcLevel,
  KfAcquireSpinLock,
  KfRaiseIrql,
  KfReleaseSpinLock,
  KiProcessors,
  KPROCESSOR,
  PASSIVE_LEVEL,
} from "#kernel";
import { boot } from "../../../tools/harness/index.ts";

const test = suite("the checked build");

const TEST_VECTOR = 0x63;
const TEST_IRQL = 5;

/** A checked kernel on two processors, and what the misuses are made of. */
function setup() {
  const nt = boot({ processors: 2, checked: true });
  const [first, second] = nt.processors;
  if (!first || !second) throw new Error("two processors were asked for");
  const [lock, other] = [nt.spinLock(), nt.spinLock()];
  const [handle, spare] = [nt.lockHandle(), nt.lockHandle()];
  const thread = (number: number) =>
    nt.addressOf(KiProcessors) + number * KPROCESSOR.size + KPROCESSOR.IdleThread.offset;
  return { nt, first, second, lock, other, handle, spare, thread };
}
type Setup = ReturnType<typeof setup>;

/** A title, the code, the parameters before the last, and the misuse. */
const misuses: readonly [
  title: string,
  code: number,
  parameters: (s: Setup) => number[],
  misuse: (s: Setup) => void,
][] = [
  [
    "SL-15: acquiring an ordinary lock twice",
    0x0f,
    (s) => [s.lock.address, s.thread(0) + 1, s.thread(0)],
    ({ first, lock }) => {
      first.call(KfAcquireSpinLock, lock);
      first.call(KfAcquireSpinLock, lock);
    },
  ],
  [
    "SL-15: acquiring an ordinary lock again at DISPATCH_LEVEL",
    0x0f,
    (s) => [s.lock.address, s.thread(0) + 1, s.thread(0)],
    ({ first, lock }) => {
      first.call(KfAcquireSpinLock, lock);
      first.call(KeAcquireSpinLockAtDpcLevel, lock);
    },
  ],
  [
    "SL-16: releasing a free lock",
    0x10,
    (s) => [s.lock.address, 0, s.thread(0)],
    ({ first, lock }) => {
      first.call(KfRaiseIrql, DISPATCH_LEVEL);
      first.call(KefReleaseSpinLockFromDpcLevel, lock);
    },
  ],
  [
    "SL-16: releasing another processor's lock",
    0x10,
    (s) => [s.lock.address, s.thread(1) + 1, s.thread(0)],
    ({ first, second, lock }) => {
      second.call(KfAcquireSpinLock, lock);
      first.call(KfRaiseIrql, DISPATCH_LEVEL);
      first.call(KfReleaseSpinLock, lock, PASSIVE_LEVEL);
    },
  ],
  [
    "SL-17: acquiring at PASSIVE_LEVEL without raising",
    0x09,
    (s) => [PASSIVE_LEVEL, DISPATCH_LEVEL, s.lock.address],
    ({ first, lock }) => first.call(KefAcquireSpinLockAtDpcLevel, lock),
  ],
  [
    "SL-17: trying at PASSIVE_LEVEL",
    0x09,
    (s) => [PASSIVE_LEVEL, DISPATCH_LEVEL, s.lock.address],
    ({ first, lock }) => first.call(KeTryToAcquireSpinLockAtDpcLevel, lock),
  ],
  [
    "SL-20: releasing above DISPATCH_LEVEL",
    0x08,
    (s) => [TEST_IRQL, DISPATCH_LEVEL, s.lock.address],
    ({ first, lock }) => {
      first.call(KfAcquireSpinLock, lock);
      first.call(KfRaiseIrql, TEST_IRQL);
      first.call(KeReleaseSpinLock, lock, PASSIVE_LEVEL);
    },
  ],
  [
    "QL-19: acquiring a queued lock twice",
    0x0f,
    (s) => [s.lock.address, s.handle.address, s.thread(0)],
    ({ first, lock, handle, spare }) => {
      first.call(KeAcquireInStackQueuedSpinLock, lock, handle);
      first.call(KeAcquireInStackQueuedSpinLockAtDpcLevel, lock, spare);
    },
  ],
  [
    "QL-19: acquiring two locks by one handle",
    0x0f,
    (s) => [s.other.address, 0, s.thread(0)],
    ({ first, lock, other, handle }) => {
      first.call(KeAcquireInStackQueuedSpinLock, lock, handle);
      first.call(KeAcquireInStackQueuedSpinLockAtDpcLevel, other, handle);
    },
  ],
  [
    "QL-20: releasing a queued lock twice",
    0x10,
    (s) => [s.handle.address, s.lock.address, s.thread(0)],
    ({ first, lock, handle }) => {
      first.call(KfRaiseIrql, DISPATCH_LEVEL);
      first.call(KeAcquireInStackQueuedSpinLockAtDpcLevel, lock, handle);
      first.call(KeReleaseInStackQueuedSpinLockFromDpcLevel, handle);
      first.call(KeReleaseInStackQueuedSpinLockFromDpcLevel, handle);
    },
  ],
  [
    "QL-20: releasing by a handle that acquired nothing",
    0x10,
    (s) => [s.handle.address, 0xcccccccc, s.thread(0)],
    ({ first, handle }) => {
      first.call(KfRaiseIrql, DISPATCH_LEVEL);
      first.call(KeReleaseInStackQueuedSpinLockFromDpcLevel, handle);
    },
  ],
  [
    "QL-20: releasing another processor's handle",
    0x10,
    (s) => [s.handle.address, s.lock.address + 2, s.thread(0)],
    ({ first, second, lock, handle }) => {
      second.call(KeAcquireInStackQueuedSpinLock, lock, handle);
      first.call(KfRaiseIrql, DISPATCH_LEVEL);
      first.call(KeReleaseInStackQueuedSpinLockFromDpcLevel, handle);
    },
  ],
  [
    "QL-24: queueing at PASSIVE_LEVEL without raising",
    0x09,
    (s) => [PASSIVE_LEVEL, DISPATCH_LEVEL, s.lock.address],
    ({ first, lock, handle }) => first.call(KeAcquireInStackQueuedSpinLockAtDpcLevel, lock, handle),
  ],
  [
    "initialising a lock that somebody holds",
    0x81,
    (s) => [s.lock.address, s.thread(1) + 1, 0],
    ({ first, second, lock }) => {
      second.call(KfAcquireSpinLock, lock);
      first.call(KeInitializeSpinLock, lock);
    },
  ],
  [
    "initialising a lock that is not aligned",
    0x81,
    (s) => [s.lock.address + 2],
    ({ first, lock }) => first.call(KeInitializeSpinLock, lock.address + 2),
  ],
  [
    "queueing a DPC for a processor that is not there",
    0xc7,
    () => [1],
    ({ nt, first }) => {
      const dpc = nt.dpc();
      dpc.object.Number = 0x8002;
      first.call(KeInsertQueueDpc, dpc, 0, 0);
    },
  ],
  [
    "a DPC that returns at another level",
    0xc8,
    () => [(TEST_IRQL << 16) | (DISPATCH_LEVEL << 8) | 0x11],
    ({ nt, first }) => {
      first.call(KeInsertQueueDpc, nt.dpc({ body: (a) => a.call(KfRaiseIrql, TEST_IRQL) }), 0, 0);
      first.idle(1000);
    },
  ],
  [
    "a service routine that returns at another level",
    0xc8,
    () => [((TEST_IRQL + 1) << 16) | (TEST_IRQL << 8) | 0x03],
    ({ nt, first }) => {
      nt.serve(TEST_VECTOR, (a) => a.call(KfRaiseIrql, TEST_IRQL + 1));
      first.interrupt(TEST_VECTOR);
      first.idle(1000);
    },
  ],
];

for (const [title, code, parameters, misuse] of misuses)
  test(`${title} is bug check ${code.toString(16).toUpperCase()}h`, () => {
    const made = setup();
    const found = made.nt.bugCheckOf(() => misuse(made));
    const expected = parameters(made);
    assert.equal([found.code, ...found.parameters.slice(0, expected.length)], [code, ...expected]);
  });

test("SL-30: a held word names its owner from the first instant to the last", () => {
  const { nt, first, lock, thread } = setup();
  const { accesses } = nt.trace(() => {
    first.call(KfAcquireSpinLock, lock);
    first.call(KfReleaseSpinLock, lock, PASSIVE_LEVEL);
  });
  const written = accesses.filter(({ kind, address }) => kind === "write" && address === lock.address);
  assert.equal(
    written.map(({ value }) => value),
    [thread(0) + 1, 0],
  );
});

test("more queued locks than the table of held ones has room for are released in any order", () => {
  const { nt, first } = setup();
  first.call(KfRaiseIrql, DISPATCH_LEVEL);
  const pairs = Array.from({ length: HELD_LOCKS + 3 }, () => [nt.spinLock(), nt.lockHandle()] as const);
  for (const [lock, handle] of pairs) first.call(KeAcquireInStackQueuedSpinLockAtDpcLevel, lock, handle);
  for (const [, handle] of [...pairs.slice(2), ...pairs.slice(0, 2)])
    first.call(KeReleaseInStackQueuedSpinLockFromDpcLevel, handle);
  for (const [lock] of pairs) assert.is(lock.word, 0);
  for (const entry of first.pcr.PrcbData.HeldLocks) assert.equal([entry.Lock, entry.Handle], [0, 0]);
});

test("the raising pairs give back the level, and the tables are as before", () => {
  const { first, lock, other, handle } = setup();
  const old = first.call(KfAcquireSpinLock, lock);
  first.call(KeAcquireInStackQueuedSpinLock, other, handle);
  first.call(KeReleaseInStackQueuedSpinLock, handle);
  assert.is(first.irql, DISPATCH_LEVEL);
  first.call(KfReleaseSpinLock, lock, old);
  assert.equal([first.irql, lock.word, other.word], [PASSIVE_LEVEL, 0, 0]);
});

test.run();
