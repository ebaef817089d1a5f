// How each lock is taken and given back, for rules that hold for several of them.

import { dword, ecx, esp } from "#asm";
import type { HarnessProcessor, Local, Nt, SpinLock, View, Writer } from "#harness";
import {
  KeAcquireInStackQueuedSpinLock,
  KeAcquireInStackQueuedSpinLockAtDpcLevel,
  KeAcquireSpinLock,
  KeAcquireSpinLockAtDpcLevel,
  KeAcquireSpinLockRaiseToDpc,
  KefAcquireSpinLockAtDpcLevel,
  KefReleaseSpinLockFromDpcLevel,
  KeReleaseInStackQueuedSpinLock,
  KeReleaseInStackQueuedSpinLockFromDpcLevel,
  KeReleaseSpinLock,
  KeReleaseSpinLockFromDpcLevel,
  KfAcquireSpinLock,
  KfReleaseSpinLock,
  KIRQL,
  type KLOCK_QUEUE_HANDLE,
} from "#kernel";

/** A pair of routines on a lock that lies at `lock`. */
export interface Pair {
  readonly name: string;
  /** Raises to DISPATCH_LEVEL by itself. */
  readonly raises: boolean;
  readonly queued: boolean;
  readonly acquire: (processor: HarnessProcessor, lock: SpinLock, mine: Mine) => void;
  readonly release: (processor: HarnessProcessor, lock: SpinLock, mine: Mine) => void;
  /** The same in a program; `mine` is a local of 12 bytes. */
  readonly write: (a: Writer, lock: SpinLock, mine: Local, section: () => void) => void;
}

/** What an acquisition keeps: a handle whose first byte also serves as an old level. */
export type Mine = View<(typeof KLOCK_QUEUE_HANDLE)["fields"]>;

const NewIrql = (mine: Mine, nt: Nt): number => nt.load(mine.address, KIRQL.size);

/** Every public pair of the ordinary and the queued lock. */
export function pairs(nt: Nt): readonly Pair[] {
  return [
    {
      name: "KeAcquireSpinLock",
      raises: true,
      queued: false,
      acquire: (p, lock, mine) => p.call(KeAcquireSpinLock, lock, mine),
      release: (p, lock, mine) => p.call(KeReleaseSpinLock, lock, NewIrql(mine, nt)),
      write(a, lock, mine, section) {
        a.call(KeAcquireSpinLock, lock, mine);
        section();
        a.mov(ecx, mine.at());
        a.call(KeReleaseSpinLock, lock, ecx);
      },
    },
    ...[KfAcquireSpinLock, KeAcquireSpinLockRaiseToDpc].map(
      (acquire): Pair => ({
        name: acquire.name,
        raises: true,
        queued: false,
        acquire: (p, lock, mine) => nt.store(mine.address, 1, p.call(acquire, lock)),
        release: (p, lock, mine) => p.call(KfReleaseSpinLock, lock, NewIrql(mine, nt)),
        write(a, lock, _, section) {
          a.call(acquire, lock);
          section();
          a.call(KfReleaseSpinLock, lock, 0);
        },
      }),
    ),
    ...(
      [
        [KeAcquireSpinLockAtDpcLevel, KeReleaseSpinLockFromDpcLevel],
        [KefAcquireSpinLockAtDpcLevel, KefReleaseSpinLockFromDpcLevel],
      ] as const
    ).map(
      ([acquire, release]): Pair => ({
        name: acquire.name,
        raises: false,
        queued: false,
        acquire: (p, lock) => p.call(acquire, lock),
        release: (p, lock) => p.call(release, lock),
        write(a, lock, _, section) {
          a.call(acquire, lock);
          section();
          a.call(release, lock);
        },
      }),
    ),
    ...(
      [
        [KeAcquireInStackQueuedSpinLock, KeReleaseInStackQueuedSpinLock, true],
        [KeAcquireInStackQueuedSpinLockAtDpcLevel, KeReleaseInStackQueuedSpinLockFromDpcLevel, false],
      ] as const
    ).map(
      ([acquire, release, raises]): Pair => ({
        name: acquire.name,
        raises,
        queued: true,
        acquire: (p, lock, mine) => p.call(acquire, lock, mine),
        release: (p, _, mine) => p.call(release, mine),
        write(a, lock, mine, section) {
          a.call(acquire, lock, mine);
          section();
          a.call(release, mine);
        },
      }),
    ),
  ];
}

/** The pair of a name. */
export function pairOf(nt: Nt, name: string): Pair {
  return pairs(nt).find((pair) => pair.name === name)!;
}

export const PAIRS = [
  "KeAcquireSpinLock",
  "KfAcquireSpinLock",
  "KeAcquireSpinLockRaiseToDpc",
  "KeAcquireSpinLockAtDpcLevel",
  "KefAcquireSpinLockAtDpcLevel",
  "KeAcquireInStackQueuedSpinLock",
  "KeAcquireInStackQueuedSpinLockAtDpcLevel",
] as const;

/** Adds one to a word by a load and a store of its own: two at a time lose one. */
export function addOne(a: Writer, address: number): void {
  const word = dword(ecx);
  a.mov(ecx, address);
  a.push(word);
  for (let nop = 0; nop < 4; nop++) a.pause(); // a slice may end here
  a.inc(dword(esp));
  a.pop(word);
}
