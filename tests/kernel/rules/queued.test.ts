// Rules QL-01 to QL-20, QL-27, QL-29, QL-32 and QL-33: in-stack queued spin locks.
// time limit: 300 s

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { dword, eax, ebx, ecx } from "#asm";
import { explore } from "#explore";
import { boot, type HarnessProcessor, type Nt, type Trace } from "#harness";
import {
  DISPATCH_LEVEL,
  IRQL_NOT_GREATER_OR_EQUAL,
  KeAcquireInStackQueuedSpinLock,
  KeAcquireInStackQueuedSpinLockAtDpcLevel,
  KefAcquireSpinLockAtDpcLevel,
  KefReleaseSpinLockFromDpcLevel,
  KeInitializeSpinLock,
  KeReleaseInStackQueuedSpinLock,
  KeReleaseInStackQueuedSpinLockFromDpcLevel,
  KLOCK_QUEUE_HANDLE,
  KPCR,
  LOCK_QUEUE_OWNER,
  LOCK_QUEUE_WAIT,
  SPIN_LOCK_ALREADY_OWNED,
  SPIN_LOCK_NOT_OWNED,
} from "#kernel";
import { scenarioByName } from "../../../tools/scenarios/index.ts";
import { levelOf, raise } from "./levels.ts";
import { addOne, pairOf } from "./locks.ts";

const test = suite("rules of queued spin locks");

const acquire = KeAcquireInStackQueuedSpinLockAtDpcLevel;
const release = KeReleaseInStackQueuedSpinLockFromDpcLevel;
const QUEUED = ["KeAcquireInStackQueuedSpinLock", "KeAcquireInStackQueuedSpinLockAtDpcLevel"] as const;
const APIC_PAGE = 0xfee00;
const NEXT = 0;
const LOCK = 4;
const OLD_IRQL = 8;
const ROUNDS = 150;
/** Twice the instructions that the longest traced run takes. */
const TRACED = 250_000;

for (const [processors, rounds] of [
  [2, 1],
  [2, 2],
  [3, 1],
] as const)
  test(`QL-01, QL-02, QL-12: one owner at a time, first come first served, handles left alone: all schedules of ${processors}x${rounds}`, () => {
    const { verdict, violations } = explore(scenarioByName("queued-lock", { processors, rounds }), { model: "sc" });
    assert.equal([verdict, violations], ["verified", []]);
  });

for (const name of QUEUED)
  for (const processors of [1, 2, 3, 4])
    test(`QL-01, QL-02, QL-13: ${name}: one owner at a time in the order of coming, with one handle again and again (${processors})`, () => {
      const nt = boot({ processors, checked: processors % 2 === 0 });
      const pair = pairOf(nt, name);
      const lock = nt.spinLock();
      const [sum, entered] = [nt.allocate(4, 0), nt.allocate(4 * ROUNDS * processors, 0)];
      for (const processor of nt.processors) {
        if (!pair.raises) raise(processor, DISPATCH_LEVEL);
        processor.program((a) => {
          const mine = a.local(12);
          a.push(ebx);
          a.mov(ebx, ROUNDS);
          a.label("round");
          pair.write(a, lock, mine, () => {
            a.mov(ecx, sum);
            a.mov(ecx, dword(ecx));
            a.mov(dword(ecx.times(4), entered - 2 ** 32), processor.number + 1);
            addOne(a, sum);
          });
          a.dec(ebx);
          a.jnz("round");
          a.pop(ebx);
        });
      }
      const { accesses } = nt.trace(() => nt.finish(TRACED));
      assert.equal([nt.dword(sum), lock.word], [processors * ROUNDS, 0]);
      const came = accesses
        .filter(
          ({ kind, address, locked, value }) => kind === "write" && address === lock.address && locked && value !== 0,
        )
        .map(({ processor }) => processor + 1);
      const order = Array.from({ length: processors * ROUNDS }, (_, index) => nt.dword(entered + 4 * index));
      assert.equal(order, came);
    });

for (const irql of [2, 5, 28, 31])
  test(`QL-03: the AtDpcLevel pair at ${irql} leaves the level, the local APIC and byte 8 of the handle alone`, () => {
    for (const checked of [false, true]) {
      const nt = boot({ checked });
      const [processor] = nt.processors as [HarnessProcessor];
      const [lock, handle] = [nt.spinLock(), nt.lockHandle()];
      raise(processor, irql);
      const { accesses } = nt.trace(() => {
        processor.call(acquire, lock, handle);
        processor.call(release, handle);
      });
      const level = processor.registers.fs.base + KPCR.Irql.offset;
      const touched = accesses.filter(
        ({ kind, address, bytes, physical }) =>
          physical >>> 12 === APIC_PAGE ||
          (kind === "write" && address === level) ||
          (address < handle.address + KLOCK_QUEUE_HANDLE.size && address + bytes > handle.address + OLD_IRQL),
      );
      assert.equal([touched, ...levelOf(processor), handle.OldIrql].slice(0, 2), [[], irql]);
      assert.is(handle.OldIrql, 0xcc);
    }
  });

for (const irql of [0, 1, 2])
  test(`QL-04: the raising pair enters at ${irql}, keeps it in the handle, returns at 2 and goes back`, () => {
    const nt = boot();
    const [processor] = nt.processors as [HarnessProcessor];
    const [lock, handle] = [nt.spinLock(), nt.lockHandle()];
    raise(processor, irql);
    processor.call(KeAcquireInStackQueuedSpinLock, lock, handle);
    assert.equal([...levelOf(processor), handle.OldIrql], [2, 0x41, irql]);
    processor.call(KeReleaseInStackQueuedSpinLock, handle);
    assert.is(processor.irql, irql);
  });

for (const name of QUEUED)
  for (const garbage of [0xff, 0x00, 0x01, 0xcc])
    test(`QL-05: ${name} takes a handle full of ${garbage.toString(16)}h, and QL-06: the word is its address, then zero`, () => {
      const nt = boot();
      const [processor] = nt.processors as [HarnessProcessor];
      const lock = nt.spinLock();
      const handle = nt.view(KLOCK_QUEUE_HANDLE, nt.allocate(KLOCK_QUEUE_HANDLE, garbage));
      raise(processor, DISPATCH_LEVEL);
      pairOf(nt, name).acquire(processor, lock, handle);
      assert.equal([lock.word, handle.LockQueue.Next], [handle.address, 0]);
      assert.is(handle.LockQueue.Lock, lock.address + LOCK_QUEUE_OWNER);
      pairOf(nt, name).release(processor, lock, handle);
      assert.is(lock.word, 0);
    });

/** An owner and others that wait behind it in their order, all at DISPATCH_LEVEL with handles of their own. */
function queue(processors: number, checked = false) {
  const nt = boot({ processors, checked });
  const [owner, ...waiters] = nt.processors as [HarnessProcessor, ...HarnessProcessor[]];
  const lock = nt.spinLock();
  const handles = nt.processors.map(() => nt.lockHandle());
  for (const processor of nt.processors) raise(processor, DISPATCH_LEVEL);
  owner.call(acquire, lock, handles[0]!);
  const traces: Trace[] = waiters.map((waiter, index) => {
    waiter.begin(acquire, lock, handles[index + 1]!);
    return nt.trace(() => waiter.steps(200));
  });
  return { nt, owner, waiters, lock, handles, traces };
}

test("QL-06: the word of a lock with waiters is the address of the last one", () => {
  for (const processors of [2, 3, 4]) {
    const { lock, handles } = queue(processors);
    assert.is(lock.word, handles.at(-1)!.address);
  }
});

test("QL-07: a waiter that is in the queue reads its own handle alone", () => {
  const { nt, waiters, handles } = queue(3);
  waiters.forEach((waiter, index) => {
    const own = handles[index + 1]!.address;
    const { accesses } = nt.trace(() => waiter.steps(300));
    assert.ok(accesses.length > 50);
    assert.ok(accesses.every(({ kind, address }) => kind === "read" && address === own + LOCK));
  });
});

test("QL-08: a waiter sets its WAIT bit before others find its handle", () => {
  const { traces, handles, lock } = queue(3);
  traces.forEach(({ accesses }, index) => {
    const own = handles[index + 1]!.address;
    const writes = accesses.filter(({ kind }) => kind === "write");
    const marked = writes.findIndex(
      ({ address, value }) => address === own + LOCK && value === lock.address + LOCK_QUEUE_WAIT,
    );
    const linked = writes.findIndex(({ address }) => address === handles[index]!.address + NEXT);
    assert.ok(marked >= 0 && linked > marked, `marked ${marked}, linked ${linked}`);
  });
});

/** Instructions after which a newcomer is in its wait, whatever it was built with. */
const WAITING = 20;

/** Releases while a newcomer stands before each instruction of its acquisition in turn, up to when it waits. */
function releaseAgainstNewcomer(irql: number, interrupted: boolean): number {
  for (let stand = 0; ; stand++) {
    const nt = boot({ processors: 2 });
    const [owner, newcomer] = nt.processors as [HarnessProcessor, HarnessProcessor];
    const [lock, mine, theirs] = [nt.spinLock(), nt.lockHandle(), nt.lockHandle()];
    nt.serve(0xb3);
    for (const processor of nt.processors) raise(processor, irql);
    owner.call(acquire, lock, mine);
    newcomer.begin(acquire, lock, theirs);
    newcomer.steps(stand);
    if (newcomer.returned) return stand;
    if (interrupted) {
      newcomer.interrupt(0xb3);
      newcomer.steps(20);
    }
    const isWaitedFor = lock.word === theirs.address && mine.LockQueue.Next === 0;
    owner.begin(release, mine);
    owner.steps(200);
    assert.is(owner.returned, !isWaitedFor, `the newcomer before its instruction ${stand}`);
    newcomer.steps(60); // as far as it comes by itself
    owner.finish();
    newcomer.finish();
    assert.equal([lock.word, theirs.LockQueue.Lock & 3], [theirs.address, LOCK_QUEUE_OWNER]);
    newcomer.call(release, theirs);
    assert.is(lock.word, 0);
    if (stand > WAITING) return stand;
  }
}

for (const interrupted of [false, true])
  test(`QL-09: a release waits for a newcomer that has come and not linked, then hands over (${interrupted ? "interrupted" : "held up"})`, () => {
    assert.ok(releaseAgainstNewcomer(DISPATCH_LEVEL, interrupted) > 8);
  });

test("QL-10: a newcomer anywhere in a release is never lost: the word is freed only against one's own handle", () => {
  let met = 0;
  for (let stand = 0; ; stand++) {
    const nt = boot({ processors: 2 });
    const [owner, newcomer] = nt.processors as [HarnessProcessor, HarnessProcessor];
    const [lock, mine, theirs] = [nt.spinLock(), nt.lockHandle(), nt.lockHandle()];
    for (const processor of nt.processors) raise(processor, DISPATCH_LEVEL);
    owner.call(acquire, lock, mine);
    owner.begin(release, mine);
    owner.steps(stand);
    if (owner.returned) break;
    newcomer.begin(acquire, lock, theirs);
    newcomer.steps(100);
    owner.finish();
    newcomer.finish();
    assert.is(lock.word, theirs.address);
    met++;
  }
  assert.ok(met > 8);
});

test("QL-11: the hand-over goes to the next in the queue, one after the other", () => {
  const { waiters, owner, handles, lock } = queue(4);
  const inside = [owner, ...waiters];
  inside.forEach((processor, place) => {
    processor.call(release, handles[place]!);
    for (const waiter of inside.slice(place + 1)) waiter.steps(50);
    assert.equal(
      inside.slice(place + 1).map((waiter) => waiter.returned),
      inside.slice(place + 1).map((_, index) => index === 0),
    );
    inside[place + 1]?.finish();
  });
  assert.is(lock.word, 0);
});

test("QL-12: nobody touches a handle once its release has returned", () => {
  const { nt, owner, waiters, handles } = queue(3);
  owner.call(release, handles[0]!);
  const { accesses } = nt.trace(() => {
    for (const [index, waiter] of waiters.entries()) {
      waiter.finish();
      waiter.call(release, handles[index + 1]!);
    }
  });
  const { address } = handles[0]!;
  assert.equal(
    accesses.filter((access) => access.address >= address && access.address < address + KLOCK_QUEUE_HANDLE.size),
    [],
  );
});

test("QL-13: one handle serves one lock after the other", () => {
  for (const checked of [false, true]) {
    const nt = boot({ processors: 2, checked });
    const [first, second] = nt.processors as [HarnessProcessor, HarnessProcessor];
    const locks = [nt.spinLock(), nt.spinLock()];
    for (const processor of [first, second]) {
      raise(processor, DISPATCH_LEVEL);
      processor.program((a) => {
        const handle = a.local(KLOCK_QUEUE_HANDLE);
        a.push(ebx);
        a.mov(ebx, ROUNDS);
        a.label("round");
        for (const lock of locks) {
          a.call(acquire, lock, handle);
          a.pause();
          a.call(release, handle);
        }
        a.dec(ebx);
        a.jnz("round");
        a.pop(ebx);
      });
    }
    nt.finish();
    assert.equal(
      locks.map(({ word }) => word),
      [0, 0],
    );
  }
});

test("QL-14: what an owner stored is there before the next one owns the lock", () => {
  const { nt, owner, waiters, lock, handles } = queue(2);
  const word = nt.allocate(4, 0);
  owner.begin(
    nt.routine("store", (a) => {
      a.mov(eax, word);
      a.mov(dword(eax), 7);
      a.call(release, handles[0]!);
      a.ret();
    }),
  );
  const { accesses } = nt.trace(() => owner.finish());
  const stored = accesses.findIndex(({ address, kind }) => address === word && kind === "write");
  const handed = accesses.findIndex(({ address, kind }) => kind === "write" && address === handles[1]!.address + LOCK);
  assert.ok(stored >= 0 && handed > stored);
  waiters[0]!.finish();
  assert.equal([nt.dword(word), lock.word], [7, handles[1]!.address]);
});

test("QL-15: of a queued handle's Lock only bits 0 and 1 ever change", () => {
  const { nt, owner, waiters, handles, lock, traces } = queue(3);
  const rest = nt.trace(() => {
    for (const [index, processor] of [owner, ...waiters].entries()) {
      if (index > 0) processor.finish();
      processor.call(release, handles[index]!);
    }
  });
  const writes = [...traces, rest]
    .flatMap(({ accesses }) => accesses)
    .filter(({ kind, address }) => kind === "write" && handles.some((handle) => address === handle.address + LOCK));
  assert.ok(writes.length > 5);
  assert.ok(writes.every(({ value }) => (value & ~3) >>> 0 === lock.address));
});

test("QL-16: the compare-exchange of a release locks the bus", () => {
  const nt = boot();
  const [processor] = nt.processors as [HarnessProcessor];
  const [lock, handle] = [nt.spinLock(), nt.lockHandle()];
  raise(processor, DISPATCH_LEVEL);
  processor.call(acquire, lock, handle);
  const { instructions } = nt.trace(() => processor.call(release, handle));
  assert.equal(
    instructions.filter(({ mnemonic }) => mnemonic === "CMPXCHG").map(({ locked }) => locked),
    [true],
  );
});

test("QL-17: the raising release hands over before it lowers: a DPC that wants the lock gets it", () => {
  for (let boundary = 0; ; boundary++) {
    const nt = boot();
    const [processor] = nt.processors as [HarnessProcessor];
    const [lock, handle] = [nt.spinLock(), nt.lockHandle()];
    const dpc = nt.dpc({
      body: (a) => {
        const mine = a.local(KLOCK_QUEUE_HANDLE);
        a.call(acquire, lock, mine);
        a.call(release, mine);
      },
    });
    nt.serve(0x53, (a) => a.call(nt.routines.KeInsertQueueDpc, dpc, 0, 0));
    processor.call(KeAcquireInStackQueuedSpinLock, lock, handle);
    processor.interrupt(0x53, { after: boundary });
    processor.call(KeReleaseInStackQueuedSpinLock, handle);
    if (processor.planned > 0) return assert.ok(boundary > 10);
    assert.equal([dpc.runs, processor.irql, lock.word], [1, 0, 0], `before instruction ${boundary}`);
  }
});

for (const checked of [false, true])
  for (const order of [
    [0, 1],
    [1, 0],
  ])
    test(`QL-18: two locks held at once are released in the order ${order} (${checked ? "checked" : "free"})`, () => {
      const nt = boot({ checked });
      const [processor] = nt.processors as [HarnessProcessor];
      const locks = [nt.spinLock(), nt.spinLock()];
      const handles = [nt.lockHandle(), nt.lockHandle()];
      raise(processor, DISPATCH_LEVEL);
      for (const [index, lock] of locks.entries()) processor.call(acquire, lock, handles[index]!);
      for (const index of order) processor.call(release, handles[index]!);
      assert.equal(
        locks.map(({ word }) => word),
        [0, 0],
      );
    });

for (const same of [true, false]) {
  const which = same ? "the same handle" : "another handle";
  test(`QL-19: a second acquisition by the owner with ${which} hangs the free kernel or leaves the lock broken`, () => {
    const nt = boot();
    const [processor] = nt.processors as [HarnessProcessor];
    const [lock, handle, other] = [nt.spinLock(), nt.lockHandle(), nt.lockHandle()];
    raise(processor, DISPATCH_LEVEL);
    processor.call(acquire, lock, handle);
    assert.ok(nt.hangs(() => processor.call(acquire, lock, same ? handle : other)));
  });
  test(`QL-19: a second acquisition by the owner with ${which} is bug check 0Fh in the checked kernel`, () => {
    const nt = boot({ checked: true });
    const [processor] = nt.processors as [HarnessProcessor];
    const [lock, handle, other] = [nt.spinLock(), nt.lockHandle(), nt.lockHandle()];
    raise(processor, DISPATCH_LEVEL);
    processor.call(acquire, lock, handle);
    const { code, parameters } = nt.bugCheckOf(() => processor.call(acquire, lock, same ? handle : other));
    assert.equal([code, parameters[0]], [SPIN_LOCK_ALREADY_OWNED, lock.address]);
  });
}

for (const routine of [release, KeReleaseInStackQueuedSpinLock])
  for (const twice of [true, false])
    test(`QL-20: ${routine.name} of a handle ${twice ? "released before" : "never acquired"} is bug check 10h in the checked kernel`, () => {
      const nt = boot({ checked: true });
      const [processor] = nt.processors as [HarnessProcessor];
      const [lock, handle] = [nt.spinLock(), nt.lockHandle()];
      raise(processor, DISPATCH_LEVEL);
      if (twice) {
        processor.call(acquire, lock, handle);
        processor.call(release, handle);
      }
      const { code, parameters } = nt.bugCheckOf(() => processor.call(routine, handle));
      assert.equal([code, parameters[0]], [SPIN_LOCK_NOT_OWNED, handle.address]);
    });

for (const [mutant, name, processors, rounds] of [
  ...["M1", "M2", "M3", "M4", "M5", "M7", "M8", "M10", "M11", "M12"].map((one) => [one, "queued-lock", 2, 1] as const),
  ["M6", "raising-queued-lock", 1, 1],
  ["M9", "queued-lock", 3, 1],
  ["M13", "queued-lock", 2, 2],
] as const)
  test(`QL-27: the explorer finds ${mutant} on ${processors}x${rounds}`, () => {
    const scenario = scenarioByName(name, { processors, rounds, mutant });
    assert.is(explore(scenario, { model: "sc" }).verdict, "violated");
  });

test("QL-29: a lock fresh from KeInitializeSpinLock can be used as either kind", () => {
  for (const checked of [false, true]) {
    const nt = boot({ checked });
    const [processor] = nt.processors as [HarnessProcessor];
    const [lock, handle] = [{ address: nt.allocate(4) }, nt.lockHandle()];
    raise(processor, DISPATCH_LEVEL);
    processor.call(KeInitializeSpinLock, lock);
    processor.call(acquire, lock, handle);
    processor.call(release, handle);
    processor.call(KeInitializeSpinLock, lock);
    processor.call(KefAcquireSpinLockAtDpcLevel, lock);
    processor.call(KefReleaseSpinLockFromDpcLevel, lock);
    assert.is(nt.dword(lock.address), 0);
  }
});

/** What one uncontended pair takes. */
function cost(nt: Nt, pair: (processor: HarnessProcessor) => void) {
  const [processor] = nt.processors as [HarnessProcessor];
  const { instructions, accesses } = nt.trace(() => pair(processor));
  const level = processor.registers.fs.base + KPCR.Irql.offset;
  return {
    instructions: instructions.length,
    locked: instructions.filter(({ locked }) => locked).map(({ mnemonic }) => mnemonic),
    apic: accesses.filter(({ physical }) => physical >>> 12 === APIC_PAGE).length,
    level: accesses.filter(({ address }) => address === level).length,
  };
}

test("QL-32: the AtDpcLevel pair is the quicker one: no level, no local APIC, one XCHG and one LOCK CMPXCHG", () => {
  const nt = boot();
  const [lock, handle] = [nt.spinLock(), nt.lockHandle()];
  const raising = cost(nt, (processor) => {
    processor.call(KeAcquireInStackQueuedSpinLock, lock, handle);
    processor.call(KeReleaseInStackQueuedSpinLock, handle);
  });
  raise(nt.processors[0]!, DISPATCH_LEVEL);
  const atDpcLevel = cost(nt, (processor) => {
    processor.call(acquire, lock, handle);
    processor.call(release, handle);
  });
  assert.equal([atDpcLevel.apic, atDpcLevel.level], [0, 0]);
  assert.equal(atDpcLevel.locked, ["XCHG", "CMPXCHG"]);
  assert.ok(atDpcLevel.instructions < raising.instructions && atDpcLevel.instructions <= 20);
  assert.ok(raising.apic > 0);
});

test("QL-33: a touch of an unmapped page with a queued lock held is bug check 0Ah that tells level 2", () => {
  for (const checked of [false, true]) {
    const nt = boot({ checked });
    const [processor] = nt.processors as [HarnessProcessor];
    const [lock, handle] = [nt.spinLock(), nt.lockHandle()];
    processor.call(KeAcquireInStackQueuedSpinLock, lock, handle);
    const { code, parameters } = nt.bugCheckOf(() => processor.run((a) => a.mov(eax, dword(0x123))));
    assert.equal([code, parameters[0], parameters[1], parameters[2]], [0x0a, 0x123, 2, 0]);
  }
});

test("QL-33: below DISPATCH_LEVEL the AtDpcLevel acquisition is bug check 9h in the checked kernel", () => {
  const nt = boot({ checked: true });
  const { code } = nt.bugCheckOf(() => nt.processors[0]!.call(acquire, nt.spinLock(), nt.lockHandle()));
  assert.is(code, IRQL_NOT_GREATER_OR_EQUAL);
});

test.run();
