// An image as an ELF32 executable for the 80386 (System V ABI, chapter 4: object files; chapter 5: program loading).

import { ByteWriter } from "./bytes.ts";
import { writeDwarf } from "./dwarf.ts";
import type { Image, ImageSection, ImageSymbol } from "./image.ts";

const ET_EXEC = 2;
const EM_386 = 3;
const HEADER_SIZE = 52;
const PROGRAM_HEADER_SIZE = 32;
const SECTION_HEADER_SIZE = 40;
/** What the file begins with: there are at most two segments. */
const HEADERS_SIZE = HEADER_SIZE + 2 * PROGRAM_HEADER_SIZE;

const PT_LOAD = 1;
const PF_X = 1;
const PF_W = 2;
const PF_R = 4;

const SHT_PROGBITS = 1;
const SHT_SYMTAB = 2;
const SHT_STRTAB = 3;
const SHT_NOBITS = 8;
const SHF_WRITE = 1;
const SHF_ALLOC = 2;
const SHF_EXECINSTR = 4;

const STB_GLOBAL = 1;
const STT: Readonly<Record<ImageSymbol["kind"], number>> = { label: 0, object: 1, function: 2 };

/** Segments lie in the file as in memory: at the same place within a page. A Multiboot header must be below 8 KiB. */
const PAGE = 4096;

/** One section of the file; those of the image are first, in its order. */
interface FileSection {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly address: number;
  /** Bytes in memory; in the file there may be none. */
  readonly size: number;
  readonly bytes: Uint8Array;
  readonly link: number;
  readonly info: number;
  readonly align: number;
  readonly entrySize: number;
}

/** The whole file. Program headers: what is only read or executed, then what is written. */
export function writeElf(image: Image): Uint8Array {
  const sections = [...image.sections.map(loaded), ...unloaded(image)];
  const segments = [false, true]
    .map((write) => image.sections.filter((section) => section.write === write))
    .filter((group) => group.length > 0);

  const body = new ByteWriter();
  const offsets: number[] = [];
  const address = image.sections[0]?.address ?? 0;
  const start = address % PAGE < HEADERS_SIZE ? PAGE + (address % PAGE) : address % PAGE;
  for (const section of sections) {
    if (section.flags & SHF_ALLOC) body.padTo(start + section.address - address);
    else body.padTo(Math.ceil(body.length / section.align) * section.align);
    offsets.push(body.length);
    body.append(section.bytes);
  }
  const names = nameTable(["", ...sections.map(({ name }) => name), ".shstrtab"]);
  const namesOffset = body.length;
  body.append(names.bytes).padTo(Math.ceil(body.length / 4) * 4);
  const headersOffset = body.length;

  const headers = new ByteWriter().padTo(SECTION_HEADER_SIZE);
  sections.forEach((section, index) => {
    const { name, type, flags, address, size, link, info, align, entrySize } = section;
    headers.u32(names.offset(name), type, flags, address, offsets[index] as number, size, link, info, align, entrySize);
  });
  headers.u32(names.offset(".shstrtab"), SHT_STRTAB, 0, 0, namesOffset, names.bytes.length, 0, 0, 1, 0);

  const file = body.append(headers.done()).done();
  file.set(fileHeader(image.entry, segments.length, headersOffset, sections.length + 2));
  segments.forEach((group, index) => {
    const offset = offsets[image.sections.indexOf(group[0] as ImageSection)] as number;
    file.set(programHeader(group, offset, image.load), HEADER_SIZE + index * PROGRAM_HEADER_SIZE);
  });
  return file;
}

function fileHeader(entry: number, segments: number, sectionHeaders: number, sections: number): Uint8Array {
  const [little, current, sysv] = [1, 1, 0];
  return new ByteWriter()
    .u8(0x7f, 0x45, 0x4c, 0x46, 1, little, current, sysv)
    .padTo(16)
    .u16(ET_EXEC, EM_386)
    .u32(current, entry, HEADER_SIZE, sectionHeaders, 0)
    .u16(HEADER_SIZE, PROGRAM_HEADER_SIZE, segments, SECTION_HEADER_SIZE, sections, sections - 1)
    .done();
}

/** One segment for a run of sections; `load` is what to add to an address to get the physical one. */
function programHeader(sections: readonly ImageSection[], offset: number, load: number): Uint8Array {
  const address = (sections[0] as ImageSection).address;
  const end = (held: readonly ImageSection[]) =>
    Math.max(address, ...held.map((section) => section.address + section.size));
  const inFile = end(sections.filter(({ bytes }) => bytes.length > 0)) - address;
  const flags = sections.reduce((all, { write, execute }) => all | (write ? PF_W : 0) | (execute ? PF_X : 0), PF_R);
  return new ByteWriter()
    .u32(PT_LOAD, offset, address, address + load, inFile, end(sections) - address, flags, PAGE)
    .done();
}

function loaded({ name, address, size, bytes, write, execute }: ImageSection): FileSection {
  return {
    name,
    type: bytes.length > 0 || size === 0 ? SHT_PROGBITS : SHT_NOBITS,
    flags: SHF_ALLOC | (write ? SHF_WRITE : 0) | (execute ? SHF_EXECINSTR : 0),
    address,
    size,
    bytes,
    link: 0,
    info: 0,
    align: 16,
    entrySize: 0,
  };
}

/** Symbols, their names, and the source lines. */
function unloaded(image: Image): readonly FileSection[] {
  const names = nameTable(["", ...image.symbols.map(({ name }) => name)]);
  const symbols = new ByteWriter().u32(0, 0, 0, 0);
  for (const { name, kind, address, size } of image.symbols) {
    const section = image.sections.findLastIndex((section) => section.address <= address) + 1;
    symbols
      .u32(names.offset(name), address, size)
      .u8((STB_GLOBAL << 4) | STT[kind], 0)
      .u16(section);
  }
  const plain = { flags: 0, address: 0, link: 0, info: 0, align: 1, entrySize: 0 };
  const of = (name: string, type: number, bytes: Uint8Array) => ({ ...plain, name, type, bytes, size: bytes.length });
  const stringsIndex = image.sections.length + 2;
  return [
    { ...of(".symtab", SHT_SYMTAB, symbols.done()), link: stringsIndex, info: 1, align: 4, entrySize: 16 },
    of(".strtab", SHT_STRTAB, names.bytes),
    ...writeDwarf(image).map(({ name, bytes }) => of(name, SHT_PROGBITS, bytes)),
  ];
}

/** Strings one after the other, each found again by its offset. */
function nameTable(names: readonly string[]) {
  const writer = new ByteWriter();
  const offsets = new Map<string, number>();
  for (const name of names) {
    if (offsets.has(name)) continue;
    offsets.set(name, writer.length);
    writer.string(name);
  }
  return { bytes: writer.done(), offset: (name: string): number => offsets.get(name) ?? 0 };
}
