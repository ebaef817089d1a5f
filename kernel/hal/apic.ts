// The local APIC: enabling it, and interrupts from processor to processor (SDM vol. 3A, 10.4 and 10.6).

import { type Assembler, dword, ecx, edx, esi, fs, proc } from "#asm";
import {
  APIC_BASE,
  APIC_ESR,
  APIC_ICR_HIGH,
  APIC_ICR_LOW,
  APIC_ID_SHIFT,
  APIC_LVT_ERROR,
  APIC_LVT_LINT0,
  APIC_LVT_TIMER,
  APIC_SVR,
  APIC_TPR,
  ICR_PENDING,
  LVT_MASKED,
  SVR_ENABLE,
} from "../inc/apic.ts";
import { APIC_ERROR_VECTOR, HIGH_LEVEL, SPURIOUS_VECTOR, taskPriority } from "../inc/irql.ts";
import { KPCR } from "../inc/pcr.ts";

/** VOID (). Enable this processor's local APIC, with every vector masked by its task priority. */
export const HalpInitializeLocalApic = proc("HalpInitializeLocalApic", (a) => {
  a.mov(edx, APIC_BASE);
  a.mov(dword(fs, KPCR.HalReserved.element(1)), edx);
  a.mov(dword(edx, APIC_TPR), taskPriority(HIGH_LEVEL));
  a.mov(dword(edx, APIC_SVR), SVR_ENABLE | SPURIOUS_VECTOR); // first: until then the masks below cannot be changed
  a.mov(dword(edx, APIC_LVT_TIMER), LVT_MASKED);
  a.mov(dword(edx, APIC_LVT_LINT0), LVT_MASKED); // the 8259s are silent from now on
  a.mov(dword(edx, APIC_LVT_ERROR), APIC_ERROR_VECTOR);
  a.mov(dword(edx, APIC_ESR), 0);
  a.ret();
});

/**
 * VOID FASTCALL (ApicId: ecx, Command: edx). Send an interrupt command to one processor. The caller has interrupts off: a
 * handler that sends between our two stores would change where ours goes.
 */
export const HalpSendIpi = proc("HalpSendIpi", (a) => {
  a.push(esi);
  a.mov(esi, APIC_BASE);
  a.shl(ecx, APIC_ID_SHIFT);
  waitUntilSent(a, "before");
  a.mov(dword(esi, APIC_ICR_HIGH), ecx);
  a.mov(dword(esi, APIC_ICR_LOW), edx);
  waitUntilSent(a, "after");
  a.pop(esi);
  a.ret();
});

/** VOID FASTCALL (Command: ecx). Send an interrupt command that has a shorthand for its targets. Interrupts are off. */
export const HalpSendShorthand = proc("HalpSendShorthand", (a) => {
  a.push(esi);
  a.mov(esi, APIC_BASE);
  waitUntilSent(a, "before");
  a.mov(dword(esi, APIC_ICR_LOW), ecx);
  waitUntilSent(a, "after");
  a.pop(esi);
  a.ret();
});

/** Wait until the command register is free. ESI = the APIC. */
function waitUntilSent(a: Assembler, name: string): void {
  a.jmp(`${name}.look`);
  a.label(`${name}.pending`);
  a.pause();
  a.label(`${name}.look`);
  a.test(dword(esi, APIC_ICR_LOW), ICR_PENDING);
  a.jnz(`${name}.pending`);
}
