// For each rule of the kernel a mistake that breaks it: its own test must fail on a kernel with that mistake.

import { byte, data, dword, eax, ebx, ecx, edx, esp, fs, type Procedure, proc } from "#asm";
import type { Nt } from "#harness";
import {
  APIC_BASE,
  APIC_ICR_LOW,
  APIC_TPR,
  KefAcquireSpinLockAtDpcLevel as acquire,
  DPC_INTERRUPT_REQUESTED_BIT,
  HIGH_LEVEL,
  ICR_ALL_BUT_SELF,
  ICR_INIT,
  KDPC,
  KeAcquireInStackQueuedSpinLock,
  KeAcquireSpinLock,
  KeAcquireSpinLockAtDpcLevel,
  KeInitializeSpinLock,
  KeInsertQueueDpc,
  KeRaiseIrqlToDpcLevel,
  KeReleaseInStackQueuedSpinLock,
  KeTestSpinLock,
  KeTryToAcquireSpinLockAtDpcLevel,
  KfAcquireSpinLock,
  KfLowerIrql,
  KfRaiseIrql,
  KfReleaseSpinLock,
  KiIdleLoop,
  KiReleaseSpinLock,
  KiRetireDpcList,
  KLOCK_QUEUE_HANDLE,
  KPCR,
  LOCK_QUEUE_OWNER,
  LOCK_QUEUE_WAIT,
  KeAcquireInStackQueuedSpinLockAtDpcLevel as queuedAcquire,
  KeReleaseInStackQueuedSpinLockFromDpcLevel as queuedRelease,
  KefReleaseSpinLockFromDpcLevel as release,
} from "#kernel";
import { setIrql } from "../../../kernel/hal/tpr.ts";
import { KiBugCheck } from "../../../kernel/ke/bugcheck.ts";
import { type Edit, variant } from "../../../tools/scenarios/mutants/variant.ts";

export interface RuleMutant {
  readonly rule: string;
  /** What is wrong, as a newcomer would be told. */
  readonly summary: string;
  /** The build that is changed: the checked one for what the free one does not have. */
  readonly checked: boolean;
  readonly change: (nt: Nt) => void;
}

const { Next, Lock } = KLOCK_QUEUE_HANDLE.LockQueue;
const Prcb = KPCR.PrcbData;
const handOver = dword(eax, Lock);
const LastLock = data("LastLock", 4);
const RET = 0xc3;

/** A kernel's routine with some instructions replaced. */
const edited =
  (routine: Procedure, ...edits: readonly Edit[]) =>
  (nt: Nt) =>
    nt.replace(routine, variant(routine, ...edits));

/** Another routine in place of the kernel's. */
const other = (routine: Procedure, body: Procedure["body"]) => (nt: Nt) =>
  nt.replace(routine, proc(routine.name, body));

const both =
  (...changes: readonly ((nt: Nt) => void)[]) =>
  (nt: Nt) => {
    for (const change of changes) change(nt);
  };

const free: readonly (readonly [rule: string, summary: string, change: (nt: Nt) => void])[] = [
  ["IRQL-01", "a raise leaves the task priority", edited(KfRaiseIrql, { instead: "mov", occurrence: 3 })],
  ["IRQL-02", "a raise downwards is a lower", edited(KfRaiseIrql, { instead: "jb" })],
  ["IRQL-03", "a lower upwards is a raise", edited(KfLowerIrql, { instead: "ja" })],
  [
    "IRQL-04",
    "a raise to the present level is refused",
    edited(KfRaiseIrql, { instead: "jb", write: (a) => a.jbe("downwards") }),
  ],
  [
    "IRQL-05",
    "KeRaiseIrqlToDpcLevel raises to 3",
    edited(KeRaiseIrqlToDpcLevel, { instead: "mov", write: (a) => a.mov(ecx, 3) }),
  ],
  [
    "IRQL-06",
    "a raise masks nothing",
    edited(KfRaiseIrql, { instead: "mov", occurrence: 3, write: (a) => a.mov(dword(edx, APIC_TPR), 0) }),
  ],
  [
    "IRQL-07",
    "a raise masks everything",
    edited(KfRaiseIrql, { instead: "mov", occurrence: 3, write: (a) => a.mov(dword(edx, APIC_TPR), 0xff) }),
  ],
  [
    "IRQL-08",
    "a raise to HIGH_LEVEL stops the other processors",
    edited(KfRaiseIrql, {
      instead: "ret",
      write: (a) => {
        a.cmp(byte(fs, KPCR.Irql), HIGH_LEVEL);
        a.jne("done");
        a.mov(dword(edx, APIC_ICR_LOW), ICR_ALL_BUT_SELF | ICR_INIT);
        a.label("done");
        a.ret();
      },
    }),
  ],
  [
    "IRQL-09",
    "the task priority is changed before the level",
    both(priorityFirst(KfRaiseIrql), priorityFirst(KfLowerIrql)),
  ],
  ["IRQL-10", "a lower leaves the task priority", edited(KfLowerIrql, { instead: "mov", occurrence: 3 })],
  [
    "IRQL-11",
    "an insert drains the queue itself",
    edited(KeInsertQueueDpc, { instead: "call", occurrence: 3, write: (a) => a.call(KiRetireDpcList) }),
  ],
  [
    "IRQL-12",
    "an interrupt's exit leaves its task priority",
    (nt) => nt.overwrite("KiInterrupt", "mov [edx+0x80]", [], 2),
  ],
  ["IRQL-13", "a service routine runs with interrupts off", (nt) => nt.overwrite("KiInterrupt", "sti")],
  ["IRQL-16", "a handler keeps the direction flag it finds", (nt) => nt.overwrite("KiInterrupt", "cld")],
  [
    "IRQL-17",
    "the level is stored as a doubleword",
    edited(KfRaiseIrql, { instead: "mov", occurrence: 1, write: (a) => a.mov(dword(fs, KPCR.Irql), ecx) }),
  ],
  ["IRQL-18", "an insert leaves interrupts on", edited(KeInsertQueueDpc, { instead: "cli" })],

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
  ["QL-33", "a page fault tells level 0", (nt) => nt.overwrite("KiPageFault", "movzx ecx", [0x31, 0xc9])],

  ["DPC-01", "a DPC is queued again", edited(KeInsertQueueDpc, { instead: "jnz" })],
  [
    "DPC-02",
    "the arguments change places",
    edited(
      KiRetireDpcList,
      { instead: "push", occurrence: 5, write: (a) => a.push(dword(eax, argument(KDPC.SystemArgument1))) },
      { instead: "push", occurrence: 6, write: (a) => a.push(dword(eax, argument(KDPC.SystemArgument2))) },
    ),
  ],
  ["DPC-03", "a target means nothing", edited(KeInsertQueueDpc, { instead: "mov", occurrence: 3 })],
  ["DPC-04", "High goes to the end as well", edited(KeInsertQueueDpc, { instead: "je" })],
  ["DPC-05", "an insert here asks for nothing", edited(KeInsertQueueDpc, { instead: "jne", occurrence: 2 })],
  [
    "DPC-08",
    "a DPC runs at PASSIVE_LEVEL",
    edited(KiRetireDpcList, {
      instead: "call",
      occurrence: 3,
      write: (a) => {
        a.xor(ecx, ecx);
        setIrql(a);
        a.call(ebx);
        a.mov(ecx, 2);
        setIrql(a);
      },
    }),
  ],
  [
    "DPC-10",
    "the mark of a request goes after the last look",
    edited(
      KiRetireDpcList,
      { instead: "lock.btr" },
      {
        instead: "call",
        occurrence: 4,
        write: (a) => {
          a.call(KiReleaseSpinLock);
          a.lock.btr(dword(fs, Prcb.DpcRequestSummary), DPC_INTERRUPT_REQUESTED_BIT);
        },
      },
    ),
  ],
  ["DPC-14", "the idle loop does not say that it is idle", edited(KiIdleLoop, { instead: "xchg" })],
  ["DPC-21", "a drain takes its queue's lock with interrupts on", edited(KiRetireDpcList, { instead: "cli" })],

  [
    "CC-01",
    "a raise uses EBX",
    edited(KfRaiseIrql, {
      instead: "ret",
      write: (a) => {
        a.xor(ebx, ebx);
        a.ret();
      },
    }),
  ],
  ["BC-01", "who stops second says so", edited(KiBugCheck, { instead: "jne" })],
  ["BC-02", "nobody is frozen", (nt) => nt.overwrite("KiFreezeOthers", "push ebx", [RET])],
];

const checked: typeof free = [
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
  ["QL-19", "nobody looks whether the lock is held", edited(queuedAcquire, { instead: "call", occurrence: 2 })],
  ["QL-20", "a release asks for no owner", edited(queuedRelease, { instead: "call" })],
];

/** Of a DPC whose list entry is at EAX. */
function argument(field: { readonly offset: number }): number {
  return field.offset - KDPC.DpcListEntry.offset;
}

/** The two stores of a change of level in the other order. */
function priorityFirst(routine: Procedure): (nt: Nt) => void {
  return edited(
    routine,
    { instead: "mov", occurrence: 1, write: (a) => a.push(ecx) },
    {
      instead: "mov",
      occurrence: 3,
      write: (a) => {
        a.mov(edx, APIC_BASE);
        a.mov(dword(edx, APIC_TPR), ecx);
        a.pop(ecx);
        a.mov(dword(fs, KPCR.Irql), ecx);
      },
    },
  );
}

export const mutants: readonly RuleMutant[] = [
  ...free.map(([rule, summary, change]) => ({ rule, summary, change, checked: false })),
  ...checked.map(([rule, summary, change]) => ({ rule, summary, change, checked: true })),
];
