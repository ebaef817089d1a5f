// Deferred procedure calls: a processor's queue, who asks for it to be drained, and the drain.

import {
  type Assembler,
  al,
  ax,
  byte,
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
  word,
} from "#asm";
import { HalpSendIpi, HalpSendShorthand } from "../hal/apic.ts";
import { ICR_FIXED, ICR_SELF } from "../inc/apic.ts";
import { IRQL_UNEXPECTED_VALUE, TIMER_OR_DPC_INVALID, UNEXPECTED_FROM_DPC } from "../inc/bugcodes.ts";
import { kernelBuild } from "../inc/build.ts";
import {
  DPC_INTERRUPT_REQUESTED_BIT,
  DPC_NORMAL,
  DPC_TARGETED,
  DpcObject,
  HighImportance,
  KDPC,
  KDPC_DATA,
  LIST_ENTRY,
  LowImportance,
  MediumImportance,
  ThreadedDpcObject,
} from "../inc/dpc.ts";
import { DISPATCH_LEVEL, DISPATCH_VECTOR } from "../inc/irql.ts";
import { KPCR, KPRCB, MAXIMUM_PROCESSORS, Prcb } from "../inc/pcr.ts";
import { KeBugCheckEx, pushBugCheck } from "./bugcheck.ts";
import { KeActiveProcessors, KeNumberProcessors, KiProcessorBlock } from "./processor.ts";
import { KiAcquireSpinLock, KiReleaseSpinLock } from "./spinlock.ts";

const { Flink, Blink } = LIST_ENTRY;
const { Flink: NextDpc, Blink: PreviousDpc } = KDPC.DpcListEntry;
/** The ordinary queue, in a KPRCB. */
const Queue = KPRCB.DpcData.element(DPC_NORMAL);

const STATUS_SUCCESS = 0;
const STATUS_INVALID_PARAMETER = 0xc000000d;

/** VOID stdcall (Dpc, DeferredRoutine, DeferredContext). Make a DPC object: medium importance, no target, in no queue. */
export const KeInitializeDpc = initialize("KeInitializeDpc", DpcObject);
/** The same for one that would run in a thread; as there are none, it runs as the others do. */
export const KeInitializeThreadedDpc = initialize("KeInitializeThreadedDpc", ThreadedDpcObject);

function initialize(name: string, type: number): Procedure {
  return proc(name, (a) => {
    const Dpc = ecx;
    a.mov(Dpc, dword(esp, 4));
    a.mov(byte(Dpc, KDPC.Type), type);
    a.mov(byte(Dpc, KDPC.Importance), MediumImportance);
    a.mov(word(Dpc, KDPC.Number), 0);
    a.mov(eax, dword(esp, 8));
    a.mov(dword(Dpc, KDPC.DeferredRoutine), eax);
    a.mov(eax, dword(esp, 12));
    a.mov(dword(Dpc, KDPC.DeferredContext), eax);
    a.mov(dword(Dpc, KDPC.DpcData), 0);
    a.ret(12);
  });
}

/** VOID stdcall (Dpc, Importance). For later inserts. */
export const KeSetImportanceDpc = proc("KeSetImportanceDpc", (a) => {
  a.mov(ecx, dword(esp, 4));
  a.mov(eax, dword(esp, 8));
  a.mov(byte(ecx, KDPC.Importance), al);
  a.ret(8);
});

/** VOID stdcall (Dpc, Number). Let later inserts run on that processor; nothing changes if it does not take part. */
export const KeSetTargetProcessorDpc = proc("KeSetTargetProcessorDpc", (a) => {
  a.mov(ecx, dword(esp, 4));
  a.movzx(eax, byte(esp, 8));
  setTarget(a, "done");
  a.label("done");
  a.ret(8);
});

/** NTSTATUS stdcall (Dpc, PPROCESSOR_NUMBER). As KeSetTargetProcessorDpc; STATUS_INVALID_PARAMETER if it does not take part. */
export const KeSetTargetProcessorDpcEx = proc("KeSetTargetProcessorDpcEx", (a) => {
  a.mov(ecx, dword(esp, 4));
  a.mov(edx, dword(esp, 8));
  a.mov(eax, dword(edx)); // group, number, reserved
  a.test(eax, 0xff00ffff);
  a.jnz("invalid");
  a.shr(eax, 16);
  setTarget(a, "invalid");
  a.mov(eax, STATUS_SUCCESS);
  a.ret(8);
  a.label("invalid");
  a.mov(eax, STATUS_INVALID_PARAMETER);
  a.ret(8);
});

/** Target the DPC at ECX at the processor EAX, or go to `otherwise`. */
function setTarget(a: Assembler, otherwise: string): void {
  a.cmp(eax, MAXIMUM_PROCESSORS);
  a.jae(otherwise);
  a.bt(dword(KeActiveProcessors), eax);
  a.jnc(otherwise);
  a.or(eax, DPC_TARGETED);
  a.mov(word(ecx, KDPC.Number), ax);
}

/**
 * BOOLEAN stdcall (Dpc, SystemArgument1, SystemArgument2). Queue a DPC on its target or here; FALSE, with nothing changed, if
 * it is in a queue already. At any level: interrupts are off while the queue's lock is held.
 */
export const KeInsertQueueDpc = proc("KeInsertQueueDpc", (a) => {
  const Dpc = esi;
  const Target = edi; // KPRCB
  const Data = ebp; // KDPC_DATA of it
  const [argument1, argument2] = [dword(esp, 28), dword(esp, 32)];
  for (const register of [ebp, ebx, esi, edi]) a.push(register);
  a.pushfd();
  a.cli();
  a.mov(Dpc, dword(esp, 24));
  a.movzx(ebx, byte(Dpc, KDPC.Importance)); // read once, here: after the unlock the object may be gone
  a.movzx(eax, word(Dpc, KDPC.Number));
  a.mov(Target, dword(fs, KPCR.Prcb));
  a.test(eax, eax);
  a.jz("targeted");
  a.and(eax, ~DPC_TARGETED);
  if (kernelBuild().checked) checkTarget(a);
  a.mov(Target, dword(eax.times(4), KiProcessorBlock));
  a.label("targeted");
  a.lea(Data, dword(Target, Queue));

  a.lea(ecx, dword(Data, KDPC_DATA.DpcLock));
  a.call(KiAcquireSpinLock);
  a.xor(eax, eax);
  a.lock.cmpxchg(dword(Dpc, KDPC.DpcData), Data);
  a.jnz("queued");
  a.mov(eax, argument1);
  a.mov(dword(Dpc, KDPC.SystemArgument1), eax);
  a.mov(eax, argument2);
  a.mov(dword(Dpc, KDPC.SystemArgument2), eax);
  a.lea(eax, dword(Dpc, KDPC.DpcListEntry));
  a.cmp(ebx, HighImportance);
  a.je("head");
  a.mov(ecx, Data); // before the head is at the end
  a.mov(edx, dword(Data, Blink));
  a.jmp("link");
  a.label("head");
  a.mov(edx, Data);
  a.mov(ecx, dword(Data, Flink));
  a.label("link"); // between EDX and ECX
  a.mov(dword(eax, Flink), ecx);
  a.mov(dword(eax, Blink), edx);
  a.mov(dword(edx, Flink), eax);
  a.mov(dword(ecx, Blink), eax);
  a.inc(dword(Data, KDPC_DATA.DpcCount));
  a.lock.inc(dword(Data, KDPC_DATA.DpcQueueDepth)); // locked: seen before we look whether the target is idle
  a.lea(ecx, dword(Data, KDPC_DATA.DpcLock));
  a.call(KiReleaseSpinLock);

  a.mov(ecx, Target);
  a.cmp(Target, dword(fs, KPCR.Prcb));
  a.jne("remote");
  a.cmp(ebx, LowImportance);
  a.jne("request");
  a.mov(eax, dword(Target, KPRCB.DpcRequestRate));
  a.cmp(eax, dword(Target, KPRCB.MinimumDpcRate));
  a.jb("request");
  a.jmp("depth");
  a.label("remote");
  a.cmp(ebx, HighImportance); // and medium high, which is greater
  a.jae("request");
  a.label("depth");
  a.mov(eax, dword(Data, KDPC_DATA.DpcQueueDepth));
  a.cmp(eax, dword(Target, KPRCB.MaximumDpcQueueDepth));
  a.ja("request");
  a.cmp(dword(Target, KPRCB.IdleState), 0);
  a.je("inserted");
  a.label("request");
  a.call(KiRequestDpcInterrupt);
  a.label("inserted");
  a.mov(eax, 1);
  a.label("done");
  a.popfd();
  for (const register of [edi, esi, ebx, ebp]) a.pop(register);
  a.ret(12);

  a.label("queued");
  a.lea(ecx, dword(Data, KDPC_DATA.DpcLock));
  a.call(KiReleaseSpinLock);
  a.xor(eax, eax);
  a.jmp("done");
});

/** The target EAX of the DPC at ESI must be a processor. */
function checkTarget(a: Assembler): void {
  const DPC = 1;
  a.cmp(eax, MAXIMUM_PROCESSORS);
  a.jae("invalid");
  a.bt(dword(KeActiveProcessors), eax);
  a.jc("valid");
  a.label("invalid");
  a.movzx(ecx, byte(KeNumberProcessors));
  pushBugCheck(a, TIMER_OR_DPC_INVALID, DPC, esi, eax, ecx);
  a.call(KeBugCheckEx);
  a.label("valid");
}

/**
 * VOID FASTCALL (Prcb: ecx). Send vector 41h to that processor, unless one is on its way. Interrupts are off: between the
 * mark and the command nobody else could send it.
 */
export const KiRequestDpcInterrupt = proc("KiRequestDpcInterrupt", (a) => {
  a.lock.bts(dword(ecx, KPRCB.DpcRequestSummary), DPC_INTERRUPT_REQUESTED_BIT);
  a.jc("requested");
  a.cmp(ecx, dword(fs, KPCR.Prcb));
  a.jne("remote");
  a.mov(ecx, ICR_SELF | ICR_FIXED | DISPATCH_VECTOR);
  a.jmp(HalpSendShorthand);
  a.label("remote");
  a.movzx(ecx, byte(ecx, KPRCB.InitialApicId));
  a.mov(edx, ICR_FIXED | DISPATCH_VECTOR);
  a.jmp(HalpSendIpi);
  a.label("requested");
  a.ret();
});

/** BOOLEAN stdcall (Dpc). Take a DPC out of its queue: TRUE, and it will not run. FALSE: it was in none. At any level. */
export const KeRemoveQueueDpc = proc("KeRemoveQueueDpc", (a) => {
  const Dpc = esi;
  const Data = edi;
  a.push(esi);
  a.push(edi);
  a.pushfd();
  a.cli();
  a.mov(Dpc, dword(esp, 16));
  a.label("again");
  a.mov(Data, dword(Dpc, KDPC.DpcData));
  a.xor(eax, eax);
  a.test(Data, Data);
  a.jz("done");
  a.lea(ecx, dword(Data, KDPC_DATA.DpcLock));
  a.call(KiAcquireSpinLock);
  a.cmp(Data, dword(Dpc, KDPC.DpcData)); // only the lock says where it is: it may have been drained, or moved
  a.jne("moved");
  a.mov(eax, dword(Dpc, NextDpc));
  a.mov(edx, dword(Dpc, PreviousDpc));
  a.mov(dword(edx, Flink), eax);
  a.mov(dword(eax, Blink), edx);
  a.lock.dec(dword(Data, KDPC_DATA.DpcQueueDepth));
  a.mov(dword(Dpc, KDPC.DpcData), 0);
  a.lea(ecx, dword(Data, KDPC_DATA.DpcLock));
  a.call(KiReleaseSpinLock);
  a.mov(eax, 1);
  a.label("done");
  a.popfd();
  a.pop(edi);
  a.pop(esi);
  a.ret(4);
  a.label("moved");
  a.lea(ecx, dword(Data, KDPC_DATA.DpcLock));
  a.call(KiReleaseSpinLock);
  a.jmp("again");
});

/**
 * VOID (). Run this processor's DPCs until there are none, on their own stack. At DISPATCH_LEVEL with interrupts on. The
 * request's mark goes first: an insert after our last look finds it clear and asks again.
 */
export const KiRetireDpcList = proc("KiRetireDpcList", (a) => {
  const Data = esi;
  const Routine = ebx;
  const Dpc = edi; // never touched once it is out of the queue: its routine may free it
  for (const register of [ebp, ebx, esi, edi]) a.push(register);
  a.mov(ebp, esp);
  a.mov(esp, dword(fs, Prcb.DpcStack));
  a.mov(Data, dword(fs, KPCR.Prcb));
  a.add(Data, Queue);
  a.lock.btr(dword(fs, Prcb.DpcRequestSummary), DPC_INTERRUPT_REQUESTED_BIT);

  a.label("next");
  a.cli();
  a.lea(ecx, dword(Data, KDPC_DATA.DpcLock));
  a.call(KiAcquireSpinLock);
  a.mov(eax, dword(Data, Flink));
  a.cmp(eax, Data);
  a.je("empty");
  a.mov(ecx, dword(eax, Flink));
  a.mov(dword(Data, Flink), ecx);
  a.mov(dword(ecx, Blink), Data);
  a.lea(Dpc, dword(eax, -KDPC.DpcListEntry.offset));
  a.push(dword(Dpc, KDPC.SystemArgument2));
  a.push(dword(Dpc, KDPC.SystemArgument1));
  a.push(dword(Dpc, KDPC.DeferredContext));
  a.push(Dpc);
  a.mov(Routine, dword(Dpc, KDPC.DeferredRoutine));
  a.lock.dec(dword(Data, KDPC_DATA.DpcQueueDepth));
  a.mov(dword(Dpc, KDPC.DpcData), 0);
  a.lea(ecx, dword(Data, KDPC_DATA.DpcLock));
  a.call(KiReleaseSpinLock);
  a.sti();
  a.mov(byte(fs, Prcb.DpcRoutineActive), 1);
  a.call(Routine);
  a.mov(byte(fs, Prcb.DpcRoutineActive), 0);
  if (kernelBuild().checked) {
    a.movzx(eax, byte(fs, KPCR.Irql));
    a.cmp(eax, DISPATCH_LEVEL);
    a.jne("changed");
  }
  a.jmp("next");

  a.label("empty");
  a.lea(ecx, dword(Data, KDPC_DATA.DpcLock));
  a.call(KiReleaseSpinLock);
  a.sti();
  a.mov(esp, ebp);
  for (const register of [edi, esi, ebx, ebp]) a.pop(register);
  a.ret();

  if (kernelBuild().checked) {
    a.label("changed");
    a.shl(eax, 16);
    a.or(eax, (DISPATCH_LEVEL << 8) | UNEXPECTED_FROM_DPC);
    pushBugCheck(a, IRQL_UNEXPECTED_VALUE, eax, Routine, Dpc, 0);
    a.call(KeBugCheckEx);
  }
});
