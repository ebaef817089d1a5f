// Gives a processor what is its own: KPCR and KPRCB, GDT, TSS and the stacks (SDM vol. 3A, 2.4 and 7.2).

import {
  type Assembler,
  ah,
  al,
  ax,
  byte,
  cl,
  data,
  ds,
  dword,
  dwords,
  eax,
  ebx,
  ecx,
  edi,
  edx,
  es,
  esi,
  esp,
  far,
  fs,
  gs,
  memory,
  proc,
  ss,
  word,
} from "#asm";
import { HalpStallScaleFactor } from "../hal/time.ts";
import { APIC_BASE, APIC_ID, APIC_ID_SHIFT } from "../inc/apic.ts";
import { kernelBuild } from "../inc/build.ts";
import {
  ADJUST_DPC_THRESHOLD,
  DPC_NORMAL,
  DPC_THREADED,
  LIST_ENTRY,
  MAXIMUM_DPC_QUEUE_DEPTH,
  MINIMUM_DPC_RATE,
} from "../inc/dpc.ts";
import { HIGH_LEVEL } from "../inc/irql.ts";
import {
  BUILD_CHECKED,
  KERNEL_STACK_SHIFT,
  KERNEL_STACK_SIZE,
  KGDT_CODE,
  KGDT_DATA,
  KGDT_ENTRIES,
  KGDT_PCR,
  KGDT_TSS,
  KPCR,
  KPROCESSOR,
  KPROCESSOR_SHIFT,
  KTSS,
  Prcb,
  ThreadObject,
} from "../inc/pcr.ts";
import { VECTORS } from "../inc/trap.ts";
import { KiDpcStacks, KiProcessorBlock, KiProcessors, KiStacks } from "./processor.ts";
import { KiIdt } from "./trap.ts";

/** The descriptors that every processor begins with: null; flat code and data of ring 0, and of ring 3; TSS; KPCR. */
const KiGdtTemplate = data(
  "KiGdtTemplate",
  dwords(
    ...[0, 0],
    ...[0x0000ffff, 0x00cf9b00],
    ...[0x0000ffff, 0x00cf9300],
    ...[0x0000ffff, 0x00cffb00],
    ...[0x0000ffff, 0x00cff300],
    ...[KTSS.size - 1, 0x00008900],
    ...[KPROCESSOR.size - 1, 0x00409300],
  ),
  { section: ".rodata" },
);
const GDT_SIZE = 8 * KGDT_ENTRIES;

/**
 * VOID stdcall (Number). Fill this processor's page and load what points into it. The level is HIGH_LEVEL until somebody
 * lowers it; interrupts are off.
 */
export const KiInitializeProcessor = proc("KiInitializeProcessor", (a) => {
  const Pcr = esi;
  const Processor = ebx;
  a.push(ebx);
  a.push(esi);
  a.push(edi);
  a.mov(Processor, dword(esp, 16));
  a.mov(Pcr, Processor);
  a.shl(Pcr, KPROCESSOR_SHIFT);
  a.add(Pcr, KiProcessors);

  a.mov(dword(Pcr, KPCR.ExceptionList), -1);
  a.lea(eax, dword(Processor, 1));
  a.shl(eax, KERNEL_STACK_SHIFT);
  a.lea(ecx, dword(eax, KiStacks));
  a.mov(dword(Pcr, KPCR.StackBase), ecx);
  a.sub(ecx, KERNEL_STACK_SIZE);
  a.mov(dword(Pcr, KPCR.StackLimit), ecx);
  a.add(eax, KiDpcStacks);
  a.mov(dword(Pcr, Prcb.DpcStack), eax);
  a.mov(dword(Pcr, KPCR.SelfPcr), Pcr);
  a.lea(edi, dword(Pcr, KPCR.PrcbData));
  a.mov(dword(Pcr, KPCR.Prcb), edi);
  a.mov(dword(Processor.times(4), KiProcessorBlock), edi);
  a.mov(byte(Pcr, KPCR.Irql), HIGH_LEVEL);
  a.mov(dword(Pcr, KPCR.IDR), -1);
  a.mov(dword(Pcr, KPCR.IDT), KiIdt);
  a.mov(word(Pcr, KPCR.MajorVersion), 1);
  a.mov(word(Pcr, KPCR.MinorVersion), 1);
  a.mov(ecx, Processor);
  a.mov(eax, 1);
  a.shl(eax, cl);
  a.mov(dword(Pcr, KPCR.SetMember), eax);
  a.mov(byte(Pcr, KPCR.Number), cl);
  a.mov(eax, dword(HalpStallScaleFactor));
  a.mov(dword(Pcr, KPCR.StallScaleFactor), eax);
  a.mov(edx, APIC_BASE);
  a.mov(eax, dword(edx, APIC_ID));
  a.shr(eax, APIC_ID_SHIFT);
  a.mov(dword(Pcr, KPCR.HalReserved.element(0)), eax);
  a.mov(byte(Pcr, Prcb.InitialApicId), al);

  a.mov(word(Pcr, Prcb.MajorVersion), 1);
  a.mov(word(Pcr, Prcb.MinorVersion), 1);
  a.mov(byte(Pcr, Prcb.LegacyNumber), cl);
  a.mov(word(Pcr, Prcb.BuildType), kernelBuild().checked ? BUILD_CHECKED : 0);
  a.lea(eax, dword(Pcr, KPROCESSOR.IdleThread));
  a.mov(byte(Pcr, KPROCESSOR.IdleThread.Type), ThreadObject);
  a.mov(dword(Pcr, Prcb.CurrentThread), eax);
  a.mov(dword(Pcr, Prcb.IdleThread), eax);
  a.mov(dword(Pcr, Prcb.AdjustDpcThreshold), ADJUST_DPC_THRESHOLD);
  a.mov(dword(Pcr, Prcb.MaximumDpcQueueDepth), MAXIMUM_DPC_QUEUE_DEPTH);
  a.mov(dword(Pcr, Prcb.MinimumDpcRate), MINIMUM_DPC_RATE);
  for (const queue of [DPC_NORMAL, DPC_THREADED]) {
    a.lea(eax, dword(Pcr, Prcb.DpcData.element(queue)));
    a.mov(dword(eax, LIST_ENTRY.Flink), eax); // the list's head comes first
    a.mov(dword(eax, LIST_ENTRY.Blink), eax);
  }

  a.push(esi);
  a.lea(edi, dword(Pcr, KPROCESSOR.Gdt));
  a.mov(dword(Pcr, KPCR.GDT), edi);
  a.mov(esi, KiGdtTemplate);
  a.mov(ecx, GDT_SIZE / 4);
  a.rep.movsd();
  a.pop(esi);
  a.lea(eax, dword(Pcr, KPROCESSOR.Tss));
  a.mov(dword(Pcr, KPCR.TSS), eax);
  a.mov(word(Pcr, KPROCESSOR.Tss.IoMapBase), KTSS.size); // beyond the limit: no port is ring 3's
  setBase(a, KGDT_TSS);
  a.mov(eax, Pcr);
  setBase(a, KGDT_PCR);

  a.lea(eax, dword(Pcr, KPROCESSOR.Gdt));
  loadTable(a, GDT_SIZE - 1, () => a.lgdt(memory(esp)));
  a.mov(eax, KiIdt);
  loadTable(a, 8 * VECTORS - 1, () => a.lidt(memory(esp)));
  a.jmp(far(KGDT_CODE, a.addressOf("reloaded")));
  a.label("reloaded");
  a.mov(eax, KGDT_DATA);
  for (const segment of [ds, es, ss, gs]) a.mov(segment, ax);
  a.mov(eax, KGDT_PCR);
  a.mov(fs, ax);
  a.mov(eax, KGDT_TSS);
  a.ltr(ax);
  a.pop(edi);
  a.pop(esi);
  a.pop(ebx);
  a.ret(4);
});

/** Put EAX into the base of a descriptor of the table of the processor whose page is at ESI. Uses EAX. */
function setBase(a: Assembler, selector: number): void {
  const descriptor = KPROCESSOR.Gdt.offset + selector;
  a.mov(word(esi, descriptor + 2), ax);
  a.shr(eax, 16);
  a.mov(byte(esi, descriptor + 4), al);
  a.mov(byte(esi, descriptor + 7), ah);
}

/** Load a table register with EAX as the base. */
function loadTable(a: Assembler, limit: number, load: () => void): void {
  a.push(eax);
  a.push(limit << 16); // its upper half is the limit, right below the base
  a.add(esp, 2);
  load();
  a.add(esp, 6);
}
