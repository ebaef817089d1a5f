// Which processors run the kernel, and which of them the caller is on.

import { byte, data, dword, eax, fs, proc } from "#asm";
import { KERNEL_STACK_SIZE, KPCR, KPROCESSOR, MAXIMUM_PROCESSORS } from "../inc/pcr.ts";

/** KPROCESSOR of each processor, and its stacks: the one it runs on, and the one for its DPCs. */
export const KiProcessors = data("KiProcessors", KPROCESSOR.size * MAXIMUM_PROCESSORS, { align: KPROCESSOR.size });
export const KiStacks = data("KiStacks", KERNEL_STACK_SIZE * MAXIMUM_PROCESSORS, { align: 4096 });
export const KiDpcStacks = data("KiDpcStacks", KERNEL_STACK_SIZE * MAXIMUM_PROCESSORS, { align: 4096 });

/** An affinity mask of the processors that take part: only they get IPIs and DPCs. */
export const KeActiveProcessors = data("KeActiveProcessors", 4);
/** Each processor's KPRCB, by number; zero where there is none. */
export const KiProcessorBlock = data("KiProcessorBlock", 4 * MAXIMUM_PROCESSORS);
/** How many processors there are. */
export const KeNumberProcessors = data("KeNumberProcessors", 1);

/** ULONG stdcall (). The number of this processor; stable only at DISPATCH_LEVEL and above. */
export const KeGetCurrentProcessorNumber = proc("KeGetCurrentProcessorNumber", (a) => {
  a.movzx(eax, byte(fs, KPCR.Number));
  a.ret();
});

/** KAFFINITY stdcall (). The processors that take part. */
export const KeQueryActiveProcessors = proc("KeQueryActiveProcessors", (a) => {
  a.mov(eax, dword(KeActiveProcessors));
  a.ret();
});
