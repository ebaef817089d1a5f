// A linked program: bytes at addresses, names for the addresses, and the source line of every instruction.

import { writeElf } from "./elf.ts";
import { listing } from "./listing.ts";
import type { Site, SourceLine } from "./site.ts";
import { Address, type AddressLike, type Data, type LinkSymbol, type Procedure } from "./symbols.ts";

/** A stretch of memory of one kind. `bytes` is empty for `.bss`, whose `size` bytes are zeros. */
export interface ImageSection {
  readonly name: string;
  readonly address: number;
  readonly size: number;
  readonly bytes: Uint8Array;
  readonly write: boolean;
  readonly execute: boolean;
}

/** A name with an address. A label (`Routine.label`) has no size. */
export interface ImageSymbol {
  readonly name: string;
  readonly kind: "function" | "object" | "label";
  readonly address: number;
  readonly size: number;
}

/** `length` bytes that one call wrote; `code` when they are one instruction, of a code segment of `bits`. */
export interface Line {
  readonly address: number;
  readonly length: number;
  readonly code: boolean;
  readonly bits: 16 | 32;
  readonly site: Site;
}

export interface ImageContents {
  /** Address of the first instruction. */
  readonly entry: number;
  /** What to add to an address to get the physical one at which it is loaded: 0 unless linked elsewhere. */
  readonly load: number;
  readonly sections: readonly ImageSection[];
  readonly symbols: readonly ImageSymbol[];
  readonly lines: readonly Line[];
  readonly addressOf: (symbol: LinkSymbol) => number;
  readonly has: (symbol: Procedure | Data) => boolean;
}

/** What `link` makes: an executable, and what is known of it. */
export class Image {
  /** Address of the first instruction. */
  readonly entry: number;
  /** What to add to an address of the image to get the physical address at which a loader puts it. */
  readonly load: number;
  /** In the order of their addresses. */
  readonly sections: readonly ImageSection[];
  /** In the order of their addresses; a routine comes before the labels in it. */
  readonly symbols: readonly ImageSymbol[];
  /** In the order of their addresses. */
  readonly lines: readonly Line[];
  readonly #addressOf: (symbol: LinkSymbol) => number;
  readonly #has: (symbol: Procedure | Data) => boolean;
  readonly #extents: readonly ImageSymbol[];
  readonly #byName: ReadonlyMap<string, ImageSymbol>;
  #elf: Uint8Array | undefined;

  constructor(contents: ImageContents) {
    this.entry = contents.entry;
    this.load = contents.load;
    this.sections = contents.sections;
    this.symbols = contents.symbols.toSorted((a, b) => a.address - b.address);
    this.lines = contents.lines.toSorted((a, b) => a.address - b.address);
    this.#addressOf = contents.addressOf;
    this.#has = contents.has;
    this.#extents = this.symbols.filter(({ kind }) => kind !== "label");
    this.#byName = new Map(this.symbols.map((symbol) => [symbol.name, symbol]));
  }

  /** The address of a routine, variable or label, by value or by name (`"Routine.label"`). Throws where there is none. */
  addressOf(symbol: AddressLike | string): number {
    if (typeof symbol === "string") {
      const found = this.#byName.get(symbol);
      if (found) return found.address;
      throw new Error(`no symbol "${symbol}" in the image; it has ${[...this.#byName.keys()].join(", ")}`);
    }
    if (symbol instanceof Address) {
      const { less, addend } = symbol;
      return this.#addressOf(symbol.symbol) - (less ? this.#addressOf(less) : 0) + addend;
    }
    return this.#addressOf(symbol);
  }

  /** Whether a routine or variable, by value, has an address in this image or in one that it was linked against. */
  has(symbol: Procedure | Data): boolean {
    return this.#has(symbol);
  }

  /** The routine or variable that an address lies in, with the bytes from its start; undefined where there is none. */
  symbolAt(address: number): { readonly symbol: ImageSymbol; readonly offset: number } | undefined {
    const symbol = lastNotAfter(this.#extents, address);
    if (!symbol || address >= symbol.address + Math.max(symbol.size, 1)) return undefined;
    return { symbol, offset: address - symbol.address };
  }

  /** A name for an address: a symbol's, or one with a distance (`main+0x5`); undefined outside all of them. */
  nameAt(address: number): string | undefined {
    const exact = this.symbols.find((symbol) => symbol.address === address);
    if (exact) return exact.name;
    const found = this.symbolAt(address);
    return found && `${found.symbol.name}+0x${found.offset.toString(16)}`;
  }

  /** The source line whose call wrote the byte at an address; undefined for data and for addresses outside. */
  lineOf(address: number): SourceLine | undefined {
    return this.lineAt(address)?.site.source;
  }

  private lineAt(address: number): Line | undefined {
    const line = lastNotAfter(this.lines, address);
    return line && address < line.address + line.length ? line : undefined;
  }

  /** An ELF32 executable with symbols and source lines, as boot loaders and debuggers want it. */
  elf(): Uint8Array {
    this.#elf ??= writeElf(this);
    return this.#elf.slice();
  }

  /** Memory from `base` (the image's first byte unless given) to the last byte that is not `.bss`. */
  flat(base = this.sections[0]?.address ?? 0): Uint8Array {
    const filled = this.sections.filter(({ bytes }) => bytes.length > 0);
    const end = Math.max(base, ...filled.map(({ address, size }) => address + size));
    const out = new Uint8Array(end - base);
    for (const { name, address, bytes } of filled) {
      if (address < base)
        throw new Error(`${name} begins at 0x${address.toString(16)}, before the base 0x${base.toString(16)}`);
      out.set(bytes, address - base);
    }
    return out;
  }

  /** Addresses, bytes, instructions and source lines, as text. */
  listing(): string {
    return listing(this);
  }
}

/** The last element that begins at an address or before it, of elements in the order of their addresses. */
function lastNotAfter<T extends { readonly address: number }>(sorted: readonly T[], address: number): T | undefined {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as T).address <= address) low = middle + 1;
    else high = middle;
  }
  return sorted[low - 1];
}
