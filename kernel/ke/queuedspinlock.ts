// In-stack queued spin locks: first come, first served, each waiter on its own word.

import { al, byte, dword, eax, ecx, edx, esp, proc } from "#asm";
import { KfLowerIrql, KfRaiseIrql } from "../hal/irql.ts";
import { kernelBuild } from "../inc/build.ts";
import { DISPATCH_LEVEL } from "../inc/irql.ts";
import { KLOCK_QUEUE_HANDLE, KSPIN_LOCK_QUEUE, LOCK_QUEUE_OWNER, LOCK_QUEUE_WAIT } from "../inc/spinlock.ts";
import {
  checkAtLeastDispatch,
  checkDispatch,
  countAcquired,
  KiCheckNotHeld,
  KiNoteHeld,
  KiNoteReleased,
} from "./checks.ts";

const { Next, Lock } = KLOCK_QUEUE_HANDLE.LockQueue;
const { OldIrql } = KLOCK_QUEUE_HANDLE;
const returnAddress = dword(esp);

/**
 * VOID FASTCALL (SpinLock: ecx, LockHandle: edx). Join the queue for SpinLock and wait for the turn. The caller is at
 * DISPATCH_LEVEL or above, and stays at its level. The handle may hold garbage; OldIrql is left alone.
 */
export const KeAcquireInStackQueuedSpinLockAtDpcLevel = proc("KeAcquireInStackQueuedSpinLockAtDpcLevel", (a) => {
  const SpinLock = ecx;
  const LockHandle = edx;
  const Previous = eax;

  checkAtLeastDispatch(a, SpinLock, returnAddress);
  if (kernelBuild().checked) a.call(KiCheckNotHeld);
  a.mov(dword(LockHandle, Next), 0);
  a.mov(dword(LockHandle, Lock), SpinLock);
  a.mov(Previous, LockHandle);
  a.xchg(dword(SpinLock), Previous); // we are the tail now; xchg locks the bus by itself
  a.test(Previous, Previous);
  a.jnz("queue");
  a.or(dword(LockHandle, Lock), LOCK_QUEUE_OWNER);
  countAcquired(a, false);
  if (kernelBuild().checked) a.call(KiNoteHeld);
  a.ret();
  a.label("queue");
  a.or(dword(LockHandle, Lock), LOCK_QUEUE_WAIT);
  a.mov(dword(Previous, KSPIN_LOCK_QUEUE.Next), LockHandle); // last: from here on Previous may hand over to us
  a.label("spin");
  a.pause();
  a.test(dword(LockHandle, Lock), LOCK_QUEUE_WAIT);
  a.jnz("spin");
  countAcquired(a, true);
  if (kernelBuild().checked) a.call(KiNoteHeld);
  a.ret(); // whoever cleared WAIT has set OWNER
});

/**
 * VOID FASTCALL (LockHandle: ecx). Hand the lock to the next in the queue, or leave it free. The handle alone says which
 * lock; it can be used again at once, as nobody touches it any more.
 */
export const KeReleaseInStackQueuedSpinLockFromDpcLevel = proc("KeReleaseInStackQueuedSpinLockFromDpcLevel", (a) => {
  const LockHandle = ecx;
  const SpinLock = edx;
  const Successor = eax;

  if (kernelBuild().checked) a.call(KiNoteReleased);
  a.mov(SpinLock, dword(LockHandle, Lock));
  a.and(SpinLock, ~(LOCK_QUEUE_OWNER | LOCK_QUEUE_WAIT));
  a.mov(dword(LockHandle, Lock), SpinLock);
  a.mov(Successor, dword(LockHandle, Next));
  a.test(Successor, Successor);
  a.jnz("handover");

  a.push(LockHandle); // nobody has linked to us: if the lock still ends with us, nobody has come
  a.xchg(Successor, LockHandle); // expected: us; new: the zero that was found in Next
  a.lock.cmpxchg(dword(SpinLock), LockHandle);
  a.pop(LockHandle);
  a.jnz("link");
  a.ret();

  a.label("link"); // somebody is the tail now and about to link to us
  a.pause();
  a.cmp(dword(LockHandle, Next), 0);
  a.jz("link");
  a.mov(Successor, dword(LockHandle, Next));

  a.label("handover");
  a.mov(dword(LockHandle, Next), 0); // before the next line: after it the handle is the caller's again
  a.xor(dword(Successor, KSPIN_LOCK_QUEUE.Lock), LOCK_QUEUE_WAIT | LOCK_QUEUE_OWNER); // no LOCK: only we write it now
  a.ret();
});

/**
 * VOID FASTCALL (SpinLock: ecx, LockHandle: edx). Raise to DISPATCH_LEVEL, from there or below, and join the queue. The handle
 * keeps the level to go back to.
 */
export const KeAcquireInStackQueuedSpinLock = proc("KeAcquireInStackQueuedSpinLock", (a) => {
  a.push(ecx);
  a.push(edx);
  a.mov(ecx, DISPATCH_LEVEL);
  a.call(KfRaiseIrql); // first: a DPC of ours that wants the lock must not come between
  a.pop(edx);
  a.pop(ecx);
  a.mov(byte(edx, OldIrql), al);
  a.jmp(KeAcquireInStackQueuedSpinLockAtDpcLevel);
});

/** VOID FASTCALL (LockHandle: ecx). Release, then go back to the level that the handle has kept. */
export const KeReleaseInStackQueuedSpinLock = proc("KeReleaseInStackQueuedSpinLock", (a) => {
  checkDispatch(a, ecx, returnAddress);
  a.push(dword(ecx, OldIrql)); // its low byte
  a.call(KeReleaseInStackQueuedSpinLockFromDpcLevel);
  a.pop(ecx);
  a.jmp(KfLowerIrql); // last: a DPC that comes now may want the lock
});
