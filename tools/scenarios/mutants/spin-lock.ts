// The ordinary spin lock with one mistake each, to show that the exploration sees it.

import { dword, eax, ecx, edx } from "#asm";
import { KefAcquireSpinLockAtDpcLevel as acquire, KSPIN_LOCK_HELD, KSPIN_LOCK_HELD_BIT } from "#kernel";
import { type Mutant, variant } from "./variant.ts";

/** By name. */
export const spinLockMutants: Readonly<Record<string, Mutant>> = {
  P01: {
    summary: "acquire claims the lock by a compare-exchange without LOCK",
    acquire: variant(acquire, {
      instead: "lock.bts",
      write: (a) => {
        a.xor(eax, eax);
        a.mov(edx, KSPIN_LOCK_HELD);
        a.cmpxchg(dword(ecx), edx); // carry: the word was above the zero in EAX, so it is held
      },
    }),
  },
  P02: {
    summary: "a waiter that sees the lock free enters without claiming it",
    needs: { processors: 3 }, // or two rounds
    acquire: variant(
      acquire,
      {
        instead: "ret",
        write: (a) => {
          a.label("owned");
          a.ret();
        },
      },
      { instead: "jz", write: (a) => a.jz("owned") },
    ),
  },
  S1: {
    summary: "acquire tests and sets the bit without LOCK",
    acquire: variant(acquire, { instead: "lock.bts", write: (a) => a.bts(dword(ecx), KSPIN_LOCK_HELD_BIT) }),
  },
  S2: {
    summary: "acquire looks at the word and claims it by a plain store",
    acquire: variant(acquire, {
      instead: "lock.bts",
      write: (a) => {
        a.mov(eax, dword(ecx));
        a.mov(dword(ecx), KSPIN_LOCK_HELD);
        a.bt(eax, KSPIN_LOCK_HELD_BIT);
      },
    }),
  },
  S3: {
    summary: "the lock is released before the last store of the section",
    releasesEarly: true,
  },
};
