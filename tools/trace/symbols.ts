// Names for addresses and addresses for names: the symbols and source lines of one image.
import { type ImageSymbol, isElf, readSymbols } from "#emulator";
import { type LineTable, readLines, type SourceLine } from "./lines.ts";

/** A name and the distance from it: `main+0x5`. */
export interface Place {
  readonly symbol: ImageSymbol;
  readonly offset: number;
  /** The label that the address lies behind, where the routine has some: its own name, without the routine's. */
  readonly label?: { readonly name: string; readonly offset: number };
}

/** Linear addresses from `start` up to but not including `end`. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** How far behind a symbol of unknown size an address may lie and still be told by it. */
const NEAR = 0x1000;

export class SymbolTable {
  readonly all: readonly ImageSymbol[];
  readonly lines: LineTable;
  /** Routines and variables; labels of a routine lie inside one. */
  readonly #outer: readonly ImageSymbol[];
  readonly #labels: readonly ImageSymbol[];

  constructor(symbols: readonly ImageSymbol[], lines: LineTable) {
    this.all = [...symbols].sort((a, b) => a.address - b.address || b.size - a.size);
    this.lines = lines;
    const names = new Set(this.all.map(({ name }) => name));
    const isLabel = ({ name, size }: ImageSymbol) => {
      const dot = name.lastIndexOf(".");
      return size === 0 && dot > 0 && names.has(name.slice(0, dot));
    };
    this.#outer = this.all.filter((symbol) => !isLabel(symbol));
    this.#labels = this.all.filter(isLabel);
  }

  /** The routine or variable that a linear address lies in, or shortly behind when nobody says how long it is. */
  at(address: number): Place | undefined {
    const symbol = lastNotAfter(this.#outer, address);
    if (!symbol) return undefined;
    const offset = address - symbol.address;
    if (offset >= (symbol.size === 0 ? NEAR : symbol.size)) return undefined;
    const label = lastNotAfter(this.#labels, address);
    const isInside = label !== undefined && label.address >= symbol.address && label.name.startsWith(`${symbol.name}.`);
    if (!isInside) return { symbol, offset };
    const name = label.name.slice(symbol.name.length + 1);
    return { symbol, offset, label: { name, offset: address - label.address } };
  }

  /**
   * `name` or `name+0x5`; undefined outside all of them. Seen from an address in the same routine a label goes by its own
   * name: `.queue`.
   */
  nameOf(address: number, from?: number): string | undefined {
    const place = this.at(address);
    if (!place) return undefined;
    const isNear = from !== undefined && this.at(from)?.symbol === place.symbol;
    if (isNear && place.label) return labelText(place.label);
    return withOffset(place.symbol.name, place.offset);
  }

  lineOf(address: number): SourceLine | undefined {
    return this.lines.lineOf(address);
  }

  /** The addresses that a name stands for; undefined if there is no such name. */
  rangeOf(name: string): Range | undefined {
    const symbol = this.all.find((one) => one.name === name);
    if (!symbol) return undefined;
    const next = this.all.find(({ address }) => address > symbol.address);
    const size =
      symbol.size > 0 ? symbol.size : Math.min(NEAR, (next?.address ?? symbol.address + NEAR) - symbol.address);
    return { start: symbol.address, end: symbol.address + size };
  }
}

/** The names and lines of an image's file; empty for one that has none. */
export function symbolsOf(file: Uint8Array, name: string): SymbolTable {
  return new SymbolTable(isElf(file) ? readSymbols(file, name) : [], readLines(file));
}

/** A name, or a name and a distance. */
export function withOffset(name: string, offset: number): string {
  return offset === 0 ? name : `${name}+0x${offset.toString(16)}`;
}

/** A label as its routine knows it: `.queue`, `.queue+0x3`. */
export function labelText({ name, offset }: NonNullable<Place["label"]>): string {
  return withOffset(`.${name}`, offset);
}

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
