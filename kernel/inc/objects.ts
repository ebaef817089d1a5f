// Objects that drivers hold and this kernel does not serve yet, and small public types: their layouts are fixed all the same.

import { array, at, ptr, struct, u8, u16, u32, u64 } from "#asm";
import { LIST_ENTRY } from "./dpc.ts";
import { KSPIN_LOCK } from "./spinlock.ts";

export const SINGLE_LIST_ENTRY = struct({ Next: ptr });
/** Aligned to eight bytes, for CMPXCHG8B. */
export const SLIST_HEADER = struct({ Next: ptr, Depth: u16, Sequence: u16 });
export const PROCESSOR_NUMBER = struct({ Group: u16, Number: u8, Reserved: u8 });

/** What every object that can be waited for begins with; the names are a timer's. */
export const DISPATCHER_HEADER = struct({
  Type: u8,
  TimerControlFlags: u8,
  Hand: u8,
  TimerMiscFlags: u8,
  SignalState: u32,
  WaitListHead: LIST_ENTRY,
});

/** Types of a timer, in DISPATCHER_HEADER.Type. */
export const TimerNotificationObject = 8;
export const TimerSynchronizationObject = 9;

export const KTIMER = struct({
  Header: DISPATCHER_HEADER,
  /** In interrupt time. */
  DueTime: u64,
  TimerListEntry: LIST_ENTRY,
  Dpc: ptr,
  /** Milliseconds. */
  Period: u32,
});

export const InterruptObject = 0x16;
/** KINTERRUPT.Mode. */
export const LevelSensitive = 0;
export const Latched = 1;

export const KINTERRUPT = struct({
  Type: u16,
  Size: u16,
  InterruptListEntry: LIST_ENTRY,
  ServiceRoutine: ptr,
  MessageServiceRoutine: ptr,
  MessageIndex: u32,
  ServiceContext: ptr,
  SpinLock: KSPIN_LOCK,
  TickCount: u32,
  ActualLock: ptr,
  DispatchAddress: ptr,
  Vector: u32,
  Irql: u8,
  SynchronizeIrql: u8,
  FloatingSave: u8,
  Connected: u8,
  Number: u32,
  ShareVector: u8,
  Mode: at(0x3c, u32),
  Polarity: u32,
  ServiceCount: u32,
  DispatchCount: u32,
  Reserved: at(0x50, u64),
  DispatchCode: array(u32, 135),
});

export const KBUGCHECK_CALLBACK_RECORD = struct({
  Entry: LIST_ENTRY,
  CallbackRoutine: ptr,
  Buffer: ptr,
  Length: u32,
  /** A string. */
  Component: ptr,
  /** The sum of CallbackRoutine, Buffer, Length and Component. */
  Checksum: u32,
  State: u8,
});
