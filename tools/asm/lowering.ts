// From what an author writes to what the encoder takes: sums of address parts, symbols, branches (SDM vol. 2, 2.1).

import {
  type EncodeOperand,
  type EncodeOptions,
  encode,
  type Memory,
  NONE,
  type Register,
} from "../../emulator/isa/index.ts";
import { relativeSizes } from "./forms.ts";
import type { FarPointer, MemoryOperand, SizedImmediate } from "./operands.ts";
import { type Field, isField } from "./struct.ts";
import { type Address, type AddressLike, isAddressLike, toAddress } from "./symbols.ts";

/** Anything a method may be handed; what it may be handed in earnest, its types say. */
export type Operand = Register | MemoryOperand | FarPointer | SizedImmediate | AddressLike | Field | number | string;

/** Prefixes and widths that the author asked for. */
export interface Modifiers {
  readonly lock?: boolean;
  readonly repeat?: 0xf2 | 0xf3;
  /** Full-size displacements, immediates and distances. */
  readonly long?: boolean;
  readonly operandSize?: 16 | 32;
}

/** A field that the linker fills in: an address, or its distance from the end of the field. */
export interface Fixup {
  readonly offset: number;
  readonly size: 8 | 16 | 32;
  readonly relative: boolean;
  readonly address: Address;
}

/** Bytes, and the fields in them that the linker fills in. */
export interface Piece {
  readonly bytes: readonly number[];
  readonly fixups: readonly Fixup[];
}

/** A branch in both lengths; null where the instruction has no such form, or the author asked for the other one. */
export interface BranchForms {
  readonly short: readonly number[] | null;
  readonly near: readonly number[] | null;
  /** Bits of the near form's distance, which is the last thing in it. */
  readonly nearSize: 16 | 32;
}

/** A reason to refuse operands that the encoder never gets to see. */
export class OperandError extends Error {}

/** One instruction of a code segment of `bits`. Throws OperandError or the encoder's EncodeError. */
export function lower(mnemonic: string, operands: readonly Operand[], modifiers: Modifiers, bits: 16 | 32): Piece {
  const width = modifiers.operandSize ?? widthOf(operands) ?? bits;
  const lowered = operands.map((operand, index) => lowerOperand(operand, index, { mnemonic, modifiers, bits, width }));
  const encoded = encode(
    mnemonic,
    lowered.map(({ operand }) => operand),
    options(modifiers, bits),
  );
  const fixups = lowered.flatMap(({ operand, address }): Fixup[] => {
    if (address === undefined) return [];
    const field = operand.kind === "memory" ? encoded.displacement : encoded.immediate;
    if (field === undefined) throw new OperandError(`${mnemonic} has no field for the address of ${address}`);
    return [{ offset: field.offset, size: (field.size * 8) as 8 | 16 | 32, relative: false, address }];
  });
  return { bytes: encoded.bytes, fixups };
}

/** A branch, its distance still open. */
export function lowerBranch(mnemonic: string, modifiers: Modifiers, bits: 16 | 32): BranchForms {
  const sizes = relativeSizes(mnemonic);
  const nearSize = modifiers.operandSize ?? bits;
  const form = (size: 8 | 16 | 32): readonly number[] =>
    encode(mnemonic, [{ kind: "relative", distance: 0, size }], options(modifiers, bits)).bytes;
  return {
    short: sizes.has(8) && !(modifiers.long && sizes.has(nearSize)) ? form(8) : null,
    near: sizes.has(nearSize) ? form(nearSize) : null,
    nearSize,
  };
}

function options({ lock, repeat, operandSize }: Modifiers, bits: 16 | 32): EncodeOptions {
  return { bits, lock: lock ?? false, repeat: repeat ?? 0, ...(operandSize && { operandSize }) };
}

/** The operand size that the operands tell, if they tell one: that of a register or of memory. */
function widthOf(operands: readonly Operand[]): 8 | 16 | 32 | undefined {
  for (const operand of operands) {
    if (typeof operand !== "object") continue;
    if (operand.kind === "register" && /^r\d/.test(operand.class)) return Number(operand.class.slice(1)) as 8 | 16 | 32;
    if (operand.kind === "memory operand" && [8, 16, 32].includes(operand.size)) return operand.size as 8 | 16 | 32;
  }
  return undefined;
}

/** What the operand's surroundings say of it. */
interface Context {
  readonly mnemonic: string;
  readonly modifiers: Modifiers;
  readonly bits: 16 | 32;
  /** Operand size of the instruction, or the code's own. */
  readonly width: 8 | 16 | 32;
}

interface Lowered {
  readonly operand: EncodeOperand;
  readonly address?: Address | undefined;
}

function lowerOperand(operand: Operand, index: number, context: Context): Lowered {
  if (typeof operand === "number") return immediate(operand, undefined, context);
  if (isField(operand)) return immediate(operand.offset, undefined, context);
  if (isAddressLike(operand)) return immediate(operand, context.width === 8 ? 32 : context.width, context);
  if (typeof operand === "object" && operand !== null) {
    switch (operand.kind) {
      case "register":
        return { operand };
      case "memory operand":
        return lowerMemory(operand, context);
      case "far pointer":
        return lowerFar(operand, context);
      case "sized immediate":
        return immediate(operand.value, operand.size, context);
    }
  }
  const found = typeof operand === "string" ? `"${operand}"` : String(operand);
  throw new OperandError(`operand ${index + 1} of ${context.mnemonic} is ${found}, which is no operand of it`);
}

function immediate(value: number | AddressLike, size: 8 | 16 | 32 | undefined, { modifiers, width }: Context): Lowered {
  const asked = size ?? (modifiers.long && width !== 8 ? width : undefined);
  const sized = asked && { size: asked };
  if (typeof value === "number") return { operand: { kind: "immediate", value, ...sized } };
  return { operand: { kind: "immediate", value: 0, ...sized }, address: toAddress(value) };
}

function lowerFar({ selector, offset, size }: FarPointer, { bits }: Context): Lowered {
  const far = { kind: "far", selector, size: size || bits } as const;
  if (typeof offset === "number") return { operand: { ...far, offset } };
  return { operand: { ...far, offset: 0 }, address: toAddress(offset) };
}

type IndexRegister = { readonly register: Register; readonly scale: 1 | 2 | 4 | 8 };

/** The sum of an operand's parts as base, index, scale and displacement. */
function lowerMemory({ size, parts }: MemoryOperand, { modifiers, bits }: Context): Lowered {
  let segment = NONE;
  let base: Register | null = null;
  let index: IndexRegister | null = null;
  let displacement = 0;
  let address: Address | undefined;
  for (const part of parts) {
    if (typeof part === "number") displacement += part;
    else if (isField(part)) displacement += part.offset;
    else if (isAddressLike(part)) {
      if (address) throw new OperandError(`an address holds one symbol; ${address} and ${toAddress(part)} are two`);
      address = toAddress(part);
    } else if (part?.kind === "scaled") {
      if (index) throw new OperandError("an address has one index, and at most two registers");
      if (![1, 2, 4, 8].includes(part.scale))
        throw new OperandError(`an index is taken 1, 2, 4 or 8 times, not ${part.scale}`);
      index = part;
    } else if (part?.kind === "register") {
      if (part.class === "sreg") segment = part.number;
      else if (base === null) base = part;
      else if (index === null) index = { register: part, scale: 1 };
      else throw new OperandError("an address has one index, and at most two registers");
    } else throw new OperandError(`an address cannot hold ${String(part)}`);
  }
  const wide = (base ?? index?.register)?.class === "r16" ? 16 : base || index ? 32 : bits;
  const operand: Memory = {
    kind: "memory",
    size,
    segment,
    base,
    index: index?.register ?? null,
    scale: index?.scale ?? 1,
    displacement: address ? 0 : displacement,
    ...((address || modifiers.long) && { displacementSize: wide }),
  };
  return { operand, address: address?.plus(displacement) };
}
