// What is on the stack in a handler, and which routine serves which vector (SDM vol. 3A, 6.12).

import { ptr, struct, u8, u32 } from "#asm";

/** Every handler's frame, from ESP up. PUSHAD wrote the first half, the vector's stub the middle, the processor the rest. */
export const KTRAP_FRAME = struct({
  Edi: u32,
  Esi: u32,
  Ebp: u32,
  Esp: u32,
  Ebx: u32,
  Edx: u32,
  Ecx: u32,
  Eax: u32,
  Vector: u32,
  /** Zero where the processor pushes none. */
  ErrorCode: u32,
  Eip: u32,
  Cs: u32,
  EFlags: u32,
});

/** What to drop before IRET. */
export const VECTOR_AND_ERROR_CODE = 8;

/** An entry of KiInterruptTable. */
export const KINTERRUPT_ENTRY = struct({
  /** BOOLEAN stdcall (Vector, TrapFrame), at Irql with interrupts on. Anybody may put another here. */
  ServiceRoutine: ptr,
  Irql: u8,
});

/** Vectors on which the processor pushes an error code. */
export const ERROR_CODE_VECTORS: ReadonlySet<number> = new Set([8, 10, 11, 12, 13, 14, 17]);

export const NMI_VECTOR = 2;
export const BREAKPOINT_VECTOR = 3;
export const PAGE_FAULT_VECTOR = 14;
export const EXCEPTION_VECTORS = 32;
export const VECTORS = 256;
