// Where a started processor begins: real mode in a page of the first megabyte, from there to flat segments (SDM vol. 3A, 9.9).

import {
  type Assembler,
  al,
  ax,
  byte,
  cr0,
  cs,
  data,
  ds,
  dword,
  dwords,
  eax,
  ecx,
  edi,
  edx,
  es,
  esi,
  far,
  memory,
  type Procedure,
  proc,
  ss,
} from "#asm";
import { APIC_BASE, APIC_ID, APIC_ID_SHIFT, ICR_STARTUP } from "../inc/apic.ts";
import { KSEG0_BASE, physical } from "../inc/memory.ts";
import { KGDT_CODE, KGDT_DATA } from "../inc/pcr.ts";

/** Physical address of the page; a STARTUP names it by its number. */
const TRAMPOLINE = 0x8000;
export const STARTUP_COMMAND = ICR_STARTUP | (TRAMPOLINE >> 12);

const CR0_PE = 1;
const CR0_CD_NW = 0x60000000;

/** Flat 4 GiB segments, accessed already, with the kernel's selectors: until a processor has a table of its own. */
const HalpStartGdt = data("HalpStartGdt", dwords(0, 0, 0x0000ffff, 0x00cf9b00, 0x0000ffff, 0x00cf9300), {
  align: 8,
  section: ".rodata",
});
const GDT_LIMIT = HalpStartGdt.size - 1;

/** A processor of 32-bit flat segments goes on here: load the data segments that go with it. Uses EAX. */
export function loadFlatSegments(a: Assembler): void {
  a.mov(ax, KGDT_DATA);
  for (const segment of [ds, es, ss]) a.mov(segment, ax);
}

/** Copy to the page what brings a started processor to `next`, at its physical address and with flat segments. */
export function trampolineTo(name: string, next: Procedure): Procedure {
  /** Addresses are counted from its start, where CS and DS begin. */
  const code: Procedure = proc(`${name}.code`, (a) => {
    a.bits(16);
    a.cli();
    a.cld();
    a.mov(ax, cs);
    a.mov(ds, ax);
    a.o32.lgdt(memory(a.addressOf("gdtr").minus(code)));
    a.mov(eax, cr0);
    a.and(eax, ~CR0_CD_NW);
    a.or(al, CR0_PE);
    a.mov(cr0, eax);
    a.jmp(far(KGDT_CODE, physical(next), 32));
    a.align(4);
    a.label("gdtr");
    a.dw(GDT_LIMIT);
    a.dd(physical(HalpStartGdt));
    a.label("end");
  });
  return proc(name, (a) => {
    a.push(esi);
    a.push(edi);
    a.mov(esi, code);
    a.mov(edi, KSEG0_BASE + TRAMPOLINE);
    a.mov(ecx, code.label("end").minus(code));
    a.rep.movsb();
    a.pop(edi);
    a.pop(esi);
    a.ret();
  });
}

/** Who answers, by APIC ID: bytes that are written without paging. */
export const HalpAnswers = data("HalpAnswers", 256);

/** A started processor that only says that it is there. It waits for another INIT. */
const HalpAnswer = proc("HalpAnswer", (a) => {
  loadFlatSegments(a);
  a.mov(edx, APIC_BASE);
  a.mov(eax, dword(edx, APIC_ID));
  a.shr(eax, APIC_ID_SHIFT);
  a.mov(byte(eax, physical(HalpAnswers)), 1);
  a.label("wait");
  a.hlt();
  a.jmp("wait");
});

/** VOID (). Make a STARTUP bring processors to HalpAnswer. */
export const HalpPrepareAnswers = trampolineTo("HalpPrepareAnswers", HalpAnswer);
