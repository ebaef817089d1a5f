// Processors and interrupt inputs from the MP configuration table (MultiProcessor Specification 1.4, chapter 4).

import { al, bl, byte, cl, data, dword, eax, ebp, ebx, ecx, edi, edx, esi, proc, word } from "#asm";
import { KSEG0_BASE } from "../inc/memory.ts";
import { HalpFindEbda, HalpSumBytes, scanner } from "./acpi.ts";
import { FIRST_WINDOW, HalpReachPhysical } from "./paging.ts";
import { HalpAddProcessor, HalpIoApicAddress, HalpIsaPins, ISA_IRQS } from "./topology.ts";

/** Where the floating pointer can be, besides the extended BIOS data area's first KiB. */
const BASE_MEMORY_LAST_KIB = KSEG0_BASE + 0x9fc00;
const BIOS_ROM = KSEG0_BASE + 0xf0000;
const BIOS_ROM_END = KSEG0_BASE + 0x100000;
const KIB = 1024;

const MP_SIGNATURE = 0x5f504d5f; // "_MP_"
const PCMP_SIGNATURE = 0x504d4350; // "PCMP"
/** Floating pointer: 16 bytes; at 4 the table's physical address, at 11 the number of a default configuration. */
const POINTER_SIZE = 16;
const POINTER_TABLE = 4;
const POINTER_DEFAULT = 11;
/** Table: at 34 the number of entries, which begin at 44. */
const TABLE_ENTRY_COUNT = 34;
const TABLE_ENTRIES = 44;

/** Types of entries, their lengths and their fields. */
const PROCESSOR = 0;
const PROCESSOR_LENGTH = 20;
const OTHER_LENGTH = 8;
const PROCESSOR_APIC_ID = 1;
const PROCESSOR_FLAGS = 3;
const PROCESSOR_ENABLED = 1;
const BUS = 1;
const BUS_ID = 1;
const BUS_TYPE = 2;
const ISA_WORD = 0x20415349; // "ISA "
const IO_APIC = 2;
const IO_APIC_FLAGS = 3;
const IO_APIC_ENABLED = 1;
const IO_APIC_ADDRESS = 4;
const INTERRUPT = 3;
const INTERRUPT_TYPE = 1;
const INTERRUPT_BUS = 4;
const INTERRUPT_IRQ = 5;
const INTERRUPT_INPUT = 7;

/** The ISA bus's number in the table. */
const HalpIsaBus = data("HalpIsaBus", 1);

/** Whether the structure at ESI is a floating pointer: ZF says so. Uses EAX, ECX and EDX. */
const HalpIsMpPointer = proc("HalpIsMpPointer", (a) => {
  a.cmp(dword(esi), MP_SIGNATURE);
  a.jne("no");
  a.mov(edx, esi);
  a.mov(ecx, POINTER_SIZE);
  a.call(HalpSumBytes);
  a.test(al, al);
  a.label("no");
  a.ret();
});

const HalpScanForMpPointer = scanner("HalpScanForMpPointer", HalpIsMpPointer);

/** BOOLEAN (). Take processors and inputs from the MP table; FALSE and nothing taken where there is none. */
export const HalpReadMpTable = proc("HalpReadMpTable", (a) => {
  for (const register of [ebp, ebx, esi, edi]) a.push(register);
  a.call(HalpFindEbda);
  a.mov(esi, eax);
  a.lea(edi, dword(eax, KIB));
  a.call(HalpScanForMpPointer);
  a.je("pointer");
  a.mov(esi, BASE_MEMORY_LAST_KIB);
  a.lea(edi, dword(esi, KIB));
  a.call(HalpScanForMpPointer);
  a.je("pointer");
  a.mov(esi, BIOS_ROM);
  a.mov(edi, BIOS_ROM_END);
  a.call(HalpScanForMpPointer);
  a.jne("none");

  a.label("pointer");
  a.cmp(byte(esi, POINTER_DEFAULT), 0);
  a.jne("default");
  a.mov(ecx, dword(esi, POINTER_TABLE));
  a.mov(edx, FIRST_WINDOW);
  a.call(HalpReachPhysical);
  a.mov(esi, eax);
  a.cmp(dword(esi), PCMP_SIGNATURE);
  a.jne("none");
  a.movzx(ebp, word(esi, TABLE_ENTRY_COUNT));
  a.add(esi, TABLE_ENTRIES);
  a.jmp("more");

  a.label("entry");
  a.mov(al, byte(esi));
  a.cmp(al, PROCESSOR);
  a.je("processor");
  a.cmp(al, BUS);
  a.je("bus");
  a.cmp(al, IO_APIC);
  a.je("ioApic");
  a.cmp(al, INTERRUPT);
  a.je("interrupt");
  a.label("taken");
  a.add(esi, OTHER_LENGTH);
  a.label("counted");
  a.dec(ebp);
  a.label("more");
  a.test(ebp, ebp);
  a.jnz("entry");
  a.label("complete");
  a.mov(eax, 1);
  a.jmp("done");
  a.label("none");
  a.xor(eax, eax);
  a.label("done");
  for (const register of [edi, esi, ebx, ebp]) a.pop(register);
  a.ret();

  a.label("default"); // chapter 5: two processors, with the IDs 0 and 1
  for (const id of [0, 1]) {
    a.mov(ecx, id);
    a.call(HalpAddProcessor);
  }
  a.jmp("complete");

  a.label("processor");
  a.test(byte(esi, PROCESSOR_FLAGS), PROCESSOR_ENABLED);
  a.jz("absent");
  a.mov(cl, byte(esi, PROCESSOR_APIC_ID));
  a.call(HalpAddProcessor);
  a.label("absent");
  a.add(esi, PROCESSOR_LENGTH);
  a.jmp("counted");

  a.label("bus");
  a.cmp(dword(esi, BUS_TYPE), ISA_WORD);
  a.jne("taken");
  a.mov(al, byte(esi, BUS_ID));
  a.mov(byte(HalpIsaBus), al);
  a.jmp("taken");

  a.label("ioApic");
  a.test(byte(esi, IO_APIC_FLAGS), IO_APIC_ENABLED);
  a.jz("taken");
  a.mov(eax, dword(esi, IO_APIC_ADDRESS));
  a.mov(dword(HalpIoApicAddress), eax);
  a.jmp("taken");

  a.label("interrupt"); // of the bus we know, and an ordinary one
  a.mov(bl, byte(HalpIsaBus));
  a.cmp(bl, byte(esi, INTERRUPT_BUS));
  a.jne("taken");
  a.cmp(byte(esi, INTERRUPT_TYPE), 0);
  a.jne("taken");
  a.movzx(eax, byte(esi, INTERRUPT_IRQ));
  a.cmp(eax, ISA_IRQS);
  a.jae("taken");
  a.mov(cl, byte(esi, INTERRUPT_INPUT));
  a.mov(byte(eax, HalpIsaPins), cl);
  a.jmp("taken");
});
