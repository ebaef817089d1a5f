// How each routine of the kernel is called on 32-bit x86: where its arguments are, who pops them, where its result is.

import type { Procedure } from "#asm";

/** `fastcall`: the first two arguments in ECX and EDX, the others on the stack; `stdcall`: all on the stack. The callee pops. */
export type Convention = "fastcall" | "stdcall";

/** What a routine leaves in AL, EAX or EDX:EAX. */
export type Result = "void" | "byte" | "dword";

export interface Signature {
  readonly convention: Convention;
  /** Arguments, a doubleword each. */
  readonly parameters: number;
  readonly result: Result;
}

const signatures: ReadonlyMap<string, Signature> = new Map(
  (
    [
      ["KfRaiseIrql", "fastcall", 1, "byte"],
      ["KfLowerIrql", "fastcall", 1, "void"],
      ["KeRaiseIrql", "stdcall", 2, "void"],
      ["KeLowerIrql", "stdcall", 1, "void"],
      ["KeRaiseIrqlToDpcLevel", "stdcall", 0, "byte"],
      ["KeGetCurrentIrql", "stdcall", 0, "byte"],

      ["KeInitializeSpinLock", "stdcall", 1, "void"],
      ["KeAcquireSpinLock", "stdcall", 2, "void"],
      ["KfAcquireSpinLock", "fastcall", 1, "byte"],
      ["KeAcquireSpinLockRaiseToDpc", "fastcall", 1, "byte"],
      ["KeReleaseSpinLock", "stdcall", 2, "void"],
      ["KfReleaseSpinLock", "fastcall", 2, "void"],
      ["KeAcquireSpinLockAtDpcLevel", "stdcall", 1, "void"],
      ["KefAcquireSpinLockAtDpcLevel", "fastcall", 1, "void"],
      ["KeReleaseSpinLockFromDpcLevel", "stdcall", 1, "void"],
      ["KefReleaseSpinLockFromDpcLevel", "fastcall", 1, "void"],
      ["KeTryToAcquireSpinLockAtDpcLevel", "fastcall", 1, "byte"],
      ["KeTestSpinLock", "fastcall", 1, "byte"],
      ["KiAcquireSpinLock", "fastcall", 1, "void"],
      ["KiReleaseSpinLock", "fastcall", 1, "void"],
      ["KeAcquireInStackQueuedSpinLock", "fastcall", 2, "void"],
      ["KeReleaseInStackQueuedSpinLock", "fastcall", 1, "void"],
      ["KeAcquireInStackQueuedSpinLockAtDpcLevel", "fastcall", 2, "void"],
      ["KeReleaseInStackQueuedSpinLockFromDpcLevel", "fastcall", 1, "void"],

      ["KeInitializeDpc", "stdcall", 3, "void"],
      ["KeInitializeThreadedDpc", "stdcall", 3, "void"],
      ["KeInsertQueueDpc", "stdcall", 3, "byte"],
      ["KeRemoveQueueDpc", "stdcall", 1, "byte"],
      ["KeSetImportanceDpc", "stdcall", 2, "void"],
      ["KeSetTargetProcessorDpc", "stdcall", 2, "void"],
      ["KeSetTargetProcessorDpcEx", "stdcall", 2, "dword"],

      ["KeGetCurrentProcessorNumber", "stdcall", 0, "dword"],
      ["KeQueryActiveProcessors", "stdcall", 0, "dword"],
      ["KeStallExecutionProcessor", "stdcall", 1, "void"],
      ["KeBugCheckEx", "stdcall", 5, "void"],
      ["KeBugCheck", "stdcall", 1, "void"],
    ] as const
  ).map(([name, convention, parameters, result]) => [name, { convention, parameters, result }]),
);

/** How a routine is called. One that is not in the table takes no arguments, as all routines without a public name. */
export function signatureOf(routine: Procedure): Signature {
  return signatures.get(routine.name) ?? { convention: "stdcall", parameters: 0, result: "void" };
}

/** Bytes of arguments that a routine takes from the stack and pops. */
export function stackBytes({ convention, parameters }: Signature): number {
  return 4 * (convention === "fastcall" ? Math.max(parameters - 2, 0) : parameters);
}
