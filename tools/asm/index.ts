// ring0/asm: the assembler as its users see it, name by name.

/** What a routine's body is handed. */
export type { Assembler } from "./assembler.ts";
/** A linked program, and the parts of it. */
export { Image, type ImageSection, type ImageSymbol } from "./image.ts";
/** From a routine to an image of all it reaches. */
export { type LinkOptions, link } from "./link.ts";
/** What EAX holds when a Multiboot loader enters an image. */
export { MULTIBOOT_BOOTLOADER_MAGIC } from "./multiboot.ts";
/** The kinds of operands that methods take, in the manual's words. */
export type { Imm, Imm8, RM8, RM16, RM32, Target } from "./operand-kinds.ts";
/** Registers, memory operands by size, far pointers, and immediates of a chosen size. */
export {
  type AddressPart,
  ah,
  al,
  ax,
  bh,
  bl,
  bp,
  bx,
  byte,
  ch,
  cl,
  cr0,
  cr2,
  cr3,
  cr4,
  cs,
  cx,
  dh,
  di,
  dl,
  dr0,
  dr1,
  dr2,
  dr3,
  dr6,
  dr7,
  ds,
  dword,
  dx,
  eax,
  ebp,
  ebx,
  ecx,
  edi,
  edx,
  es,
  esi,
  esp,
  type FarPointer,
  far,
  fs,
  fword,
  gs,
  imm8,
  imm16,
  imm32,
  type MemoryOperand,
  memory,
  type Named,
  qword,
  type Register32,
  type ScaledIndex,
  type SizedImmediate,
  si,
  sp,
  ss,
  word,
} from "./operands.ts";
/** What the assembler reports, with the author's file and line, and what a source line is. */
export { AssemblyError, type SourceLine } from "./site.ts";
/** What a start stub leaves for the program. */
export { startup } from "./start.ts";
/** Structures and the types of their fields. */
export {
  type ArrayType,
  array,
  at,
  type Field,
  type Fields,
  ptr,
  type Struct,
  type StructType,
  struct,
  type Type,
  u8,
  u16,
  u32,
  u64,
} from "./struct.ts";
/** Routines, variables, labels, initial values, and sums of their addresses. */
export {
  Address,
  type AddressLike,
  bytes,
  Data,
  type DataOptions,
  data,
  dwords,
  Label,
  type LinkSymbol,
  Procedure,
  type ProcedureOptions,
  proc,
  strings,
  type Values,
  words,
  zeros,
} from "./symbols.ts";
