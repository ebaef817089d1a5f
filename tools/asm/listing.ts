// An image as text for people: address, bytes, instruction, and the source line that wrote it.

import { basename } from "node:path";
import { decode, format } from "../../emulator/isa/index.ts";
import type { Image, ImageSection, Line } from "./image.ts";

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");
const bytesText = (bytes: Uint8Array): string => [...bytes].map((byte) => hex(byte, 2)).join(" ");

/** Every section: code a line an instruction, data sixteen bytes a line, every symbol before what it names. */
export function listing(image: Image): string {
  return image.sections.map((section) => `${sectionText(image, section).join("\n")}\n`).join("\n");
}

function sectionText(image: Image, section: ImageSection): string[] {
  const { name, address, size, bytes } = section;
  const end = address + size;
  const out = [`${name}  0x${hex(address, 8)}  ${size} bytes`];
  const symbols = image.symbols.filter((symbol) => symbol.address >= address && symbol.address < end);
  const lines = image.lines.filter((line) => line.address >= address && line.address < end);
  const starts = [...symbols, ...lines].map(({ address }) => address);
  const boundaries = [...new Set([address, ...starts, end])].sort((a, b) => a - b);
  const lineAt = new Map(lines.map((line) => [line.address, line]));
  boundaries.slice(0, -1).forEach((start, index) => {
    for (const symbol of symbols) if (symbol.address === start) out.push(`${symbol.name}:`);
    const stretch = bytes.subarray(start - address, (boundaries[index + 1] as number) - address);
    const line = lineAt.get(start);
    if (line) out.push(codeText(image, line, stretch.subarray(0, line.length)));
    else if (bytes.length > 0 && !section.execute) out.push(...dataText(start, stretch));
  });
  return out;
}

function codeText(image: Image, { address, code, bits, site }: Line, bytes: Uint8Array): string {
  const { file, line } = site.source;
  const text = code ? instructionText(image, address, bytes, bits) : "";
  return `  ${hex(address, 8)}  ${bytesText(bytes).padEnd(30)}  ${text.padEnd(44)}  ${basename(file)}:${line}`;
}

/** The instruction; its targets and variables by name. */
function instructionText(image: Image, address: number, bytes: Uint8Array, bits: 16 | 32): string {
  const instruction = decode(bytes, 0, bytes.length, bits);
  if (typeof instruction === "string") return `(${instruction})`;
  return format(instruction, address, { bits, symbol: (target) => image.nameAt(target) });
}

function dataText(start: number, bytes: Uint8Array): string[] {
  const out: string[] = [];
  for (let offset = 0; offset < bytes.length; offset += 16) {
    const row = bytes.subarray(offset, offset + 16);
    const characters = [...row].map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("");
    out.push(`  ${hex(start + offset, 8)}  ${bytesText(row).padEnd(48)}  ${characters}`);
  }
  return out;
}
