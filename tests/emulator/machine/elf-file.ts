// Small ELF and Multiboot files for the loader's tests, written field by field.

export interface SegmentSpec {
  readonly physical: number;
  readonly linear?: number;
  readonly bytes: readonly number[];
  /** Bytes in memory; as many as in the file where not said. */
  readonly size?: number;
  /** PT_LOAD where not said. */
  readonly type?: number;
}

export interface FileSpec {
  readonly segments: readonly SegmentSpec[];
  readonly entry: number;
  readonly symbols?: readonly { name: string; value: number; size?: number; info?: number; section?: number }[];
  /** Multiboot flags; no header for null. */
  readonly multiboot?: number | null;
}

export const MULTIBOOT_MAGIC = 0x1badb002;

const HEADER = 52;
const PROGRAM_HEADER = 32;
const SECTION_HEADER = 40;
const SYMBOL = 16;

/** The three words of a Multiboot header. */
export function multibootHeader(flags: number): number[] {
  return bytesOf(MULTIBOOT_MAGIC, flags, -(MULTIBOOT_MAGIC + flags));
}

/** Words as little-endian bytes. */
export function bytesOf(...words: readonly number[]): number[] {
  return words.flatMap((word) => [word & 255, (word >>> 8) & 255, (word >>> 16) & 255, word >>> 24]);
}

/**
 * An executable: header, program headers, the Multiboot header, the segments' bytes, then symbols, strings and section
 * headers if there are symbols.
 */
export function elfFile({ segments, entry, symbols = [], multiboot = 0 }: FileSpec): Uint8Array {
  const bytes: number[] = new Array(HEADER + segments.length * PROGRAM_HEADER).fill(0);
  if (multiboot !== null) bytes.push(...multibootHeader(multiboot));
  const offsets = segments.map((segment) => bytes.push(...segment.bytes) - segment.bytes.length);

  const sectionsAt = symbols.length > 0 ? addSymbols(bytes, symbols) : 0;

  const file = Uint8Array.from(bytes);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, 3, true);
  view.setUint32(20, 1, true);
  view.setUint32(24, entry, true);
  view.setUint32(28, HEADER, true);
  view.setUint32(32, sectionsAt, true);
  view.setUint16(40, HEADER, true);
  view.setUint16(42, PROGRAM_HEADER, true);
  view.setUint16(44, segments.length, true);
  view.setUint16(46, SECTION_HEADER, true);
  view.setUint16(48, symbols.length > 0 ? 3 : 0, true);
  for (const [i, segment] of segments.entries()) {
    const { physical, linear = physical, size = segment.bytes.length, type = 1 } = segment;
    const fields = [type, offsets[i], linear, physical, segment.bytes.length, size, 7, 4096];
    for (const [field, value] of fields.entries()) view.setUint32(HEADER + i * PROGRAM_HEADER + 4 * field, value, true);
  }
  return file;
}

/** Appends symbol table, string table and section headers; returns where the headers begin. */
function addSymbols(bytes: number[], symbols: NonNullable<FileSpec["symbols"]>): number {
  const names = [0];
  const table: number[] = new Array(SYMBOL).fill(0);
  for (const { name, value, size = 0, info = 0x12, section = 1 } of symbols) {
    table.push(...bytesOf(names.length, value, size), info, 0, section & 255, section >>> 8);
    names.push(...Array.from(name, (character) => character.charCodeAt(0)), 0);
  }
  const tableAt = bytes.push(...table) - table.length;
  const namesAt = bytes.push(...names) - names.length;
  const sectionsAt = bytes.length;
  bytes.push(...new Array<number>(SECTION_HEADER).fill(0));
  bytes.push(...bytesOf(0, 2, 0, 0, tableAt, table.length, 2, 1, 4, SYMBOL)); // SHT_SYMTAB, its strings in section 2
  bytes.push(...bytesOf(0, 3, 0, 0, namesAt, names.length, 0, 0, 1, 0)); // SHT_STRTAB
  return sectionsAt;
}
