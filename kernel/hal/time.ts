// The clock: the 8254 through the I/O APIC, and waits measured by the time-stamp counter (8254 and 82093AA data sheets).

import { al, byte, data, dword, eax, ebx, ecx, edi, edx, esi, esp, fs, proc } from "#asm";
import { APIC_ID_SHIFT, IOAPIC_REDIRECTION, IOAPIC_SELECT, IOAPIC_WINDOW } from "../inc/apic.ts";
import { CLOCK_VECTOR } from "../inc/irql.ts";
import { KPCR } from "../inc/pcr.ts";
import { HalpIoApicAddress, HalpIsaPins } from "./topology.ts";

const CHANNEL_0 = 0x40;
const CHANNEL_2 = 0x42;
const CONTROL = 0x43;
/** Bit 0 gates channel 2, bit 1 the speaker; bit 5 reads channel 2's output. */
const SYSTEM_CONTROL = 0x61;
const GATE_2 = 0x01;
const SPEAKER = 0x02;
const OUTPUT_2 = 0x20;

/** Channel 0, low byte then high byte, mode 2: an edge a period. */
const RATE_GENERATOR_0 = 0x34;
/** Channel 2, low byte then high byte, mode 0: the output rises at the end of the count. */
const ONE_SHOT_2 = 0xb0;

/** 8254 input clocks (1,193,182 Hz) of a clock period: 99.998 Hz. */
export const CLOCK_DIVISOR = 11932;
/** What a period counts for, in units of 100 ns. */
export const TIME_INCREMENT = 100_000;

/** What the calibration measures: 8254 input clocks, and the microseconds that so many last, or 38 ns more. */
const MEASURED_CLOCKS = 358;
const MEASURED_MICROSECONDS = 300;
/** Loops between two looks at the count: half a microsecond to two. Reading a port is slow, the more so where it is emulated. */
const LOOPS_A_LOOK = 500;

/** Counts of the time-stamp counter in a microsecond, rounded up; every processor's StallScaleFactor. */
export const HalpStallScaleFactor = data("HalpStallScaleFactor", 4);

/** VOID (). Measure the time-stamp counter by the 8254. Interrupts are off. */
export const HalpCalibrateStall = proc("HalpCalibrateStall", (a) => {
  a.push(ebx);
  a.in(al, SYSTEM_CONTROL);
  a.and(al, ~SPEAKER & 0xff);
  a.or(al, GATE_2);
  a.out(SYSTEM_CONTROL, al);
  a.mov(al, ONE_SHOT_2);
  a.out(CONTROL, al);
  a.mov(al, MEASURED_CLOCKS & 0xff);
  a.out(CHANNEL_2, al);
  a.rdtsc(); // before the count begins: whatever comes between makes stalls longer, not too short
  a.mov(ebx, eax);
  a.mov(al, MEASURED_CLOCKS >> 8);
  a.out(CHANNEL_2, al);
  a.label("counting");
  a.mov(ecx, LOOPS_A_LOOK);
  a.label("waiting");
  a.loop("waiting");
  a.in(al, SYSTEM_CONTROL);
  a.test(al, OUTPUT_2);
  a.jz("counting");
  a.rdtsc();
  a.sub(eax, ebx);
  a.xor(edx, edx);
  a.mov(ecx, MEASURED_MICROSECONDS);
  a.div(ecx);
  a.inc(eax);
  a.mov(dword(HalpStallScaleFactor), eax);
  a.mov(dword(fs, KPCR.StallScaleFactor), eax);
  a.pop(ebx);
  a.ret();
});

/** VOID stdcall (Microseconds). Wait at least so long, up to a second. Interrupts stay as they are. */
export const KeStallExecutionProcessor = proc("KeStallExecutionProcessor", (a) => {
  a.push(ebx);
  a.push(esi);
  a.rdtsc();
  a.mov(ebx, eax);
  a.mov(esi, dword(esp, 12));
  a.imul(esi, dword(fs, KPCR.StallScaleFactor));
  a.label("wait"); // without PAUSE: nobody else is waited for
  a.rdtsc();
  a.sub(eax, ebx);
  a.cmp(eax, esi);
  a.jb("wait");
  a.pop(esi);
  a.pop(ebx);
  a.ret(4);
});

/** VOID (). Let the 8254 interrupt this processor at the clock's vector, from its next period on. */
export const HalpStartClock = proc("HalpStartClock", (a) => {
  a.push(edi);
  a.mov(edi, dword(HalpIoApicAddress));
  a.movzx(ecx, byte(HalpIsaPins)); // ISA IRQ 0
  a.lea(ecx, dword(ecx, ecx, IOAPIC_REDIRECTION));
  a.inc(ecx); // the target first: the low half holds the mask
  a.mov(dword(edi, IOAPIC_SELECT), ecx);
  a.mov(eax, dword(fs, KPCR.HalReserved.element(0)));
  a.shl(eax, APIC_ID_SHIFT);
  a.mov(dword(edi, IOAPIC_WINDOW), eax);
  a.dec(ecx);
  a.mov(dword(edi, IOAPIC_SELECT), ecx);
  a.mov(dword(edi, IOAPIC_WINDOW), CLOCK_VECTOR);

  a.mov(al, RATE_GENERATOR_0);
  a.out(CONTROL, al);
  a.mov(al, CLOCK_DIVISOR & 0xff);
  a.out(CHANNEL_0, al);
  a.mov(al, CLOCK_DIVISOR >> 8);
  a.out(CHANNEL_0, al);
  a.pop(edi);
  a.ret();
});
