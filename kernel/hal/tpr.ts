// A processor's level and its local APIC's task priority, kept in step (SDM vol. 3A, 10.8.3.1).

import { type Assembler, byte, bytes, cl, data, dword, ecx, edx, fs } from "#asm";
import { APIC_BASE, APIC_TPR } from "../inc/apic.ts";
import { IRQLS, taskPriority } from "../inc/irql.ts";
import { KPCR } from "../inc/pcr.ts";

/** For each level, what the task priority register holds. */
export const HalpIrqlToTpr = data(
  "HalpIrqlToTpr",
  bytes(...Array.from({ length: IRQLS }, (_, irql) => taskPriority(irql))),
  { section: ".rodata" },
);

/**
 * Make ECX (zero-extended) the level. The level comes before the task priority: an interrupt between the two restores both
 * from the level it finds, which is the one we are about to have. Uses ECX and EDX.
 */
export function setIrql(a: Assembler): void {
  a.mov(byte(fs, KPCR.Irql), cl);
  a.movzx(ecx, byte(ecx, HalpIrqlToTpr));
  a.mov(edx, APIC_BASE);
  a.mov(dword(edx, APIC_TPR), ecx);
}
