// What a processor does when it has nothing to do.

import { dword, eax, ecx, fs, proc } from "#asm";
import { KfLowerIrql, KfRaiseIrql } from "../hal/irql.ts";
import { DPC_NORMAL } from "../inc/dpc.ts";
import { DISPATCH_LEVEL, PASSIVE_LEVEL } from "../inc/irql.ts";
import { Prcb } from "../inc/pcr.ts";
import { KiRetireDpcList } from "./dpc.ts";

/**
 * Does not return. At PASSIVE_LEVEL: at DISPATCH_LEVEL the request that a DPC makes could not end the HLT. Whoever inserts
 * looks at IdleState after its entry is in the queue; we look at the queue after our mark is set; both with a locked
 * instruction in between, so that one of the two sees the other.
 */
export const KiIdleLoop = proc("KiIdleLoop", (a) => {
  a.label("idle");
  a.mov(eax, 1);
  a.xchg(dword(fs, Prcb.IdleState), eax); // locks the bus by itself
  a.cli();
  a.cmp(dword(fs, Prcb.DpcData.element(DPC_NORMAL).DpcQueueDepth), 0);
  a.je("nothing");
  a.mov(dword(fs, Prcb.IdleState), 0);
  a.sti();
  a.mov(ecx, DISPATCH_LEVEL);
  a.call(KfRaiseIrql);
  a.call(KiRetireDpcList);
  a.mov(ecx, PASSIVE_LEVEL);
  a.call(KfLowerIrql);
  a.jmp("idle");
  a.label("nothing");
  a.sti();
  a.hlt(); // still in the shadow of STI: no interrupt comes between our look and the HLT
  a.mov(dword(fs, Prcb.IdleState), 0);
  a.jmp("idle");
});
