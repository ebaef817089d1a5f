// From the boot loader's entry to every processor at work, or in its idle loop.

import {
  al,
  byte,
  data,
  dword,
  eax,
  ebx,
  ecx,
  edi,
  edx,
  esp,
  fs,
  MULTIBOOT_BOOTLOADER_MAGIC,
  type Procedure,
  proc,
} from "#asm";
import { HalpInitializeLocalApic, HalpSendIpi } from "../hal/apic.ts";
import { HalpFindProcessors, INIT_WAIT, STARTUP_WAIT } from "../hal/discovery.ts";
import { KfLowerIrql } from "../hal/irql.ts";
import { enterHighMemory, leaveLowMemory } from "../hal/paging.ts";
import { HalpSilencePics } from "../hal/pic.ts";
import { HalpInitializeSerial } from "../hal/serial.ts";
import { HalpCalibrateStall, HalpStartClock, KeStallExecutionProcessor } from "../hal/time.ts";
import { HalpApicIds, HalpProcessors } from "../hal/topology.ts";
import { loadFlatSegments, STARTUP_COMMAND, trampolineTo } from "../hal/trampoline.ts";
import { APIC_BASE, APIC_ID, APIC_ID_SHIFT, ICR_INIT } from "../inc/apic.ts";
import { HAL_INITIALIZATION_FAILED } from "../inc/bugcodes.ts";
import { PASSIVE_LEVEL } from "../inc/irql.ts";
import { KSEG0_BASE } from "../inc/memory.ts";
import { KERNEL_STACK_SHIFT, KERNEL_STACK_SIZE, KPCR } from "../inc/pcr.ts";
import { KeBugCheckEx, pushBugCheck } from "./bugcheck.ts";
import { KiIdleLoop } from "./idle.ts";
import { hasOption, KiMultibootInformation } from "./options.ts";
import { KiInitializeProcessor } from "./pcr.ts";
import { KeActiveProcessors, KeNumberProcessors, KiStacks } from "./processor.ts";
import { KiBuildIdt } from "./trap.ts";

/** 1 once every processor takes part: those who wait for it go to work. */
const KiSystemReady = data("KiSystemReady", 4);
/** What each processor calls then, at PASSIVE_LEVEL; zero: nothing. */
export const KiThreadRoutine = data("KiThreadRoutine", 4);

/** How often, a microsecond apart, the boot processor looks whether a started one takes part. */
const START_STEPS = 1_000_000;

/**
 * The image's entry, in the state of Multiboot 1, 3.2: flat segments, paging and interrupts off, the magic number in EAX, the
 * loader's information at EBX. `work` is what every processor calls once all take part, at PASSIVE_LEVEL with interrupts on: if the
 * command line says `word`, or in any case if that is null.
 */
export function systemEntry(word: string | null, work: Procedure): Procedure {
  const KiBootProcessor = proc("KiBootProcessor", (a) => {
    a.mov(esp, KiStacks.plus(KERNEL_STACK_SIZE));
    leaveLowMemory(a);
    a.mov(dword(KiMultibootInformation), ebx);
    a.call(KiBuildIdt);
    a.push(0);
    a.call(KiInitializeProcessor);
    a.call(HalpInitializeSerial);
    a.call(HalpSilencePics);
    a.call(HalpInitializeLocalApic);
    a.call(HalpCalibrateStall);
    a.call(HalpFindProcessors);
    a.mov(eax, dword(fs, KPCR.SetMember));
    a.lock.or(dword(KeActiveProcessors), eax);
    a.call(KiStartProcessors);
    hasOption(a, "noclock");
    a.jnz("silent");
    a.call(HalpStartClock);
    a.label("silent");
    if (word !== null) {
      hasOption(a, word);
      a.jz("nothing");
    }
    a.mov(dword(KiThreadRoutine), work);
    a.label("nothing");
    a.mov(dword(KiSystemReady), 1);
    a.jmp(KiEnterSystem);
  });

  return proc("KiSystemEntry", (a) => {
    a.cli();
    a.cld();
    a.cmp(eax, MULTIBOOT_BOOTLOADER_MAGIC);
    a.mov(eax, 0); // keeps the flags
    a.jne("unknown");
    a.lea(eax, dword(ebx, KSEG0_BASE));
    a.label("unknown");
    a.mov(ebx, eax);
    enterHighMemory(a, KiBootProcessor);
  });
}

/**
 * VOID (). Start every other processor that was found, one after the other, as they share the way in. Interrupts are off.
 */
const KiStartProcessors = proc("KiStartProcessors", (a) => {
  a.push(ebx);
  a.push(edi);
  a.call(KiPrepareStartup);
  a.mov(eax, dword(HalpProcessors));
  a.mov(byte(KeNumberProcessors), al);
  a.cmp(eax, 1);
  a.je("done");

  a.mov(ebx, 1);
  a.label("initialize"); // all at once: they can wait together
  a.movzx(ecx, byte(ebx, HalpApicIds));
  a.mov(edx, ICR_INIT);
  a.call(HalpSendIpi);
  a.inc(ebx);
  a.cmp(ebx, dword(HalpProcessors));
  a.jb("initialize");
  a.push(INIT_WAIT);
  a.call(KeStallExecutionProcessor);

  a.mov(ebx, 1);
  a.label("start");
  a.movzx(ecx, byte(ebx, HalpApicIds));
  a.mov(edx, STARTUP_COMMAND);
  a.call(HalpSendIpi);
  a.push(STARTUP_WAIT);
  a.call(KeStallExecutionProcessor);
  a.bt(dword(KeActiveProcessors), ebx);
  a.jc("started");
  a.movzx(ecx, byte(ebx, HalpApicIds));
  a.mov(edx, STARTUP_COMMAND); // one that has started does not hear it
  a.call(HalpSendIpi);
  a.mov(edi, START_STEPS);
  a.label("wait");
  a.bt(dword(KeActiveProcessors), ebx);
  a.jc("started");
  a.push(1);
  a.call(KeStallExecutionProcessor);
  a.dec(edi);
  a.jnz("wait");
  a.movzx(ecx, byte(ebx, HalpApicIds));
  pushBugCheck(a, HAL_INITIALIZATION_FAILED, ebx, ecx, 0, 0);
  a.call(KeBugCheckEx);
  a.label("started");
  a.inc(ebx);
  a.cmp(ebx, dword(HalpProcessors));
  a.jb("start");
  a.label("done");
  a.pop(edi);
  a.pop(ebx);
  a.ret();
});

/** A started processor, still at physical addresses. */
const KiStartedProcessor = proc("KiStartedProcessor", (a) => {
  loadFlatSegments(a);
  enterHighMemory(a, KiApplicationProcessor);
});

/** VOID (). Make a STARTUP bring a processor to KiStartedProcessor. */
const KiPrepareStartup = trampolineTo("KiPrepareStartup", KiStartedProcessor);

/** A started processor: who it is only its local APIC knows. Nothing that is reached through FS before KiInitializeProcessor. */
const KiApplicationProcessor: Procedure = proc("KiApplicationProcessor", (a) => {
  leaveLowMemory(a);
  a.mov(edx, APIC_BASE);
  a.mov(eax, dword(edx, APIC_ID));
  a.shr(eax, APIC_ID_SHIFT);
  a.xor(ebx, ebx);
  a.label("number");
  a.cmp(byte(ebx, HalpApicIds), al);
  a.je("known");
  a.inc(ebx);
  a.cmp(ebx, dword(HalpProcessors));
  a.jb("number");
  a.label("unknown"); // in no table: it has no stack to run on
  a.cli();
  a.hlt();
  a.jmp("unknown");

  a.label("known");
  a.lea(esp, dword(ebx, 1));
  a.shl(esp, KERNEL_STACK_SHIFT);
  a.add(esp, KiStacks);
  a.push(ebx);
  a.call(KiInitializeProcessor);
  a.call(HalpInitializeLocalApic);
  a.mov(eax, dword(fs, KPCR.SetMember));
  a.lock.or(dword(KeActiveProcessors), eax); // from here on others may send us interrupts
  a.jmp(KiEnterSystem);
});

/** Go down to PASSIVE_LEVEL, wait for the others, and do what there is to do; then idle. Does not return. */
const KiEnterSystem = proc("KiEnterSystem", (a) => {
  a.mov(ecx, PASSIVE_LEVEL);
  a.call(KfLowerIrql);
  a.sti();
  a.label("wait");
  a.cmp(dword(KiSystemReady), 0);
  a.jne("ready");
  a.pause();
  a.jmp("wait");
  a.label("ready");
  a.mov(eax, dword(KiThreadRoutine));
  a.test(eax, eax);
  a.jz("idle");
  a.call(eax);
  a.label("idle");
  a.jmp(KiIdleLoop);
});
