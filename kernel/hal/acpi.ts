// Processors and interrupt inputs from ACPI's multiple APIC description table (ACPI 1.0b, 5.2.4 to 5.2.8).

import { al, byte, cl, dword, eax, ebp, ebx, ecx, edi, edx, esi, type Procedure, proc, word } from "#asm";
import { KSEG0_BASE } from "../inc/memory.ts";
import { FIRST_WINDOW, HalpReachPhysical, SECOND_WINDOW } from "./paging.ts";
import { HalpAddProcessor, HalpIoApicAddress, HalpIsaPins, ISA_IRQS } from "./topology.ts";

/** Four or eight characters as the little-endian words that memory shows. */
function signature(text: string): number {
  return [...text].reduce((word, character, i) => word | (character.charCodeAt(0) << (8 * i)), 0);
}

/** The BIOS data area's word with the real-mode segment of the extended one, and where firmware keeps its tables else. */
const EBDA_SEGMENT = KSEG0_BASE + 0x40e;
const EBDA_SEARCHED = 1024;
const BIOS_AREA = KSEG0_BASE + 0xe0000;
const BIOS_AREA_END = KSEG0_BASE + 0x100000;
const PARAGRAPH = 16;

/** RSDP: signature, checksum over the first 20 bytes, at 16 the RSDT's physical address. */
const RSDP_SIZE = 20;
const RSDP_RSDT = 16;
/** A table's header: its length at 4; an RSDT's pointers and a MADT's body follow. */
const TABLE_LENGTH = 4;
const TABLE_HEADER = 36;
/** MADT: at 36 the local APICs' address, at 40 flags, then entries, each with its type and its length first. */
const MADT_ENTRIES = 44;
const ENTRY_LENGTH = 1;

/** Types of entries, and their fields. */
const PROCESSOR_LOCAL_APIC = 0;
const PROCESSOR_APIC_ID = 3;
const PROCESSOR_FLAGS = 4;
const PROCESSOR_ENABLED = 1;
const IO_APIC = 1;
const IO_APIC_ADDRESS = 4;
const IO_APIC_FIRST_INPUT = 8;
const INTERRUPT_SOURCE_OVERRIDE = 2;
const OVERRIDE_IRQ = 3;
const OVERRIDE_INPUT = 4;

/** EAX = the sum of the ECX bytes at EDX, in its low byte. Uses ECX and EDX. */
export const HalpSumBytes = proc("HalpSumBytes", (a) => {
  a.xor(eax, eax);
  a.label("next");
  a.add(al, byte(edx));
  a.inc(edx);
  a.loop("next");
  a.ret();
});

/** Whether the structure at ESI is what is looked for: ZF says so. Uses EAX, ECX and EDX. */
const HalpIsRsdp = proc("HalpIsRsdp", (a) => {
  a.cmp(dword(esi), signature("RSD "));
  a.jne("no");
  a.cmp(dword(esi, 4), signature("PTR "));
  a.jne("no");
  a.mov(edx, esi);
  a.mov(ecx, RSDP_SIZE);
  a.call(HalpSumBytes);
  a.test(al, al);
  a.label("no");
  a.ret();
});

/**
 * A routine that looks on every paragraph boundary from ESI to EDI for what `matches` knows: ESI is where it is, ZF clear if
 * it is nowhere. Uses EAX, ECX and EDX.
 */
export function scanner(name: string, matches: Procedure): Procedure {
  return proc(name, (a) => {
    a.label("next");
    a.cmp(esi, edi);
    a.jae("nowhere");
    a.call(matches);
    a.je("found");
    a.add(esi, PARAGRAPH);
    a.jmp("next");
    a.label("nowhere");
    a.test(esi, esi); // no address is zero
    a.label("found");
    a.ret();
  });
}

const HalpScanForRsdp = scanner("HalpScanForRsdp", HalpIsRsdp);

/** EAX = the extended BIOS data area's linear address. */
export const HalpFindEbda = proc("HalpFindEbda", (a) => {
  a.movzx(eax, word(EBDA_SEGMENT));
  a.shl(eax, 4);
  a.add(eax, KSEG0_BASE);
  a.ret();
});

/** BOOLEAN (). Take processors and inputs from the MADT; FALSE and nothing taken where there is none. */
export const HalpReadMadt = proc("HalpReadMadt", (a) => {
  for (const register of [ebp, ebx, esi, edi]) a.push(register);
  a.call(HalpFindEbda);
  a.mov(esi, eax);
  a.lea(edi, dword(eax, EBDA_SEARCHED));
  a.call(HalpScanForRsdp);
  a.je("rsdp");
  a.mov(esi, BIOS_AREA);
  a.mov(edi, BIOS_AREA_END);
  a.call(HalpScanForRsdp);
  a.jne("none");

  a.label("rsdp");
  a.mov(ecx, dword(esi, RSDP_RSDT));
  a.mov(edx, FIRST_WINDOW);
  a.call(HalpReachPhysical);
  a.mov(esi, eax);
  a.mov(ebp, dword(esi, TABLE_LENGTH));
  a.add(ebp, esi);
  a.add(esi, TABLE_HEADER);
  a.label("table");
  a.cmp(esi, ebp);
  a.jae("none");
  a.mov(ecx, dword(esi));
  a.add(esi, 4);
  a.mov(edx, SECOND_WINDOW);
  a.call(HalpReachPhysical);
  a.mov(ebx, eax);
  a.cmp(dword(ebx), signature("APIC"));
  a.jne("table");

  a.mov(ebp, dword(ebx, TABLE_LENGTH));
  a.add(ebp, ebx);
  a.add(ebx, MADT_ENTRIES);
  a.jmp("more");
  a.label("entry");
  a.movzx(eax, byte(ebx));
  a.cmp(al, PROCESSOR_LOCAL_APIC);
  a.je("processor");
  a.cmp(al, IO_APIC);
  a.je("ioApic");
  a.cmp(al, INTERRUPT_SOURCE_OVERRIDE);
  a.je("override");
  a.label("taken");
  a.movzx(eax, byte(ebx, ENTRY_LENGTH));
  a.test(eax, eax);
  a.jz("complete"); // a broken table is no reason to stay here
  a.add(ebx, eax);
  a.label("more");
  a.cmp(ebx, ebp);
  a.jb("entry");
  a.label("complete");
  a.mov(eax, 1);
  a.jmp("done");
  a.label("none");
  a.xor(eax, eax);
  a.label("done");
  for (const register of [edi, esi, ebx, ebp]) a.pop(register);
  a.ret();

  a.label("processor");
  a.test(dword(ebx, PROCESSOR_FLAGS), PROCESSOR_ENABLED);
  a.jz("taken");
  a.mov(cl, byte(ebx, PROCESSOR_APIC_ID));
  a.call(HalpAddProcessor);
  a.jmp("taken");

  a.label("ioApic");
  a.cmp(dword(ebx, IO_APIC_FIRST_INPUT), 0); // the ISA interrupts are on the first
  a.jne("taken");
  a.mov(eax, dword(ebx, IO_APIC_ADDRESS));
  a.mov(dword(HalpIoApicAddress), eax);
  a.jmp("taken");

  a.label("override");
  a.movzx(eax, byte(ebx, OVERRIDE_IRQ));
  a.cmp(eax, ISA_IRQS);
  a.jae("taken");
  a.mov(cl, byte(ebx, OVERRIDE_INPUT));
  a.mov(byte(eax, HalpIsaPins), cl);
  a.jmp("taken");
});
