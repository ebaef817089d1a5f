// DPCs: objects, targets, when another processor is interrupted, removal, and what a routine and an inserter may do with an object.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { dword, ebp, ecx } from "#asm";
import {
  APIC_BASE,
  APIC_ICR_LOW,
  DISPATCH_LEVEL,
  DISPATCH_VECTOR,
  DPC_NORMAL,
  HIGH_LEVEL,
  HighImportance,
  ICR_FIXED,
  KDPC,
  KDPC_DATA,
  KeInitializeDpc,
  KeInitializeThreadedDpc,
  KeInsertQueueDpc,
  KeRemoveQueueDpc,
  KeSetImportanceDpc,
  KeSetTargetProcessorDpc,
  KeSetTargetProcessorDpcEx,
  KfLowerIrql,
  KfRaiseIrql,
  KiAcquireSpinLock,
  LowImportance,
  MediumHighImportance,
  MediumImportance,
  PASSIVE_LEVEL,
  PROCESSOR_NUMBER,
} from "#kernel";
import { boot, type HarnessDpc, type HarnessProcessor } from "../../../tools/harness/index.ts";

const test = suite("DPCs");

/** Instructions in which a request that has been made is answered. */
const SOON = 500;

function setup(processors = 1) {
  const nt = boot({ processors });
  const [first, second = first] = nt.processors;
  if (!first || !second) throw new Error("there is no processor");
  return { nt, first, second };
}

const queueOf = (processor: HarnessProcessor) => processor.pcr.PrcbData.DpcData[DPC_NORMAL]!;

/** Who has run, in order, by their places in a list. */
const order = (nt: ReturnType<typeof boot>, dpcs: readonly HarnessDpc[]) =>
  nt.events.map(({ parameters }) => dpcs.findIndex(({ address }) => address === parameters[0]));

test("a new object is in no queue, of medium importance and without a target", () => {
  const { nt, first } = setup();
  for (const [routine, type] of [
    [KeInitializeDpc, 0x13],
    [KeInitializeThreadedDpc, 0x18],
  ] as const) {
    const { object } = nt.dpc();
    first.call(routine, object, 0x1234, 0x5678);
    const { Type, Importance, Number: target, DeferredRoutine, DeferredContext, DpcData } = object;
    assert.equal(
      [Type, Importance, target, DeferredRoutine, DeferredContext, DpcData],
      [type, MediumImportance, 0, 0x1234, 0x5678, 0],
    );
  }
});

test("a target that does not take part changes nothing", () => {
  const { nt, first } = setup(2);
  const dpc = nt.dpc({ target: 1 });
  const { Number: number } = dpc.object;
  for (const target of [2, 31, 32, 255]) {
    first.call(KeSetTargetProcessorDpc, dpc, target);
    assert.is(dpc.object.Number, number);
  }
  const place = nt.view(PROCESSOR_NUMBER);
  for (const [group, target, reserved, status, expected] of [
    [0, 0, 0, 0, 0x8000],
    [0, 2, 0, 0xc000000d, 0x8000],
    [1, 1, 0, 0xc000000d, 0x8000],
    [0, 1, 1, 0xc000000d, 0x8000],
    [0, 1, 0, 0, 0x8001],
  ] as const) {
    Object.assign(place, { Group: group, Number: target, Reserved: reserved });
    assert.is(first.call(KeSetTargetProcessorDpcEx, dpc, place), status);
    assert.is(dpc.object.Number, expected);
  }
});

/** Commands that went out to another processor with the vector of DPCs. */
function requests(nt: ReturnType<typeof boot>, action: () => void): number {
  const { accesses } = nt.trace(action);
  return accesses.filter(
    ({ kind, address, value }) =>
      kind === "write" && address === APIC_BASE + APIC_ICR_LOW && value === (ICR_FIXED | DISPATCH_VECTOR),
  ).length;
}

for (const [importance, asks] of [
  [LowImportance, 0],
  [MediumImportance, 0],
  [MediumHighImportance, 1],
  [HighImportance, 1],
] as const)
  test(`DPC-06: a busy processor is ${asks ? "" : "not "}interrupted for importance ${importance}${asks ? "" : ", until the queue is deep"}`, () => {
    const { nt, first, second } = setup(2);
    const dpcs = Array.from({ length: 5 }, () => nt.dpc({ importance, target: 1 }));
    assert.is(
      requests(nt, () => first.queueDpc(dpcs[0]!)),
      asks,
    );
    second.idle(SOON);
    assert.is(dpcs[0]?.runs, asks);
    second.call(KfRaiseIrql, DISPATCH_LEVEL); // so that the others wait
    for (const dpc of dpcs.slice(1, -1)) first.queueDpc(dpc);
    if (asks) return;
    assert.is(
      requests(nt, () => first.queueDpc(dpcs[4]!)),
      1,
    );
    second.call(KfLowerIrql, PASSIVE_LEVEL);
    assert.equal(order(nt, dpcs), [0, 1, 2, 3, 4]);
  });

test("DPC-06: an idle processor is interrupted whatever the importance", () => {
  for (const importance of [LowImportance, MediumImportance, MediumHighImportance, HighImportance]) {
    const { nt, first, second } = setup(2);
    const dpc = nt.dpc({ importance, target: 1 });
    second.goIdle();
    while (!second.halted) second.step();
    first.queueDpc(dpc);
    for (let steps = 0; dpc.runs === 0; steps++) {
      assert.ok(steps < SOON);
      second.step();
    }
  }
});

test("DPC-09: a DPC that queues itself runs again", () => {
  const { nt, first } = setup();
  const left = nt.allocate(4, 0);
  nt.setDword(left, 3);
  const dpc: HarnessDpc = nt.dpc({
    body: (a) => {
      a.mov(ecx, left);
      a.dec(dword(ecx));
      a.jz("enough");
      a.mov(ecx, dword(ebp, 8)); // the object, the routine's first argument
      a.call(KeInsertQueueDpc, ecx, 0, 0);
      a.label("enough");
    },
  });
  first.queueDpc(dpc);
  first.idle(2 * SOON);
  assert.is(dpc.runs, 3);
});

test("DPC-11: what was removed never runs, and a removal of what is in no queue changes nothing", () => {
  const { nt, first, second } = setup(2);
  const dpcs = [nt.dpc(), nt.dpc(), nt.dpc()];
  first.call(KfRaiseIrql, DISPATCH_LEVEL);
  for (const dpc of dpcs) first.queueDpc(dpc);
  assert.is(second.call(KeRemoveQueueDpc, dpcs[1]!), 1);
  assert.is(first.call(KeRemoveQueueDpc, dpcs[1]!), 0);
  assert.is(queueOf(first).DpcQueueDepth, 2);
  first.call(KfLowerIrql, PASSIVE_LEVEL);
  assert.equal(order(nt, dpcs), [0, 2]);
  const before = nt.bytes(dpcs[0]!.address, KDPC.size);
  assert.is(first.call(KeRemoveQueueDpc, dpcs[0]!), 0);
  assert.equal(nt.bytes(dpcs[0]!.address, KDPC.size), before);
});

test("DPC-13: a routine may do with its object what it likes", () => {
  const { nt, first } = setup();
  const dpc: HarnessDpc = nt.dpc({
    body: (a) => {
      a.mov(ecx, dword(ebp, 8));
      for (let offset = 0; offset < KDPC.size; offset += 4) a.mov(dword(ecx, offset), -1);
    },
  });
  first.queueDpc(dpc);
  first.idle(SOON);
  assert.is(dpc.runs, 1);
  assert.equal(nt.bytes(dpc.address, KDPC.size), new Uint8Array(KDPC.size).fill(0xff));
  const other = nt.dpc();
  first.queueDpc(other);
  first.idle(SOON);
  assert.is(other.runs, 1);
});

test("DPC-15: an insert works at every level, which it leaves as it was, and so interrupts", () => {
  for (let irql = PASSIVE_LEVEL; irql <= HIGH_LEVEL; irql++) {
    const { nt, first } = setup();
    const dpc = nt.dpc();
    first.call(KfRaiseIrql, irql);
    assert.is(first.queueDpc(dpc), 1);
    assert.equal([first.irql, first.interruptible], [irql, true]);
    first.call(KfLowerIrql, PASSIVE_LEVEL);
    first.idle(SOON);
    assert.is(dpc.runs, 1);
  }
});

test("DPC-18: importance and target that are set after the insert are for the next one", () => {
  const { nt, first, second } = setup(2);
  const [dpc, other] = [nt.dpc(), nt.dpc()];
  first.call(KfRaiseIrql, DISPATCH_LEVEL);
  first.queueDpc(other);
  first.queueDpc(dpc);
  first.call(KeSetImportanceDpc, dpc, HighImportance);
  first.call(KeSetTargetProcessorDpc, dpc, 1);
  first.call(KfLowerIrql, PASSIVE_LEVEL);
  second.idle(SOON);
  assert.equal(order(nt, [dpc, other]), [1, 0]);
  first.queueDpc(dpc);
  second.idle(SOON);
  assert.equal(
    dpc.events.map(({ processor }) => processor),
    [0, 1],
  );
});

test("DPC-19: a removal that meets a drain and another insert takes the object out of the queue that it is in", () => {
  const { nt, first, second } = setup(2);
  const dpc = nt.dpc();
  second.call(KfRaiseIrql, DISPATCH_LEVEL);
  second.queueDpc(dpc);
  first.begin(KeRemoveQueueDpc, dpc);
  first.stepTo(KiAcquireSpinLock); // it has read that the object is in the other's queue
  second.call(KfLowerIrql, PASSIVE_LEVEL);
  assert.is(dpc.runs, 1);
  second.call(KeSetTargetProcessorDpc, dpc, 0);
  second.queueDpc(dpc);
  assert.equal([queueOf(first).DpcQueueDepth, queueOf(second).DpcQueueDepth], [1, 0]);
  assert.is(first.finish(), 1);
  for (const processor of [first, second]) {
    const { DpcQueueDepth, DpcListHead, address } = queueOf(processor);
    assert.equal([DpcQueueDepth, DpcListHead.Flink, DpcListHead.Blink], [0, address, address]);
  }
  assert.is(dpc.runs, 1);
});

test("DPC-22: an insert does not touch the object once the queue's lock is free", () => {
  const { nt, first } = setup(2);
  const dpc = nt.dpc({ target: 1, importance: HighImportance });
  const { accesses } = nt.trace(() => first.queueDpc(dpc));
  const lock = queueOf(nt.processors[1]!).address + KDPC_DATA.DpcLock.offset;
  const released = accesses.findLastIndex(({ kind, address }) => kind === "write" && address === lock);
  const touched = (from: number, to?: number) =>
    accesses.slice(from, to).filter(({ address }) => address >= dpc.address && address < dpc.address + KDPC.size);
  assert.ok(touched(0, released).length > 0);
  assert.equal(touched(released), []);
});

test.run();
