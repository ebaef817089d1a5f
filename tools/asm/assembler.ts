// The writer of a routine: a method for each instruction, labels, data within code, and the choices of prefix and width.

import { mnemonics } from "./forms.ts";
import type { Modifiers, Operand } from "./lowering.ts";
import type { LockMnemonics, Mnemonics, StringMnemonics } from "./mnemonics.ts";
import { Routine } from "./routine.ts";
import { AssemblyError, callSite } from "./site.ts";
import { type AddressLike, characters, type Label, type Procedure, units } from "./symbols.ts";

/** What a routine's body is handed: it writes one instruction after the other. */
export interface Assembler extends Mnemonics {
  /** With the LOCK prefix: `a.lock.bts(dword(lock), 0)`. Only the forms that the manual allows have a method. */
  readonly lock: LockMnemonics;
  /** With the REP prefix: `a.rep.movsd()`. */
  readonly rep: StringMnemonics;
  /** With the REPE (REPZ) prefix: while equal. */
  readonly repe: StringMnemonics;
  /** With the REPNE (REPNZ) prefix: while not equal. */
  readonly repne: StringMnemonics;
  /** With full-size displacements, immediates and branch distances where shorter ones would do. */
  readonly long: Mnemonics;
  /** With 16-bit operands where the operands do not tell: `a.o16.ret()`. */
  readonly o16: Mnemonics;
  /** With 32-bit operands where the operands do not tell: `a.o32.lgdt(memory(gdtr))` in 16-bit code. */
  readonly o32: Mnemonics;

  /** Name the next instruction. Labels belong to their routine; the image calls this one `Routine.name`. */
  label(name: string): Label;
  /** A label of this routine as an address, before or after it is placed: `a.mov(eax, a.addressOf("table"))`. */
  addressOf(label: string): Label;
  /** Go on as 16-bit or as 32-bit code; a routine begins as 32-bit. */
  bits(size: 16 | 32): void;
  /** Continue at a multiple of a power of two, over NOPs. */
  align(boundary: number): void;
  /** Bytes in the code; a string stands for its characters. */
  db(...values: readonly (number | string)[]): void;
  /** 16-bit words in the code. */
  dw(...values: readonly (number | AddressLike)[]): void;
  /** 32-bit words in the code. */
  dd(...values: readonly (number | AddressLike)[]): void;
}

/** What the methods need of the object they are called on. */
interface View {
  readonly routine: Routine;
  readonly modifiers: Modifiers;
}

/** One method a mnemonic, on every assembler and every one of its prefixed views. */
const instructionMethods: { [mnemonic: string]: (this: View, ...operands: readonly Operand[]) => void } = {};

for (const mnemonic of mnemonics) {
  const method = function (this: View, ...operands: readonly Operand[]): void {
    this.routine.instruction(mnemonic, operands, this.modifiers, callSite(method));
  };
  instructionMethods[mnemonic.toLowerCase()] = method;
}

/** Run a routine's body; what it wrote, not yet laid out. */
export function assemble(procedure: Procedure): Routine {
  const routine = new Routine(procedure);
  const view = (modifiers: Modifiers) => Object.assign(Object.create(instructionMethods), { routine, modifiers });
  const assembler = Object.assign(view({}), {
    lock: view({ lock: true }),
    rep: view({ repeat: 0xf3 }),
    repe: view({ repeat: 0xf3 }),
    repne: view({ repeat: 0xf2 }),
    long: view({ long: true }),
    o16: view({ operandSize: 16 }),
    o32: view({ operandSize: 32 }),
    ...directives(routine),
  });
  procedure.body(assembler as Assembler);
  return routine;
}

/** The methods that write no instruction. */
function directives(routine: Routine) {
  const label = (name: string): Label => routine.label(name, callSite(label));
  const addressOf = (name: string): Label => routine.labelNamed(name, callSite(addressOf));
  const bits = (size: 16 | 32): void => {
    if (size !== 16 && size !== 32) throw new AssemblyError(callSite(bits), `code is of 16 or 32 bits, not ${size}`);
    routine.bits = size;
  };
  const align = (boundary: number): void => routine.align(boundary, callSite(align));
  const db = (...values: readonly (number | string)[]): void => {
    const site = callSite(db);
    routine.values(units(characters(values), 8, site), site);
  };
  const dw = (...values: readonly (number | AddressLike)[]): void => {
    const site = callSite(dw);
    routine.values(units(values, 16, site), site);
  };
  const dd = (...values: readonly (number | AddressLike)[]): void => {
    const site = callSite(dd);
    routine.values(units(values, 32, site), site);
  };
  return { label, addressOf, bits, align, db, dw, dd };
}
