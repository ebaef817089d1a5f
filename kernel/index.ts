// ring0/kernel: the guest's routines, structures and constants, name by name, and the whole kernel as an image.

/** Levels. */
export {
  KeGetCurrentIrql,
  KeLowerIrql,
  KeRaiseIrql,
  KeRaiseIrqlToDpcLevel,
  KfLowerIrql,
  KfRaiseIrql,
} from "./hal/irql.ts";
/** Time and waits. */
export { CLOCK_DIVISOR, HalpStallScaleFactor, KeStallExecutionProcessor, TIME_INCREMENT } from "./hal/time.ts";
/** The local APIC's registers and commands. */
export * from "./inc/apic.ts";
/** Bug check codes. */
export * from "./inc/bugcodes.ts";
/** The builds there are. */
export { building, FREE_BUILD, type KernelBuild } from "./inc/build.ts";
/** DPC objects and queues. */
export * from "./inc/dpc.ts";
/** Levels, their vectors, and the task priority of each. */
export * from "./inc/irql.ts";
/** Where memory is. */
export { KERNEL_BASE, KERNEL_LOAD, KSEG0_BASE } from "./inc/memory.ts";
/** Layouts of objects that the kernel does not serve yet. */
export * from "./inc/objects.ts";
/** What each processor has of its own. */
export {
  BUILD_CHECKED,
  HELD_LOCK,
  HELD_LOCKS,
  IPI_FROZEN,
  KERNEL_STACK_SIZE,
  KGDT_CODE,
  KGDT_DATA,
  KGDT_PCR,
  KGDT_TSS,
  KPCR,
  KPRCB,
  KPROCESSOR,
  KTHREAD,
  MAXIMUM_PROCESSORS,
  ThreadObject,
} from "./inc/pcr.ts";
/** The spin locks' structures and constants. */
export {
  KIRQL,
  KLOCK_QUEUE_HANDLE,
  KSPIN_LOCK,
  KSPIN_LOCK_HELD,
  KSPIN_LOCK_HELD_BIT,
  KSPIN_LOCK_QUEUE,
  LOCK_QUEUE_OWNER,
  LOCK_QUEUE_WAIT,
} from "./inc/spinlock.ts";
/** What is on the stack in a handler, and an entry of KiInterruptTable. */
export { KINTERRUPT_ENTRY, KTRAP_FRAME } from "./inc/trap.ts";
/** Bug checks, and what they leave for whoever looks at the machine. */
export { KeBugCheck, KeBugCheckEx, KiBugCheck, KiBugCheckData, KiFreezeProcessor } from "./ke/bugcheck.ts";
/** The clock. */
export { KeInterruptTime, KeTickCount, KiClockInterrupt } from "./ke/clock.ts";
/** DPCs. */
export {
  KeInitializeDpc,
  KeInitializeThreadedDpc,
  KeInsertQueueDpc,
  KeRemoveQueueDpc,
  KeSetImportanceDpc,
  KeSetTargetProcessorDpc,
  KeSetTargetProcessorDpcEx,
  KiRequestDpcInterrupt,
  KiRetireDpcList,
} from "./ke/dpc.ts";
/** The idle loop. */
export { KiIdleLoop } from "./ke/idle.ts";
/** The way in, and what every processor calls once all take part. */
export { KiThreadRoutine, systemEntry } from "./ke/init.ts";
/** Which routine serves which vector. */
export { KiDefaultServiceRoutine, KiInterruptTable } from "./ke/interrupt.ts";
/** Processors. */
export {
  KeActiveProcessors,
  KeGetCurrentProcessorNumber,
  KeNumberProcessors,
  KeQueryActiveProcessors,
  KiProcessorBlock,
  KiProcessors,
} from "./ke/processor.ts";
/** In-stack queued spin locks, first come, first served. */
export {
  KeAcquireInStackQueuedSpinLock,
  KeAcquireInStackQueuedSpinLockAtDpcLevel,
  KeReleaseInStackQueuedSpinLock,
  KeReleaseInStackQueuedSpinLockFromDpcLevel,
} from "./ke/queuedspinlock.ts";
/** Ordinary spin locks. */
export {
  KeAcquireSpinLock,
  KeAcquireSpinLockAtDpcLevel,
  KeAcquireSpinLockRaiseToDpc,
  KefAcquireSpinLockAtDpcLevel,
  KefReleaseSpinLockFromDpcLevel,
  KeInitializeSpinLock,
  KeReleaseSpinLock,
  KeReleaseSpinLockFromDpcLevel,
  KeTestSpinLock,
  KeTryToAcquireSpinLockAtDpcLevel,
  KfAcquireSpinLock,
  KfReleaseSpinLock,
  KiAcquireSpinLock,
  KiReleaseSpinLock,
} from "./ke/spinlock.ts";
/** The whole kernel, linked. */
export { type KernelOptions, linkKernel } from "./kernel.ts";
