// The interrupt request level of a processor: raise and lower it, with the local APIC's task priority in step (SDM vol. 3A, 10.8.3).

import { al, byte, cl, dword, eax, ecx, esp, fs, proc } from "#asm";
import { IRQL_NOT_GREATER_OR_EQUAL, IRQL_NOT_LESS_OR_EQUAL } from "../inc/bugcodes.ts";
import { DISPATCH_LEVEL } from "../inc/irql.ts";
import { KPCR } from "../inc/pcr.ts";
import { KeBugCheckEx, pushBugCheck } from "../ke/bugcheck.ts";
import { setIrql } from "./tpr.ts";

const { Irql } = KPCR;
const returnAddress = dword(esp);

/**
 * KIRQL FASTCALL (NewIrql: cl). Raise the level to NewIrql, which is not below the present one, and return the present one.
 */
export const KfRaiseIrql = proc("KfRaiseIrql", (a) => {
  a.movzx(ecx, cl); // the caller's upper bits mean nothing
  a.movzx(eax, byte(fs, Irql));
  a.cmp(ecx, eax);
  a.jb("downwards");
  setIrql(a);
  a.ret();
  a.label("downwards");
  pushBugCheck(a, IRQL_NOT_GREATER_OR_EQUAL, eax, ecx, 0, returnAddress);
  a.call(KeBugCheckEx);
});

/**
 * VOID FASTCALL (NewIrql: cl). Lower the level to NewIrql, which is not above the present one. Whatever interrupt the old
 * level held back is taken before the caller goes on.
 */
export const KfLowerIrql = proc("KfLowerIrql", (a) => {
  a.movzx(ecx, cl);
  a.movzx(eax, byte(fs, Irql));
  a.cmp(ecx, eax);
  a.ja("upwards");
  setIrql(a);
  a.ret();
  a.label("upwards");
  pushBugCheck(a, IRQL_NOT_LESS_OR_EQUAL, ecx, eax, 0, returnAddress);
  a.call(KeBugCheckEx);
});

/** VOID stdcall (NewIrql, PKIRQL OldIrql). As KfRaiseIrql. */
export const KeRaiseIrql = proc("KeRaiseIrql", (a) => {
  a.mov(ecx, dword(esp, 4));
  a.call(KfRaiseIrql);
  a.mov(ecx, dword(esp, 8));
  a.mov(byte(ecx), al);
  a.ret(8);
});

/** VOID stdcall (NewIrql). As KfLowerIrql. */
export const KeLowerIrql = proc("KeLowerIrql", (a) => {
  a.mov(ecx, dword(esp, 4));
  a.call(KfLowerIrql);
  a.ret(4);
});

/** KIRQL stdcall (). Raise the level to DISPATCH_LEVEL from there or below. */
export const KeRaiseIrqlToDpcLevel = proc("KeRaiseIrqlToDpcLevel", (a) => {
  a.mov(ecx, DISPATCH_LEVEL);
  a.jmp(KfRaiseIrql);
});

/** KIRQL stdcall (). The processor's level. */
export const KeGetCurrentIrql = proc("KeGetCurrentIrql", (a) => {
  a.mov(al, byte(fs, Irql));
  a.ret();
});
