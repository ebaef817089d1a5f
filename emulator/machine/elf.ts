// Reads 32-bit executables for IA-32 in the ELF format (System V ABI, chapters 4 and 5, and its Intel386 supplement).
import { hex, type Image, ImageError, type ImageSegment, type ImageSymbol, sortedSegments } from "./image.ts";

const HEADER_SIZE = 52;
const PROGRAM_HEADER_SIZE = 32;
const SECTION_HEADER_SIZE = 40;
const SYMBOL_SIZE = 16;
const CLASS_32 = 1;
const LITTLE_ENDIAN = 1;
const TYPE_EXECUTABLE = 2;
const MACHINE_386 = 3;
const PT_LOAD = 1;
const SHT_SYMTAB = 2;
const SHT_STRTAB = 3;
const STT_OBJECT = 1;
const STT_FUNC = 2;
const SHN_UNDEF = 0;
const FOUR_GIB = 0x100000000;
/** More than any linker writes; a header that claims more is lying. */
const MOST_PROGRAM_HEADERS = 1024;

/** Whether a file begins as an ELF file does. */
export function isElf(file: Uint8Array): boolean {
  return file.length >= 4 && file[0] === 0x7f && file[1] === 0x45 && file[2] === 0x4c && file[3] === 0x46;
}

/**
 * Reads an executable: its loadable segments, its entry as a physical address, its symbols. `name` is how errors call the
 * file. Throws ImageError for anything that is not a whole, consistent, static IA-32 executable.
 */
export function readElf(file: Uint8Array, name: string): Image {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  checkHeader(file, view, name);
  const segments = readSegments(file, view, name);
  const entry = physicalOf(view.getUint32(24, true), segments, name);
  return { format: "elf", segments: sortedSegments(name, segments), entry, symbols: readSymbols(file, name) };
}

function checkHeader(file: Uint8Array, view: DataView, name: string): void {
  if (file.length < HEADER_SIZE) {
    throw new ImageError(`${name}: truncated: ${file.length} bytes, but an ELF header alone has ${HEADER_SIZE}`);
  }
  if (file[4] !== CLASS_32 || file[5] !== LITTLE_ENDIAN) {
    const found = `${file[4] === 2 ? "64-bit" : file[4] === CLASS_32 ? "32-bit" : `class ${file[4]}`}, ${
      file[5] === 2 ? "big-endian" : file[5] === LITTLE_ENDIAN ? "little-endian" : `byte order ${file[5]}`
    }`;
    throw new ImageError(`${name}: the ELF file is ${found}; this machine runs 32-bit little-endian ones (gcc -m32)`);
  }
  const type = view.getUint16(16, true);
  if (type !== TYPE_EXECUTABLE) {
    const found =
      ["of no type", "a relocatable object", "", "a shared object or PIE", "a core file"][type] ?? `of type ${type}`;
    throw new ImageError(`${name}: the ELF file is ${found}; link it as a static executable (ld -m elf_i386 -no-pie)`);
  }
  const machine = view.getUint16(18, true);
  if (machine !== MACHINE_386) {
    throw new ImageError(
      `${name}: the ELF file is for machine ${machine}; this machine runs IA-32 (machine ${MACHINE_386})`,
    );
  }
}

function readSegments(file: Uint8Array, view: DataView, name: string): ImageSegment[] {
  const offset = view.getUint32(28, true);
  const entrySize = view.getUint16(42, true);
  const count = view.getUint16(44, true);
  if (count === 0) throw new ImageError(`${name}: no program headers, so nothing to load; link it as an executable`);
  if (entrySize < PROGRAM_HEADER_SIZE) {
    throw new ImageError(`${name}: program headers of ${entrySize} bytes; they have ${PROGRAM_HEADER_SIZE}`);
  }
  if (count > MOST_PROGRAM_HEADERS) {
    throw new ImageError(`${name}: ${count} program headers; at most ${MOST_PROGRAM_HEADERS} are taken`);
  }
  if (offset + count * entrySize > file.length) {
    throw new ImageError(
      `${name}: truncated: the program headers end at ${hex(offset + count * entrySize)}, the file at ${hex(file.length)}`,
    );
  }
  const segments: ImageSegment[] = [];
  for (let i = 0; i < count; i++) {
    const at = offset + i * entrySize;
    if (view.getUint32(at, true) !== PT_LOAD) continue;
    const segment = readSegment(file, view, at, `${name}: program header ${i}`);
    if (segment.size > 0) segments.push(segment);
  }
  if (segments.length === 0) throw new ImageError(`${name}: no loadable segment among ${count} program headers`);
  return segments;
}

function readSegment(file: Uint8Array, view: DataView, at: number, where: string): ImageSegment {
  const offset = view.getUint32(at + 4, true);
  const linear = view.getUint32(at + 8, true);
  const physical = view.getUint32(at + 12, true);
  const fileSize = view.getUint32(at + 16, true);
  const size = view.getUint32(at + 20, true);
  if (fileSize > size) {
    throw new ImageError(`${where}: ${hex(fileSize)} bytes in the file but only ${hex(size)} in memory`);
  }
  if (offset + fileSize > file.length) {
    throw new ImageError(`${where}: truncated: it ends at ${hex(offset + fileSize)}, the file at ${hex(file.length)}`);
  }
  if (physical + size > FOUR_GIB || linear + size > FOUR_GIB) {
    throw new ImageError(`${where}: ${hex(size)} bytes at ${hex(Math.max(physical, linear))} wrap around 4 GiB`);
  }
  return { physical, linear, size, bytes: file.subarray(offset, offset + fileSize) };
}

/**
 * e_entry is where the image's own code believes it is; the processor, its paging off, needs the physical address. Linkers of
 * kernels with a low entry stub also write the physical address itself: taken where no segment claims it as linear.
 */
function physicalOf(entry: number, segments: readonly ImageSegment[], name: string): number {
  const holds = (start: number, size: number) => entry >= start && entry < start + size;
  const linear = segments.find((segment) => holds(segment.linear, segment.size));
  if (linear) return linear.physical + (entry - linear.linear);
  if (segments.some((segment) => holds(segment.physical, segment.size))) return entry;
  if (entry === 0) throw new ImageError(`${name}: no entry: e_entry is 0; name one (ld -e start)`);
  throw new ImageError(`${name}: no entry: ${hex(entry)} lies in none of its ${segments.length} segments`);
}

/** The defined symbols of an ELF file, sorted by address; none if it was stripped. */
export function readSymbols(file: Uint8Array, name: string): ImageSymbol[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const offset = view.getUint32(32, true);
  const entrySize = view.getUint16(46, true);
  const count = view.getUint16(48, true);
  if (count === 0 || offset === 0) return [];
  if (entrySize < SECTION_HEADER_SIZE) {
    throw new ImageError(`${name}: section headers of ${entrySize} bytes; they have ${SECTION_HEADER_SIZE}`);
  }
  if (offset + count * entrySize > file.length) {
    throw new ImageError(
      `${name}: truncated: the section headers end at ${hex(offset + count * entrySize)}, the file at ${hex(file.length)}`,
    );
  }
  const section = (index: number) => {
    const at = offset + index * entrySize;
    const [start, size] = [view.getUint32(at + 16, true), view.getUint32(at + 20, true)];
    if (start + size > file.length) {
      throw new ImageError(
        `${name}: truncated: section ${index} ends at ${hex(start + size)}, the file at ${hex(file.length)}`,
      );
    }
    return { type: view.getUint32(at + 4, true), link: view.getUint32(at + 24, true), start, size };
  };
  const symbols: ImageSymbol[] = [];
  for (let i = 0; i < count; i++) {
    if (view.getUint32(offset + i * entrySize + 4, true) !== SHT_SYMTAB) continue;
    const table = section(i);
    const strings = table.link < count ? section(table.link) : undefined;
    if (strings?.type !== SHT_STRTAB) {
      throw new ImageError(
        `${name}: the symbol table names section ${table.link} for its strings, which is no string table`,
      );
    }
    const names = file.subarray(strings.start, strings.start + strings.size);
    for (let at = table.start; at + SYMBOL_SIZE <= table.start + table.size; at += SYMBOL_SIZE) {
      const symbol = readSymbol(view, at, names, name);
      if (symbol) symbols.push(symbol);
    }
  }
  return symbols.sort((a, b) => a.address - b.address);
}

/** A defined symbol that has a name and is a place; sections, files and undefined ones are passed over. */
function readSymbol(view: DataView, at: number, names: Uint8Array, file: string): ImageSymbol | undefined {
  const nameAt = view.getUint32(at, true);
  const type = view.getUint8(at + 12) & 15;
  const section = view.getUint16(at + 14, true);
  if (section === SHN_UNDEF || nameAt === 0 || type > STT_FUNC) return undefined;
  if (nameAt >= names.length) {
    throw new ImageError(
      `${file}: a symbol's name is at ${hex(nameAt)} of a string table of ${hex(names.length)} bytes`,
    );
  }
  const kind = type === STT_FUNC ? "code" : type === STT_OBJECT ? "data" : "other";
  const address = view.getUint32(at + 4, true);
  return { name: stringAt(names, nameAt), address, size: view.getUint32(at + 8, true), kind };
}

/** A zero-terminated string of a string table; the table's end ends it too. */
function stringAt(bytes: Uint8Array, start: number): string {
  let text = "";
  for (let i = start; i < bytes.length && bytes[i] !== 0; i++) text += String.fromCharCode(bytes[i]);
  return text;
}
