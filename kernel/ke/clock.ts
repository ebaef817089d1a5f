// The clock interrupt: processor 0 counts time, and every processor does its accounts.

import { al, byte, data, dword, eax, ecx, fs, proc } from "#asm";
import { HalpSendShorthand } from "../hal/apic.ts";
import { TIME_INCREMENT } from "../hal/time.ts";
import { ICR_ALL_BUT_SELF, ICR_FIXED } from "../inc/apic.ts";
import { DPC_NORMAL } from "../inc/dpc.ts";
import { CLOCK_VECTOR } from "../inc/irql.ts";
import { KPCR, Prcb } from "../inc/pcr.ts";
import { KiRequestDpcInterrupt } from "./dpc.ts";
import { KeActiveProcessors } from "./processor.ts";

/** Clock interrupts so far, 64 bits. */
export const KeTickCount = data("KeTickCount", 8, { align: 8 });
/** Time since the start in units of 100 ns, 64 bits. */
export const KeInterruptTime = data("KeInterruptTime", 8, { align: 8 });

const Queue = Prcb.DpcData.element(DPC_NORMAL);

/** BOOLEAN stdcall (Vector, TrapFrame). The clock's service routine, on every processor, at CLOCK2_LEVEL. Takes no lock. */
export const KiClockInterrupt = proc("KiClockInterrupt", (a) => {
  a.cmp(byte(fs, KPCR.Number), 0);
  a.jne("accounts");
  a.add(dword(KeInterruptTime), TIME_INCREMENT);
  a.adc(dword(KeInterruptTime, 4), 0);
  a.add(dword(KeTickCount), 1);
  a.adc(dword(KeTickCount, 4), 0);

  a.label("accounts");
  a.inc(dword(fs, Prcb.ClockKeepAlive));
  a.mov(ecx, dword(fs, Queue.DpcCount));
  a.mov(eax, ecx);
  a.sub(eax, dword(fs, Prcb.DpcLastCount));
  a.mov(dword(fs, Prcb.DpcLastCount), ecx);
  a.add(eax, dword(fs, Prcb.DpcRequestRate));
  a.shr(eax, 1);
  a.mov(dword(fs, Prcb.DpcRequestRate), eax);

  a.cli(); // as everybody who sends: no handler's command comes between the look at the command register and ours
  a.cmp(dword(fs, Queue.DpcQueueDepth), 0); // one that was queued without a request has waited long enough
  a.je("others");
  a.mov(ecx, dword(fs, KPCR.Prcb));
  a.call(KiRequestDpcInterrupt);

  a.label("others");
  a.cmp(byte(fs, KPCR.Number), 0);
  a.jne("done");
  a.mov(eax, dword(KeActiveProcessors));
  a.cmp(eax, dword(fs, KPCR.SetMember));
  a.je("done"); // alone
  a.mov(ecx, ICR_ALL_BUT_SELF | ICR_FIXED | CLOCK_VECTOR);
  a.call(HalpSendShorthand);
  a.label("done");
  a.sti();
  a.mov(al, 1);
  a.ret(8);
});
