// Mistakes in the ordinary spin lock.

import { byte, dword, eax, ecx, edx, esp, fs } from "#asm";
import {
  KefAcquireSpinLockAtDpcLevel as acquire,
  KeAcquireSpinLock,
  KeAcquireSpinLockAtDpcLevel,
  KeInitializeSpinLock,
  KeTestSpinLock,
  KeTryToAcquireSpinLockAtDpcLevel,
  KfAcquireSpinLock,
  KfLowerIrql,
  KfRaiseIrql,
  KfReleaseSpinLock,
  KPCR,
  KefReleaseSpinLockFromDpcLevel as release,
} from "#kernel";
import { edited, type Mistake, other } from "./change.ts";

export const spinLockMistakes: readonly Mistake[] = [
  [
    "SL-01",
    "KeInitializeSpinLock clears eight bytes",
    edited(KeInitializeSpinLock, {
      instead: "mov",
      occurrence: 2,
      write: (a) => {
        a.mov(dword(eax), 0);
        a.mov(dword(eax, 4), 0);
      },
    }),
  ],
  [
    "SL-02",
    "a held lock is taken as well",
    edited(acquire, { instead: "lock.bts", write: (a) => a.or(dword(ecx), 1) }),
  ],
  [
    "SL-03",
    "the raising acquisition raises to 3",
    edited(KfAcquireSpinLock, { instead: "mov", write: (a) => a.mov(ecx, 3) }),
  ],
  [
    "SL-04",
    "the old level is stored before the lock is owned",
    edited(KeAcquireSpinLock, {
      instead: "call",
      write: (a) => {
        a.mov(eax, dword(esp, 8));
        a.mov(byte(eax), 0);
        a.call(KfAcquireSpinLock);
      },
    }),
  ],
  [
    "SL-05",
    "the level is raised when the lock is won",
    other(KfAcquireSpinLock, (a) => {
      a.label("retry");
      a.lock.bts(dword(ecx), 0);
      a.jc("retry");
      a.mov(ecx, 2);
      a.jmp(KfRaiseIrql);
    }),
  ],
  [
    "SL-06",
    "the release lowers before it frees",
    other(KfReleaseSpinLock, (a) => {
      a.push(ecx);
      a.mov(ecx, edx);
      a.call(KfLowerIrql);
      a.pop(ecx);
      a.mov(dword(ecx), 0);
      a.ret();
    }),
  ],
  ["SL-07", "the release does not lower", edited(KfReleaseSpinLock, { instead: "jmp", write: (a) => a.ret() })],
  [
    "SL-08",
    "the AtDpcLevel acquisition sets the level",
    edited(acquire, {
      instead: "lock.bts",
      write: (a) => {
        a.mov(byte(fs, KPCR.Irql), 2);
        a.lock.bts(dword(ecx), 0);
      },
    }),
  ],
  [
    "SL-09",
    "a refused try frees the lock",
    edited(KeTryToAcquireSpinLockAtDpcLevel, {
      instead: "xor",
      write: (a) => {
        a.mov(dword(ecx), 0);
        a.xor(eax, eax);
      },
    }),
  ],
  [
    "SL-10",
    "KeTestSpinLock writes the word back",
    edited(KeTestSpinLock, {
      instead: "cmp",
      write: (a) => {
        a.lock.or(dword(ecx), 0);
        a.cmp(dword(ecx), 0);
      },
    }),
  ],
  [
    "SL-11",
    "a waiter looks with a locked access",
    edited(acquire, {
      instead: "test",
      write: (a) => {
        a.lock.or(dword(ecx), 0);
        a.test(dword(ecx), 1);
      },
    }),
  ],
  ["SL-12", "a wait has no PAUSE", edited(acquire, { instead: "pause" })],
  ["SL-13", "a waiter does not try again", edited(acquire, { instead: "jz" })],
  [
    "SL-14",
    "a held lock is taken as well",
    edited(acquire, { instead: "lock.bts", write: (a) => a.or(dword(ecx), 1) }),
  ],
];

/** In what the checked build adds. */
export const checkedSpinLockMistakes: readonly Mistake[] = [
  [
    "SL-15",
    "the owner is not looked at",
    edited(KeAcquireSpinLockAtDpcLevel, { instead: "jne", write: (a) => a.jmp("foreign") }),
  ],
  ["SL-16", "a release asks for no owner", edited(release, { instead: "je", write: (a) => a.jmp("owned") })],
  [
    "SL-17",
    "the level is not looked at",
    edited(KeAcquireSpinLockAtDpcLevel, { instead: "jae", write: (a) => a.jmp("dispatch") }),
  ],
  [
    "SL-30",
    "the lock is claimed before it is named",
    edited(acquire, {
      instead: "lock.cmpxchg",
      write: (a) => {
        a.lock.bts(dword(ecx), 0);
        a.sbb(eax, eax);
        a.jc("spin");
        a.mov(dword(ecx), edx);
      },
    }),
  ],
];
