// What the machine has: its processors by APIC ID, and the I/O APIC's input of each ISA interrupt.

import { byte, bytes, cl, data, dword, dwords, eax, proc } from "#asm";
import { IOAPIC_BASE } from "../inc/apic.ts";
import { MAXIMUM_PROCESSORS } from "../inc/pcr.ts";

/** APIC IDs by processor number; the boot processor is number 0. */
export const HalpApicIds = data("HalpApicIds", MAXIMUM_PROCESSORS);
/** How many of them there are. */
export const HalpProcessors = data("HalpProcessors", 4);
export const HalpIoApicAddress = data("HalpIoApicAddress", dwords(IOAPIC_BASE));

/** Input of each ISA interrupt, as long as no table says otherwise: IRQ 0 is at input 2 (MP specification, table 5-2). */
export const HalpIsaPins = data("HalpIsaPins", bytes(2, ...Array.from({ length: 15 }, (_, i) => i + 1)));
export const ISA_IRQS = 16;

/** VOID FASTCALL (ApicId: cl). One more processor, unless it is known or there is no room. Uses EAX and ECX. */
export const HalpAddProcessor = proc("HalpAddProcessor", (a) => {
  a.xor(eax, eax);
  a.label("known");
  a.cmp(eax, dword(HalpProcessors));
  a.jae("new");
  a.cmp(byte(eax, HalpApicIds), cl);
  a.je("done");
  a.inc(eax);
  a.jmp("known");
  a.label("new");
  a.cmp(eax, MAXIMUM_PROCESSORS);
  a.jae("done");
  a.mov(byte(eax, HalpApicIds), cl);
  a.inc(dword(HalpProcessors));
  a.label("done");
  a.ret();
});
