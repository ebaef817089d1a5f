// One instruction of memory, its bytes and text with names, and the source line it came from: in parts, and as a line for people.
import { basename } from "node:path";
import { decode, format } from "#emulator";
import type { SymbolTable } from "./symbols.ts";

/** What is known of an instruction where it lies. */
export interface Code {
  readonly bytes: Uint8Array;
  readonly text: string;
  /** `counter.ts:12` */
  readonly source?: string;
}

export interface CodeLine {
  readonly text: string;
  /** Bytes of it: at least one, whatever they are. */
  readonly length: number;
}

const BYTES_WIDTH = 10 * 3 - 1;
const TEXT_WIDTH = 44;

/** The instruction that `bytes` begin with, at a linear address; bytes that are none are shown as data. */
export function codeAt(bytes: Uint8Array, address: number, bits: 16 | 32, symbols: SymbolTable): Code {
  const instruction = decode(bytes, 0, Math.min(15, bytes.length), bits);
  const isCode = typeof instruction !== "string";
  const length = isCode ? instruction.length : 1;
  const symbol = (target: number) => symbols.nameOf(target, address);
  const text = isCode ? format(instruction, address, { bits, symbol }) : `db 0x${hex(bytes[0] ?? 0, 2)}`;
  const line = symbols.lineOf(address);
  const source = line && { source: `${basename(line.file)}:${line.line}` };
  return { bytes: bytes.subarray(0, length), text, ...source };
}

/** The same as a line. */
export function codeLine(bytes: Uint8Array, address: number, bits: 16 | 32, symbols: SymbolTable): CodeLine {
  const code = codeAt(bytes, address, bits, symbols);
  const columns = [hex(address, 8), bytesText(code.bytes).padEnd(BYTES_WIDTH), code.text.padEnd(TEXT_WIDTH)];
  return { text: [...columns, code.source ?? ""].join("  ").trimEnd(), length: code.bytes.length };
}

/** `8b 44 24 04` */
export function bytesText(bytes: Uint8Array): string {
  return [...bytes].map((byte) => hex(byte, 2)).join(" ");
}

export function hex(value: number, digits: number): string {
  return (value >>> 0).toString(16).padStart(digits, "0");
}
