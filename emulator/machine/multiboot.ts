// The Multiboot header of an image and the information structure it is handed (Multiboot Specification 0.6.96, chapter 3).
import { EBDA } from "./firmware.ts";
import { hex, type Image, ImageError, type ImageSegment } from "./image.ts";

const HEADER_MAGIC = 0x1badb002;
/** The header lies in the first 8 KiB, 4-aligned. */
const SEARCHED = 8192;
/** What EAX holds at the entry. */
export const BOOT_MAGIC = 0x2badb002;

// Flags of the header. The low half are demands, the high half are not.
const FLAG_PAGE_ALIGN = 1;
const FLAG_MEMORY_INFO = 2;
const FLAG_VIDEO = 4;
const FLAG_ADDRESSES = 0x10000;
const FLAGS_KNOWN = FLAG_PAGE_ALIGN | FLAG_MEMORY_INFO | FLAG_VIDEO;

// Flags of the information structure.
const INFO_MEMORY = 1;
const INFO_COMMAND_LINE = 4;
const INFO_MODULES = 8;
const INFO_MEMORY_MAP = 0x40;
const INFO_LOADER_NAME = 0x200;
const INFO_SIZE = 88;
const MODULE_SIZE = 16;
const MAP_ENTRY_SIZE = 24;
const LOADER_NAME = "ring0";

const TYPE_RAM = 1;
const TYPE_RESERVED = 2;
const LOW_MEMORY_TOP = 0xa0000;
const BIOS_AREA = 0xf0000;
const HIGH_MEMORY = 0x100000;

export interface MultibootHeader {
  /** Byte offset in the file. */
  readonly offset: number;
  readonly flags: number;
}

/** Finds the header; undefined if there is none. Throws ImageError where it demands what no loader could know. */
export function findMultibootHeader(file: Uint8Array, name: string): MultibootHeader | undefined {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const end = Math.min(file.length, SEARCHED) - 12;
  for (let offset = 0; offset <= end; offset += 4) {
    if (view.getUint32(offset, true) !== HEADER_MAGIC) continue;
    const flags = view.getUint32(offset + 4, true);
    if ((HEADER_MAGIC + flags + view.getUint32(offset + 8, true)) >>> 0 !== 0) continue;
    const unknown = flags & 0xffff & ~FLAGS_KNOWN;
    if (unknown !== 0) {
      throw new ImageError(
        `${name}: its Multiboot header demands features ${hex(unknown)}; known are ${hex(FLAGS_KNOWN)}`,
      );
    }
    return { offset, flags };
  }
  return undefined;
}

/** Whether the header gives load addresses of its own (bit 16), for an image that is no ELF file. */
export function hasLoadAddresses(header: MultibootHeader): boolean {
  return (header.flags & FLAG_ADDRESSES) !== 0;
}

/** Reads an image by the addresses in its header. */
export function readByHeader(file: Uint8Array, header: MultibootHeader, name: string): Image {
  if (header.offset + 32 > file.length) {
    throw new ImageError(
      `${name}: truncated: its Multiboot header ends at ${hex(header.offset + 32)}, the file at ${hex(file.length)}`,
    );
  }
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const field = (index: number) => view.getUint32(header.offset + 12 + 4 * index, true);
  const [headerAddress, start, loadEnd, bssEnd, entry] = [field(0), field(1), field(2), field(3), field(4)];
  const offset = header.offset - (headerAddress - start);
  if (headerAddress < start || offset < 0) {
    throw new ImageError(
      `${name}: its Multiboot header says it is at ${hex(headerAddress)}, loaded from ${hex(start)}; the file does not reach back so far`,
    );
  }
  const available = file.length - offset;
  const loaded = loadEnd === 0 ? available : loadEnd - start;
  if (loaded < 0 || loaded > available) {
    throw new ImageError(
      `${name}: its Multiboot header loads ${hex(start)} to ${hex(loadEnd)}; the file has ${hex(available)} bytes for it`,
    );
  }
  const size = bssEnd === 0 ? loaded : bssEnd - start;
  if (size < loaded) {
    throw new ImageError(
      `${name}: its Multiboot header ends the bss at ${hex(bssEnd)}, before the data at ${hex(start + loaded)}`,
    );
  }
  if (entry < start || entry >= start + size) {
    throw new ImageError(`${name}: no entry: ${hex(entry)} is not in what its Multiboot header loads`);
  }
  const segment: ImageSegment = { physical: start, linear: start, size, bytes: file.subarray(offset, offset + loaded) };
  return { format: "multiboot", segments: [segment], entry, symbols: [] };
}

/** A module as it lies in memory. */
export interface PlacedModule {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

export interface InformationRequest {
  /** Bytes. */
  readonly ramSize: number;
  /** Leave the sizes of memory and the entries of its map to a firmware: their room is there, and zero. */
  readonly withoutMemory?: boolean;
  readonly commandLine: string;
  readonly modules: readonly PlacedModule[];
}

/** Bytes the information structure and all it points to take. */
export function informationSize(request: InformationRequest): number {
  return buildInformation(0, request).length;
}

/**
 * The information structure for physical address `base`, with what it points to behind it. Always filled: mem_lower and
 * mem_upper, the command line, the modules, the memory map and the loader's name.
 */
export function buildInformation(base: number, request: InformationRequest): Uint8Array {
  const { ramSize, modules, withoutMemory = false } = request;
  const map = memoryMap(ramSize);
  const texts = [request.commandLine, LOADER_NAME, ...modules.map((module) => module.text)].map(bytesOfText);
  const modulesAt = INFO_SIZE;
  const mapAt = modulesAt + modules.length * MODULE_SIZE;
  const textsAt: number[] = [];
  let end = mapAt + map.length * MAP_ENTRY_SIZE;
  for (const text of texts) {
    textsAt.push(end);
    end += text.length;
  }
  const bytes = new Uint8Array(end);
  const view = new DataView(bytes.buffer);
  const put = (offset: number, ...values: number[]) => {
    for (const [i, value] of values.entries()) view.setUint32(offset + 4 * i, value, true);
  };
  put(0, INFO_COMMAND_LINE | INFO_MODULES | INFO_LOADER_NAME | (withoutMemory ? 0 : INFO_MEMORY | INFO_MEMORY_MAP));
  put(16, base + textsAt[0], modules.length, base + modulesAt);
  put(48, base + mapAt);
  put(64, base + textsAt[1]);
  for (const [i, { start, end: moduleEnd }] of modules.entries()) {
    put(modulesAt + i * MODULE_SIZE, start, moduleEnd, base + textsAt[2 + i], 0);
  }
  for (const [i, text] of texts.entries()) bytes.set(text, textsAt[i]);
  if (withoutMemory) return bytes;
  put(4, EBDA / 1024, (ramSize - HIGH_MEMORY) / 1024);
  put(44, map.length * MAP_ENTRY_SIZE);
  for (const [i, { start, size, type }] of map.entries()) {
    // The size field counts what follows it; addresses and lengths are 64-bit.
    put(mapAt + i * MAP_ENTRY_SIZE, MAP_ENTRY_SIZE - 4, start, 0, size, 0, type);
  }
  return bytes;
}

function memoryMap(ramSize: number): { start: number; size: number; type: number }[] {
  const region = (start: number, end: number, type: number) => ({ start, size: end - start, type });
  const map = [
    region(0, EBDA, TYPE_RAM),
    region(EBDA, LOW_MEMORY_TOP, TYPE_RESERVED),
    region(BIOS_AREA, HIGH_MEMORY, TYPE_RESERVED),
  ];
  if (ramSize > HIGH_MEMORY) map.push(region(HIGH_MEMORY, ramSize, TYPE_RAM));
  return map;
}

/** UTF-8 with its terminating zero. */
function bytesOfText(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x80) bytes.push(code);
    else if (code < 0x800) bytes.push(0xc0 | (code >>> 6), 0x80 | (code & 63));
    else if (code < 0x10000) bytes.push(0xe0 | (code >>> 12), 0x80 | ((code >>> 6) & 63), 0x80 | (code & 63));
    else bytes.push(0xf0 | (code >>> 18), 0x80 | ((code >>> 12) & 63), 0x80 | ((code >>> 6) & 63), 0x80 | (code & 63));
  }
  return new Uint8Array([...bytes, 0]);
}
