// The sections of an ELF file, for who looks at images rather than runs them (System V ABI, chapter 4).

export interface Section {
  readonly name: string;
  /** Linear address; 0 for what is not loaded, debugging information say. */
  readonly address: number;
  /** Bytes in memory. */
  readonly size: number;
  /** Empty for sections of zeros. */
  readonly bytes: Uint8Array;
  readonly execute: boolean;
  readonly write: boolean;
  /** Takes up memory when the image runs. */
  readonly loaded: boolean;
}

const SECTION_HEADER_SIZE = 40;
const SHT_NOBITS = 8;
const SHF_WRITE = 1;
const SHF_ALLOC = 2;
const SHF_EXECINSTR = 4;

/** The sections of a 32-bit little-endian ELF file; none for any other file and for one whose headers lie. */
export function readSections(file: Uint8Array): readonly Section[] {
  const isElf32 = file.length >= 52 && file[0] === 0x7f && file[1] === 0x45 && file[4] === 1 && file[5] === 1;
  if (!isElf32) return [];
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const offset = view.getUint32(32, true);
  const entrySize = view.getUint16(46, true);
  const count = view.getUint16(48, true);
  const namesIndex = view.getUint16(50, true);
  if (entrySize < SECTION_HEADER_SIZE || offset + count * entrySize > file.length || namesIndex >= count) return [];
  const word = (index: number, field: number): number => view.getUint32(offset + index * entrySize + field * 4, true);
  const bytesOf = (index: number): Uint8Array =>
    word(index, 1) === SHT_NOBITS ? new Uint8Array(0) : file.subarray(word(index, 4), word(index, 4) + word(index, 5));
  const names = bytesOf(namesIndex);
  return Array.from({ length: count }, (_, index) => {
    const flags = word(index, 2);
    return {
      name: textAt(names, word(index, 0)),
      address: word(index, 3),
      size: word(index, 5),
      bytes: bytesOf(index),
      execute: (flags & SHF_EXECINSTR) !== 0,
      write: (flags & SHF_WRITE) !== 0,
      loaded: (flags & SHF_ALLOC) !== 0,
    };
  });
}

/** A zero-terminated string; the end of the bytes ends it too. */
export function textAt(bytes: Uint8Array, start: number): string {
  const end = bytes.indexOf(0, start);
  return Buffer.from(bytes.subarray(start, end < 0 ? bytes.length : end)).toString("utf8");
}
