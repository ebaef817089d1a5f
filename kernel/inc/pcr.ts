// What each processor has of its own: KPCR (reached through FS), KPRCB, and behind them in the same page GDT, TSS and idle thread.

import { array, at, ptr, struct, u8, u16, u32 } from "#asm";
import { KDPC, KDPC_DATA } from "./dpc.ts";
import { KSPIN_LOCK_QUEUE } from "./spinlock.ts";

/** Processors that the kernel has room for: bits of an affinity mask. */
export const MAXIMUM_PROCESSORS = 32;

/** What the checked build knows of a queued lock that its processor holds. */
export const HELD_LOCK = struct({ Lock: ptr, Handle: ptr });
export const HELD_LOCKS = 8;

/** Processor control block: names as published, places our own (it is smaller). */
export const KPRCB = struct({
  MinorVersion: u16,
  MajorVersion: u16,
  /** In the checked build, who holds an ordinary lock. */
  CurrentThread: ptr,
  NextThread: ptr,
  IdleThread: ptr,
  LegacyNumber: u8,
  NestingLevel: u8,
  BuildType: u16,
  InterruptCount: at(0x20, u32),
  DpcTimeCount: u32,
  DpcTimeLimit: u32,
  AdjustDpcThreshold: u32,
  /** The level at the moment of a bug check. */
  DebuggerSavedIRQL: u8,
  PacketBarrier: at(0x40, u32),
  CurrentPacket: array(ptr, 3),
  TargetSet: u32,
  WorkerRoutine: ptr,
  /** 0: running; IPI_FROZEN: stopped for a bug check. */
  IpiFrozen: u32,
  RequestSummary: u32,
  SignalDone: u32,
  DpcData: at(0x80, array(KDPC_DATA, 2)),
  /** Top of the stack that DPCs run on. */
  DpcStack: ptr,
  MaximumDpcQueueDepth: u32,
  /** Inserts a tick, smoothed. */
  DpcRequestRate: u32,
  MinimumDpcRate: u32,
  /** DpcCount at the last tick. */
  DpcLastCount: u32,
  ThreadDpcEnable: u8,
  QuantumEnd: u8,
  DpcRoutineActive: u8,
  IdleSchedule: u8,
  DpcRequestSummary: u32,
  /** 1 from before the idle loop's last look at the queue until it has something to do. */
  IdleState: u32,
  DpcWatchdogPeriod: u32,
  DpcWatchdogCount: u32,
  /** Clock interrupts taken. */
  ClockKeepAlive: u32,
  /** With counters: acquisitions, and those whose first try failed. Nothing is counted inside a wait. */
  SpinLockAcquireCount: u32,
  SpinLockContentionCount: u32,
  SpinLockSpinCount: u32,
  TimerExpirationDpc: KDPC,
  InitialApicId: u8,
  /** Checked build: queued locks held that HeldLocks had no room for. */
  HeldLocksUnnoted: at(0x104, u32),
  LockQueue: at(0x110, array(KSPIN_LOCK_QUEUE, 17)),
  HeldLocks: at(0x200, array(HELD_LOCK, HELD_LOCKS)),
});

export const IPI_FROZEN = 2;
/** Bit of KPRCB.BuildType. */
export const BUILD_CHECKED = 1;

/** Processor control region, at FS:0. */
export const KPCR = struct({
  ExceptionList: ptr,
  StackBase: ptr,
  StackLimit: ptr,
  Self: at(0x18, ptr),
  SelfPcr: ptr,
  Prcb: ptr,
  /** The processor's level: the truth, from which the task priority register follows. */
  Irql: u8,
  IRR: at(0x28, u32),
  IrrActive: u32,
  IDR: u32,
  KdVersionBlock: ptr,
  IDT: ptr,
  GDT: ptr,
  TSS: ptr,
  MajorVersion: u16,
  MinorVersion: u16,
  /** 1 << Number. */
  SetMember: u32,
  /** Counts of the time-stamp counter in a microsecond. */
  StallScaleFactor: u32,
  Number: at(0x51, u8),
  VdmAlert: at(0x54, u32),
  KernelReserved: array(u32, 14),
  SecondLevelCacheSize: u32,
  /** [0] the local APIC's ID, [1] its address. */
  HalReserved: array(u32, 16),
  InterruptMode: u32,
  KernelReserved2: at(0xdc, array(u32, 17)),
  PrcbData: at(0x120, KPRCB),
});

/** The fields of this processor's KPRCB, from FS:0 on: `dword(fs, Prcb.DpcStack)`. */
export const Prcb = KPCR.PrcbData;

/** Only the start of a thread object: its address is the owner's token in a checked lock. */
export const KTHREAD = struct({ Type: u8, Private: at(0x04, array(u32, 15)) });
export const ThreadObject = 6;

/** Segment selectors. */
export const KGDT_CODE = 0x08;
export const KGDT_DATA = 0x10;
export const KGDT_TSS = 0x28;
export const KGDT_PCR = 0x30;
export const KGDT_ENTRIES = 7;

/** Task state segment (SDM vol. 3A, 7.2.1): nothing of it is used while there is but one ring and no task gate. */
export const KTSS = struct({ Words: array(u32, 25), IoMapBase: at(0x66, u16) });

/** A processor's page. */
export const KPROCESSOR = struct({
  Pcr: KPCR,
  Gdt: at(0x400, array(array(u32, 2), KGDT_ENTRIES)),
  Tss: at(0x480, KTSS),
  IdleThread: at(0x500, KTHREAD),
  End: at(0xffc, u32),
});
export const KPROCESSOR_SHIFT = 12;

/** A processor's stack, and the one that its DPCs run on. */
export const KERNEL_STACK_SHIFT = 13;
export const KERNEL_STACK_SIZE = 1 << KERNEL_STACK_SHIFT;
