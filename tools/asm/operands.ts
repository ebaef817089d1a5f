// What instructions take: registers by name, memory by size, far pointers, and immediates of a chosen size.

import {
  controlRegisters,
  debugRegisters,
  type Register,
  type RegisterClass,
  registers8,
  registers16,
  registers32,
  segmentRegisters,
} from "../../emulator/isa/index.ts";
import type { Field } from "./struct.ts";
import type { AddressLike } from "./symbols.ts";

/** One register, by class and name: the type of `cl` tells it from `al`, where only `cl` will do. */
export interface Named<C extends RegisterClass = RegisterClass, N extends string = string> extends Register<C> {
  readonly name: N;
}

/** A 32-bit general register; as an index it can be scaled: `dword(eax, ecx.times(4))`. */
export interface Register32<N extends string = string> extends Named<"r32", N> {
  times(scale: 1 | 2 | 4 | 8): ScaledIndex;
}

/** An index register times a scale, as part of an address. */
export interface ScaledIndex {
  readonly kind: "scaled";
  readonly register: Register<"r32">;
  readonly scale: 1 | 2 | 4 | 8;
}

/** One part of an address; the address is their sum. A segment register among them overrides the segment. */
export type AddressPart =
  | Register<"r32">
  | Register<"r16">
  | Register<"sreg">
  | ScaledIndex
  | AddressLike
  | Field
  | number;

/** Sizes of memory operands in bits; 0 where only the address matters (LEA, INVLPG, LGDT). */
export type MemorySize = 0 | 8 | 16 | 32 | 48 | 64;

/** A memory operand, as written; the encoder turns it into ModR/M, SIB and displacement. */
export interface MemoryOperand<S extends MemorySize = MemorySize> {
  readonly kind: "memory operand";
  readonly size: S;
  readonly parts: readonly AddressPart[];
}

/** A far pointer in the instruction: a selector and an offset. */
export interface FarPointer {
  readonly kind: "far pointer";
  readonly selector: number;
  readonly offset: number | AddressLike;
  readonly size: 0 | 16 | 32;
}

/** An immediate that takes a field of so many bits, even where a shorter one would do. */
export interface SizedImmediate<S extends 8 | 16 | 32 = 8 | 16 | 32> {
  readonly kind: "sized immediate";
  readonly size: S;
  readonly value: number | AddressLike;
}

const memoryOf =
  <S extends MemorySize>(size: S) =>
  (...parts: readonly [AddressPart, ...AddressPart[]]): MemoryOperand<S> => ({ kind: "memory operand", size, parts });

/** Memory of 8 bits: `byte(esi, 1)`. Parts as for `dword`. */
export const byte = memoryOf(8);
/** Memory of 16 bits. Parts as for `dword`. */
export const word = memoryOf(16);
/**
 * Memory of 32 bits at the sum of its parts: registers (the first is the base), an index (`ecx.times(4)`), fields of
 * structures, variables, numbers. A segment register overrides the segment: `dword(fs, 0x1c)`.
 */
export const dword = memoryOf(32);
/** Memory of 48 bits: a far pointer m16:32. Parts as for `dword`. */
export const fword = memoryOf(48);
/** Memory of 64 bits. Parts as for `dword`. */
export const qword = memoryOf(64);
/** Memory of no stated size, for instructions that want an address: `a.lgdt(memory(gdtr))`. Parts as for `dword`. */
export const memory = memoryOf(0);

/** A code pointer in the instruction: `a.jmp(far(0x08, next))`. Its offset is as wide as the code, or as `size` says. */
export function far(selector: number, offset: number | AddressLike, size: 0 | 16 | 32 = 0): FarPointer {
  return { kind: "far pointer", selector, offset, size };
}

/** An immediate of 8 bits, which the instruction sign-extends where its form says so. */
export const imm8 = (value: number): SizedImmediate<8> => ({ kind: "sized immediate", size: 8, value });
/** An immediate of 16 bits. */
export const imm16 = (value: number | AddressLike): SizedImmediate<16> => ({
  kind: "sized immediate",
  size: 16,
  value,
});
/** An immediate of 32 bits, even where 8 would do. */
export const imm32 = (value: number | AddressLike): SizedImmediate<32> => ({
  kind: "sized immediate",
  size: 32,
  value,
});

/** Tuples of registers, so that each name below has a type of its own. */
type File<C extends RegisterClass, N extends readonly string[]> = { readonly [I in keyof N]: Named<C, N[I] & string> };
type File32<N extends readonly string[]> = { readonly [I in keyof N]: Register32<N[I] & string> };

const scalable = (register: Register<"r32">): Register32 =>
  Object.freeze({
    ...register,
    times: (scale: 1 | 2 | 4 | 8): ScaledIndex => ({ kind: "scaled", register, scale }),
  });

/** The 32-bit general registers. */
export const [eax, ecx, edx, ebx, esp, ebp, esi, edi] = registers32.map(scalable) as unknown as File32<
  ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"]
>;

/** The 16-bit general registers. */
export const [ax, cx, dx, bx, sp, bp, si, di] = registers16 as unknown as File<
  "r16",
  ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"]
>;

/** The 8-bit general registers. */
export const [al, cl, dl, bl, ah, ch, dh, bh] = registers8 as unknown as File<
  "r8",
  ["al", "cl", "dl", "bl", "ah", "ch", "dh", "bh"]
>;

/** The segment registers. */
export const [es, cs, ss, ds, fs, gs] = segmentRegisters as unknown as File<
  "sreg",
  ["es", "cs", "ss", "ds", "fs", "gs"]
>;

/** The control registers of the P6. */
export const [cr0, , cr2, cr3, cr4] = controlRegisters as unknown as File<"cr", ["cr0", "cr1", "cr2", "cr3", "cr4"]>;

/** The debug registers. */
export const [dr0, dr1, dr2, dr3, dr4, dr5, dr6, dr7] = debugRegisters as unknown as File<
  "dr",
  ["dr0", "dr1", "dr2", "dr3", "dr4", "dr5", "dr6", "dr7"]
>;
