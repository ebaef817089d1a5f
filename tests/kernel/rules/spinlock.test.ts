// Rules SL-01 to SL-16 and SL-30: ordinary spin locks.
// time limit: 300 s

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ebx } from "#asm";
import { boot, type HarnessProcessor, type Nt, type Trace } from "#harness";
import {
  DISPATCH_LEVEL,
  IRQL_NOT_GREATER_OR_EQUAL,
  KeAcquireInStackQueuedSpinLockAtDpcLevel,
  KeAcquireSpinLock,
  KeAcquireSpinLockAtDpcLevel,
  KefAcquireSpinLockAtDpcLevel,
  KefReleaseSpinLockFromDpcLevel,
  KeInitializeSpinLock,
  KeReleaseInStackQueuedSpinLockFromDpcLevel,
  KeReleaseSpinLock,
  KeReleaseSpinLockFromDpcLevel,
  KeTestSpinLock,
  KeTryToAcquireSpinLockAtDpcLevel,
  KfReleaseSpinLock,
  KPCR,
  SPIN_LOCK_ALREADY_OWNED,
  SPIN_LOCK_NOT_OWNED,
} from "#kernel";
import { levelOf, raise } from "./levels.ts";
import { addOne, PAIRS, pairOf } from "./locks.ts";

const test = suite("rules of ordinary spin locks");

const ORDINARY = PAIRS.slice(0, 5);
const RAISING = ORDINARY.slice(0, 3);
const AT_DPC_LEVEL = ORDINARY.slice(3);
const BUILDS = [false, true];
const APIC_PAGE = 0xfee00;
const ROUNDS = 200;
/** Far more instructions than the traced run takes. */
const TRACED = 250_000;

/** Writes of the level or to the local APIC. */
function touchesLevel(nt: Nt, { accesses }: Trace): boolean {
  const pages = nt.processors.map(({ registers }) => registers.fs.base + KPCR.Irql.offset);
  return accesses.some(
    ({ kind, address, physical }) => kind === "write" && (pages.includes(address) || physical >>> 12 === APIC_PAGE),
  );
}

for (const checked of BUILDS)
  test(`SL-01: KeInitializeSpinLock stores zero and nothing else (${checked ? "checked" : "free"})`, () => {
    const nt = boot({ checked });
    const around = nt.allocate(12);
    const { accesses } = nt.trace(() => nt.processors[0]!.call(KeInitializeSpinLock, around + 4));
    assert.equal([nt.dword(around), nt.dword(around + 4), nt.dword(around + 8)], [0xcccccccc, 0, 0xcccccccc]);
    const stack = nt.processors[0]!.registers.esp;
    const elsewhere = accesses.filter(({ kind, address }) => kind === "write" && address > stack);
    assert.equal(
      elsewhere.map(({ address, bytes }) => [address, bytes]),
      [[around + 4, 4]],
    );
  });

/** Every processor adds to one word under the lock, all at once; the word in the end, and what the lock's word was then. */
function contend(name: string, processors: number, checked: boolean): readonly [sum: number, word: number] {
  const nt = boot({ processors, checked });
  const pair = pairOf(nt, name);
  const lock = nt.spinLock();
  const sum = nt.allocate(4, 0);
  for (const processor of nt.processors) {
    if (!pair.raises) raise(processor, DISPATCH_LEVEL);
    processor.program((a) => {
      const mine = a.local(12);
      a.push(ebx);
      a.mov(ebx, ROUNDS);
      a.label("round");
      pair.write(a, lock, mine, () => addOne(a, sum));
      a.dec(ebx);
      a.jnz("round");
      a.pop(ebx);
    });
  }
  nt.finish();
  return [nt.dword(sum), lock.word];
}

for (const name of ORDINARY)
  for (const processors of [1, 2, 3, 4])
    test(`SL-02, SL-13: ${name}: one owner at a time, and somebody always gets on (${processors})`, () => {
      assert.equal(contend(name, processors, processors % 2 === 0), [processors * ROUNDS, 0]);
    });

for (const name of RAISING)
  for (const irql of [0, 1, 2])
    test(`SL-03, SL-07: ${name} at ${irql} returns at 2 with ${irql}, and the release goes back there`, () => {
      const nt = boot();
      const [processor] = nt.processors as [HarnessProcessor];
      const { acquire, release } = pairOf(nt, name);
      const [lock, mine] = [nt.spinLock(), nt.lockHandle()];
      raise(processor, irql);
      acquire(processor, lock, mine);
      assert.equal([...levelOf(processor), nt.load(mine.address, 1), lock.word & 1], [2, 0x41, irql, 1]);
      release(processor, lock, mine);
      assert.equal([processor.irql, lock.word], [irql, 0]);
    });

test("SL-04: the old level is stored when the lock is owned, and not while another owns it", () => {
  const nt = boot({ processors: 2 });
  const [owner, waiter] = nt.processors as [HarnessProcessor, HarnessProcessor];
  const [lock, theirs, old] = [nt.spinLock(), nt.allocate(4), nt.allocate(4)];
  owner.call(KeAcquireSpinLock, lock, theirs);
  waiter.begin(KeAcquireSpinLock, lock, old);
  waiter.steps(500);
  assert.is(nt.dword(old), 0xcccccccc);
  owner.call(KeReleaseSpinLock, lock, 0);
  waiter.finish();
  assert.is(nt.load(old, 1), 0);
});

/** A DPC that takes the lock by a pair, asked for by an interrupt before each instruction of `action` in turn. */
function interruptedByItsDpc(name: string, which: "acquire" | "release"): void {
  for (let boundary = 0; ; boundary++) {
    const nt = boot();
    const [processor] = nt.processors as [HarnessProcessor];
    const pair = pairOf(nt, name);
    const [lock, mine] = [nt.spinLock(), nt.lockHandle()];
    const atDpcLevel = pairOf(
      nt,
      pair.queued ? "KeAcquireInStackQueuedSpinLockAtDpcLevel" : "KeAcquireSpinLockAtDpcLevel",
    );
    const dpc = nt.dpc({ body: (a) => atDpcLevel.write(a, lock, a.local(12), () => a.nop()) });
    nt.serve(0x53, (a) => a.call(nt.routines.KeInsertQueueDpc, dpc, 0, 0));
    if (which === "release") pair.acquire(processor, lock, mine);
    processor.interrupt(0x53, { after: boundary });
    if (which === "acquire") pair.acquire(processor, lock, mine);
    const isAfterAcquire = which === "acquire" && processor.planned > 0;
    pair.release(processor, lock, mine);
    if (isAfterAcquire || processor.planned > 0) {
      assert.ok(boundary > 5); // the routine is shorter than that, and no shorter
      return;
    }
    assert.equal([dpc.runs, processor.irql, lock.word], [1, 0, 0], `before instruction ${boundary}`);
  }
}

for (const name of RAISING) {
  test(`SL-05: ${name} raises before it tries: a DPC that wants the lock never finds it with its own processor`, () => {
    interruptedByItsDpc(name, "acquire");
  });
  test(`SL-06: the release after ${name} frees before it lowers: a DPC that wants the lock gets it`, () => {
    interruptedByItsDpc(name, "release");
  });
}

for (const name of AT_DPC_LEVEL)
  for (const irql of [2, 5, 28, 31])
    test(`SL-08: ${name} and its release leave level ${irql} and the local APIC alone`, () => {
      const nt = boot();
      const [processor] = nt.processors as [HarnessProcessor];
      const { acquire, release } = pairOf(nt, name);
      const [lock, mine] = [nt.spinLock(), nt.lockHandle()];
      raise(processor, irql);
      const trace = nt.trace(() => {
        acquire(processor, lock, mine);
        release(processor, lock, mine);
      });
      assert.is(touchesLevel(nt, trace), false);
      assert.is(processor.irql, irql);
    });

test("SL-09: a try gets a free lock, and is refused a held one at once and without a trace", () => {
  for (const checked of BUILDS) {
    const nt = boot({ processors: 2, checked });
    const [first, second] = nt.processors as [HarnessProcessor, HarnessProcessor];
    const lock = nt.spinLock();
    for (const processor of nt.processors) raise(processor, DISPATCH_LEVEL);
    assert.is(first.call(KeTryToAcquireSpinLockAtDpcLevel, lock), 1);
    const { word } = lock;
    assert.is(word & 1, 1);
    second.begin(KeTryToAcquireSpinLockAtDpcLevel, lock);
    assert.is(second.finish(20) & 0xff, 0);
    assert.is(lock.word, word);
    first.call(KeReleaseSpinLockFromDpcLevel, lock);
    assert.is(second.call(KeTryToAcquireSpinLockAtDpcLevel, lock), 1);
  }
});

test("SL-10: KeTestSpinLock tells whether the word is zero, of both kinds of lock, and changes nothing", () => {
  const nt = boot();
  const [processor] = nt.processors as [HarnessProcessor];
  const [lock, handle] = [nt.spinLock(), nt.lockHandle()];
  const ask = (): number => {
    const trace = nt.trace(() => assert.is(processor.call(KeTestSpinLock, lock), lock.word === 0 ? 1 : 0));
    const { esp } = processor.registers;
    assert.equal(
      trace.accesses.filter(({ kind, address }) => kind === "write" && address >= esp),
      [],
    );
    return lock.word;
  };
  assert.is(ask(), 0);
  raise(processor, DISPATCH_LEVEL);
  processor.call(KeAcquireSpinLockAtDpcLevel, lock);
  assert.ok(ask() !== 0);
  processor.call(KeReleaseSpinLockFromDpcLevel, lock);
  processor.call(KeAcquireInStackQueuedSpinLockAtDpcLevel, lock, handle);
  assert.is(ask(), handle.address);
  processor.call(KeReleaseInStackQueuedSpinLockFromDpcLevel, handle);
  assert.equal([ask(), processor.irql], [0, DISPATCH_LEVEL]);
});

for (const name of ORDINARY)
  for (const checked of BUILDS)
    test(`SL-11: a waiter in ${name} locks the bus once while the lock is held, and SL-12: pauses (${checked ? "checked" : "free"})`, () => {
      const nt = boot({ processors: 2, checked });
      const [owner, waiter] = nt.processors as [HarnessProcessor, HarnessProcessor];
      const [lock, theirs] = [nt.spinLock(), nt.lockHandle()];
      const pair = pairOf(nt, name);
      for (const processor of nt.processors) if (!pair.raises) raise(processor, DISPATCH_LEVEL);
      pair.acquire(owner, lock, theirs);
      waiter.program((a) => pair.write(a, lock, a.local(12), () => a.nop()));
      const { accesses, instructions } = nt.trace(() => waiter.steps(2000));
      const locked = accesses.filter((access) => access.locked && access.address === lock.address);
      assert.is(new Set(locked.map(({ eip }) => eip)).size, 1);
      assert.ok(locked.length <= 2, `${locked.length} locked accesses`); // a read and a write of one instruction
      assert.ok(instructions.filter(({ mnemonic }) => mnemonic === "PAUSE").length > 100);
      pair.release(owner, lock, theirs);
      waiter.finish(100);
    });

test("SL-14: what one owner stored the next one sees", () => {
  const nt = boot({ processors: 2 });
  const [first, second] = nt.processors as [HarnessProcessor, HarnessProcessor];
  const lock = nt.spinLock();
  const words = [nt.allocate(4, 0), nt.allocate(4, 0)];
  for (const processor of [first, second]) {
    raise(processor, DISPATCH_LEVEL);
    processor.program((a) => {
      a.push(ebx);
      a.mov(ebx, ROUNDS);
      a.label("round");
      a.call(KefAcquireSpinLockAtDpcLevel, lock);
      for (const word of words) addOne(a, word);
      a.call(KefReleaseSpinLockFromDpcLevel, lock);
      a.dec(ebx);
      a.jnz("round");
      a.pop(ebx);
    });
  }
  nt.finish();
  assert.equal(
    words.map((word) => nt.dword(word)),
    [2 * ROUNDS, 2 * ROUNDS],
  );
});

for (const name of ORDINARY) {
  test(`SL-15: a second ${name} by the owner hangs the free kernel`, () => {
    const nt = boot();
    const [processor] = nt.processors as [HarnessProcessor];
    const { acquire } = pairOf(nt, name);
    const [lock, mine] = [nt.spinLock(), nt.lockHandle()];
    raise(processor, DISPATCH_LEVEL);
    acquire(processor, lock, mine);
    assert.ok(nt.hangs(() => acquire(processor, lock, mine)));
  });
  test(`SL-15: a second ${name} by the owner is bug check 0Fh in the checked kernel`, () => {
    const nt = boot({ checked: true });
    const [processor] = nt.processors as [HarnessProcessor];
    const { acquire } = pairOf(nt, name);
    const [lock, mine] = [nt.spinLock(), nt.lockHandle()];
    raise(processor, DISPATCH_LEVEL);
    acquire(processor, lock, mine);
    const { code, parameters } = nt.bugCheckOf(() => acquire(processor, lock, mine));
    assert.equal([code, parameters[0]], [SPIN_LOCK_ALREADY_OWNED, lock.address]);
  });
}

for (const [release, ...rest] of [
  [KeReleaseSpinLock, 0],
  [KfReleaseSpinLock, 0],
  [KeReleaseSpinLockFromDpcLevel],
  [KefReleaseSpinLockFromDpcLevel],
] as const)
  for (const whose of ["free", "another's"])
    test(`SL-16: ${release.name} of a lock that is ${whose} is bug check 10h in the checked kernel`, () => {
      const nt = boot({ processors: 2, checked: true });
      const [first, second] = nt.processors as [HarnessProcessor, HarnessProcessor];
      const lock = nt.spinLock();
      for (const processor of nt.processors) raise(processor, DISPATCH_LEVEL);
      second.call(KefAcquireSpinLockAtDpcLevel, lock);
      if (whose === "free") second.call(KefReleaseSpinLockFromDpcLevel, lock);
      const { code, parameters, processor } = nt.bugCheckOf(() => first.call(release, lock, ...rest));
      assert.equal([code, parameters[0], processor], [SPIN_LOCK_NOT_OWNED, lock.address, 0]);
    });

for (const name of AT_DPC_LEVEL)
  for (const irql of [0, 1])
    test(`SL-17: ${name} at ${irql} is bug check 9h in the checked kernel`, () => {
      const nt = boot({ checked: true });
      const [processor] = nt.processors as [HarnessProcessor];
      raise(processor, irql);
      const { code } = nt.bugCheckOf(() => pairOf(nt, name).acquire(processor, nt.spinLock(), nt.lockHandle()));
      assert.is(code, IRQL_NOT_GREATER_OR_EQUAL);
    });

test("SL-30: in the checked kernel a held word is the owner's thread with bit 0 set, at every instant", () => {
  const nt = boot({ processors: 3, checked: true });
  const lock = nt.spinLock();
  const sum = nt.allocate(4, 0);
  for (const processor of nt.processors) {
    raise(processor, DISPATCH_LEVEL);
    processor.program((a) => {
      a.push(ebx);
      a.mov(ebx, 20);
      a.label("round");
      a.call(KefAcquireSpinLockAtDpcLevel, lock);
      addOne(a, sum);
      a.call(KefReleaseSpinLockFromDpcLevel, lock);
      a.dec(ebx);
      a.jnz("round");
      a.pop(ebx);
    });
  }
  const { accesses } = nt.trace(() => nt.finish(TRACED));
  const writes = accesses.filter(({ kind, address }) => kind === "write" && address === lock.address);
  const threads = nt.processors.map(({ pcr }) => pcr.PrcbData.CurrentThread + 1);
  let word = 0;
  for (const { processor, value } of writes) {
    assert.ok(value === 0 || value === word || (word === 0 && value === threads[processor]), `${value.toString(16)}`);
    word = value;
  }
  assert.ok(writes.some(({ processor, value }) => value === threads[processor]));
});

test.run();
