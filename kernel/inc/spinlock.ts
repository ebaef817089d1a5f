// The spin locks' structures and constants, with the layout that drivers for 32-bit x86 were compiled against.

import { ptr, struct, u8, u32 } from "#asm";

/** An interrupt request level, in the low byte of whatever register or stack slot carries it. */
export const KIRQL = u8;

/** A spin lock's word, ordinary or queued: zero when it is free. In nonpaged memory, aligned to four bytes. */
export const KSPIN_LOCK = u32;

/** Bit of an ordinary lock's word: somebody has it. */
export const KSPIN_LOCK_HELD = 1;
/** Number of that bit, for BTS. */
export const KSPIN_LOCK_HELD_BIT = 0;

/** A place in the queue for a lock. The lock's word points to the last one in it. */
export const KSPIN_LOCK_QUEUE = struct({
  /** The place behind this one; zero until its owner has linked it. */
  Next: ptr,
  /** The lock's address, and in its two low bits how things stand for this place. */
  Lock: ptr,
});

/** What a caller brings along for one acquisition, mostly on its stack. */
export const KLOCK_QUEUE_HANDLE = struct({
  LockQueue: KSPIN_LOCK_QUEUE,
  /** Where the raising acquire keeps the level to go back to. */
  OldIrql: KIRQL,
});

/** In KSPIN_LOCK_QUEUE.Lock: its processor waits for the one in front to hand over. */
export const LOCK_QUEUE_WAIT = 1;
/** In KSPIN_LOCK_QUEUE.Lock: its processor has the lock. */
export const LOCK_QUEUE_OWNER = 2;
