// The queued lock with one mistake each, to show that the exploration sees it.

import { data, dword, eax, ecx, edx } from "#asm";
import {
  KeAcquireInStackQueuedSpinLockAtDpcLevel as acquire,
  KLOCK_QUEUE_HANDLE,
  LOCK_QUEUE_OWNER,
  LOCK_QUEUE_WAIT,
  KeReleaseInStackQueuedSpinLockFromDpcLevel as release,
} from "#kernel";
import { type Mutant, variant } from "./variant.ts";

const { Next, Lock } = KLOCK_QUEUE_HANDLE.LockQueue;
const lastLock = data("lastLock", 4);

/** Links to its predecessor before it says that it waits. */
const linksFirst = variant(
  acquire,
  { instead: "or", occurrence: 2 },
  {
    instead: "mov",
    occurrence: 4,
    write: (a) => {
      a.mov(dword(eax, Next), edx);
      a.or(dword(edx, Lock), LOCK_QUEUE_WAIT);
    },
  },
);

/** By name. */
export const queuedLockMutants: Readonly<Record<string, Mutant>> = {
  M1: {
    summary: "acquire does not clear Next, so that release takes garbage for a successor",
    acquire: variant(acquire, { instead: "mov", occurrence: 1 }),
  },
  M2: {
    summary: "acquire links to its predecessor before it says that it waits",
    acquire: linksFirst,
  },
  M3: {
    summary: "release frees the lock with a plain store, whoever has come in the meantime",
    release: variant(release, { instead: "lock.cmpxchg", write: (a) => a.mov(dword(edx), ecx) }),
  },
  M4: {
    summary: "release does not wait for a successor that has not linked itself yet",
    release: variant(release, { instead: "jz" }),
  },
  M5: {
    summary: "the lock is handed over before the last store of the section",
    releasesEarly: true,
  },
  M7: {
    summary: "release compares and exchanges without LOCK",
    release: variant(release, { instead: "lock.cmpxchg", write: (a) => a.cmpxchg(dword(edx), ecx) }),
  },
  M8: {
    summary: "acquire reads the tail and then stores its own, in two steps",
    acquire: variant(acquire, {
      instead: "xchg",
      write: (a) => {
        a.mov(eax, dword(ecx));
        a.mov(dword(ecx), edx);
      },
    }),
  },
  M9: {
    summary: "release hands over to the last in the queue instead of the next",
    needs: { processors: 3 },
    release: variant(release, {
      instead: "xor",
      write: (a) => {
        a.mov(eax, dword(edx));
        a.xor(dword(eax, Lock), LOCK_QUEUE_WAIT | LOCK_QUEUE_OWNER);
      },
    }),
  },
  M10: {
    summary: "handing over wipes out the lock's address in the successor's place",
    release: variant(release, { instead: "xor", write: (a) => a.mov(dword(eax, Lock), LOCK_QUEUE_OWNER) }),
  },
  M11: {
    summary: "release takes the lock that was acquired last for its own, and does not look into its handle",
    nests: true,
    acquire: variant(acquire, {
      instead: "mov",
      occurrence: 2,
      write: (a) => {
        a.mov(dword(edx, Lock), ecx);
        a.mov(dword(lastLock), ecx);
      },
    }),
    release: variant(release, { instead: "mov", write: (a) => a.mov(edx, dword(lastLock)) }),
  },
  M12: {
    summary: "acquire waits on the lock's word instead of its own",
    acquire: variant(acquire, {
      instead: "test",
      occurrence: 2,
      write: (a) => a.test(dword(ecx), LOCK_QUEUE_WAIT),
    }),
  },
  M13: {
    summary: "nobody clears Next, so that a handle used again has the successor of its last use",
    needs: { rounds: 2 },
    reusesHandle: true,
    acquire: variant(acquire, { instead: "mov", occurrence: 1 }),
    release: variant(release, { instead: "mov", occurrence: 5 }),
  },
  P03: {
    summary: "release gives up when somebody has joined the queue and not linked yet",
    release: variant(release, { instead: "jnz", occurrence: 2 }),
  },
  P04: {
    summary: "acquire links to its predecessor before it says that it waits (M2)",
    acquire: linksFirst,
  },
};
