// Ordinary spin locks for callers at DISPATCH_LEVEL or above: test and set, without any order among those who wait.

import { type Assembler, al, dword, eax, ecx, esp, proc, type Register32 } from "#asm";
import { KSPIN_LOCK_HELD, KSPIN_LOCK_HELD_BIT } from "../inc/spinlock.ts";

const SpinLock = ecx; // fastcall

/** The one argument of a stdcall routine at its entry: above the return address. */
const argument = dword(esp, 4);
const ARGUMENT_BYTES = 4;

/** VOID stdcall (SpinLock). Make a lock free, before its first use by anybody. */
export const KeInitializeSpinLock = proc("KeInitializeSpinLock", (a) => {
  a.mov(eax, argument);
  a.mov(dword(eax), 0);
  a.ret(ARGUMENT_BYTES);
});

/** VOID FASTCALL (SpinLock: ecx). Acquire the lock, waiting for as long as it takes. The level stays as it is. */
export const KefAcquireSpinLockAtDpcLevel = proc("KefAcquireSpinLockAtDpcLevel", (a) => {
  acquire(a, SpinLock, () => a.ret());
});

/** VOID FASTCALL (SpinLock: ecx). Release a lock that KefAcquireSpinLockAtDpcLevel acquired. */
export const KefReleaseSpinLockFromDpcLevel = proc("KefReleaseSpinLockFromDpcLevel", (a) => {
  a.mov(dword(SpinLock), 0); // a plain store: stores are seen in their order, so ours inside the lock come first
  a.ret();
});

/** VOID stdcall (SpinLock). As KefAcquireSpinLockAtDpcLevel. */
export const KeAcquireSpinLockAtDpcLevel = proc("KeAcquireSpinLockAtDpcLevel", (a) => {
  a.mov(SpinLock, argument);
  acquire(a, SpinLock, () => a.ret(ARGUMENT_BYTES));
});

/** VOID stdcall (SpinLock). As KefReleaseSpinLockFromDpcLevel. */
export const KeReleaseSpinLockFromDpcLevel = proc("KeReleaseSpinLockFromDpcLevel", (a) => {
  a.mov(SpinLock, argument);
  a.mov(dword(SpinLock), 0);
  a.ret(ARGUMENT_BYTES);
});

/** BOOLEAN FASTCALL (SpinLock: ecx). Acquire the lock if it is free; never waits. TRUE: the caller has it. */
export const KeTryToAcquireSpinLockAtDpcLevel = proc("KeTryToAcquireSpinLockAtDpcLevel", (a) => {
  a.test(dword(SpinLock), KSPIN_LOCK_HELD); // a look first: a locked access would take the line from its owner
  a.jnz("held");
  a.lock.bts(dword(SpinLock), KSPIN_LOCK_HELD_BIT);
  a.setnc(al);
  a.ret();
  a.label("held");
  a.xor(eax, eax);
  a.ret();
});

/** BOOLEAN FASTCALL (SpinLock: ecx). TRUE: the lock, of either kind, was free when looked at. Acquires nothing. */
export const KeTestSpinLock = proc("KeTestSpinLock", (a) => {
  a.cmp(dword(SpinLock), 0);
  a.jne("held");
  a.mov(al, 1);
  a.ret();
  a.label("held");
  a.pause(); // the caller is about to ask again
  a.xor(eax, eax);
  a.ret();
});

/** Set the lock's bit if it is clear, and leave by `leave`; while it is set, only read. */
function acquire(a: Assembler, lock: Register32, leave: () => void): void {
  a.label("retry");
  a.lock.bts(dword(lock), KSPIN_LOCK_HELD_BIT);
  a.jc("spin");
  leave();
  a.label("spin");
  a.test(dword(lock), KSPIN_LOCK_HELD);
  a.jz("retry");
  a.pause();
  a.jmp("spin");
}
