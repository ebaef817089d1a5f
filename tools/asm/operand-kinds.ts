// The kinds of operands that the generated methods name, in the manual's words (SDM vol. 2, 3.1.1.3).

import type { Register } from "../../emulator/isa/index.ts";
import type { MemoryOperand, SizedImmediate } from "./operands.ts";
import type { Field } from "./struct.ts";
import type { AddressLike, Label, Procedure } from "./symbols.ts";

export type RM8 = Register<"r8"> | MemoryOperand<8>;
export type RM16 = Register<"r16"> | MemoryOperand<16>;
export type RM32 = Register<"r32"> | MemoryOperand<32>;

/** A number, or a field for its offset. */
export type Imm8 = number | Field | SizedImmediate<8>;
/** A number, a field for its offset, or a routine, variable or label for its address. */
export type Imm = number | Field | AddressLike | SizedImmediate;

/** Where a branch goes: a label of the same routine by name, a routine, or a label of another one. */
export type Target = string | Procedure | Label;
