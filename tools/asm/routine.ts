// A routine being written: settled bytes, labels, and branches whose length is still open.

import { EncodeError } from "../../emulator/isa/index.ts";
import { relativeSizes } from "./forms.ts";
import {
  type BranchForms,
  lower,
  lowerBranch,
  type Modifiers,
  type Operand,
  OperandError,
  type Piece,
} from "./lowering.ts";
import { AssemblyError, type Site } from "./site.ts";
import { Address, Label, Procedure, type Values } from "./symbols.ts";

/** Bytes that are settled but for the addresses in them; `code` when they are an instruction. */
interface Chunk extends Piece {
  readonly kind: "chunk";
  readonly code: boolean;
  readonly bits: 16 | 32;
  readonly site: Site;
}

/** A branch to a label of this routine: layout chooses its length. */
export interface Branch extends BranchForms {
  readonly kind: "branch";
  readonly mnemonic: string;
  readonly target: string;
  readonly bits: 16 | 32;
  readonly site: Site;
}

/** A label's place. */
interface Mark {
  readonly kind: "label";
  readonly name: string;
}

/** NOPs up to a multiple of `boundary`. */
interface Gap {
  readonly kind: "align";
  readonly boundary: number;
  readonly bits: 16 | 32;
  readonly site: Site;
}

export type Item = Chunk | Branch | Mark | Gap;

/** What a body has written so far. */
export class Routine {
  readonly procedure: Procedure;
  readonly items: Item[] = [];
  /** Labels placed, and labels asked for, with where in the source. */
  readonly placed = new Map<string, Site>();
  readonly wanted = new Map<string, Site>();
  bits: 16 | 32 = 32;

  constructor(procedure: Procedure) {
    this.procedure = procedure;
  }

  /** Place a label here. */
  label(name: string, site: Site): Label {
    const before = this.placed.get(name);
    if (before) throw new AssemblyError(site, `label "${name}" is placed here and at ${before}; one place will do`);
    this.placed.set(name, site);
    this.items.push({ kind: "label", name });
    return new Label(this.procedure, name);
  }

  /** A label to be placed somewhere in this routine. */
  labelNamed(name: string, site: Site): Label {
    if (!this.wanted.has(name)) this.wanted.set(name, site);
    return new Label(this.procedure, name);
  }

  align(boundary: number, site: Site): void {
    if (boundary < 1 || (boundary & (boundary - 1)) !== 0) {
      throw new AssemblyError(site, `an alignment of ${boundary} was asked for; powers of two will do`);
    }
    this.items.push({ kind: "align", boundary, bits: this.bits, site });
  }

  /** Data within the code. */
  values({ bytes, fixups }: Values, site: Site): void {
    const absolute = fixups.map((fixup) => ({ ...fixup, relative: false }));
    this.items.push({ kind: "chunk", bytes, fixups: absolute, code: false, bits: this.bits, site });
  }

  /** One instruction. */
  instruction(mnemonic: string, operands: readonly Operand[], modifiers: Modifiers, site: Site): void {
    try {
      const [target] = operands;
      const branches = operands.length === 1 && relativeSizes(mnemonic).size > 0;
      if (branches && (typeof target === "string" || target instanceof Procedure || target instanceof Label)) {
        this.items.push(this.branch(mnemonic, target, modifiers, site));
      } else {
        const { bits } = this;
        this.items.push({ kind: "chunk", ...lower(mnemonic, operands, modifiers, bits), code: true, bits, site });
      }
    } catch (error) {
      if (error instanceof EncodeError || error instanceof OperandError) throw new AssemblyError(site, error.message);
      throw error;
    }
  }

  private branch(mnemonic: string, target: string | Procedure | Label, modifiers: Modifiers, site: Site): Item {
    const { bits } = this;
    const forms = lowerBranch(mnemonic, modifiers, bits);
    const local =
      typeof target === "string" ? target : target instanceof Label && this.owns(target) ? target.label : null;
    if (local !== null) {
      this.labelNamed(local, site);
      return { kind: "branch", mnemonic, target: local, ...forms, bits, site };
    }
    const bytes = forms.near ?? forms.short ?? [];
    const size = forms.near ? forms.nearSize : 8;
    const offset = bytes.length - size / 8;
    const fixup = { offset, size, relative: true, address: new Address(target as Procedure | Label) } as const;
    return { kind: "chunk", bytes, fixups: [fixup], code: true, bits, site };
  }

  private owns(label: Label): boolean {
    return label.procedure === this.procedure;
  }
}
