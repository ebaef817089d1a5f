// The measured programs for several processors: locks that all of them want, and work that is each one's own.
import { type Assembler, data, dword, eax, ebx, ecx, edi, edx, esi, esp } from "#asm";
import {
  KeAcquireInStackQueuedSpinLockAtDpcLevel,
  KeReleaseInStackQueuedSpinLockFromDpcLevel,
  KLOCK_QUEUE_HANDLE,
} from "#kernel";
import { parallel, type Row } from "./frame.ts";

const lock = data("lock", 4, { align: 64 });
const owner = data("owner", 4, { align: 64 });
/** Added to inside the lock in two steps: less than the acquisitions if two were inside together. */
const total = data("total", 4, { align: 64 });
const fromTotal = (a: Assembler): void => {
  a.mov(eax, dword(total));
};

/** What is done inside: a load and a store with something between. */
function inside(a: Assembler): void {
  a.mov(eax, dword(total));
  a.inc(eax);
  a.mov(dword(total), eax);
}

const testAndSet = parallel({
  name: "test-and-set",
  what: "one acquisition by each processor",
  rounds: 20_000,
  round(a) {
    a.label("acquire");
    a.lock.bts(dword(lock), 0);
    a.jnc("inside");
    a.label("spin");
    a.pause();
    a.test(dword(lock), 1);
    a.jnz("spin");
    a.jmp("acquire");
    a.label("inside");
    inside(a);
    a.mov(dword(lock), 0);
  },
  checksum: fromTotal,
});

const ticket = parallel({
  name: "ticket",
  what: "one acquisition by each processor, first come first served",
  rounds: 5000,
  round(a) {
    a.mov(ecx, 1);
    a.lock.xadd(dword(lock), ecx);
    a.label("wait");
    a.cmp(dword(owner), ecx);
    a.je("inside");
    a.pause();
    a.jmp("wait");
    a.label("inside");
    inside(a);
    a.inc(dword(owner));
  },
  checksum: fromTotal,
});

const queued = parallel({
  name: "queued",
  what: "one acquisition of the kernel's queued lock by each processor",
  rounds: 5000,
  round(a) {
    a.sub(esp, KLOCK_QUEUE_HANDLE.size);
    a.mov(ecx, lock);
    a.mov(edx, esp);
    a.call(KeAcquireInStackQueuedSpinLockAtDpcLevel);
    inside(a);
    a.mov(ecx, esp);
    a.call(KeReleaseInStackQueuedSpinLockFromDpcLevel);
    a.add(esp, KLOCK_QUEUE_HANDLE.size);
  },
  checksum: fromTotal,
});

const own = data("own", 32 * 0x1000, { align: 4096 });

/** Sums and shifts over a page of its own: nothing is shared but the code. */
export const uncontended: Row = parallel({
  name: "own work",
  what: "1000 words of a page of its own, by each processor",
  rounds: 500,
  round(a) {
    a.mov(edi, esi);
    a.shl(edi, 12);
    a.add(edi, own);
    a.mov(ecx, 1000);
    a.mov(ebx, dword(edi));
    a.label("word");
    a.imul(ebx, ebx, 1664525);
    a.inc(ebx);
    a.add(ebx, dword(edi, ecx.times(4), -4));
    a.mov(dword(edi, ecx.times(4), -4), ebx);
    a.dec(ecx);
    a.jnz("word");
  },
  checksum: (a) => a.mov(eax, dword(own)),
});

/** Programs for several processors. */
export const contended: readonly Row[] = [testAndSet, ticket, queued];
