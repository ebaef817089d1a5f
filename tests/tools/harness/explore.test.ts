// time limit: 300 s
// A test's own programs under every schedule, as a test of a driver writes them: what holds is verified, and what does not is shown.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ScenarioError } from "#explore";
import { type ExploredKernel, explore, type Property, UnfinishedError, ViolationError } from "#harness";
import {
  KeAcquireInStackQueuedSpinLock,
  KeAcquireInStackQueuedSpinLockAtDpcLevel,
  KeReleaseInStackQueuedSpinLock,
  KeReleaseInStackQueuedSpinLockFromDpcLevel,
  KfAcquireSpinLock,
  KfRaiseIrql,
  KfReleaseSpinLock,
  KLOCK_QUEUE_HANDLE,
  PASSIVE_LEVEL,
} from "#kernel";

const test = suite("explored programs");

/** Every processor goes through a section under one queued lock. */
function queuedLock(nt: ExploredKernel): readonly Property[] {
  const lock = nt.spinLock();
  const section = nt.criticalSection();
  const { mutualExclusion, fifo } = nt.properties(lock, section);
  for (const processor of nt.processors)
    processor.program((a) => {
      const handle = a.local(KLOCK_QUEUE_HANDLE);
      a.call(KeAcquireInStackQueuedSpinLock, lock, handle);
      section.body(a);
      a.call(KeReleaseInStackQueuedSpinLock, handle);
    });
  return [mutualExclusion, fifo];
}

/** Under one ordinary lock; some of them do not take it. */
function spinLock(nt: ExploredKernel, without: readonly number[] = []): readonly Property[] {
  const lock = nt.spinLock();
  const section = nt.criticalSection();
  for (const { number, program } of nt.processors)
    program((a) => {
      if (!without.includes(number)) a.call(KfAcquireSpinLock, lock);
      section.body(a);
      if (!without.includes(number)) a.call(KfReleaseSpinLock, lock, PASSIVE_LEVEL);
    });
  return [nt.properties(lock, section).mutualExclusion];
}

function violation(run: () => unknown): ViolationError {
  try {
    run();
  } catch (error) {
    if (error instanceof ViolationError) return error;
    throw error;
  }
  throw new Error("nothing is violated");
}

test("two processors are never inside a queued lock together, with a DPC anywhere on each", () => {
  const { verdict, states, interrupts } = explore({ processors: 2, dpcs: "anywhere" }, queuedLock);
  assert.is(verdict, "verified");
  assert.is(interrupts?.length, 2);
  assert.ok(states > explore({ processors: 2 }, queuedLock).states);
});

test("two processors are never inside an ordinary lock together", () => {
  assert.is(explore({ processors: 2, dpcs: "anywhere" }, (nt) => spinLock(nt)).verdict, "verified");
});

test("an ordinary lock is not first come, first served: three processors show it, and the failure tells how", () => {
  const { message, violation: found } = violation(() =>
    explore({ processors: 3 }, (nt) => spinLock(nt).map((property) => ({ ...property, fifo: true }))),
  );
  assert.is(found.property, "first come, first served");
  assert.match(
    message,
    /violates "first come, first served"\n.* enters before P\d, who came first\n {2}schedule {2}\d/,
  );
  assert.match(message, /KfAcquireSpinLock/);
});

test("a processor that does not take the lock is inside together with one that does", () => {
  assert.is(
    violation(() => explore({ processors: 2 }, (nt) => spinLock(nt, [1]))).violation.property,
    "mutual exclusion",
  );
});

test("a lock that is not released leaves the others waiting", () => {
  const forgetful = (nt: ExploredKernel): readonly Property[] => {
    const lock = nt.spinLock();
    const section = nt.criticalSection();
    for (const { program } of nt.processors)
      program((a) => {
        a.call(KfAcquireSpinLock, lock);
        section.body(a);
      });
    return [nt.properties(lock, section).mutualExclusion];
  };
  assert.is(violation(() => explore({ processors: 2 }, forgetful)).violation.property, "progress");
});

test("a level that is not lowered again does not come back", () => {
  const raised = (nt: ExploredKernel): readonly Property[] => {
    nt.processors[0]!.program((a) => a.call(KfRaiseIrql, 2));
    return [];
  };
  assert.is(violation(() => explore({ processors: 1 }, raised)).violation.property, "levels come back");
});

test("at PASSIVE_LEVEL a DPC anywhere comes inside: the AtDpcLevel forms hold all the same while no DPC wants the lock", () => {
  const low = (nt: ExploredKernel): readonly Property[] => {
    const lock = nt.spinLock();
    const section = nt.criticalSection();
    for (const { program } of nt.processors)
      program((a) => {
        const handle = a.local(KLOCK_QUEUE_HANDLE);
        a.call(KeAcquireInStackQueuedSpinLockAtDpcLevel, lock, handle);
        section.body(a);
        a.call(KeReleaseInStackQueuedSpinLockFromDpcLevel, handle);
      });
    return [nt.properties(lock, section).mutualExclusion];
  };
  assert.is(explore({ processors: 2, dpcs: "anywhere" }, low).verdict, "verified");
});

test("programs that never contend prove nothing", () => {
  const alone = (nt: ExploredKernel): readonly Property[] => {
    const lock = nt.spinLock();
    const section = nt.criticalSection();
    nt.processors[0]!.program((a) => {
      a.call(KfAcquireSpinLock, lock);
      section.body(a);
      a.call(KfReleaseSpinLock, lock, PASSIVE_LEVEL);
    });
    return [nt.properties(lock, section).mutualExclusion];
  };
  assert.throws(
    () => explore({ processors: 2 }, alone),
    (error: Error) => error instanceof ScenarioError,
  );
});

test("a search that meets its bound says so", () => {
  assert.throws(
    () => explore({ processors: 2, maxStates: 10 }, queuedLock),
    (error: Error) => error instanceof UnfinishedError && /bounded: 10 states/.test(error.message),
  );
});

test.run();
