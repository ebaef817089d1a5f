// Mistakes in the queued spin lock.

import { byte, data, dword, eax, ecx, edx } from "#asm";
import {
  KeAcquireInStackQueuedSpinLock,
  KeInitializeSpinLock,
  KeReleaseInStackQueuedSpinLock,
  KfLowerIrql,
  KLOCK_QUEUE_HANDLE,
  LOCK_QUEUE_OWNER,
  LOCK_QUEUE_WAIT,
  KeAcquireInStackQueuedSpinLockAtDpcLevel as queuedAcquire,
  KeReleaseInStackQueuedSpinLockFromDpcLevel as queuedRelease,
} from "#kernel";
import { KiPageFault } from "../../../../kernel/ke/trap.ts";
import { both, edited, type Mistake, other } from "./change.ts";

const { Next, Lock } = KLOCK_QUEUE_HANDLE.LockQueue;
const handOver = dword(eax, Lock);
const LastLock = data("LastLock", 4);

export const queuedLockMistakes: readonly Mistake[] = [
  ["QL-01", "a waiter does not wait", edited(queuedAcquire, { instead: "jnz", occurrence: 2 })],
  [
    "QL-02",
    "whoever is quickest enters",
    both(
      other(queuedAcquire, (a) => {
        a.label("retry");
        a.xor(eax, eax);
        a.lock.cmpxchg(dword(ecx), edx);
        a.jz("owned");
        a.pause();
        a.jmp("retry");
        a.label("owned");
        a.mov(dword(edx, Lock), ecx);
        a.ret();
      }),
      other(queuedRelease, (a) => {
        a.mov(edx, dword(ecx, Lock));
        a.mov(dword(edx), 0);
        a.ret();
      }),
    ),
  ],
  [
    "QL-03",
    "the AtDpcLevel acquisition keeps a level in the handle",
    edited(queuedAcquire, {
      instead: "mov",
      write: (a) => {
        a.mov(dword(edx, Next), 0);
        a.mov(byte(edx, KLOCK_QUEUE_HANDLE.OldIrql), 2);
      },
    }),
  ],
  ["QL-04", "the level before is not kept", edited(KeAcquireInStackQueuedSpinLock, { instead: "mov", occurrence: 2 })],
  ["QL-05", "Next is left as it was", edited(queuedAcquire, { instead: "mov" })],
  [
    "QL-06",
    "a release alone leaves the word",
    edited(queuedRelease, { instead: "lock.cmpxchg", write: (a) => a.cmp(dword(edx), eax) }),
  ],
  [
    "QL-07",
    "a waiter polls the lock's word",
    edited(queuedAcquire, { instead: "test", occurrence: 2, write: (a) => a.test(dword(ecx), LOCK_QUEUE_WAIT) }),
  ],
  [
    "QL-08",
    "a newcomer links before it marks itself",
    edited(
      queuedAcquire,
      { instead: "or", occurrence: 2 },
      {
        instead: "mov",
        occurrence: 4,
        write: (a) => {
          a.mov(dword(eax, Next), edx);
          a.or(dword(edx, Lock), LOCK_QUEUE_WAIT);
        },
      },
    ),
  ],
  ["QL-09", "a release does not wait for the link", edited(queuedRelease, { instead: "jz" })],
  [
    "QL-10",
    "a release frees the word by a plain store",
    edited(queuedRelease, {
      instead: "lock.cmpxchg",
      write: (a) => {
        a.mov(dword(edx), 0);
        a.cmp(eax, eax);
      },
    }),
  ],
  [
    "QL-11",
    "the lock goes to the last in the queue",
    edited(queuedRelease, {
      instead: "xor",
      write: (a) => {
        a.mov(eax, dword(edx));
        a.xor(handOver, LOCK_QUEUE_WAIT | LOCK_QUEUE_OWNER);
      },
    }),
  ],
  [
    "QL-12",
    "an owner clears its predecessor's handle",
    edited(queuedAcquire, {
      instead: "ret",
      occurrence: 2,
      write: (a) => {
        a.mov(dword(eax, Next), 0);
        a.ret();
      },
    }),
  ],
  [
    "QL-13",
    "nobody clears Next",
    both(edited(queuedAcquire, { instead: "mov" }), edited(queuedRelease, { instead: "mov", occurrence: 5 })),
  ],
  ["QL-14", "the hand-over is forgotten", edited(queuedRelease, { instead: "xor" })],
  [
    "QL-15",
    "the hand-over clears the address",
    edited(queuedRelease, { instead: "xor", write: (a) => a.mov(handOver, LOCK_QUEUE_OWNER) }),
  ],
  [
    "QL-16",
    "the compare-exchange has no LOCK",
    edited(queuedRelease, { instead: "lock.cmpxchg", write: (a) => a.cmpxchg(dword(edx), ecx) }),
  ],
  [
    "QL-17",
    "the raising release lowers before it hands over",
    other(KeReleaseInStackQueuedSpinLock, (a) => {
      a.push(ecx);
      a.mov(ecx, dword(ecx, KLOCK_QUEUE_HANDLE.OldIrql));
      a.call(KfLowerIrql);
      a.pop(ecx);
      a.jmp(queuedRelease);
    }),
  ],
  [
    "QL-18",
    "a release takes the lock acquired last for its own",
    both(
      edited(queuedAcquire, {
        instead: "mov",
        occurrence: 2,
        write: (a) => {
          a.mov(dword(edx, Lock), ecx);
          a.mov(dword(LastLock), ecx);
        },
      }),
      edited(queuedRelease, { instead: "mov", write: (a) => a.mov(edx, dword(LastLock)) }),
    ),
  ],
  [
    "QL-29",
    "KeInitializeSpinLock stores one",
    edited(KeInitializeSpinLock, { instead: "mov", occurrence: 2, write: (a) => a.mov(dword(eax), 1) }),
  ],
  [
    "QL-32",
    "the AtDpcLevel acquisition clears Next by an exchange",
    edited(queuedAcquire, {
      instead: "mov",
      write: (a) => {
        a.xor(eax, eax);
        a.xchg(dword(edx, Next), eax);
      },
    }),
  ],
  ["QL-33", "a page fault tells level 0", edited(KiPageFault, { instead: "movzx", write: (a) => a.xor(ecx, ecx) })],
];

/** In what the checked build adds. */
export const checkedQueuedLockMistakes: readonly Mistake[] = [
  ["QL-19", "nobody looks whether the lock is held", edited(queuedAcquire, { instead: "call", occurrence: 2 })],
  ["QL-20", "a release asks for no owner", edited(queuedRelease, { instead: "call" })],
];
