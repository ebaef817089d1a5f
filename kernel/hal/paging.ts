// The page directories, all of 4 MiB pages: memory from 80000000h on, and the APICs where they are (SDM vol. 3A, 4.3).

import {
  type Assembler,
  cr0,
  cr3,
  cr4,
  data,
  dword,
  dwords,
  eax,
  ecx,
  edx,
  type Label,
  type Procedure,
  proc,
} from "#asm";
import { IOAPIC_BASE } from "../inc/apic.ts";
import { KSEG0_BASE, KSEG0_SIZE, physical } from "../inc/memory.ts";

const LARGE_PAGE_SHIFT = 22;
const ENTRIES = 1024;

/** Present, writable, 4 MiB; accessed and dirty already, so that the processor has nothing to write here. */
const LARGE_PAGE = 0x0e3;
const UNCACHED = 0x018;

const CR0_PG_WP = 0x80010000;
const CR4_PSE = 0x10;

/** The entry for a linear address of the running kernel; 0 where there is nothing, page 0 above all. */
function kernelEntry(index: number): number {
  const linear = index * 2 ** LARGE_PAGE_SHIFT;
  if (linear === IOAPIC_BASE) return linear | LARGE_PAGE | UNCACHED; // the local APICs are in the same 4 MiB
  if (linear < KSEG0_BASE || linear >= KSEG0_BASE + KSEG0_SIZE) return 0;
  return (linear - KSEG0_BASE) | LARGE_PAGE;
}

const entries = Array.from({ length: ENTRIES }, (_, index) => kernelEntry(index) | 0);

/** What every processor runs with. */
export const HalpPageDirectory = data("HalpPageDirectory", dwords(...entries), { align: 4096 });

/** The same, and the first 4 MiB where they really are: for the instructions around the change of CR0. */
export const HalpStartPageDirectory = data(
  "HalpStartPageDirectory",
  dwords(...entries.map((entry, index) => (index === 0 ? LARGE_PAGE : entry))),
  { align: 4096 },
);

/** Turn paging on and go on at `next` among the high addresses. The processor runs at physical addresses. Uses EAX. */
export function enterHighMemory(a: Assembler, next: Procedure | Label): void {
  a.mov(eax, physical(HalpStartPageDirectory));
  a.mov(cr3, eax);
  a.mov(eax, cr4);
  a.or(eax, CR4_PSE);
  a.mov(cr4, eax);
  a.mov(eax, cr0);
  a.or(eax, CR0_PG_WP);
  a.mov(cr0, eax);
  a.mov(eax, next);
  a.jmp(eax);
}

/** Leave the low addresses: from here on page 0 is unmapped. Uses EAX. */
export function leaveLowMemory(a: Assembler): void {
  a.mov(eax, physical(HalpPageDirectory));
  a.mov(cr3, eax);
}

/** Linear addresses at which tables beyond the first 2028 MiB can be seen, 8 MiB each. */
export const FIRST_WINDOW = 0xff000000;
export const SECOND_WINDOW = 0xff800000;
const LARGE_PAGE_SIZE = 2 ** LARGE_PAGE_SHIFT;

/**
 * Address FASTCALL (Physical: ecx, Window: edx). Where the 4 MiB from a physical address on can be seen: among all memory, or
 * else in a window, until that shows something else. While there is one processor.
 */
export const HalpReachPhysical = proc("HalpReachPhysical", (a) => {
  a.cmp(ecx, KSEG0_SIZE - LARGE_PAGE_SIZE);
  a.jae("beyond");
  a.lea(eax, dword(ecx, KSEG0_BASE));
  a.ret();
  a.label("beyond");
  a.push(edx);
  a.shr(edx, LARGE_PAGE_SHIFT);
  a.mov(eax, ecx);
  a.and(eax, -LARGE_PAGE_SIZE);
  a.or(eax, LARGE_PAGE);
  a.mov(dword(edx.times(4), HalpPageDirectory), eax);
  a.add(eax, LARGE_PAGE_SIZE);
  a.mov(dword(edx.times(4), HalpPageDirectory.plus(4)), eax);
  a.mov(eax, cr3); // forget what the window showed before
  a.mov(cr3, eax);
  a.pop(edx);
  a.mov(eax, ecx);
  a.and(eax, LARGE_PAGE_SIZE - 1);
  a.add(eax, edx);
  a.ret();
});
