// Which processors there are: ACPI's table, else the MP table, else whoever answers a STARTUP (MP specification 1.4, appendix B.4).

import { byte, dword, eax, ebx, ecx, proc } from "#asm";
import { APIC_BASE, APIC_ID, APIC_ID_SHIFT, ICR_ALL_BUT_SELF, ICR_INIT } from "../inc/apic.ts";
import { HalpReadMadt } from "./acpi.ts";
import { HalpSendShorthand } from "./apic.ts";
import { HalpReadMpTable } from "./mptable.ts";
import { KeStallExecutionProcessor } from "./time.ts";
import { HalpAddProcessor } from "./topology.ts";
import { HalpAnswers, HalpPrepareAnswers, STARTUP_COMMAND } from "./trampoline.ts";

/** Waits in microseconds: for an INIT, for a STARTUP, and for the answers to it. */
export const INIT_WAIT = 10_000;
export const STARTUP_WAIT = 200;
const ANSWER_WAIT = 1000;
const APIC_IDS = 256;

/** VOID (). Fill HalpApicIds and what goes with it; this processor is number 0. Interrupts are off. */
export const HalpFindProcessors = proc("HalpFindProcessors", (a) => {
  a.mov(ecx, APIC_BASE);
  a.mov(ecx, dword(ecx, APIC_ID));
  a.shr(ecx, APIC_ID_SHIFT);
  a.call(HalpAddProcessor);
  a.call(HalpReadMadt);
  a.test(eax, eax);
  a.jnz("found");
  a.call(HalpReadMpTable);
  a.test(eax, eax);
  a.jnz("found");
  a.call(HalpAskProcessors);
  a.label("found");
  a.ret();
});

/** VOID (). A machine without tables, as a boot loader without firmware leaves it: start all others, and see who answers. */
const HalpAskProcessors = proc("HalpAskProcessors", (a) => {
  a.push(ebx);
  a.call(HalpPrepareAnswers);
  a.mov(ecx, ICR_ALL_BUT_SELF | ICR_INIT);
  a.call(HalpSendShorthand);
  a.push(INIT_WAIT);
  a.call(KeStallExecutionProcessor);
  for (const wait of [STARTUP_WAIT, ANSWER_WAIT]) {
    a.mov(ecx, ICR_ALL_BUT_SELF | STARTUP_COMMAND);
    a.call(HalpSendShorthand);
    a.push(wait);
    a.call(KeStallExecutionProcessor);
  }
  a.xor(ebx, ebx);
  a.label("id");
  a.cmp(byte(ebx, HalpAnswers), 0);
  a.je("silent");
  a.mov(ecx, ebx);
  a.call(HalpAddProcessor);
  a.label("silent");
  a.inc(ebx);
  a.cmp(ebx, APIC_IDS);
  a.jb("id");
  a.pop(ebx);
  a.ret();
});
