// ring0/kernel: the guest's routines, structures and constants, name by name.

/** The spin locks' structures and constants. */
export {
  KIRQL,
  KLOCK_QUEUE_HANDLE,
  KSPIN_LOCK,
  KSPIN_LOCK_HELD,
  KSPIN_LOCK_HELD_BIT,
  KSPIN_LOCK_QUEUE,
  LOCK_QUEUE_OWNER,
  LOCK_QUEUE_WAIT,
} from "./inc/spinlock.ts";
/** In-stack queued spin locks, first come, first served. */
export {
  KeAcquireInStackQueuedSpinLockAtDpcLevel,
  KeReleaseInStackQueuedSpinLockFromDpcLevel,
} from "./ke/queuedspinlock.ts";
/** Ordinary spin locks. */
export {
  KeAcquireSpinLockAtDpcLevel,
  KefAcquireSpinLockAtDpcLevel,
  KefReleaseSpinLockFromDpcLevel,
  KeInitializeSpinLock,
  KeReleaseSpinLockFromDpcLevel,
  KeTestSpinLock,
  KeTryToAcquireSpinLockAtDpcLevel,
} from "./ke/spinlock.ts";
