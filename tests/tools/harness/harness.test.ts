// The harness does what its tests believe of it: calls, conventions, interrupts at boundaries, DPCs, bug checks, replacement.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { eax, edi } from "#asm";
import { boot, ConventionError, StepLimit } from "#harness";
import {
  DISPATCH_LEVEL,
  IRQL_NOT_GREATER_OR_EQUAL,
  KDPC,
  KeAcquireInStackQueuedSpinLock,
  KeGetCurrentIrql,
  KeInsertQueueDpc,
  KeReleaseInStackQueuedSpinLock,
  KfLowerIrql,
  KfRaiseIrql,
  KLOCK_QUEUE_HANDLE,
  PASSIVE_LEVEL,
} from "#kernel";

const test = suite("the harness");

test("processors stand at PASSIVE_LEVEL in their threads, interrupts on", () => {
  const nt = boot({ processors: 4 });
  for (const processor of nt.processors) {
    assert.equal([processor.irql, processor.tpr, processor.interruptible], [PASSIVE_LEVEL, 0, true]);
    assert.ok(nt.isThread(processor.registers.eip));
    assert.is(processor.pcr.Number, processor.number);
  }
});

test("a second boot is the first one again, in under 5 ms", () => {
  const first = boot({ processors: 2 });
  const hash = first.machine.hash();
  first.processors[0]!.call(KfRaiseIrql, DISPATCH_LEVEL);
  const best = Math.min(
    ...Array.from({ length: 5 }, () => {
      const start = performance.now();
      boot({ processors: 2 });
      return performance.now() - start;
    }),
  );
  assert.is(boot({ processors: 2 }).machine.hash(), hash);
  assert.ok(best < 5, `${best} ms`);
});

test("a kernel whose machine was booted again says so", () => {
  const before = boot();
  boot();
  assert.throws(() => before.dword(0x80100000), /booted again/);
});

test("a DPC queued while the lock is held runs at the release", () => {
  const nt = boot();
  const [processor] = nt.processors;
  const lock = nt.spinLock();
  const handle = nt.lockHandle();
  const dpc = nt.dpc();
  processor!.call(KeAcquireInStackQueuedSpinLock, lock, handle);
  processor!.queueDpc(dpc);
  processor!.idle(1000);
  assert.is(processor!.irql, DISPATCH_LEVEL);
  assert.is(dpc.runs, 0);
  processor!.call(KeReleaseInStackQueuedSpinLock, handle);
  assert.is(processor!.irql, PASSIVE_LEVEL);
  assert.is(dpc.runs, 1);
});

test("a call gives the result by its convention and leaves the caller's registers as they were", () => {
  const [processor] = boot().processors;
  const before = processor!.registers.describe();
  assert.is(processor!.call(KfRaiseIrql, 0xffffff05), PASSIVE_LEVEL);
  assert.is(processor!.call(KeGetCurrentIrql), 5);
  processor!.call(KfLowerIrql, PASSIVE_LEVEL);
  assert.is(processor!.registers.describe(), before);
});

test("a routine that changes a register it must keep is told of", () => {
  const nt = boot();
  const clobbers = nt.routine("clobbers", (a) => {
    a.xor(edi, edi);
    a.ret();
  });
  assert.throws(
    () => nt.processors[0]!.call(clobbers),
    (error: Error) => error instanceof ConventionError && /EDI/.test(error.message),
  );
});

test("a routine that pops what is not its own is told of", () => {
  const nt = boot();
  const pops = nt.routine("pops", (a) => a.ret(4));
  assert.throws(() => nt.processors[0]!.call(pops), /pops 4 bytes/);
});

test("a routine that does not return meets the bound of steps", () => {
  const nt = boot();
  const waits = nt.routine("waits", (a) => {
    a.label("wait");
    a.pause();
    a.jmp("wait");
  });
  assert.throws(
    () => nt.processors[0]!.call(waits),
    (error: Error) => error instanceof StepLimit,
  );
  assert.ok(nt.hangs(() => nt.processors[0]!.call(waits)));
});

/** Four NOPs, and where the service routine was entered: the EIP in its frame, counted from the first NOP. */
function interruptedAt(when: { after?: number; at?: number }): number {
  const nt = boot();
  const [processor] = nt.processors;
  const nops = nt.routine("nops", (a) => {
    for (let nop = 0; nop < 4; nop++) a.nop();
    a.ret();
  });
  nt.serve(0x53);
  const first = nt.addressOf(nops);
  processor!.begin(nops);
  const at = when.at === undefined ? undefined : first + when.at;
  processor!.interrupt(0x53, { ...when, at });
  processor!.finish();
  const [event] = nt.events;
  const FRAME_EIP = 0x28;
  return nt.dword(event!.parameters[1]! + FRAME_EIP) - first;
}

for (const [when, offset] of [
  [{}, 0],
  [{ after: 1 }, 1],
  [{ after: 3 }, 3],
  [{ at: 2 }, 2],
] as const)
  test(`an interrupt placed ${JSON.stringify(when)} comes before the instruction at ${offset}`, () => {
    assert.is(interruptedAt(when), offset);
  });

test("an interrupt wakes a processor in the idle loop, and a remote DPC does", () => {
  const nt = boot({ processors: 2 });
  const [first, second] = nt.processors;
  const dpc = nt.dpc({ target: 1 });
  second!.goIdle();
  second!.steps(100);
  assert.ok(second!.halted);
  first!.queueDpc(dpc);
  second!.steps(200);
  assert.equal(
    dpc.events.map(({ processor, irql }) => [processor, irql]),
    [[1, DISPATCH_LEVEL]],
  );
  assert.ok(second!.halted);
});

test("a program calls the kernel with locals and arguments", () => {
  const nt = boot();
  const [processor] = nt.processors;
  const lock = nt.spinLock();
  processor!.run((a) => {
    const handle = a.local(KLOCK_QUEUE_HANDLE);
    a.mov(handle.at(KLOCK_QUEUE_HANDLE.OldIrql), -1);
    a.call(KeAcquireInStackQueuedSpinLock, lock, handle);
    a.call(KeReleaseInStackQueuedSpinLock, handle);
  });
  assert.equal([lock.word, processor!.irql], [0, PASSIVE_LEVEL]);
});

test("a view reads and writes the guest's structure", () => {
  const nt = boot();
  const dpc = nt.view(KDPC);
  dpc.Number = 0x8001;
  dpc.DpcListEntry.Blink = 0x12345678;
  assert.is(nt.dword(dpc.address + KDPC.DpcListEntry.Blink.offset), 0x12345678);
  assert.equal([dpc.Number, dpc.Type], [0x8001, 0xcc]);
});

test("every caller of a replaced routine comes to the other one", () => {
  const nt = boot();
  nt.replace(KeInsertQueueDpc, (a) => {
    a.mov(eax, 0x77);
    a.ret(12);
  });
  assert.is(nt.processors[0]!.queueDpc(nt.dpc()), 0x77);
});

test("a bug check gives its code, parameters, place and screen", () => {
  const nt = boot({ processors: 2 });
  const [, second] = nt.processors;
  second!.call(KfRaiseIrql, 5);
  const { code, parameters, processor, screen } = nt.bugCheckOf(() => second!.call(KfRaiseIrql, 2));
  assert.equal([code, processor], [IRQL_NOT_GREATER_OR_EQUAL, 1]);
  assert.equal(parameters.slice(0, 3), [5, 2, 0]);
  assert.match(screen, /^\*\*\* STOP: 0x00000009 \(0x00000005, 0x00000002, 0x00000000, 0x[0-9A-F]{8}\)\r$/m);
});

test("a trace has every instruction and every access to data", () => {
  const nt = boot();
  const lock = nt.spinLock();
  const handle = nt.lockHandle();
  const { instructions, accesses } = nt.trace(() => {
    nt.processors[0]!.call(KeAcquireInStackQueuedSpinLock, lock, handle);
  });
  assert.is(instructions.filter(({ locked }) => locked).length, 1);
  assert.ok(accesses.some(({ kind, address, locked }) => kind === "write" && address === lock.address && locked));
  assert.ok(
    accesses.some(({ kind, physical, value }) => kind === "write" && physical === 0xfee00080 && value === 0x41),
  );
});

test.run();
