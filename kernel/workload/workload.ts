// The workload: every processor contends for an ordinary and a queued lock, while DPCs from the clock and from others want them too.

import {
  type Assembler,
  al,
  array,
  byte,
  data,
  dword,
  eax,
  ebp,
  ebx,
  ecx,
  edi,
  edx,
  esi,
  esp,
  fs,
  type Procedure,
  proc,
  struct,
  u32,
} from "#asm";
import { KeGetCurrentIrql } from "../hal/irql.ts";
import { display } from "../hal/serial.ts";
import { kernelBuild } from "../inc/build.ts";
import { HighImportance, KDPC } from "../inc/dpc.ts";
import { CLOCK_VECTOR, DISPATCH_LEVEL } from "../inc/irql.ts";
import { KPCR, MAXIMUM_PROCESSORS, Prcb } from "../inc/pcr.ts";
import { KLOCK_QUEUE_HANDLE } from "../inc/spinlock.ts";
import { KINTERRUPT_ENTRY } from "../inc/trap.ts";
import { KeTickCount, KiClockInterrupt } from "../ke/clock.ts";
import { KeInitializeDpc, KeInsertQueueDpc, KeSetImportanceDpc, KeSetTargetProcessorDpc } from "../ke/dpc.ts";
import { KiInterruptTable } from "../ke/interrupt.ts";
import { KeNumberProcessors, KiProcessorBlock } from "../ke/processor.ts";
import {
  KeAcquireInStackQueuedSpinLock,
  KeAcquireInStackQueuedSpinLockAtDpcLevel,
  KeReleaseInStackQueuedSpinLock,
  KeReleaseInStackQueuedSpinLockFromDpcLevel,
} from "../ke/queuedspinlock.ts";
import {
  KefAcquireSpinLockAtDpcLevel,
  KefReleaseSpinLockFromDpcLevel,
  KeInitializeSpinLock,
  KfAcquireSpinLock,
  KfReleaseSpinLock,
} from "../ke/spinlock.ts";

/** What each processor does: acquisitions of each lock, DPCs that its clock queues, and DPCs that it queues on the next one. */
const ROUNDS = 10_000;
const CLOCK_DPCS = 10;
const REMOTE_DPCS = 100;
const ROUNDS_EACH_REMOTE = ROUNDS / REMOTE_DPCS;
/** Acquisitions of each lock for which one processor is the reason. */
const ACQUISITIONS = ROUNDS + CLOCK_DPCS + REMOTE_DPCS;

/** What a processor has of its own, a power of two in size. */
const WORK = struct({
  ClockDpc: KDPC,
  RemoteDpc: KDPC,
  /** DPCs that its clock has queued. */
  ClockQueued: u32,
  /** DPCs that have run here. */
  ClockRun: u32,
  RemoteRun: u32,
  /** Acquisitions of the queued lock here that another processor handed over. */
  HandedOver: u32,
  Private: array(u32, 12),
});
const WORK_SHIFT = Math.log2(WORK.size);
const work = data("workload", WORK.size * MAXIMUM_PROCESSORS, { align: 64 });

/** The locks, and what they protect: added to by plain instructions, so that two processors inside together would show. */
const ordinaryLock = data("workload.ordinaryLock", 4, { align: 64 });
const ordinaryTotal = data("workload.ordinaryTotal", 4);
const queuedLock = data("workload.queuedLock", 4, { align: 64 });
const queuedTotal = data("workload.queuedTotal", 4);
/** The handle that its predecessor saw linked behind it when it left, and so the one to come next; zero: it saw none. */
const nextHandle = data("workload.nextHandle", 4);

/** Another handle than that came; something ran at a wrong level or on a wrong processor. */
const outOfOrder = data("workload.outOfOrder", 4, { align: 64 });
const misplaced = data("workload.misplaced", 4);

/** 1 once the boot processor has made everything ready; then how many have finished. */
const ready = data("workload.ready", 4);
const finished = data("workload.finished", 4);

const DEBUG_EXIT = 0xf4;

/** What every processor calls, at PASSIVE_LEVEL. The boot processor's does not return. */
export const WorkloadThread = proc("WorkloadThread", (a) => {
  const Self = ebx;
  const Rounds = edi;
  const Remotes = ebp;
  a.cmp(byte(fs, KPCR.Number), 0);
  a.jne("wait");
  a.call(prepare);
  a.label("wait");
  a.cmp(dword(ready), 0);
  a.jne("work");
  a.pause();
  a.jmp("wait");

  a.label("work");
  a.movzx(Self, byte(fs, KPCR.Number));
  a.shl(Self, WORK_SHIFT);
  a.add(Self, work);
  a.mov(Rounds, ROUNDS);
  a.mov(Remotes, REMOTE_DPCS);
  a.label("round");
  a.call(takeOrdinary);
  a.call(takeQueued);
  a.dec(Rounds);
  a.mov(eax, Rounds);
  a.xor(edx, edx);
  a.mov(ecx, ROUNDS_EACH_REMOTE);
  a.div(ecx);
  a.test(edx, edx);
  a.jnz("next");
  a.call(queueRemote);
  a.label("next");
  a.test(Rounds, Rounds);
  a.jnz("round");

  a.label("remotes"); // those that found their predecessor still in the queue
  a.test(Remotes, Remotes);
  a.jz("dpcs");
  a.pause();
  a.call(queueRemote);
  a.jmp("remotes");

  a.label("dpcs"); // sleep until all of ours have run
  a.cli();
  a.cmp(dword(Self, WORK.ClockRun), CLOCK_DPCS);
  a.jb("sleep");
  a.cmp(dword(Self, WORK.RemoteRun), REMOTE_DPCS);
  a.jb("sleep");
  a.sti();
  checkLevel(a, "end", 0);
  a.lock.inc(dword(finished));
  a.cmp(byte(fs, KPCR.Number), 0);
  a.je("others");
  a.ret();
  a.label("sleep");
  a.sti();
  a.hlt();
  a.jmp("dpcs");

  a.label("others"); // the clock wakes us to look again
  a.movzx(ecx, byte(KeNumberProcessors));
  a.cmp(dword(finished), ecx);
  a.je("report");
  a.hlt();
  a.jmp("others");
  a.label("report");
  a.jmp(report);
});

/** Acquire the ordinary lock, raising, and add to what it protects. */
const takeOrdinary = proc("WorkloadTakeOrdinary", (a) => {
  a.mov(ecx, ordinaryLock);
  a.call(KfAcquireSpinLock);
  a.push(eax);
  addOne(a, ordinaryTotal);
  checkLevel(a, "inside", DISPATCH_LEVEL);
  a.pop(edx);
  a.mov(ecx, ordinaryLock);
  a.call(KfReleaseSpinLock);
  a.ret();
});

/** Acquire the queued lock, raising, and add to what it protects. EBX = the processor's WORK. */
const takeQueued = proc("WorkloadTakeQueued", (a) => {
  a.sub(esp, KLOCK_QUEUE_HANDLE.size);
  a.mov(ecx, queuedLock);
  a.mov(edx, esp);
  a.call(KeAcquireInStackQueuedSpinLock);
  insideQueued(a);
  a.mov(ecx, esp);
  a.call(KeReleaseInStackQueuedSpinLock);
  a.add(esp, KLOCK_QUEUE_HANDLE.size);
  a.ret();
});

/** Inside the queued lock, with its handle at ESP and the processor's WORK at EBX. Uses EAX. */
function insideQueued(a: Assembler): void {
  a.mov(eax, dword(nextHandle));
  a.test(eax, eax);
  a.jz("free");
  a.inc(dword(ebx, WORK.HandedOver));
  a.cmp(eax, esp);
  a.je("free");
  a.inc(dword(outOfOrder));
  a.label("free");
  addOne(a, queuedTotal);
  a.mov(eax, dword(esp, KLOCK_QUEUE_HANDLE.LockQueue.Next));
  a.mov(dword(nextHandle), eax);
}

/** Add one to a variable, with time between the load and the store in which others come and find the lock held. Uses EAX. */
function addOne(a: Assembler, total: typeof ordinaryTotal): void {
  a.mov(eax, dword(total));
  a.pause();
  a.inc(eax);
  a.mov(dword(total), eax);
}

/** The level must be this one. Uses EAX. */
function checkLevel(a: Assembler, name: string, irql: number): void {
  a.call(KeGetCurrentIrql);
  a.cmp(al, irql);
  a.je(`${name}.level`);
  a.lock.inc(dword(misplaced));
  a.label(`${name}.level`);
}

/** Queue our DPC on the next processor, unless it is still waiting there. EBX = our WORK, EBP = how many are to be queued yet. */
const queueRemote = proc("WorkloadQueueRemote", (a) => {
  a.test(ebp, ebp);
  a.jz("done");
  a.push(0);
  a.push(0);
  a.lea(eax, dword(ebx, WORK.RemoteDpc));
  a.push(eax);
  a.call(KeInsertQueueDpc);
  a.movzx(eax, al);
  a.sub(ebp, eax);
  a.label("done");
  a.ret();
});

/** A DPC of the workload: takes both locks and counts itself. Its context is the WORK of the processor on which it must run. */
function deferredRoutine(name: string, count: typeof WORK.ClockRun): Procedure {
  return proc(name, (a) => {
    a.push(ebx);
    a.mov(ebx, dword(esp, 12));
    checkLevel(a, "entry", DISPATCH_LEVEL);
    a.movzx(eax, byte(fs, KPCR.Number));
    a.shl(eax, WORK_SHIFT);
    a.add(eax, work);
    a.cmp(eax, ebx);
    a.je("here");
    a.lock.inc(dword(misplaced));
    a.label("here");

    a.mov(ecx, ordinaryLock);
    a.call(KefAcquireSpinLockAtDpcLevel);
    addOne(a, ordinaryTotal);
    a.mov(ecx, ordinaryLock);
    a.call(KefReleaseSpinLockFromDpcLevel);

    a.sub(esp, KLOCK_QUEUE_HANDLE.size);
    a.mov(ecx, queuedLock);
    a.mov(edx, esp);
    a.call(KeAcquireInStackQueuedSpinLockAtDpcLevel);
    insideQueued(a);
    a.mov(ecx, esp);
    a.call(KeReleaseInStackQueuedSpinLockFromDpcLevel);
    a.add(esp, KLOCK_QUEUE_HANDLE.size);

    a.inc(dword(ebx, count));
    a.pop(ebx);
    a.ret(16);
  });
}

const clockRoutine = deferredRoutine("WorkloadClockDpc", WORK.ClockRun);
const remoteRoutine = deferredRoutine("WorkloadRemoteDpc", WORK.RemoteRun);

/** The clock's service routine while the workload runs: queue this processor's DPC, as often as is wanted, then the kernel's. */
const serviceClock = proc("WorkloadClock", (a) => {
  a.push(ebx);
  a.movzx(ebx, byte(fs, KPCR.Number));
  a.shl(ebx, WORK_SHIFT);
  a.add(ebx, work);
  a.cmp(dword(ebx, WORK.ClockQueued), CLOCK_DPCS);
  a.jae("kernel");
  a.push(0);
  a.push(0);
  a.push(ebx); // its first field
  a.call(KeInsertQueueDpc);
  a.movzx(eax, al);
  a.add(dword(ebx, WORK.ClockQueued), eax);
  a.label("kernel");
  a.pop(ebx);
  a.jmp(KiClockInterrupt);
});

/** On the boot processor: make locks, DPCs and the clock ready, and let the others begin. */
const prepare = proc("WorkloadPrepare", (a) => {
  for (const lock of [ordinaryLock, queuedLock]) {
    a.push(lock);
    a.call(KeInitializeSpinLock);
  }
  a.xor(edi, edi);
  a.mov(ebx, work);
  a.label("processor");
  initializeDpc(a, WORK.ClockDpc, clockRoutine);
  a.lea(esi, dword(edi, 1)); // the next one, or the first
  a.movzx(eax, byte(KeNumberProcessors));
  a.cmp(esi, eax);
  a.jb("target");
  a.xor(esi, esi);
  a.label("target");
  a.push(ebx);
  a.mov(ebx, esi);
  a.shl(ebx, WORK_SHIFT);
  a.add(ebx, work); // its WORK is the context
  a.pop(eax);
  a.push(eax);
  a.push(ebx);
  a.push(remoteRoutine);
  a.add(eax, WORK.RemoteDpc);
  a.push(eax);
  a.call(KeInitializeDpc);
  a.pop(ebx);
  a.lea(eax, dword(ebx, WORK.RemoteDpc));
  a.push(esi);
  a.push(eax);
  a.call(KeSetTargetProcessorDpc);
  a.lea(eax, dword(ebx, WORK.RemoteDpc));
  a.push(HighImportance);
  a.push(eax);
  a.call(KeSetImportanceDpc);
  a.add(ebx, WORK.size);
  a.inc(edi);
  a.movzx(eax, byte(KeNumberProcessors));
  a.cmp(edi, eax);
  a.jb("processor");
  a.mov(dword(KiInterruptTable, CLOCK_VECTOR * KINTERRUPT_ENTRY.size), serviceClock);
  a.mov(dword(ready), 1);
  a.ret();
});

/** Make the DPC in the WORK at EBX, with that as its context. */
function initializeDpc(a: Assembler, dpc: typeof WORK.ClockDpc, routine: Procedure): void {
  a.lea(eax, dword(ebx, dpc));
  a.push(ebx);
  a.push(routine);
  a.push(eax);
  a.call(KeInitializeDpc);
}

/** Print what came of it and leave the machine: 0 if all is well, else 1. */
const report = proc("WorkloadReport", (a) => {
  const Failures = ebp;
  const Processors = edi;
  a.xor(Failures, Failures);
  a.movzx(Processors, byte(KeNumberProcessors));
  display(a, "TOTAL processors ", { decimal: Processors }, "\r\n");
  total(a, "ordinary lock", dword(ordinaryTotal), ACQUISITIONS);
  total(a, "queued lock", dword(queuedTotal), ACQUISITIONS);
  for (const [name, field, each] of [
    ["DPCs from the clock", WORK.ClockRun, CLOCK_DPCS],
    ["DPCs from others", WORK.RemoteRun, REMOTE_DPCS],
  ] as const) {
    sum(a, name, field);
    total(a, name, esi, each);
  }
  verdict(a, "first come, first served", outOfOrder);
  verdict(a, "levels and processors", misplaced);
  a.test(Failures, Failures);
  a.jnz("failed");
  display(a, "VERDICT ok\r\n");
  a.jmp("information");
  a.label("failed");
  display(a, "VERDICT failed\r\n");

  a.label("information");
  display(a, "INFO clock ticks ", { decimal: dword(KeTickCount) }, "\r\n");
  sum(a, "hand-overs", WORK.HandedOver);
  display(a, "INFO hand-overs of the queued lock ", { decimal: esi }, "\r\n");
  if (kernelBuild().counters) counters(a);
  a.xor(eax, eax);
  a.test(Failures, Failures);
  a.setnz(al);
  a.out(DEBUG_EXIT, eax);
  a.label("stop"); // on a machine without that port
  a.cli();
  a.hlt();
  a.jmp("stop");
});

/** A line of what was counted and what should have been: `each` times the number of processors, which is in EDI. */
function total(a: Assembler, name: string, counted: ReturnType<typeof dword> | typeof esi, each: number): void {
  a.mov(esi, counted);
  a.imul(ebx, edi, each);
  display(a, `TOTAL ${name} `, { decimal: esi }, " of ", { decimal: ebx }, "\r\n");
  a.cmp(esi, ebx);
  a.je(`${name}.right`);
  a.inc(ebp);
  a.label(`${name}.right`);
}

/** A line on a counter that should be zero. */
function verdict(a: Assembler, name: string, counter: typeof outOfOrder): void {
  a.cmp(dword(counter), 0);
  a.jne(`${name}.violated`);
  display(a, `VERDICT ${name}: ok\r\n`);
  a.jmp(`${name}.said`);
  a.label(`${name}.violated`);
  a.inc(ebp);
  display(a, `VERDICT ${name}: violated\r\n`);
  a.label(`${name}.said`);
}

/** ESI = the sum of a field over all processors. Uses EBX and ECX. */
function sum(a: Assembler, name: string, field: typeof WORK.ClockRun): void {
  a.xor(esi, esi);
  a.mov(ebx, work);
  a.mov(ecx, edi);
  a.label(`${name}.sum`);
  a.add(esi, dword(ebx, field));
  a.add(ebx, WORK.size);
  a.loop(`${name}.sum`);
}

/** What the spin locks have counted, processor by processor. Uses EBX and ESI. */
function counters(a: Assembler): void {
  a.xor(ebx, ebx);
  a.label("counters");
  a.mov(esi, dword(ebx.times(4), KiProcessorBlock));
  const counter = (field: typeof Prcb.SpinLockAcquireCount) => dword(esi, field.offset - Prcb.offset);
  display(a, "INFO processor ", { decimal: ebx }, " acquired ", { decimal: counter(Prcb.SpinLockAcquireCount) });
  display(a, ", contended ", { decimal: counter(Prcb.SpinLockContentionCount) }, "\r\n");
  a.inc(ebx);
  a.cmp(ebx, edi);
  a.jb("counters");
}
