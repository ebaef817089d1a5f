// What the checked build and the build with counters add to the spin locks: nothing of it locks the bus, and nothing is in a wait.

import { type Assembler, byte, dword, eax, ecx, edx, esp, fs, type MemoryOperand, proc, type Register32 } from "#asm";
import {
  IRQL_NOT_DISPATCH_LEVEL,
  IRQL_NOT_GREATER_OR_EQUAL,
  SPIN_LOCK_ALREADY_OWNED,
  SPIN_LOCK_NOT_OWNED,
} from "../inc/bugcodes.ts";
import { kernelBuild } from "../inc/build.ts";
import { DISPATCH_LEVEL } from "../inc/irql.ts";
import { HELD_LOCK, HELD_LOCKS, KPCR, Prcb } from "../inc/pcr.ts";
import { KLOCK_QUEUE_HANDLE, LOCK_QUEUE_OWNER, LOCK_QUEUE_WAIT } from "../inc/spinlock.ts";
import { KeBugCheckEx, pushBugCheck } from "./bugcheck.ts";

/** Checked: the routine is for callers at DISPATCH_LEVEL or above. `caller` is where the return address is. Uses EAX. */
export function checkAtLeastDispatch(a: Assembler, lock: Register32, caller: MemoryOperand<32>): void {
  if (!kernelBuild().checked) return;
  a.movzx(eax, byte(fs, KPCR.Irql));
  a.cmp(eax, DISPATCH_LEVEL);
  a.jae("dispatch");
  pushBugCheck(a, IRQL_NOT_GREATER_OR_EQUAL, eax, DISPATCH_LEVEL, lock, caller);
  a.call(KeBugCheckEx);
  a.label("dispatch");
}

/** Checked: the routine is for callers at DISPATCH_LEVEL. Uses EAX. */
export function checkDispatch(a: Assembler, lock: Register32, caller: MemoryOperand<32>): void {
  if (!kernelBuild().checked) return;
  a.movzx(eax, byte(fs, KPCR.Irql));
  a.cmp(eax, DISPATCH_LEVEL);
  a.je("dispatch");
  pushBugCheck(a, IRQL_NOT_DISPATCH_LEVEL, eax, DISPATCH_LEVEL, lock, caller);
  a.call(KeBugCheckEx);
  a.label("dispatch");
}

/** With counters: a lock has been acquired, at once or after a wait. Nobody else writes these words. */
export function countAcquired(a: Assembler, contended: boolean): void {
  if (!kernelBuild().counters) return;
  a.inc(dword(fs, Prcb.SpinLockAcquireCount));
  if (contended) a.inc(dword(fs, Prcb.SpinLockContentionCount));
}

const { Lock } = KLOCK_QUEUE_HANDLE.LockQueue;
/** An entry of the table of queued locks that this processor holds, EAX bytes from its start. */
const held = (field: typeof HELD_LOCK.Lock) => dword(fs, eax, Prcb.HeldLocks, field);
const TABLE_SIZE = HELD_LOCKS * HELD_LOCK.size;
const caller = dword(esp, 4);

/** FASTCALL (SpinLock: ecx, LockHandle: edx), both kept. Bug check if this processor holds the lock, or by that handle any. */
export const KiCheckNotHeld = proc("KiCheckNotHeld", (a) => {
  a.xor(eax, eax);
  a.label("entry");
  a.cmp(held(HELD_LOCK.Lock), ecx);
  a.je("held");
  a.cmp(held(HELD_LOCK.Handle), edx);
  a.je("held");
  a.add(eax, HELD_LOCK.size);
  a.cmp(eax, TABLE_SIZE);
  a.jb("entry");
  a.ret();
  a.label("held");
  a.mov(eax, dword(ecx));
  pushBugCheck(a, SPIN_LOCK_ALREADY_OWNED, ecx, eax, dword(fs, Prcb.CurrentThread), caller);
  a.call(KeBugCheckEx);
});

/**
 * FASTCALL (SpinLock: ecx, LockHandle: edx), both kept. This processor holds the lock now. The handle first: a service
 * routine in between sees that the entry is taken. Without a free entry the lock is only counted.
 */
export const KiNoteHeld = proc("KiNoteHeld", (a) => {
  a.xor(eax, eax);
  a.label("entry");
  a.cmp(held(HELD_LOCK.Handle), 0);
  a.je("free");
  a.add(eax, HELD_LOCK.size);
  a.cmp(eax, TABLE_SIZE);
  a.jb("entry");
  a.inc(dword(fs, Prcb.HeldLocksUnnoted));
  a.ret();
  a.label("free");
  a.mov(held(HELD_LOCK.Handle), edx);
  a.mov(held(HELD_LOCK.Lock), ecx);
  a.ret();
});

/** FASTCALL (LockHandle: ecx), kept. This processor is about to release; bug check if it does not hold a lock by that handle. */
export const KiNoteReleased = proc("KiNoteReleased", (a) => {
  a.mov(edx, dword(ecx, Lock));
  a.test(edx, LOCK_QUEUE_OWNER);
  a.jz("foreign");
  a.and(edx, ~(LOCK_QUEUE_OWNER | LOCK_QUEUE_WAIT));
  a.xor(eax, eax);
  a.label("entry");
  a.cmp(held(HELD_LOCK.Handle), ecx);
  a.je("found");
  a.add(eax, HELD_LOCK.size);
  a.cmp(eax, TABLE_SIZE);
  a.jb("entry");
  a.cmp(dword(fs, Prcb.HeldLocksUnnoted), 0);
  a.je("foreign");
  a.dec(dword(fs, Prcb.HeldLocksUnnoted));
  a.ret();
  a.label("found");
  a.cmp(held(HELD_LOCK.Lock), edx);
  a.jne("foreign");
  a.mov(held(HELD_LOCK.Lock), 0);
  a.mov(held(HELD_LOCK.Handle), 0);
  a.ret();
  a.label("foreign");
  a.mov(eax, dword(ecx, Lock));
  pushBugCheck(a, SPIN_LOCK_NOT_OWNED, ecx, eax, dword(fs, Prcb.CurrentThread), caller);
  a.call(KeBugCheckEx);
});
