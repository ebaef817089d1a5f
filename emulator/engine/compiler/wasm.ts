// Writes WebAssembly modules byte by byte (WebAssembly Core Specification 2.0, chapter 5: binary format).

export const I32 = 0x7f;
export const I64 = 0x7e;
/** Block type of a block without a result. */
const EMPTY = 0x40;

/** Opcodes by their names in the specification, with dots and slashes as underscores (5.4). */
// biome-ignore format: by number
export const OP = {
  unreachable: 0x00, block: 0x02, loop: 0x03, if: 0x04, else: 0x05, end: 0x0b, br: 0x0c, br_if: 0x0d, br_table: 0x0e,
  return: 0x0f, call: 0x10, call_indirect: 0x11, drop: 0x1a, select: 0x1b,
  local_get: 0x20, local_set: 0x21, local_tee: 0x22,
  i32_load: 0x28, i64_load: 0x29, f64_load: 0x2b, i32_load8_s: 0x2c, i32_load8_u: 0x2d, i32_load16_s: 0x2e, i32_load16_u: 0x2f,
  i32_store: 0x36, i64_store: 0x37, f64_store: 0x39, i32_store8: 0x3a, i32_store16: 0x3b,
  i32_const: 0x41, i64_const: 0x42,
  i32_eqz: 0x45, i32_eq: 0x46, i32_ne: 0x47, i32_lt_s: 0x48, i32_lt_u: 0x49, i32_gt_s: 0x4a, i32_gt_u: 0x4b,
  i32_le_s: 0x4c, i32_le_u: 0x4d, i32_ge_s: 0x4e, i32_ge_u: 0x4f,
  i64_eqz: 0x50, i64_eq: 0x51, i64_ne: 0x52,
  i32_clz: 0x67, i32_popcnt: 0x69, i32_add: 0x6a, i32_sub: 0x6b, i32_mul: 0x6c, i32_div_u: 0x6e, i32_rem_u: 0x70,
  i32_and: 0x71, i32_or: 0x72, i32_xor: 0x73, i32_shl: 0x74, i32_shr_s: 0x75, i32_shr_u: 0x76,
  i64_add: 0x7c, i64_sub: 0x7d, i64_mul: 0x7e, i64_div_s: 0x7f, i64_div_u: 0x80, i64_rem_s: 0x81, i64_rem_u: 0x82,
  i64_and: 0x83, i64_or: 0x84, i64_shl: 0x86, i64_shr_s: 0x87, i64_shr_u: 0x88,
  f64_add: 0xa0, f64_sub: 0xa1, i64_trunc_f64_s: 0xb0, f64_convert_i32_s: 0xb7,
  i32_wrap_i64: 0xa7, i64_extend_i32_s: 0xac, i64_extend_i32_u: 0xad, i32_extend8_s: 0xc0, i32_extend16_s: 0xc1,
} as const;

/** A growing run of bytes with the encodings of the binary format; `depth` counts the blocks that are open. */
export class Code {
  bytes = new Uint8Array(4096);
  length = 0;
  depth = 0;
  /** Where the conditions stand that hardly ever hold. */
  readonly rare: number[] = [];

  clear(): void {
    this.length = 0;
    this.depth = 0;
    this.rare.length = 0;
  }

  byte(value: number): void {
    if (this.length === this.bytes.length) this.room(1);
    this.bytes[this.length++] = value;
  }

  private room(bytes: number): void {
    const larger = new Uint8Array(Math.max(2 * this.bytes.length, this.length + bytes));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }

  /** Unsigned LEB128. */
  unsigned(value: number): void {
    let rest = value >>> 0;
    while (rest > 0x7f) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.byte(rest);
  }

  /** Signed LEB128 of a 32-bit value. */
  signed(value: number): void {
    let rest = value | 0;
    while (rest < -0x40 || rest > 0x3f) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>= 7;
    }
    this.byte(rest & 0x7f);
  }

  append(other: Code): void {
    if (this.length + other.length > this.bytes.length) this.room(other.length);
    this.bytes.set(other.bytes.subarray(0, other.length), this.length);
    this.length += other.length;
  }

  /** Puts other instructions, without blocks or hints, where an instruction of this run begins. */
  insert(place: number, other: Code): void {
    if (this.length + other.length > this.bytes.length) this.room(other.length);
    this.bytes.copyWithin(place + other.length, place, this.length);
    this.bytes.set(other.bytes.subarray(0, other.length), place);
    this.length += other.length;
    for (let i = this.rare.length; i-- > 0 && this.rare[i] >= place; ) this.rare[i] += other.length;
  }

  name(text: string): void {
    this.unsigned(text.length);
    for (let i = 0; i < text.length; i++) this.byte(text.charCodeAt(i));
  }

  // --- instructions ---
  op(opcode: number): void {
    this.byte(opcode);
  }

  const(value: number): void {
    this.byte(OP.i32_const);
    this.signed(value);
  }

  get(local: number): void {
    this.byte(OP.local_get);
    this.unsigned(local);
  }

  set(local: number): void {
    this.byte(OP.local_set);
    this.unsigned(local);
  }

  tee(local: number): void {
    this.byte(OP.local_tee);
    this.unsigned(local);
  }

  /** A load or store: address on the stack, alignment as a power of two. */
  access(opcode: number, alignment: number, offset: number): void {
    this.byte(opcode);
    this.unsigned(alignment);
    this.unsigned(offset);
  }

  load(offset: number): void {
    this.access(OP.i32_load, 2, offset);
  }

  store(offset: number): void {
    this.access(OP.i32_store, 2, offset);
  }

  block(): void {
    this.byte(OP.block);
    this.byte(EMPTY);
    this.depth++;
  }

  loop(): void {
    this.byte(OP.loop);
    this.byte(EMPTY);
    this.depth++;
  }

  if(): void {
    this.byte(OP.if);
    this.byte(EMPTY);
    this.depth++;
  }

  /** As `if`, with a hint that the condition hardly ever holds. */
  ifRarely(): void {
    this.rare.push(this.length);
    this.if();
  }

  else(): void {
    this.byte(OP.else);
  }

  end(): void {
    this.byte(OP.end);
    this.depth--;
  }

  /** Branch to a block by the `depth` there was before it was opened. */
  br(target: number): void {
    this.byte(OP.br);
    this.unsigned(this.depth - 1 - target);
  }

  brIf(target: number): void {
    this.byte(OP.br_if);
    this.unsigned(this.depth - 1 - target);
  }

  /** Branch by the index on the stack; the last target is also the one of every index beyond. */
  brTable(targets: readonly number[]): void {
    this.byte(OP.br_table);
    this.unsigned(targets.length - 1);
    for (const target of targets) this.unsigned(this.depth - 1 - target);
  }

  call(index: number): void {
    this.byte(OP.call);
    this.unsigned(index);
  }
}

export interface FunctionType {
  readonly parameters: readonly number[];
  readonly results: readonly number[];
}

/** A function's locals beside its parameters, in groups of one type, and its instructions without the final `end`. */
export interface FunctionBody {
  readonly type: number;
  readonly locals: readonly (readonly [count: number, type: number])[];
  readonly code: Code;
  readonly exported?: string;
}

export interface ModuleShape {
  readonly types: readonly FunctionType[];
  /** Functions to import as `e` and their names: they take the first function indices. */
  readonly importedFunctions?: readonly { readonly name: string; readonly type: number }[];
  /** Imports the table `e.t` of function references. */
  readonly table?: boolean;
  readonly functions: readonly FunctionBody[];
}

const section = (into: Code, id: number, content: Code): void => {
  into.byte(id);
  into.unsigned(content.length);
  into.append(content);
};

/**
 * A custom section: by function, places of branches in its body and whether they are likely (Branch Hinting proposal; an engine that
 * does not know it passes it by).
 */
const BRANCH_HINTS = "metadata.code.branch_hint";

/** The bytes of a module that imports the memory `e.m` of exactly `pages` pages of 64 KiB. */
export function moduleBytes(shape: ModuleShape, pages: number): Uint8Array {
  const { types, importedFunctions = [], functions } = shape;
  const out = new Code();
  for (const byte of [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]) out.byte(byte);
  const content = new Code();
  const list = <T>(id: number, items: readonly T[], write: (item: T) => void): void => {
    content.clear();
    content.unsigned(items.length);
    items.forEach(write);
    section(out, id, content);
  };
  list(1, types, ({ parameters, results }) => {
    content.byte(0x60);
    for (const side of [parameters, results]) {
      content.unsigned(side.length);
      for (const type of side) content.byte(type);
    }
  });
  const imports: (() => void)[] = [
    () => {
      content.name("m");
      content.byte(2);
      content.byte(1);
      content.unsigned(pages);
      content.unsigned(pages);
    },
  ];
  if (shape.table) {
    imports.push(() => {
      content.name("t");
      for (const byte of [1, 0x70, 0, 0]) content.byte(byte);
    });
  }
  for (const { name, type } of importedFunctions) {
    imports.push(() => {
      content.name(name);
      content.byte(0);
      content.unsigned(type);
    });
  }
  list(2, imports, (write) => {
    content.name("e");
    write();
  });
  list(3, functions, ({ type }) => content.unsigned(type));
  const exported = functions
    .map(({ exported }, index) => ({ exported, index: importedFunctions.length + index }))
    .filter((item) => item.exported !== undefined);
  list(7, exported, ({ exported = "", index }) => {
    content.name(exported);
    content.byte(0);
    content.unsigned(index);
  });
  const heads = functions.map(({ locals }) => {
    const head = new Code();
    head.unsigned(locals.length);
    for (const [count, type] of locals) {
      head.unsigned(count);
      head.byte(type);
    }
    return head;
  });
  content.clear();
  content.name(BRANCH_HINTS);
  content.unsigned(functions.length);
  functions.forEach(({ code }, index) => {
    content.unsigned(importedFunctions.length + index);
    content.unsigned(code.rare.length);
    for (const place of code.rare) {
      content.unsigned(heads[index].length + place);
      content.unsigned(1);
      content.byte(0);
    }
  });
  section(out, 0, content);
  content.clear();
  content.unsigned(functions.length);
  functions.forEach(({ code }, index) => {
    content.unsigned(heads[index].length + code.length + 1);
    content.append(heads[index]);
    content.append(code);
    content.byte(OP.end);
  });
  section(out, 10, content);
  return out.bytes.slice(0, out.length);
}
