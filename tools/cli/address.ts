// Addresses as people type them: hexadecimal numbers, symbols, and what lies between two of them.
import type { Range, SymbolTable } from "../trace/index.ts";
import { CommandError } from "./exit.ts";
import { didYouMean } from "./suggest.ts";

const FOUR_GIB = 0x1_0000_0000;

/** `0x100000`, `main` or `main+0x10`. Throws CommandError. */
export function readAddress(option: string, text: string, symbols: SymbolTable): number {
  if (/^0x[\da-f]{1,8}$/i.test(text) || /^\d+$/.test(text)) return inSpace(option, text, Number(text));
  const [, name = text, offset = "0"] = /^(.+?)\+(0x[\da-f]+|\d+)$/i.exec(text) ?? [];
  return inSpace(option, text, rangeOfSymbol(option, name, symbols).start + Number(offset));
}

/** `A-B` (B not included), or an address alone, which stands for `size` bytes or all of the symbol. Throws CommandError. */
export function readRange(option: string, text: string, symbols: SymbolTable, size = 1): Range {
  const whole = symbols.rangeOf(text);
  if (whole) return whole;
  const dash = text.indexOf("-");
  if (dash < 0) {
    const start = readAddress(option, text, symbols);
    return { start, end: start + size };
  }
  const start = readAddress(option, text.slice(0, dash), symbols);
  const end = readAddress(option, text.slice(dash + 1), symbols);
  if (end <= start) throw new CommandError(`${option} ${text}: it ends before it begins; START-END would do`);
  return { start, end };
}

/** The addresses of a symbol. Throws CommandError, with the name that was probably meant. */
export function rangeOfSymbol(option: string, name: string, symbols: SymbolTable): Range {
  const range = symbols.rangeOf(name);
  if (range) return range;
  if (symbols.all.length === 0)
    throw new CommandError(`${option} ${name}: the image has no symbols; an address (0x...) would do`);
  const names = symbols.all.map((symbol) => symbol.name);
  throw new CommandError(`${option} ${name}: no such symbol in the image${didYouMean(name, names)}`);
}

function inSpace(option: string, text: string, address: number): number {
  if (address < FOUR_GIB) return address;
  throw new CommandError(`${option} ${text}: beyond 4 GiB; 0x00000000 to 0xffffffff would do`);
}
