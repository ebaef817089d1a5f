// Deferred procedure calls: the object that a driver keeps, and a processor's queue of them.

import { ptr, struct, u8, u16, u32 } from "#asm";
import { KSPIN_LOCK } from "./spinlock.ts";

/** A place in a doubly linked list, or its head; an empty list's head points to itself. */
export const LIST_ENTRY = struct({ Flink: ptr, Blink: ptr });

/** KDPC.Type: an ordinary one, and one that wants a thread. */
export const DpcObject = 0x13;
export const ThreadedDpcObject = 0x18;

/** KDPC.Importance. High goes to the head of the queue; MediumHigh to its end, but always with a request. */
export const LowImportance = 0;
export const MediumImportance = 1;
export const HighImportance = 2;
export const MediumHighImportance = 3;

/** In KDPC.Number, beside the processor's number: the object has a target. Zero: it runs where it was queued. */
export const DPC_TARGETED = 0x8000;

export const KDPC = struct({
  Type: u8,
  Importance: u8,
  Number: u16,
  DpcListEntry: LIST_ENTRY,
  /** VOID stdcall (Dpc, DeferredContext, SystemArgument1, SystemArgument2), at DISPATCH_LEVEL. */
  DeferredRoutine: ptr,
  DeferredContext: ptr,
  SystemArgument1: ptr,
  SystemArgument2: ptr,
  /** The queue that it is in; zero when in none. */
  DpcData: ptr,
});

/** A processor's queue. */
export const KDPC_DATA = struct({
  DpcListHead: LIST_ENTRY,
  /** Held with interrupts off only: a service routine of the same processor may insert at any instruction. */
  DpcLock: KSPIN_LOCK,
  DpcQueueDepth: u32,
  /** Inserts so far. */
  DpcCount: u32,
});
export const DPC_NORMAL = 0;
export const DPC_THREADED = 1;

/** Bit of KPRCB.DpcRequestSummary: vector 41h is on its way to the processor, and one is enough. */
export const DPC_INTERRUPT_REQUESTED_BIT = 1;

/** With more than this in its queue a processor is asked to drain it, whatever the importance. */
export const MAXIMUM_DPC_QUEUE_DEPTH = 4;
/** Below this rate of inserts a tick, one of low importance is not left waiting. */
export const MINIMUM_DPC_RATE = 3;
export const ADJUST_DPC_THRESHOLD = 20;
