// The kernel as an image: everything that a boot loader's entry, a workload and drivers can reach.

import { type Image, link, type Procedure } from "#asm";
import { KeLowerIrql, KeRaiseIrql, KeRaiseIrqlToDpcLevel } from "./hal/irql.ts";
import { building, type KernelBuild } from "./inc/build.ts";
import { KERNEL_BASE, KERNEL_LOAD } from "./inc/memory.ts";
import { KeBugCheck, KiBugCheckData } from "./ke/bugcheck.ts";
import { KeInitializeThreadedDpc, KeRemoveQueueDpc, KeSetTargetProcessorDpcEx } from "./ke/dpc.ts";
import { systemEntry } from "./ke/init.ts";
import { KeGetCurrentProcessorNumber, KeQueryActiveProcessors } from "./ke/processor.ts";
import {
  KeAcquireSpinLock,
  KeAcquireSpinLockAtDpcLevel,
  KeAcquireSpinLockRaiseToDpc,
  KeReleaseSpinLock,
  KeReleaseSpinLockFromDpcLevel,
  KeTestSpinLock,
  KeTryToAcquireSpinLockAtDpcLevel,
} from "./ke/spinlock.ts";
import { WorkloadThread } from "./workload/workload.ts";

/** What the kernel offers and does not need itself. */
const exported = [
  KeRaiseIrql,
  KeLowerIrql,
  KeRaiseIrqlToDpcLevel,
  KeAcquireSpinLock,
  KeReleaseSpinLock,
  KeAcquireSpinLockRaiseToDpc,
  KeAcquireSpinLockAtDpcLevel,
  KeReleaseSpinLockFromDpcLevel,
  KeTryToAcquireSpinLockAtDpcLevel,
  KeTestSpinLock,
  KeInitializeThreadedDpc,
  KeRemoveQueueDpc,
  KeSetTargetProcessorDpcEx,
  KeGetCurrentProcessorNumber,
  KeQueryActiveProcessors,
  KeBugCheck,
  KiBugCheckData,
];

export interface KernelOptions extends Partial<KernelBuild> {
  /** What every processor calls once all take part, at PASSIVE_LEVEL with interrupts on, instead of the workload. */
  readonly thread?: Procedure;
  /** More routines that shall be in the image: tests' and scenarios'. */
  readonly include?: readonly Procedure[];
}

/** Link the kernel: linked at 80100000h, loaded at 1 MiB. The command line's word `workload` chooses the workload. */
export function linkKernel({ thread, include = [], ...build }: KernelOptions = {}): Image {
  return building(build, () =>
    link(thread ? systemEntry(null, thread) : systemEntry("workload", WorkloadThread), {
      base: KERNEL_BASE,
      load: KERNEL_LOAD,
      include: [...exported, ...include],
    }),
  );
}
