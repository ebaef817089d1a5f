// Every offset and size that drivers and debuggers rely on.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Field } from "#asm";
import { boot } from "#harness";
import * as kernel from "#kernel";

const test = suite("layouts");

const exported: Readonly<Record<string, unknown>> = { ...kernel };

type Layout = { readonly size: number } & { readonly [field: string]: unknown };

/** A structure, its size, and offset and size of its fields. */
const layouts: readonly [name: keyof typeof kernel, size: number, fields: string][] = [
  ["LIST_ENTRY", 8, "00 4 Flink, 04 4 Blink"],
  ["SINGLE_LIST_ENTRY", 4, "00 4 Next"],
  ["SLIST_HEADER", 8, "00 4 Next, 04 2 Depth, 06 2 Sequence"],
  ["PROCESSOR_NUMBER", 4, "00 2 Group, 02 1 Number, 03 1 Reserved"],
  ["KSPIN_LOCK_QUEUE", 8, "00 4 Next, 04 4 Lock"],
  ["KLOCK_QUEUE_HANDLE", 12, "00 8 LockQueue, 08 1 OldIrql"],
  [
    "KDPC",
    0x20,
    "00 1 Type, 01 1 Importance, 02 2 Number, 04 8 DpcListEntry, 0c 4 DeferredRoutine, 10 4 DeferredContext, 14 4 SystemArgument1, 18 4 SystemArgument2, 1c 4 DpcData",
  ],
  ["KDPC_DATA", 0x14, "00 8 DpcListHead, 08 4 DpcLock, 0c 4 DpcQueueDepth, 10 4 DpcCount"],
  [
    "DISPATCHER_HEADER",
    0x10,
    "00 1 Type, 01 1 TimerControlFlags, 02 1 Hand, 03 1 TimerMiscFlags, 04 4 SignalState, 08 8 WaitListHead",
  ],
  ["KTIMER", 0x28, "00 10 Header, 10 8 DueTime, 18 8 TimerListEntry, 20 4 Dpc, 24 4 Period"],
  [
    "KINTERRUPT",
    0x278,
    "00 2 Type, 02 2 Size, 04 8 InterruptListEntry, 0c 4 ServiceRoutine, 10 4 MessageServiceRoutine, 14 4 MessageIndex, 18 4 ServiceContext, 1c 4 SpinLock, 20 4 TickCount, 24 4 ActualLock, 28 4 DispatchAddress, 2c 4 Vector, 30 1 Irql, 31 1 SynchronizeIrql, 32 1 FloatingSave, 33 1 Connected, 34 4 Number, 38 1 ShareVector, 3c 4 Mode, 40 4 Polarity, 44 4 ServiceCount, 48 4 DispatchCount, 50 8 Reserved, 58 21c DispatchCode",
  ],
  [
    "KPCR",
    0x360,
    "00 4 ExceptionList, 04 4 StackBase, 08 4 StackLimit, 18 4 Self, 1c 4 SelfPcr, 20 4 Prcb, 24 1 Irql, 28 4 IRR, 2c 4 IrrActive, 30 4 IDR, 34 4 KdVersionBlock, 38 4 IDT, 3c 4 GDT, 40 4 TSS, 44 2 MajorVersion, 46 2 MinorVersion, 48 4 SetMember, 4c 4 StallScaleFactor, 51 1 Number, 54 4 VdmAlert, 58 38 KernelReserved, 90 4 SecondLevelCacheSize, 94 40 HalReserved, d4 4 InterruptMode, dc 44 KernelReserved2, 120 240 PrcbData",
  ],
  [
    "KPRCB",
    0x240,
    "00 2 MinorVersion, 02 2 MajorVersion, 04 4 CurrentThread, 08 4 NextThread, 0c 4 IdleThread, 10 1 LegacyNumber, 11 1 NestingLevel, 12 2 BuildType, 20 4 InterruptCount, 24 4 DpcTimeCount, 28 4 DpcTimeLimit, 2c 4 AdjustDpcThreshold, 30 1 DebuggerSavedIRQL, 40 4 PacketBarrier, 44 c CurrentPacket, 50 4 TargetSet, 54 4 WorkerRoutine, 58 4 IpiFrozen, 5c 4 RequestSummary, 60 4 SignalDone, 80 28 DpcData, a8 4 DpcStack, ac 4 MaximumDpcQueueDepth, b0 4 DpcRequestRate, b4 4 MinimumDpcRate, b8 4 DpcLastCount, bc 1 ThreadDpcEnable, bd 1 QuantumEnd, be 1 DpcRoutineActive, bf 1 IdleSchedule, c0 4 DpcRequestSummary, c4 4 IdleState, c8 4 DpcWatchdogPeriod, cc 4 DpcWatchdogCount, d0 4 ClockKeepAlive, d4 4 SpinLockAcquireCount, d8 4 SpinLockContentionCount, dc 4 SpinLockSpinCount, e0 20 TimerExpirationDpc, 100 1 InitialApicId, 110 88 LockQueue, 200 40 HeldLocks",
  ],
  [
    "KBUGCHECK_CALLBACK_RECORD",
    0x20,
    "00 8 Entry, 08 4 CallbackRoutine, 0c 4 Buffer, 10 4 Length, 14 4 Component, 18 4 Checksum, 1c 1 State",
  ],
  ["KTHREAD", 0x40, "00 1 Type"],
  [
    "KTRAP_FRAME",
    0x34,
    "00 4 Edi, 04 4 Esi, 08 4 Ebp, 0c 4 Esp, 10 4 Ebx, 14 4 Edx, 18 4 Ecx, 1c 4 Eax, 20 4 Vector, 24 4 ErrorCode, 28 4 Eip, 2c 4 Cs, 30 4 EFlags",
  ],
];

for (const [name, size, fields] of layouts)
  test(`LAY-01: ${name} is ${size} bytes, each field in its place`, () => {
    const layout = exported[name] as Layout;
    assert.is(layout.size, size);
    for (const line of fields.split(", ")) {
      const [offset, bytes, field] = line.split(" ") as [string, string, string];
      const found = layout[field] as Field | undefined;
      assert.equal(
        [field, found?.offset, found?.size],
        [field, Number.parseInt(offset, 16), Number.parseInt(bytes, 16)],
      );
    }
  });

/** Constants, and what drivers and debuggers know them as. */
const constants: readonly [name: keyof typeof kernel, value: number][] = [
  ["PASSIVE_LEVEL", 0],
  ["APC_LEVEL", 1],
  ["DISPATCH_LEVEL", 2],
  ["PROFILE_LEVEL", 27],
  ["CLOCK2_LEVEL", 28],
  ["IPI_LEVEL", 29],
  ["POWER_LEVEL", 30],
  ["HIGH_LEVEL", 31],
  ["TimerNotificationObject", 8],
  ["TimerSynchronizationObject", 9],
  ["DpcObject", 0x13],
  ["InterruptObject", 0x16],
  ["ThreadedDpcObject", 0x18],
  ["LowImportance", 0],
  ["MediumImportance", 1],
  ["HighImportance", 2],
  ["MediumHighImportance", 3],
  ["LevelSensitive", 0],
  ["Latched", 1],
  ["DPC_NORMAL", 0],
  ["DPC_THREADED", 1],
  ["LOCK_QUEUE_WAIT", 1],
  ["LOCK_QUEUE_OWNER", 2],
  ["ThreadObject", 6],
  ["KGDT_CODE", 0x08],
  ["KGDT_DATA", 0x10],
  ["KGDT_TSS", 0x28],
  ["KGDT_PCR", 0x30],
];

for (const [name, value] of constants)
  test(`LAY-01: ${name} is ${value}`, () => {
    assert.is(exported[name], value);
  });

/** Levels, and the task priority at them. */
const priorities: readonly [irqls: readonly number[], tpr: number][] = [
  [[0], 0x00],
  [[1], 0x3d],
  [[2, 3], 0x41],
  [[4], 0x51],
  [[5], 0x61],
  [[6], 0x71],
  [[7], 0x81],
  [[8], 0x91],
  [[9], 0xa1],
  [[10, 11, 18, 26], 0xb1],
  [[27], 0xc1],
  [[28], 0xd1],
  [[29], 0xe1],
  [[30], 0xef],
  [[31], 0xff],
];

/** What stands at places that are spelled out again, on a kernel that has been booted. */
for (const checked of [false, true])
  test(`LAY-01: what debuggers look for in a KPCR is where they look for it (${checked ? "checked" : "free"})`, () => {
    const nt = boot({ processors: 3, checked });
    for (const { number, registers } of nt.processors) {
      const { base: page } = registers.fs;
      const at = (offset: number, bytes = 4): number => nt.load(page + offset, bytes);
      const baseAt = (descriptor: number): number =>
        ((nt.load(descriptor + 7, 1) << 24) | (nt.load(descriptor + 4, 1) << 16) | nt.load(descriptor + 2, 2)) >>> 0;
      const prcb = page + 0x120;
      assert.ok(at(0x04) >= registers.esp && at(0x08) < registers.esp, "the stack's bounds");
      assert.equal([at(0x04) - at(0x08), at(0x1c), at(0x20)], [0x2000, page, prcb]);
      assert.equal([at(0x24, 1), at(0x48), at(0x51, 1)], [0, 1 << number, number]);
      assert.equal(
        [at(0x38), baseAt(at(0x3c) + 0x30), baseAt(at(0x3c) + 0x28)],
        [nt.addressOf("KiIdt"), page, at(0x40)],
      );
      assert.equal([at(0x44, 2), at(0x46, 2)], [1, 1]);
      const thread = at(0x124);
      assert.equal([nt.load(thread, 1), at(0x12c), at(0x130, 1)], [6, thread, number]);
      assert.equal([at(0x132, 2), at(0x1a0), at(0x1b4)], [checked ? 1 : 0, prcb + 0x80, prcb + 0x94]);
    }
  });

test("each level has its task priority", () => {
  for (const [irqls, tpr] of priorities) for (const irql of irqls) assert.is(kernel.taskPriority(irql), tpr, `${irql}`);
});

test.run();
