// The start stub: from a boot loader's entry to `main` on one or on all processors (MP specification 1.4, appendix B.4).

import type { Assembler } from "./assembler.ts";
import { MULTIBOOT_BOOTLOADER_MAGIC } from "./multiboot.ts";
import { al, ax, cr0, cs, ds, dword, eax, ebx, ecx, edi, es, esi, esp, far, fs, gs, memory, ss } from "./operands.ts";
import { type Data, data, dwords, type Procedure, proc, words } from "./symbols.ts";

/** What the start stub leaves for the program, beside the registers that it hands to `main`. */
export const startup: {
  /** A dword: how many processors have entered `main` so far. Others may still be on their way. */
  readonly processors: Data;
  /** A dword: the physical address of the boot loader's information (Multiboot 1, 3.3); 0 if no such loader was there. */
  readonly multiboot: Data;
  /** How many processors the stub has stacks for; one with a higher APIC ID halts. */
  readonly maximumProcessors: 32;
} = {
  processors: data("start.processors", 4),
  multiboot: data("start.multiboot", 4),
  maximumProcessors: 32,
};

const CODE = 0x08;
const DATA = 0x10;

/** Flat 4 GiB segments. Their accessed bits are set already, so that the processor has nothing to write here. */
const gdt = data("start.gdt", dwords(0, 0, 0x0000ffff, 0x00cf9b00, 0x0000ffff, 0x00cf9300), {
  align: 8,
  section: ".rodata",
});
const GDT_LIMIT = gdt.size - 1;
const gdtr = data("start.gdtr", [words(GDT_LIMIT), dwords(gdt)], { align: 4, section: ".rodata" });

/** SDM vol. 3, 8.4.1 and table 8-1: offsets of local APIC registers, always used as [register + displacement]. */
const APIC_ID = 0x20;
const APIC_SVR = 0xf0;
const APIC_ICR = 0x300;
const APIC_ENABLED_SPURIOUS_FF = 0x1ff;
const IA32_APIC_BASE = 0x1b;
/** To all but the sender; assert. */
const ICR_INIT = 0x000c4500;
const ICR_STARTUP = 0x000c4600;

/** Page of the first megabyte from which the others start: a SIPI names a page, and they start in real mode. */
const TRAMPOLINE = 0x8000;

const CR0_PE = 1;
const CR0_CD_NW = 0x60000000;

/** A write to port 0x80 takes about a microsecond on a real board; the stub waits as the MP specification asks. */
const DIAGNOSTIC_PORT = 0x80;

/**
 * The routine that becomes the image's entry. `main` is called with EAX = the processor's index (its APIC ID; the boot
 * processor has 0), EBX = the address of the boot loader's information or 0, ESP = the top of a stack of its own, flat
 * segments, interrupts off and its local APIC enabled. A processor that returns from `main` halts for good.
 */
export function startStub(main: Procedure, which: "all" | "boot", stackSize: number): Procedure {
  const stacks = data("start.stacks", stackSize * (which === "all" ? startup.maximumProcessors : 1), { align: 16 });

  /** Every processor comes through here, in flat protected mode but with old data segments and no stack. */
  const enter = proc("start.enter", (a) => {
    a.mov(ax, DATA);
    for (const segment of [ds, es, fs, gs, ss]) a.mov(segment, ax);
    findApic(a);
    a.mov(dword(esi, APIC_SVR), APIC_ENABLED_SPURIOUS_FF);
    a.mov(eax, dword(esi, APIC_ID));
    a.shr(eax, 24);
    a.cmp(eax, which === "all" ? startup.maximumProcessors : 1);
    a.jae("park");
    a.imul(ecx, eax, stackSize);
    a.lea(esp, dword(ecx, stacks.plus(stackSize)));
    a.mov(ebx, dword(startup.multiboot));
    a.lock.inc(dword(startup.processors));
    a.call(main);
    a.label("park");
    a.cli();
    a.hlt();
    a.jmp("park");
  });

  /** Real mode at TRAMPOLINE, a copy of this; addresses in it are counted from its start, where CS and DS begin. */
  const trampoline = proc("start.trampoline", (a) => {
    a.bits(16);
    a.cli();
    a.cld();
    a.mov(ax, cs);
    a.mov(ds, ax);
    a.o32.lgdt(memory(a.addressOf("gdtr").minus(trampoline)));
    a.mov(eax, cr0);
    a.and(eax, ~CR0_CD_NW);
    a.or(al, CR0_PE);
    a.mov(cr0, eax);
    a.jmp(far(CODE, enter, 32));
    a.align(4);
    a.label("gdtr");
    a.dw(GDT_LIMIT);
    a.dd(gdt);
    a.label("end");
  });

  return proc("start", (a) => {
    a.cli();
    a.cld();
    a.cmp(eax, MULTIBOOT_BOOTLOADER_MAGIC);
    a.je("loaded");
    a.xor(ebx, ebx);
    a.label("loaded");
    a.mov(dword(startup.multiboot), ebx);
    a.lgdt(memory(gdtr));
    if (which === "all") wakeOthers(a, trampoline);
    a.jmp(far(CODE, enter));
  });
}

/** INIT, 10 ms, SIPI, 200 microseconds, SIPI: to all others at once. The second SIPI finds them started already. */
function wakeOthers(a: Assembler, trampoline: Procedure): void {
  a.mov(esi, trampoline);
  a.mov(edi, TRAMPOLINE);
  a.mov(ecx, trampoline.label("end").minus(trampoline));
  a.rep.movsb();
  findApic(a);
  a.mov(dword(esi, APIC_SVR), APIC_ENABLED_SPURIOUS_FF);
  a.mov(dword(esi, APIC_ICR), ICR_INIT);
  wait(a, "initialised", 10_000);
  a.mov(dword(esi, APIC_ICR), ICR_STARTUP | (TRAMPOLINE >> 12));
  wait(a, "started", 200);
  a.mov(dword(esi, APIC_ICR), ICR_STARTUP | (TRAMPOLINE >> 12));
}

/** ESI = the local APIC's address. Uses EAX, ECX and EDX. */
function findApic(a: Assembler): void {
  a.mov(ecx, IA32_APIC_BASE);
  a.rdmsr();
  a.and(eax, ~0xfff);
  a.mov(esi, eax);
}

function wait(a: Assembler, label: string, microseconds: number): void {
  a.mov(ecx, microseconds);
  a.label(label);
  a.out(DIAGNOSTIC_PORT, al);
  a.loop(label);
}
