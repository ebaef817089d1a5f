// Rules DPC-01 to DPC-05, DPC-08, DPC-10, DPC-14 and DPC-21: queues of deferred procedure calls, and who drains them.
// time limit: 300 s

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { boot, type HarnessDpc, type HarnessProcessor } from "#harness";
import {
  DISPATCH_LEVEL,
  HighImportance,
  KeInsertQueueDpc,
  KeRemoveQueueDpc,
  KfLowerIrql,
  KiIdleLoop,
  LowImportance,
  MediumHighImportance,
  MediumImportance,
} from "#kernel";
import { lower, raise } from "./levels.ts";

const test = suite("rules of DPCs");

for (const irql of [0, 1, 2, 5, 31])
  test(`DPC-01: at ${irql} a DPC is inserted once, keeps its first arguments, and can be inserted again afterwards`, () => {
    const nt = boot();
    const [processor] = nt.processors as [HarnessProcessor];
    const dpc = nt.dpc({ importance: LowImportance, context: 0x77 });
    raise(processor, DISPATCH_LEVEL);
    raise(processor, Math.max(irql, DISPATCH_LEVEL));
    assert.equal([processor.queueDpc(dpc, 1, 2), processor.queueDpc(dpc, 3, 4)], [1, 0]);
    assert.equal([dpc.object.SystemArgument1, dpc.object.SystemArgument2], [1, 2]);
    lower(processor, 0);
    assert.is(dpc.runs, 1);
    raise(processor, DISPATCH_LEVEL);
    assert.is(processor.queueDpc(dpc, 5, 6), 1);
    lower(processor, 0);
    assert.equal(
      dpc.events.map(({ parameters }) => parameters.slice(1)),
      [
        [0x77, 1, 2],
        [0x77, 5, 6],
      ],
    );
  });

for (const processors of [1, 2, 4])
  test(`DPC-02: the routine gets the object, its context and both arguments at DISPATCH_LEVEL (${processors})`, () => {
    const nt = boot({ processors });
    for (const processor of nt.processors) {
      const dpc = nt.dpc({ context: 0x1234 });
      processor.queueDpc(dpc, 0xaaaa, 0xbbbb);
      const [event] = dpc.events;
      assert.equal([event!.irql, event!.processor], [DISPATCH_LEVEL, processor.number]);
      assert.equal(event!.parameters, [dpc.address, 0x1234, 0xaaaa, 0xbbbb]);
    }
  });

test("DPC-03: a DPC without a target runs where it was queued, one with a target there", () => {
  const nt = boot({ processors: 3 });
  for (const by of nt.processors) {
    for (const target of [undefined, 0, 1, 2]) {
      const dpc = nt.dpc({ target, importance: MediumHighImportance });
      by.queueDpc(dpc);
      for (const processor of nt.processors) processor.idle(300);
      assert.equal(
        dpc.events.map(({ processor }) => processor),
        [target ?? by.number],
      );
    }
  }
});

test("DPC-04: the queue is first in, first out, but High goes to its head", () => {
  const nt = boot();
  const [processor] = nt.processors as [HarnessProcessor];
  const queued = [LowImportance, MediumImportance, HighImportance, MediumImportance, HighImportance].map((importance) =>
    nt.dpc({ importance }),
  );
  raise(processor, 5);
  for (const dpc of queued) processor.queueDpc(dpc);
  lower(processor, 0);
  const [low, medium1, high1, medium2, high2] = queued as [HarnessDpc, HarnessDpc, HarnessDpc, HarnessDpc, HarnessDpc];
  assert.equal(
    nt.events.map(({ parameters }) => parameters[0]),
    [high2, high1, low, medium1, medium2].map(({ address }) => address),
  );
});

for (const importance of [MediumImportance, MediumHighImportance, HighImportance])
  for (const targeted of [false, true])
    test(`DPC-05: importance ${importance} asks for a drain of this processor at once (${targeted ? "targeted" : "untargeted"})`, () => {
      const nt = boot({ processors: 2 });
      const [, processor] = nt.processors as [HarnessProcessor, HarnessProcessor];
      const dpc = nt.dpc({ importance, target: targeted ? 1 : undefined });
      processor.pcr.PrcbData.DpcRequestRate = 100; // a low one would be a reason by itself
      processor.queueDpc(dpc); // at PASSIVE_LEVEL: it has run before the call returns
      assert.is(dpc.runs, 1);
    });

test("DPC-08: DPCs of a processor run one after the other, whatever interrupts insert meanwhile", () => {
  const nt = boot();
  const [processor] = nt.processors as [HarnessProcessor];
  const within = (importance: number): HarnessDpc =>
    nt.dpc({
      importance,
      body: (a) => {
        a.call(nt.routines.KeGetCurrentIrql);
        for (let nop = 0; nop < 20; nop++) a.nop();
      },
    });
  const inserted = [within(HighImportance), within(MediumImportance)];
  nt.serve(0x73, (a) => {
    for (const dpc of inserted) a.call(KeInsertQueueDpc, dpc, 0, 0);
  });
  const first = within(MediumImportance);
  processor.begin(KeInsertQueueDpc, first, 0, 0);
  processor.stepUntil(() => first.runs === 1);
  for (let boundary = 0; boundary < 30; boundary++) {
    if (boundary === 10) processor.interrupt(0x73);
    processor.step();
  }
  assert.is(processor.pcr.PrcbData.DpcRoutineActive, 1);
  processor.finish();
  const runs = nt.events.filter(({ kind }) => kind === "dpc").map(({ parameters }) => parameters[0]);
  assert.equal(
    runs,
    [first, ...inserted].map(({ address }) => address),
  );
});

/** A thread at PASSIVE_LEVEL on processor 1 drains one DPC while processor 0 inserts another before its every instruction. */
test("DPC-10: an insert anywhere in a drain is not lost", () => {
  for (let stand = 0; ; stand++) {
    const nt = boot({ processors: 2 });
    const [inserter, drainer] = nt.processors as [HarnessProcessor, HarnessProcessor];
    const first = nt.dpc({ importance: HighImportance });
    const second = nt.dpc({ importance: HighImportance, target: 1 });
    raise(drainer, DISPATCH_LEVEL);
    drainer.queueDpc(first);
    drainer.begin(KfLowerIrql, 0);
    drainer.steps(stand);
    if (drainer.returned) return assert.ok(stand > 60, `${stand} instructions`);
    insertWhile(inserter, drainer, second);
    drainer.finish();
    drainer.idle(300);
    assert.equal([first.runs, second.runs, second.queued], [1, 1, false], `before instruction ${stand}`);
  }
});

/** Inserts a DPC while another processor stands still; lets that one go on where its queue's lock is wanted. */
function insertWhile(inserter: HarnessProcessor, other: HarnessProcessor, dpc: HarnessDpc): void {
  inserter.begin(KeInsertQueueDpc, dpc, 0, 0);
  for (let steps = 0; steps < 2000 && !inserter.returned; steps++) {
    inserter.step();
    if (steps > 200) other.step();
  }
  assert.is(inserter.finish() & 0xff, 1);
}

test("DPC-14: an insert on a processor that goes idle is seen, wherever that stands, and the processor sleeps afterwards", () => {
  for (const importance of [LowImportance, MediumImportance, MediumHighImportance, HighImportance])
    for (let stand = 0; stand < 24; stand++) {
      const nt = boot({ processors: 2 });
      const [inserter, idle] = nt.processors as [HarnessProcessor, HarnessProcessor];
      const dpc = nt.dpc({ target: 1, importance });
      idle.begin(KiIdleLoop);
      idle.steps(stand);
      inserter.queueDpc(dpc);
      idle.steps(500);
      assert.equal([dpc.runs, idle.halted, dpc.queued], [1, true, false], `${importance} before instruction ${stand}`);
    }
});

for (const [name, call] of [
  ["KeInsertQueueDpc", (p: HarnessProcessor, dpc: HarnessDpc) => p.begin(KeInsertQueueDpc, dpc, 0, 0)],
  ["KeRemoveQueueDpc", (p: HarnessProcessor, dpc: HarnessDpc) => p.begin(KeRemoveQueueDpc, dpc)],
  ["a drain", (p: HarnessProcessor) => p.begin(KfLowerIrql, 0)],
] as const)
  test(`DPC-21: an interrupt that inserts comes anywhere in ${name} and nothing hangs`, () => {
    for (let boundary = 0; ; boundary++) {
      const nt = boot();
      const [processor] = nt.processors as [HarnessProcessor];
      const [mine, theirs] = [nt.dpc(), nt.dpc()];
      nt.serve(0xb3, (a) => a.call(KeInsertQueueDpc, theirs, 0, 0));
      raise(processor, DISPATCH_LEVEL);
      if (name !== "KeInsertQueueDpc") processor.queueDpc(mine);
      call(processor, mine);
      processor.interrupt(0xb3, { after: boundary });
      processor.finish(3000);
      if (processor.planned > 0) return assert.ok(boundary > 20, `${boundary} boundaries`);
      if (processor.irql > 0) lower(processor, 0);
      assert.is(theirs.runs, 1, `before instruction ${boundary}`);
      assert.is(mine.runs, name === "KeRemoveQueueDpc" ? 0 : 1);
    }
  });

test.run();
