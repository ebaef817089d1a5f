// What has an address in an image: routines, data and labels, and sums of such addresses, known when linked.

import type { Assembler } from "./assembler.ts";
import { AssemblyError, callSite, type Site } from "./site.ts";

/** An address that the linker fills in: a symbol, less another one if given, plus a constant. */
export class Address {
  readonly kind = "address";
  readonly symbol: LinkSymbol;
  readonly less: LinkSymbol | undefined;
  readonly addend: number;

  constructor(symbol: LinkSymbol, addend = 0, less?: LinkSymbol) {
    this.symbol = symbol;
    this.less = less;
    this.addend = addend;
  }

  /** The address so many bytes further on. */
  plus(bytes: number): Address {
    return new Address(this.symbol, this.addend + bytes, this.less);
  }

  /** The address so many bytes before, or the distance in bytes from a symbol. */
  minus(what: number | LinkSymbol): Address {
    if (typeof what === "number") return this.plus(-what);
    return new Address(this.symbol, this.addend, what);
  }

  toString(): string {
    const less = this.less ? ` - ${this.less.name}` : "";
    const addend = this.addend === 0 ? "" : this.addend > 0 ? ` + ${this.addend}` : ` - ${-this.addend}`;
    return this.symbol.name + less + addend;
  }
}

/** A name with an address: the base of routines, data and labels. Its value is known to the image that `link` made. */
abstract class LinkSymbolBase {
  abstract readonly name: string;

  /** The address so many bytes after this symbol. */
  plus(this: LinkSymbol, bytes: number): Address {
    return new Address(this, bytes);
  }

  /** The address so many bytes before this symbol, or the distance in bytes from another one. */
  minus(this: LinkSymbol, what: number | LinkSymbol): Address {
    return new Address(this).minus(what);
  }
}

export interface ProcedureOptions {
  /** A power of two; 16 unless given. */
  readonly align?: number;
}

/** A routine: a value that others call, jump to, or take the address of, which pulls it into their image. */
export class Procedure extends LinkSymbolBase {
  readonly kind = "procedure";
  readonly name: string;
  readonly body: (a: Assembler) => void;
  readonly align: number;
  readonly site: Site;

  constructor(name: string, body: (a: Assembler) => void, options: ProcedureOptions, site: Site) {
    super();
    this.name = name;
    this.body = body;
    this.align = powerOfTwo(options.align ?? 16, site);
    this.site = site;
  }

  /** A label inside the routine, as an address for others: `image.addressOf(routine.label("spin"))`. */
  label(name: string): Label {
    return new Label(this, name);
  }
}

/** A label of a routine. Two labels of one routine with one name are the same label. */
export class Label extends LinkSymbolBase {
  readonly kind = "label";
  readonly procedure: Procedure;
  readonly label: string;

  constructor(procedure: Procedure, label: string) {
    super();
    this.procedure = procedure;
    this.label = label;
  }

  /** The symbol's name in the image: `Routine.label`. */
  get name(): string {
    return `${this.procedure.name}.${this.label}`;
  }
}

export type DataSection = ".rodata" | ".data" | ".bss";

export interface DataOptions {
  /** A power of two; unless given 4, or less for what is smaller. */
  readonly align?: number;
  /** `.bss` for a size, `.data` for values, unless given. */
  readonly section?: DataSection;
}

/** Initialised bytes, some of them addresses that the linker fills in. */
export interface Values {
  readonly kind: "values";
  readonly bytes: readonly number[];
  readonly fixups: readonly { readonly offset: number; readonly size: 8 | 16 | 32; readonly address: Address }[];
}

/** A variable or a table: a value that code uses in its operands, which pulls it into the image. */
export class Data extends LinkSymbolBase {
  readonly kind = "data";
  readonly name: string;
  readonly size: number;
  readonly align: number;
  readonly section: DataSection;
  readonly values: Values | undefined;
  readonly site: Site;

  constructor(name: string, contents: number | Values, options: DataOptions, site: Site) {
    super();
    this.name = name;
    this.values = typeof contents === "number" ? undefined : contents;
    this.size = typeof contents === "number" ? contents : contents.bytes.length;
    this.section = options.section ?? (this.values ? ".data" : ".bss");
    this.align = powerOfTwo(options.align ?? naturalAlignment(this.size), site);
    this.site = site;
    if (!Number.isInteger(this.size) || this.size < 0) {
      throw new AssemblyError(site, `data "${name}" has a size of ${this.size}; a size is a number of bytes`);
    }
    if (this.values && this.section === ".bss") {
      throw new AssemblyError(site, `data "${name}" has values and lies in .bss, which holds none; .data would do`);
    }
  }
}

/** Anything with a name and an address. */
export type LinkSymbol = Procedure | Data | Label;

/** What stands for an address in an operand. */
export type AddressLike = LinkSymbol | Address;

/** Whether an operand stands for an address known when linked. */
export function isAddressLike(value: unknown): value is AddressLike {
  return value instanceof LinkSymbolBase || value instanceof Address;
}

/** An address-like value as a sum. */
export function toAddress(value: AddressLike): Address {
  return value instanceof Address ? value : new Address(value);
}

/**
 * A routine: its name in the image, and a body that writes its instructions, run once when an image that needs it is
 * linked. The body may use routines declared further down.
 */
export function proc(name: string, body: (a: Assembler) => void, options: ProcedureOptions = {}): Procedure {
  return new Procedure(name, body, options, callSite(proc));
}

/** A variable of so many bytes of zeros in `.bss`, or with values in `.data`: `data("lock", 4)`. */
export function data(name: string, contents: number | Values | readonly Values[], options: DataOptions = {}): Data {
  const joined = Array.isArray(contents) ? join(contents) : (contents as number | Values);
  return new Data(name, joined, options, callSite(data));
}

/** Bytes; a string stands for its characters, one byte each: `bytes("ready", 13, 10, 0)`. */
export function bytes(...values: readonly (number | string)[]): Values {
  return units(characters(values), 8, callSite(bytes));
}

/** Numbers as they are, strings as the numbers of their characters. */
export function characters(values: readonly (number | string)[]): readonly number[] {
  return values.flatMap((value) => (typeof value === "number" ? value : [...value].map((c) => c.codePointAt(0) ?? 0)));
}

/** 16-bit words, little-endian. */
export function words(...values: readonly (number | AddressLike)[]): Values {
  return units(values, 16, callSite(words));
}

/** 32-bit words, little-endian; a routine, variable or label stands for its address. */
export function dwords(...values: readonly (number | AddressLike)[]): Values {
  return units(values, 32, callSite(dwords));
}

/** Strings with a zero byte after each. */
export function strings(...values: readonly string[]): Values {
  const site = callSite(strings);
  return join(values.map((value) => units(characters([value, 0]), 8, site)));
}

/** So many zero bytes between values. */
export function zeros(count: number): Values {
  return { kind: "values", bytes: new Array<number>(count).fill(0), fixups: [] };
}

/** Values of one size, checked to fit it, little-endian. */
export function units(values: readonly (number | AddressLike)[], size: 8 | 16 | 32, site: Site): Values {
  const out: number[] = [];
  const fixups: { offset: number; size: 8 | 16 | 32; address: Address }[] = [];
  for (const value of values) {
    if (typeof value !== "number") fixups.push({ offset: out.length, size, address: toAddress(value) });
    const number = typeof value === "number" ? value : 0;
    if (!Number.isInteger(number) || number < -(2 ** (size - 1)) || number >= 2 ** size) {
      throw new AssemblyError(site, `${number} does not fit ${size} bits`);
    }
    for (let shift = 0; shift < size; shift += 8) out.push((number >> shift) & 0xff);
  }
  return { kind: "values", bytes: out, fixups };
}

/** Values one after the other, without gaps. */
function join(parts: readonly Values[]): Values {
  const out: number[] = [];
  const fixups: Values["fixups"][number][] = [];
  for (const part of parts) {
    for (const fixup of part.fixups) fixups.push({ ...fixup, offset: out.length + fixup.offset });
    for (const byte of part.bytes) out.push(byte);
  }
  return { kind: "values", bytes: out, fixups };
}

/** 4 for a dword and more, so that a lock word is aligned; less for what is smaller. */
function naturalAlignment(size: number): number {
  return size >= 4 || size === 0 ? 4 : size >= 2 ? 2 : 1;
}

function powerOfTwo(align: number, site: Site): number {
  if (align > 0 && (align & (align - 1)) === 0) return align;
  throw new AssemblyError(site, `an alignment of ${align} was asked for; powers of two will do`);
}
