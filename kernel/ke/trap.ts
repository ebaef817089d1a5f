// Every vector's entry and exit: the stubs, exceptions, and interrupts at their levels (SDM vol. 3A, 6.12 to 6.15).

import {
  type Assembler,
  ax,
  byte,
  cl,
  cr2,
  data,
  dword,
  dwords,
  eax,
  ebx,
  ecx,
  edi,
  edx,
  esi,
  esp,
  fs,
  type Procedure,
  proc,
} from "#asm";
import { setIrql } from "../hal/tpr.ts";
import { APIC_BASE, APIC_EOI } from "../inc/apic.ts";
import {
  IRQL_NOT_LESS_OR_EQUAL,
  IRQL_UNEXPECTED_VALUE,
  NMI_HARDWARE_FAILURE,
  UNEXPECTED_FROM_ISR,
  UNEXPECTED_KERNEL_MODE_TRAP,
} from "../inc/bugcodes.ts";
import { kernelBuild } from "../inc/build.ts";
import {
  APC_LEVEL,
  APC_VECTOR,
  DISPATCH_LEVEL,
  DISPATCH_VECTOR,
  PIC_SPURIOUS_VECTOR,
  SPURIOUS_VECTOR,
} from "../inc/irql.ts";
import { KGDT_CODE, KPCR, Prcb } from "../inc/pcr.ts";
import {
  BREAKPOINT_VECTOR,
  ERROR_CODE_VECTORS,
  EXCEPTION_VECTORS,
  KINTERRUPT_ENTRY,
  KTRAP_FRAME,
  NMI_VECTOR,
  PAGE_FAULT_VECTOR,
  VECTOR_AND_ERROR_CODE,
  VECTORS,
} from "../inc/trap.ts";
import { KeBugCheckEx, KiBugCheck, KiBugCheckOwner, KiFreezeProcessor, pushBugCheck } from "./bugcheck.ts";
import { KiRetireDpcList } from "./dpc.ts";
import { KiInterruptTable, servedVectors } from "./interrupt.ts";

/**
 * Every interrupt with a level: raise to it, call its service routine with interrupts on, then tell the local APIC and go
 * back to the level before. That may be above ours: in the middle of a raise, whose first store we have seen.
 */
export const KiInterrupt = proc("KiInterrupt", (a) => {
  const Entry = esi;
  enter(a);
  a.mov(eax, dword(esp, KTRAP_FRAME.Vector));
  a.lea(Entry, dword(eax.times(8), KiInterruptTable));
  a.movzx(ecx, byte(Entry, KINTERRUPT_ENTRY.Irql));
  setIrql(a);
  a.inc(dword(fs, Prcb.InterruptCount));
  a.sti();
  a.push(esp); // the frame
  a.push(eax);
  a.call(dword(Entry, KINTERRUPT_ENTRY.ServiceRoutine));
  a.cli();
  if (kernelBuild().checked) {
    a.movzx(ecx, byte(fs, KPCR.Irql));
    a.cmp(cl, byte(Entry, KINTERRUPT_ENTRY.Irql));
    a.jne("changed");
  }
  endOfInterrupt(a);
  leave(a);
  if (kernelBuild().checked) {
    a.label("changed"); // the level now, the one it should be, and which case; then the routine and its entry
    a.shl(ecx, 8);
    a.mov(cl, byte(Entry, KINTERRUPT_ENTRY.Irql));
    a.shl(ecx, 8);
    a.mov(cl, UNEXPECTED_FROM_ISR);
    pushBugCheck(a, IRQL_UNEXPECTED_VALUE, ecx, dword(Entry, KINTERRUPT_ENTRY.ServiceRoutine), Entry, 0);
    a.call(KeBugCheckEx);
  }
});

/**
 * Vector 41h: run this processor's DPCs. The local APIC is told at once, so that a request made meanwhile can wait in it
 * and comes when we lower the level again.
 */
const KiDispatchInterrupt = proc("KiDispatchInterrupt", (a) => {
  enter(a);
  a.mov(ecx, DISPATCH_LEVEL);
  setIrql(a);
  endOfInterrupt(a);
  a.sti();
  a.call(KiRetireDpcList);
  a.cli();
  leave(a);
});

/** Vector 3Dh: asynchronous procedure calls, of which this kernel has none. */
const KiApcInterrupt = proc("KiApcInterrupt", (a) => {
  enter(a);
  a.mov(ecx, APC_LEVEL);
  setIrql(a);
  endOfInterrupt(a);
  leave(a);
});

/** Save the registers; EBX = the level before, and strings go upwards, whatever the interrupted code had. */
function enter(a: Assembler): void {
  a.pushad();
  a.cld();
  a.movzx(ebx, byte(fs, KPCR.Irql));
}

/** The interrupt in service is over. Uses EDX. */
function endOfInterrupt(a: Assembler): void {
  a.mov(edx, APIC_BASE);
  a.mov(dword(edx, APIC_EOI), 0);
}

/** Back to the level in EBX and to the interrupted code. Interrupts are off. */
function leave(a: Assembler): void {
  a.mov(ecx, ebx);
  setIrql(a);
  a.popad();
  a.add(esp, VECTOR_AND_ERROR_CODE);
  a.iretd();
}

/** An exception or a vector that nobody expects, in the frame: a bug check at the place it came from. */
const KiUnexpectedTrap = proc("KiUnexpectedTrap", (a) => {
  a.pushad();
  a.cld();
  a.mov(eax, dword(esp, KTRAP_FRAME.ErrorCode));
  a.mov(ebx, dword(esp, KTRAP_FRAME.Eip));
  a.mov(ecx, dword(esp, KTRAP_FRAME.Vector));
  stopAt(a, UNEXPECTED_KERNEL_MODE_TRAP, ecx, eax, ebx, 0);
});

const PAGE_FAULT_WRITE_SHIFT = 1;
/** In the third parameter: an instruction was to be fetched there. */
const EXECUTED = 8;

/** A page that is not there, at any level: there is nobody who could bring it. */
export const KiPageFault = proc("KiPageFault", (a) => {
  a.pushad();
  a.cld();
  a.mov(edx, dword(esp, KTRAP_FRAME.ErrorCode));
  a.shr(edx, PAGE_FAULT_WRITE_SHIFT);
  a.and(edx, 1);
  a.mov(ebx, dword(esp, KTRAP_FRAME.Eip));
  a.movzx(ecx, byte(fs, KPCR.Irql));
  a.mov(eax, cr2);
  a.cmp(eax, ebx);
  a.jne("data");
  a.or(edx, EXECUTED);
  a.label("data");
  stopAt(a, IRQL_NOT_LESS_OR_EQUAL, eax, ecx, edx, ebx);
});

/** NMI: another processor's bug check, or broken hardware. */
const KiNmi = proc("KiNmi", (a) => {
  a.pushad();
  a.cld();
  a.cmp(dword(KiBugCheckOwner), 0);
  a.jne(KiFreezeProcessor);
  a.mov(ebx, dword(esp, KTRAP_FRAME.Eip));
  stopAt(a, NMI_HARDWARE_FAILURE, 0, 0, 0, 0);
});

/** A breakpoint is for whoever watches from outside. */
const KiBreakpoint = proc("KiBreakpoint", (a) => {
  a.add(esp, VECTOR_AND_ERROR_CODE);
  a.iretd();
});

type Word = typeof eax | typeof ebx | typeof ecx | typeof edx | 0;

/** Bug check at EBX, where the trap came from. ESP = the frame. */
function stopAt(a: Assembler, code: number, ...parameters: [Word, Word, Word, Word]): void {
  a.lea(edi, dword(esp, KTRAP_FRAME.size));
  for (const parameter of parameters.toReversed()) {
    if (parameter === 0) a.push(0);
    else a.push(parameter);
  }
  a.push(code);
  a.mov(esi, esp);
  a.jmp(KiBugCheck);
}

/** A vector's entry: make the frame the same for all of them and go on at `handler`. */
function stub(vector: number, handler: Procedure): Procedure {
  const hex = vector.toString(16).toUpperCase().padStart(2, "0");
  return proc(`${vector < EXCEPTION_VECTORS ? "KiTrap" : "KiVector"}${hex}`, (a) => {
    if (!ERROR_CODE_VECTORS.has(vector)) a.push(0);
    a.push(vector);
    a.jmp(handler);
  });
}

/** A spurious interrupt is none: nothing is in service, no level was raised. */
const KiSpuriousInterrupt = proc("KiSpuriousInterrupt", (a) => {
  a.iretd();
});

function entryOf(vector: number): Procedure {
  if (vector === SPURIOUS_VECTOR || vector === PIC_SPURIOUS_VECTOR) return KiSpuriousInterrupt;
  if (vector === DISPATCH_VECTOR) return stub(vector, KiDispatchInterrupt);
  if (vector === APC_VECTOR) return stub(vector, KiApcInterrupt);
  if (vector === NMI_VECTOR) return stub(vector, KiNmi);
  if (vector === BREAKPOINT_VECTOR) return stub(vector, KiBreakpoint);
  if (vector === PAGE_FAULT_VECTOR) return stub(vector, KiPageFault);
  return stub(vector, servedVectors.has(vector) ? KiInterrupt : KiUnexpectedTrap);
}

/** Where each vector enters. */
const KiVectors = data("KiVectors", dwords(...Array.from({ length: VECTORS }, (_, vector) => entryOf(vector))), {
  section: ".rodata",
});

/** Every processor's interrupt descriptor table. */
export const KiIdt = data("KiIdt", 8 * VECTORS, { align: 16 });

/** A gate's second word: 32-bit interrupt gate, present, for ring 0. */
const INTERRUPT_GATE = 0x8e00;

/** VOID (). Fill the interrupt descriptor table with interrupt gates to the vectors' entries. Uses EAX, ECX and EDX. */
export const KiBuildIdt = proc("KiBuildIdt", (a) => {
  a.xor(ecx, ecx);
  a.label("vector");
  a.mov(eax, dword(ecx.times(4), KiVectors));
  a.mov(edx, eax);
  a.and(edx, 0xffff);
  a.or(edx, KGDT_CODE << 16);
  a.mov(dword(ecx.times(8), KiIdt), edx);
  a.mov(ax, INTERRUPT_GATE); // the offset's high half stays above it
  a.mov(dword(ecx.times(8), KiIdt.plus(4)), eax);
  a.inc(ecx);
  a.cmp(ecx, VECTORS);
  a.jb("vector");
  a.ret();
});
