// Ordinary spin locks: test and set, without any order among those who wait.

import {
  type Assembler,
  al,
  byte,
  dword,
  eax,
  ecx,
  edx,
  esp,
  fs,
  type MemoryOperand,
  type Procedure,
  proc,
} from "#asm";
import { KfLowerIrql, KfRaiseIrql } from "../hal/irql.ts";
import { SPIN_LOCK_ALREADY_OWNED, SPIN_LOCK_INIT_FAILURE, SPIN_LOCK_NOT_OWNED } from "../inc/bugcodes.ts";
import { kernelBuild } from "../inc/build.ts";
import { DISPATCH_LEVEL } from "../inc/irql.ts";
import { KPROCESSOR, MAXIMUM_PROCESSORS, Prcb } from "../inc/pcr.ts";
import { KSPIN_LOCK_HELD, KSPIN_LOCK_HELD_BIT } from "../inc/spinlock.ts";
import { KeBugCheckEx, pushBugCheck } from "./bugcheck.ts";
import { checkAtLeastDispatch, checkDispatch, countAcquired } from "./checks.ts";
import { KiProcessors } from "./processor.ts";

const SpinLock = ecx; // fastcall

/** The first argument of a stdcall routine at its entry, and where every routine returns to. */
const argument = dword(esp, 4);
const ARGUMENT_BYTES = 4;
const returnAddress = dword(esp);

/** VOID stdcall (SpinLock). Make a lock free, before its first use by anybody. */
export const KeInitializeSpinLock = proc("KeInitializeSpinLock", (a) => {
  if (kernelBuild().checked) checkInitialization(a);
  a.mov(eax, argument);
  a.mov(dword(eax), 0);
  a.ret(ARGUMENT_BYTES);
});

/** VOID FASTCALL (SpinLock: ecx). Acquire the lock, waiting for as long as it takes. The level stays as it is. */
export const KefAcquireSpinLockAtDpcLevel = proc("KefAcquireSpinLockAtDpcLevel", (a) => {
  checkAtLeastDispatch(a, SpinLock, returnAddress);
  acquire(a, returnAddress, () => a.ret());
});

/** VOID FASTCALL (SpinLock: ecx). Release a lock that KefAcquireSpinLockAtDpcLevel acquired. */
export const KefReleaseSpinLockFromDpcLevel = proc("KefReleaseSpinLockFromDpcLevel", (a) => {
  release(a, returnAddress);
  a.ret();
});

/** VOID stdcall (SpinLock). As KefAcquireSpinLockAtDpcLevel. */
export const KeAcquireSpinLockAtDpcLevel = proc("KeAcquireSpinLockAtDpcLevel", (a) => {
  a.mov(SpinLock, argument);
  checkAtLeastDispatch(a, SpinLock, returnAddress);
  acquire(a, returnAddress, () => a.ret(ARGUMENT_BYTES));
});

/** VOID stdcall (SpinLock). As KefReleaseSpinLockFromDpcLevel. */
export const KeReleaseSpinLockFromDpcLevel = proc("KeReleaseSpinLockFromDpcLevel", (a) => {
  a.mov(SpinLock, argument);
  release(a, returnAddress);
  a.ret(ARGUMENT_BYTES);
});

/** VOID FASTCALL (SpinLock: ecx). As KefAcquireSpinLockAtDpcLevel, for the kernel itself: the level is not checked. */
export const KiAcquireSpinLock = proc("KiAcquireSpinLock", (a) => {
  acquire(a, returnAddress, () => a.ret());
});

/** VOID FASTCALL (SpinLock: ecx). Release a lock that KiAcquireSpinLock acquired. */
export const KiReleaseSpinLock = proc("KiReleaseSpinLock", (a) => {
  release(a, returnAddress);
  a.ret();
});

/** KIRQL FASTCALL (SpinLock: ecx). Raise to DISPATCH_LEVEL, from there or below, and acquire. The level before. */
export const KfAcquireSpinLock = raisingAcquire("KfAcquireSpinLock");
/** KIRQL FASTCALL (SpinLock: ecx). As KfAcquireSpinLock. */
export const KeAcquireSpinLockRaiseToDpc = raisingAcquire("KeAcquireSpinLockRaiseToDpc");

function raisingAcquire(name: string): Procedure {
  return proc(name, (a) => {
    a.push(SpinLock);
    a.mov(ecx, DISPATCH_LEVEL);
    a.call(KfRaiseIrql); // first: a DPC of ours that wants the lock must not come between
    a.pop(SpinLock);
    if (!kernelBuild().checked) {
      acquire(a, returnAddress, () => a.ret()); // AL is left alone
      return;
    }
    a.push(eax);
    acquire(a, dword(esp, 4), () => {
      a.pop(eax);
      a.ret();
    });
  });
}

/** VOID FASTCALL (SpinLock: ecx, NewIrql: dl). Release, then go back to the level that the acquire returned. */
export const KfReleaseSpinLock = proc("KfReleaseSpinLock", (a) => {
  checkDispatch(a, SpinLock, returnAddress);
  if (kernelBuild().checked) a.push(edx);
  release(a, kernelBuild().checked ? dword(esp, 4) : returnAddress);
  if (kernelBuild().checked) a.pop(edx);
  a.mov(ecx, edx);
  a.jmp(KfLowerIrql); // last: a DPC that comes now may want the lock
});

/** VOID stdcall (SpinLock, PKIRQL OldIrql). As KfAcquireSpinLock; the level is written when the lock is ours. */
export const KeAcquireSpinLock = proc("KeAcquireSpinLock", (a) => {
  a.mov(SpinLock, argument);
  a.call(KfAcquireSpinLock);
  a.mov(ecx, dword(esp, 8));
  a.mov(byte(ecx), al);
  a.ret(8);
});

/** VOID stdcall (SpinLock, NewIrql). As KfReleaseSpinLock. */
export const KeReleaseSpinLock = proc("KeReleaseSpinLock", (a) => {
  a.mov(SpinLock, argument);
  a.mov(edx, dword(esp, 8));
  a.call(KfReleaseSpinLock);
  a.ret(8);
});

/** BOOLEAN FASTCALL (SpinLock: ecx). Acquire the lock if it is free; never waits. TRUE: the caller has it. */
export const KeTryToAcquireSpinLockAtDpcLevel = proc("KeTryToAcquireSpinLockAtDpcLevel", (a) => {
  checkAtLeastDispatch(a, SpinLock, returnAddress);
  a.test(dword(SpinLock), KSPIN_LOCK_HELD); // a look first: a locked access would take the line from its owner
  a.jnz("held");
  if (kernelBuild().checked || kernelBuild().counters) {
    claim(a);
    a.jc("held");
    countAcquired(a, false);
    a.mov(al, 1);
  } else {
    a.lock.bts(dword(SpinLock), KSPIN_LOCK_HELD_BIT);
    a.setnc(al);
  }
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

/**
 * Make the lock at ECX ours if it is free: CF clear. A checked lock's word names its owner from the first instant on. Uses
 * EAX and EDX in the checked build.
 */
function claim(a: Assembler): void {
  if (!kernelBuild().checked) {
    a.lock.bts(dword(SpinLock), KSPIN_LOCK_HELD_BIT);
    return;
  }
  ownerToken(a);
  a.xor(eax, eax);
  a.lock.cmpxchg(dword(SpinLock), edx);
  a.neg(eax); // what the word was: CF is set unless it was zero
}

/** EDX = what the word of a checked lock is while this processor holds it. */
function ownerToken(a: Assembler): void {
  a.mov(edx, dword(fs, Prcb.CurrentThread));
  a.or(edx, KSPIN_LOCK_HELD);
}

/** Acquire the lock at ECX and leave by `leave`; while it is held, only read. `caller` is where the return address is. */
function acquire(a: Assembler, caller: MemoryOperand<32>, leave: () => void): void {
  const { checked, counters } = kernelBuild();
  if (checked) {
    ownerToken(a);
    a.cmp(dword(SpinLock), edx);
    a.jne("foreign");
    pushBugCheck(a, SPIN_LOCK_ALREADY_OWNED, SpinLock, edx, dword(fs, Prcb.CurrentThread), caller);
    a.call(KeBugCheckEx);
    a.label("foreign");
  }
  a.label("retry");
  claim(a);
  a.jc("spin");
  countAcquired(a, false);
  leave();
  if (counters) {
    a.label("contended");
    claim(a);
    a.jc("spin");
    countAcquired(a, true);
    leave();
  }
  a.label("spin");
  a.test(dword(SpinLock), KSPIN_LOCK_HELD);
  a.jz(counters ? "contended" : "retry");
  a.pause();
  a.jmp("spin");
}

/** Free the lock at ECX. `caller` is where the return address is. Uses EDX in the checked build. */
function release(a: Assembler, caller: MemoryOperand<32>): void {
  if (kernelBuild().checked) {
    ownerToken(a);
    a.cmp(dword(SpinLock), edx);
    a.je("owned");
    a.mov(edx, dword(SpinLock));
    pushBugCheck(a, SPIN_LOCK_NOT_OWNED, SpinLock, edx, dword(fs, Prcb.CurrentThread), caller);
    a.call(KeBugCheckEx);
    a.label("owned");
  }
  a.mov(dword(SpinLock), 0); // a plain store: stores are seen in their order, so ours inside the lock come first
}

/** A lock is aligned, and nobody holds it: its word is no processor's token. Uses EAX and ECX. */
function checkInitialization(a: Assembler): void {
  const firstToken = KiProcessors.plus(KPROCESSOR.IdleThread.offset | KSPIN_LOCK_HELD);
  a.mov(eax, argument);
  a.test(eax, 3);
  a.jnz("bad");
  a.mov(ecx, dword(eax));
  a.sub(ecx, firstToken);
  a.test(ecx, KPROCESSOR.size - 1);
  a.jnz("good");
  a.cmp(ecx, MAXIMUM_PROCESSORS * KPROCESSOR.size);
  a.jae("good");
  a.label("bad");
  a.mov(ecx, dword(eax));
  pushBugCheck(a, SPIN_LOCK_INIT_FAILURE, eax, ecx, 0, returnAddress);
  a.call(KeBugCheckEx);
  a.label("good");
}
