// Rule CC-01: every routine keeps to its calling convention, whatever its caller's registers hold.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Procedure } from "#asm";
import { type Argument, boot, type HarnessProcessor, type Nt, signatureOf, stackBytes } from "#harness";
import {
  KeAcquireInStackQueuedSpinLock,
  KeAcquireInStackQueuedSpinLockAtDpcLevel,
  KeAcquireSpinLock,
  KeAcquireSpinLockAtDpcLevel,
  KeAcquireSpinLockRaiseToDpc,
  KefAcquireSpinLockAtDpcLevel,
  KefReleaseSpinLockFromDpcLevel,
  KeGetCurrentIrql,
  KeGetCurrentProcessorNumber,
  KeInitializeDpc,
  KeInitializeSpinLock,
  KeInitializeThreadedDpc,
  KeInsertQueueDpc,
  KeLowerIrql,
  KeQueryActiveProcessors,
  KeRaiseIrql,
  KeRaiseIrqlToDpcLevel,
  KeReleaseInStackQueuedSpinLock,
  KeReleaseInStackQueuedSpinLockFromDpcLevel,
  KeReleaseSpinLock,
  KeReleaseSpinLockFromDpcLevel,
  KeRemoveQueueDpc,
  KeSetImportanceDpc,
  KeSetTargetProcessorDpc,
  KeSetTargetProcessorDpcEx,
  KeTestSpinLock,
  KeTryToAcquireSpinLockAtDpcLevel,
  KfAcquireSpinLock,
  KfLowerIrql,
  KfRaiseIrql,
  KfReleaseSpinLock,
} from "#kernel";
import { raise } from "./levels.ts";

const test = suite("calling conventions");

/** A call that can be made at DISPATCH_LEVEL, with the one that takes it back. */
type Made = readonly [routine: Procedure, ...args: Argument[]];

function calls(nt: Nt): readonly (readonly Made[])[] {
  const [lock, handle, dpc, word] = [nt.spinLock(), nt.lockHandle(), nt.dpc(), nt.allocate(4, 0)];
  return [
    [
      [KfRaiseIrql, 7],
      [KfLowerIrql, 2],
    ],
    [
      [KeRaiseIrql, 7, word],
      [KeLowerIrql, 2],
    ],
    [[KeRaiseIrqlToDpcLevel]],
    [[KeGetCurrentIrql]],
    [[KeInitializeSpinLock, lock]],
    [
      [KeAcquireSpinLock, lock, word],
      [KeReleaseSpinLock, lock, 2],
    ],
    [
      [KfAcquireSpinLock, lock],
      [KfReleaseSpinLock, lock, 2],
    ],
    [
      [KeAcquireSpinLockRaiseToDpc, lock],
      [KfReleaseSpinLock, lock, 2],
    ],
    [
      [KeAcquireSpinLockAtDpcLevel, lock],
      [KeTestSpinLock, lock],
      [KeReleaseSpinLockFromDpcLevel, lock],
    ],
    [
      [KefAcquireSpinLockAtDpcLevel, lock],
      [KeTryToAcquireSpinLockAtDpcLevel, lock],
      [KefReleaseSpinLockFromDpcLevel, lock],
    ],
    [
      [KeAcquireInStackQueuedSpinLock, lock, handle],
      [KeReleaseInStackQueuedSpinLock, handle],
    ],
    [
      [KeAcquireInStackQueuedSpinLockAtDpcLevel, lock, handle],
      [KeReleaseInStackQueuedSpinLockFromDpcLevel, handle],
    ],
    [[KeInitializeThreadedDpc, nt.allocate(32), word, 0]],
    [[KeInitializeDpc, nt.allocate(32), word, 0]],
    [[KeSetImportanceDpc, dpc, 2]],
    [[KeSetTargetProcessorDpc, dpc, 0]],
    [[KeSetTargetProcessorDpcEx, dpc, word]],
    [
      [KeInsertQueueDpc, dpc, 1, 2],
      [KeInsertQueueDpc, dpc, 1, 2],
      [KeRemoveQueueDpc, dpc],
      [KeRemoveQueueDpc, dpc],
    ],
    [[KeGetCurrentProcessorNumber]],
    [[KeQueryActiveProcessors]],
  ];
}

const names = calls(boot()).map((sequence) => sequence.map(([routine]) => routine.name).join(", "));

for (const checked of [false, true])
  for (const [index, name] of names.entries())
    test(`CC-01: ${name}: arguments, bytes popped, EBX, ESI, EDI, EBP and DF (${checked ? "checked" : "free"})`, () => {
      const nt = boot({ checked });
      const [processor] = nt.processors as [HarnessProcessor];
      const made = calls(nt)[index]!;
      raise(processor, 2);
      for (const [routine, ...args] of made) {
        const before = processor.registers.esp;
        processor.begin(routine, ...args);
        const pushed = before - processor.registers.esp;
        assert.is(pushed, 4 + stackBytes(signatureOf(routine)));
        processor.finish(); // throws for a register, a byte or a flag
        assert.is(processor.registers.esp, before);
      }
    });

test.run();
