// Code in the making: instructions by the table's names, labels, and branches of one fixed length, so that one pass does.
import { emit, type Fields } from "../../../emulator/isa/emit.ts";
import { type Form, forms, NONE } from "../../../emulator/isa/index.ts";

/** Rows by their syntax; one syntax may be there in 16 and in 32 bits. */
const rows = new Map<string, Form[]>();
for (const form of forms) {
  const known = rows.get(form.syntax);
  if (known) known.push(form);
  else rows.set(form.syntax, [form]);
}

/** A place in the code, known now or later. */
export interface Label {
  /** Offset in the code segment; -1 until it is placed. */
  offset: number;
}

/** What may be said of an instruction beside its row. */
export type Operands = Partial<Omit<Fields, "form">>;

/** Where an instruction and its parts lie, as offsets in the code segment. */
export interface Placed {
  readonly start: number;
  readonly end: number;
  readonly immediate: number;
}

interface Fixup {
  readonly at: number;
  readonly size: 1 | 2 | 4;
  readonly label: Label;
  /** The distance from behind the field, instead of the offset itself. */
  readonly relative: boolean;
}

export class Code {
  /** Default size of the segment that the next instruction is for. */
  bits: 16 | 32;
  readonly #origin: number;
  readonly #bytes: number[] = [];
  readonly #fixups: Fixup[] = [];

  /** Code that begins at offset `origin` of its segment. */
  constructor(origin: number, bits: 16 | 32) {
    this.#origin = origin;
    this.bits = bits;
  }

  /** Offset in the code segment at which the next byte goes. */
  get here(): number {
    return this.#origin + this.#bytes.length;
  }

  label(): Label {
    return { offset: -1 };
  }

  place(label: Label): void {
    label.offset = this.here;
  }

  db(...bytes: readonly number[]): void {
    for (const byte of bytes) this.#bytes.push(byte & 0xff);
  }

  dd(...values: readonly (number | Label)[]): void {
    for (const value of values) {
      if (typeof value !== "number") this.#fix(this.#bytes.length, 4, value, false);
      const known = typeof value === "number" ? value : 0;
      this.db(known, known >> 8, known >> 16, known >> 24);
    }
  }

  align(boundary: number, filler = 0x90): void {
    while (this.here % boundary !== 0) this.db(filler);
  }

  /** An instruction by its row's syntax; where there is one for 16 and one for 32 bits, the code's size decides. */
  op(syntax: string, operands: Operands = {}): Placed {
    const known = rows.get(syntax);
    if (!known) throw new Error(`code: no row "${syntax}" in the table`);
    const size = operands.operandSize ?? this.bits;
    const form = known.find(({ operandSize }) => operandSize === size) ?? (known[0] as Form);
    return this.form(form, operands);
  }

  form(form: Form, operands: Operands = {}): Placed {
    const start = this.here;
    const encoded = emit(
      {
        lock: false,
        repeat: 0,
        segmentOverride: NONE,
        reg: NONE,
        rm: NONE,
        memory: false,
        base: NONE,
        index: NONE,
        scale: 0,
        displacement: 0,
        immediate: 0,
        immediate2: 0,
        ...operands,
        form,
        operandSize: form.operandSize || (operands.operandSize ?? this.bits),
        addressSize: form.addressSize || (operands.addressSize ?? this.bits),
      },
      this.bits,
    );
    this.db(...encoded.bytes);
    return { start, end: this.here, immediate: start + (encoded.immediate?.offset ?? 0) };
  }

  /** An instruction whose 32-bit immediate is where a label is. */
  opWith(syntax: string, label: Label, operands: Operands = {}): Placed {
    const placed = this.op(syntax, operands);
    this.#fix(placed.immediate - this.#origin, 4, label, false);
    return placed;
  }

  /** An instruction whose 32-bit displacement is where a label is. It has no immediate. */
  opAt(syntax: string, label: Label, operands: Operands = {}): Placed {
    const placed = this.op(syntax, { memory: true, addressSize: 32, displacementBits: 32, ...operands });
    this.#fix(placed.end - this.#origin - 4, 4, label, false);
    return placed;
  }

  /** JMP, CALL or a conditional jump to a label, by the mnemonic. */
  jump(mnemonic: string, label: Label): void {
    const { end } = this.op(`${mnemonic} rel${this.bits}`);
    this.#fix(end - this.#origin - this.bits / 8, this.bits === 16 ? 2 : 4, label, true);
  }

  /** A branch of one byte's distance forward; the label is to be placed within 127 bytes. */
  shortForward(syntax: string, label: Label, operands: Operands = {}): void {
    const { end } = this.op(syntax, operands);
    this.#fix(end - this.#origin - 1, 1, label, true);
  }

  /** LOOP, JECXZ and the like back to a label at most 126 bytes away; false, and nothing written, where it is further. */
  shortBack(syntax: string, label: Label): boolean {
    const before = this.#bytes.length;
    const { end } = this.op(syntax);
    const distance = label.offset - end;
    if (distance < -128) {
      this.#bytes.length = before;
      return false;
    }
    this.#bytes[this.#bytes.length - 1] = distance & 0xff;
    return true;
  }

  /** The bytes, every label filled in. */
  finish(): Uint8Array {
    const bytes = Uint8Array.from(this.#bytes);
    for (const { at, size, label, relative } of this.#fixups) {
      if (label.offset < 0) throw new Error("code: a label that was used was never placed");
      if (size === 1 && label.offset - (this.#origin + at + 1) > 127)
        throw new Error("code: a short branch goes too far");
      const value = relative ? label.offset - (this.#origin + at + size) : label.offset;
      for (let i = 0; i < size; i++) bytes[at + i] = value >> (8 * i);
    }
    return bytes;
  }

  #fix(at: number, size: 1 | 2 | 4, label: Label, relative: boolean): void {
    this.#fixups.push({ at, size, label, relative });
  }
}
