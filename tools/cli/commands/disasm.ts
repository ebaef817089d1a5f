// `ring0 disasm`: the instructions of an image, by section and symbol, or of any bytes.
import { isElf } from "#emulator";
import {
  bytesText,
  codeAt,
  codeLine,
  type Range,
  readSections,
  type Section,
  type SymbolTable,
  symbolsOf,
} from "../../trace/index.ts";
import { rangeOfSymbol, readAddress, readRange } from "../address.ts";
import { command } from "../command.ts";
import { CommandError, EXIT } from "../exit.ts";
import { readSubject } from "../subject.ts";

/** A stretch of code at an address. */
interface Piece {
  readonly name: string;
  readonly address: number;
  readonly bytes: Uint8Array;
}

export const disasm = command({
  usage: "disasm <file>",
  summary: "Show the instructions of an image, or of any file of bytes",
  positionals: {
    file: { type: "string", demandOption: true, describe: "An ELF file, a program FILE.ts, or raw bytes" },
  },
  options: {
    base: { type: "string", requiresArg: true, describe: "Raw bytes: the address of the first (0x7c00 unless given)" },
    bits: {
      type: "string",
      choices: ["16", "32"],
      requiresArg: true,
      describe: "Code size (32; raw bytes without --base: 16)",
    },
    raw: { type: "boolean", default: false, describe: "Take an ELF file as raw bytes too" },
    symbol: { type: "string", requiresArg: true, describe: "Only this routine" },
    range: { type: "string", requiresArg: true, describe: "Only these addresses: START-END" },
    json: { type: "boolean", default: false, describe: "One JSON object a line" },
  },
  examples: [
    ["disasm kernel.elf --symbol main", "one routine"],
    ["disasm boot.bin --base 0x7c00 --bits 16", "a boot sector"],
  ],
  async run({ file, base, bits, raw, symbol, range, json }, host) {
    const { bytes, name } = await readSubject(file);
    const isImage = isElf(bytes) && !raw;
    if (isImage && base !== undefined)
      throw new CommandError("--base: an ELF file says itself where it lies; --raw would do");
    const symbols = symbolsOf(isImage ? bytes : new Uint8Array(0), name);
    const pieces = isImage ? codeOf(readSections(bytes)) : [rawPiece(bytes, base, symbols)];
    if (pieces.length === 0) throw new CommandError(`${name}: no section with code; --raw takes the file as bytes`);
    const size = (bits ?? (isImage || base !== undefined ? "32" : "16")) === "16" ? 16 : 32;
    const only = symbol
      ? rangeOfSymbol("--symbol", symbol, symbols)
      : range
        ? readRange("--range", range, symbols)
        : undefined;
    const shown = only ? pieces.flatMap((piece) => within(piece, only)) : pieces;
    if (shown.length === 0) throw new CommandError(`${name}: no code there; ring0 info ${file} lists what there is`);
    for (const piece of shown) host.out.write((json ? jsonLines : text)(piece, size, symbols));
    return EXIT.ok;
  },
});

const DEFAULT_BASE = "0x7c00";

function rawPiece(bytes: Uint8Array, base: string | undefined, symbols: SymbolTable): Piece {
  return { name: "bytes", address: readAddress("--base", base ?? DEFAULT_BASE, symbols), bytes };
}

function codeOf(sections: readonly Section[]): Piece[] {
  return sections.filter(({ execute, bytes }) => execute && bytes.length > 0);
}

/** The part of a piece that lies within a range, or nothing. */
function within({ name, address, bytes }: Piece, { start, end }: Range): Piece[] {
  const from = Math.max(0, start - address);
  const to = Math.min(bytes.length, end - address);
  return from < to ? [{ name, address: address + from, bytes: bytes.subarray(from, to) }] : [];
}

function text({ name, address, bytes }: Piece, bits: 16 | 32, symbols: SymbolTable): string {
  const lines = [`${name}  0x${address.toString(16).padStart(8, "0")}  ${bytes.length} bytes`];
  for (let at = 0; at < bytes.length; ) {
    for (const symbol of symbols.all) if (symbol.address === address + at) lines.push(`${symbol.name}:`);
    const line = codeLine(bytes.subarray(at), address + at, bits, symbols);
    lines.push(`  ${line.text}`);
    at += line.length;
  }
  return `${lines.join("\n")}\n`;
}

function jsonLines({ address, bytes }: Piece, bits: 16 | 32, symbols: SymbolTable): string {
  let lines = "";
  for (let at = 0; at < bytes.length; ) {
    const code = codeAt(bytes.subarray(at), address + at, bits, symbols);
    const linear = `0x${(address + at).toString(16).padStart(8, "0")}`;
    const symbol = symbols.nameOf(address + at);
    lines += `${JSON.stringify({ address: linear, symbol, ...code, bytes: bytesText(code.bytes) })}\n`;
    at += code.bytes.length;
  }
  return lines;
}
