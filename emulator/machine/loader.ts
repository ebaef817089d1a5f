// Reads boot images and puts them into RAM as a boot loader would: Multiboot kernels (0.6.96), ELF or not, and boot sectors.
import { type Bus, type Core, CR0_ET, CR0_PE, G_MODE_CHANGED } from "../cpu/core.ts";
import * as L from "../memory/layout.ts";
import { isElf, readElf, readSymbols } from "./elf.ts";
import { EBDA } from "./firmware.ts";
import { hex, type Image, ImageError, type ImageSegment, type ImageSymbol } from "./image.ts";
import {
  BOOT_MAGIC,
  buildInformation,
  findMultibootHeader,
  hasLoadAddresses,
  informationSize,
  type PlacedModule,
  readByHeader,
} from "./multiboot.ts";

/** Where a BIOS puts a boot sector. */
export const BOOT_SECTOR_ADDRESS = 0x7c00;
const CONVENTIONAL_MEMORY_END = 0xa0000;
const INFORMATION_ALIGNMENT = 16;
const FIRST_DISK = 0x80;
const MOST_MEMORY_MIB = 3072;

/** A module (an initrd, say) and the text its entry in the information structure carries. */
export interface BootModule {
  readonly bytes: Uint8Array;
  readonly text: string;
}

export interface LoadOptions {
  readonly commandLine?: string;
  readonly modules?: readonly BootModule[];
}

/** The RAM of a machine just made: `size` bytes of `u8` from index `base` on. */
export interface Ram {
  readonly u8: Uint8Array;
  readonly base: number;
  readonly size: number;
  /** Where pieces have been put so far, by physical address; everywhere else are zeros. */
  readonly pieces: { readonly start: number; readonly end: number }[];
}

/** An image in RAM, ready to be entered. */
export interface LoadedImage {
  readonly format: Image["format"];
  /** Physical address of the first instruction. */
  readonly entry: number;
  /** Physical address of the Multiboot information structure; 0 for a flat image. */
  readonly information: number;
  readonly symbols: readonly ImageSymbol[];
}

/**
 * Reads an image by what it is: ELF and anything with a Multiboot header is a kernel, the rest a boot sector. `name` is how
 * errors call it. Throws ImageError, whatever the bytes, for an image that cannot be loaded.
 */
export function readImage(file: Uint8Array, name: string): Image {
  if (file.length === 0)
    throw new ImageError(`${name}: the file is empty; a Multiboot kernel or a boot sector would do`);
  const header = findMultibootHeader(file, name);
  if (header && hasLoadAddresses(header)) {
    const image = readByHeader(file, header, name);
    return isElf(file) ? { ...image, symbols: readSymbols(file, name) } : image;
  }
  if (isElf(file)) {
    const image = readElf(file, name);
    if (header) return image;
    throw new ImageError(`${name}: no Multiboot header in the first 8 KiB of the file; the linker must put one there`);
  }
  if (header) {
    throw new ImageError(`${name}: a Multiboot header without load addresses (bit 16) in a file that is not ELF`);
  }
  return readFlat(file, name);
}

/** Takes bytes as they are, for physical address `address`; they are entered at their first byte, in real mode. */
export function readFlat(file: Uint8Array, name: string, address = BOOT_SECTOR_ADDRESS): Image {
  const end = address + file.length;
  if (end > CONVENTIONAL_MEMORY_END) {
    throw new ImageError(
      `${name}: neither ELF nor Multiboot, and as a boot sector too large: it would end at ${hex(end)}, beyond 640 KiB`,
    );
  }
  const segment: ImageSegment = { physical: address, linear: address, size: file.length, bytes: file };
  return { format: "flat", segments: [segment], entry: address, symbols: [] };
}

/** Bytes for a physical address, then zeros up to `size`. */
export interface Piece {
  readonly physical: number;
  readonly bytes: Uint8Array;
  readonly size: number;
}

/** Where everything that belongs to an image goes. */
export interface BootPlan {
  readonly format: Image["format"];
  /** Physical address of the first instruction. */
  readonly entry: number;
  readonly symbols: readonly ImageSymbol[];
  /** The image, then its modules. */
  readonly pieces: readonly Piece[];
  /** The Multiboot information structure with all it points to; undefined for a flat image. */
  readonly information?: Piece;
}

/**
 * Finds a place for an image and what goes with it in `ramSize` bytes of RAM. Modules follow the image, each on a page of its
 * own; the information structure lies at the top of conventional memory, out of the way of kernels that use what follows
 * them, or behind the modules if that is taken. Its memory map can be left to a firmware. Throws ImageError if it does not fit.
 */
export function planBoot(
  image: Image,
  name: string,
  ramSize: number,
  options: LoadOptions = {},
  withoutMemory = false,
): BootPlan {
  const { format, entry, symbols } = image;
  for (const { physical, size } of image.segments) {
    const end = physical + size;
    if (end > ramSize) {
      throw new ImageError(
        `${name}: too large for memory: a segment ends at ${hex(end)}, RAM at ${hex(ramSize)}; ${enough(end)}`,
      );
    }
  }
  if (format === "flat") return { format, entry, symbols, pieces: image.segments };

  const modules: PlacedModule[] = [];
  const pieces: Piece[] = [...image.segments];
  let end = pageUp(Math.max(0x100000, ...image.segments.map((segment) => segment.physical + segment.size)));
  for (const { bytes, text } of options.modules ?? []) {
    const placed = { start: end, end: end + bytes.length, text };
    if (placed.end > ramSize) {
      throw new ImageError(
        `${name}: too large for memory: module "${text}" ends at ${hex(placed.end)}, RAM at ${hex(ramSize)}; ${enough(placed.end)}`,
      );
    }
    pieces.push({ physical: placed.start, bytes, size: bytes.length });
    modules.push(placed);
    end = pageUp(placed.end);
  }

  const request = { ramSize, withoutMemory, commandLine: options.commandLine ?? "", modules };
  const size = informationSize(request);
  const low = EBDA - size - ((EBDA - size) % INFORMATION_ALIGNMENT);
  const free = low > BOOT_SECTOR_ADDRESS && !image.segments.some((segment) => overlaps(segment, low, EBDA));
  const physical = free ? low : end;
  if (physical + size > ramSize) {
    throw new ImageError(`${name}: no room in memory for the Multiboot information (${size} bytes) behind the image`);
  }
  const information = { physical, bytes: buildInformation(physical, request), size };
  return { format, entry, symbols, pieces, information };
}

/** Puts an image into RAM, where `planBoot` wants it. Throws ImageError if it does not fit. */
export function loadImage(image: Image, name: string, ram: Ram, options: LoadOptions = {}): LoadedImage {
  const { format, entry, symbols, pieces, information } = planBoot(image, name, ram.size, options);
  for (const { physical, bytes, size } of pieces) place(ram, physical, bytes, size);
  if (information) place(ram, information.physical, information.bytes, information.size);
  return { format, entry, symbols, information: information?.physical ?? 0 };
}

/** The serial port as a firmware leaves it that has talked through it: 115,200 baud, eight bits, no parity. */
export function programSerialPort(ports: Pick<Bus, "writePort">): void {
  for (const [port, value] of [
    [0x3fb, 0x80],
    [0x3f8, 1],
    [0x3f9, 0],
    [0x3fb, 3],
  ])
    ports.writePort(port, 1, value);
}

/**
 * Enters a Multiboot kernel on the boot processor, which has been reset: 32-bit flat segments, paging and interrupts off,
 * EAX the magic, EBX the information structure (chapter 3.2). The GDTR holds nothing usable, as the specification warns; the
 * other registers are what our firmware leaves in them.
 */
export function enterMultiboot(core: Core, entry: number, information: number): void {
  const at = core.blockOf(0) / 4;
  const { i32 } = core;
  enterProtected(core, 0, entry);
  i32[at + L.R_EAX] = BOOT_MAGIC;
  i32[at + L.R_ECX] = entry;
  i32[at + L.R_EDX] = 0;
  i32[at + L.R_EBX] = information;
}

/** Puts a processor that has been reset at `entry` with 32-bit flat segments, paging and interrupts off, no usable GDT. */
export function enterProtected(core: Core, processor: number, entry: number): void {
  const at = core.blockOf(processor) / 4;
  const { i32 } = core;
  for (let segment = 0; segment < 6; segment++) {
    const code = segment === CS;
    setSegment(core, at, segment, code ? FLAT_CODE_SELECTOR : FLAT_DATA_SELECTOR, 0, -1, code ? FLAT_CODE : FLAT_DATA);
  }
  i32[at + L.R_GDTR_BASE] = 0;
  i32[at + L.R_GDTR_LIMIT] = 0;
  i32[at + L.R_CR0] = CR0_PE | CR0_ET;
  i32[at + L.R_EIP] = entry;
  core.g[G_MODE_CHANGED] = 1;
}

/**
 * Enters a boot sector on the boot processor, which has been reset: real mode, DL the first disk, CS:IP 0000:entry, or a
 * segment of its own for an entry above 64 KiB.
 */
export function enterFlat(core: Core, entry: number): void {
  const at = core.blockOf(0) / 4;
  const { i32 } = core;
  const code = entry < 0x10000 ? 0 : entry >>> 4;
  for (let segment = 0; segment < 6; segment++) {
    const selector = segment === CS ? code : 0;
    setSegment(core, at, segment, selector, selector * 16, 0xffff, segment === CS ? REAL_CODE : REAL_DATA);
  }
  i32[at + L.R_CR0] = CR0_ET; // with the caches on
  i32[at + L.R_EDX] = FIRST_DISK;
  i32[at + L.R_EIP] = entry - code * 16;
  core.g[G_MODE_CHANGED] = 1;
}

const CS = 1;
const FLAT_CODE_SELECTOR = 0x08;
const FLAT_DATA_SELECTOR = 0x10;
// Bits 8 to 23 of a descriptor's high word: present, accessed; execute/read or read/write; 4 KiB granular and 32-bit.
const FLAT_CODE = 0xc09b00;
const FLAT_DATA = 0xc09300;
const REAL_CODE = 0x9b00;
const REAL_DATA = 0x9300;

function setSegment(
  core: Core,
  at: number,
  segment: number,
  selector: number,
  base: number,
  limit: number,
  attributes: number,
): void {
  const { i32 } = core;
  const words = at + L.R_SEGMENTS + segment * L.SEGMENT_WORDS;
  i32[words + L.S_SELECTOR] = selector;
  i32[words + L.S_BASE] = base;
  i32[words + L.S_LIMIT] = limit;
  i32[words + L.S_ATTRIBUTES] = attributes;
}

/**
 * Copies bytes to a physical address, with zeros for what is left of `size`. Zeros that are there already are not written: memory that a
 * machine never touches costs its host nothing.
 */
export function place(ram: Ram, physical: number, bytes: Uint8Array, size: number): void {
  ram.u8.set(bytes, ram.base + physical);
  const [rest, end] = [physical + bytes.length, physical + size];
  for (const piece of ram.pieces) {
    const [from, to] = [Math.max(rest, piece.start), Math.min(end, piece.end)];
    if (from < to) ram.u8.fill(0, ram.base + from, ram.base + to);
  }
  ram.pieces.push({ start: physical, end });
}

function overlaps(segment: ImageSegment, start: number, end: number): boolean {
  return segment.physical < end && start < segment.physical + segment.size;
}

function pageUp(address: number): number {
  return Math.ceil(address / L.PAGE) * L.PAGE;
}

/** What would hold everything up to `end`. */
function enough(end: number): string {
  const mib = Math.ceil(end / 0x100000);
  return mib <= MOST_MEMORY_MIB ? `-m ${mib} would do` : `no machine has more than ${MOST_MEMORY_MIB} MiB`;
}
