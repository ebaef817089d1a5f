// The loaders: what good images come to in memory, and the one line each bad one gets.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ImageError } from "../../../emulator/machine/image.ts";
import { type LoadOptions, loadImage, readFlat, readImage } from "../../../emulator/machine/loader.ts";
import { bytesOf, elfFile, MULTIBOOT_MAGIC, multibootHeader } from "./elf-file.ts";

const test = suite("the loader");

const MIB = 0x100000;
const CODE = [0x90, 0xf4];

/** Loads a file into 4 MiB of RAM that was full of EEh. */
function load(file: Uint8Array, options: LoadOptions = {}, ramSize = 4 * MIB) {
  const u8 = new Uint8Array(ramSize).fill(0xee);
  const image = readImage(file, "test.elf");
  const loaded = loadImage(
    image,
    "test.elf",
    { u8, base: 0, size: ramSize, pieces: [{ start: 0, end: ramSize }] },
    options,
  );
  const view = new DataView(u8.buffer);
  const word = (address: number) => view.getUint32(address, true);
  const text = (address: number) => {
    let end = address;
    while (u8[end] !== 0) end++;
    return new TextDecoder().decode(u8.subarray(address, end));
  };
  const at = (address: number, length: number) => Array.from(u8.subarray(address, address + length));
  return { ...loaded, image, word, text, at };
}

/** The message of the error that loading gives. */
function messageOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof ImageError) return error.message;
    throw error;
  }
  return "no error";
}

const kernel = (changes: object = {}) =>
  elfFile({ segments: [{ physical: MIB, bytes: CODE }], entry: MIB, ...changes });

// --- good images ---

test("segments land at their physical addresses, zeros behind what the file has", () => {
  const file = elfFile({
    segments: [
      { physical: MIB + 0x1000, bytes: [1, 2, 3], size: 6 },
      { physical: MIB, bytes: CODE },
    ],
    entry: MIB + 1,
  });
  const { at, entry, format } = load(file);
  assert.equal([entry, format, at(MIB, 3)], [MIB + 1, "elf", [...CODE, 0xee]]);
  assert.equal(at(MIB + 0x1000, 7), [1, 2, 3, 0, 0, 0, 0xee]);
});

test("zeros are written where something lies, and nowhere else", () => {
  const u8 = new Uint8Array(2 * MIB).fill(0xee); // as if they were zeros, but for four bytes
  const image = readImage(elfFile({ segments: [{ physical: MIB, bytes: CODE, size: 16 }], entry: MIB }), "test.elf");
  loadImage(image, "test.elf", { u8, base: 0, size: 2 * MIB, pieces: [{ start: MIB, end: MIB + 4 }] });
  assert.equal(Array.from(u8.subarray(MIB, MIB + 6)), [...CODE, 0, 0, 0xee, 0xee]);
});

test("an entry may be linear or physical", () => {
  const segments = [{ physical: MIB, linear: 0x80100000, bytes: CODE }];
  assert.is(load(elfFile({ segments, entry: 0x80100001 })).entry, MIB + 1);
  assert.is(load(elfFile({ segments, entry: MIB + 1 })).entry, MIB + 1);
});

test("segments that are not loaded may say what they like", () => {
  const note = { physical: 0xfffffff0, size: 0xffff, bytes: [], type: 4 };
  assert.is(load(elfFile({ segments: [note, { physical: MIB, bytes: CODE }], entry: MIB })).entry, MIB);
});

test("symbols come sorted, without those that are no places", () => {
  const symbols = [
    { name: "_edata", value: MIB + 2, info: 0x10 },
    { name: "main", value: MIB, size: 2 },
    { name: "total", value: MIB + 1, size: 1, info: 0x11 },
    { name: "elsewhere", value: 0, section: 0 },
    { name: "kernel.c", value: 0, info: 4, section: 0xfff1 },
  ];
  assert.equal(load(kernel({ symbols })).symbols, [
    { name: "main", address: MIB, size: 2, kind: "code" },
    { name: "total", address: MIB + 1, size: 1, kind: "data" },
    { name: "_edata", address: MIB + 2, size: 0, kind: "other" },
  ]);
});

test("the information structure is filled, whether asked for or not", () => {
  const module = (text: string, length: number) => ({ bytes: new Uint8Array(length).fill(length), text });
  const { information, word, text, at } = load(kernel(), {
    commandLine: "mode=smp größe=3",
    modules: [module("first one", 5000), module("second", 1)],
  });
  assert.ok(information + 88 <= 0x9f000);
  assert.is(word(information), 0x24d);
  assert.equal([word(information + 4), word(information + 8)], [636, 3072]);
  assert.is(text(word(information + 16)), "mode=smp größe=3");
  assert.is(text(word(information + 64)), "ring0");
  assert.is(word(information + 20), 2);
  const modules = word(information + 24);
  assert.equal(
    [word(modules), word(modules + 4), text(word(modules + 8))],
    [MIB + 0x1000, MIB + 0x1000 + 5000, "first one"],
  );
  assert.equal(
    [word(modules + 16), word(modules + 20), text(word(modules + 24))],
    [MIB + 0x3000, MIB + 0x3001, "second"],
  );
  assert.equal(at(MIB + 0x3000, 1), [1]);
});

test("the memory map tells conventional memory, what is reserved, and the rest of RAM", () => {
  const { information, word } = load(kernel());
  const [length, first] = [word(information + 44), word(information + 48)];
  const map: number[][] = [];
  for (let at = first; at < first + length; at += word(at) + 4)
    map.push([4, 8, 12, 16, 20].map((field) => word(at + field)));
  assert.equal(map, [
    [0, 0, 0x9f000, 0, 1],
    [0x9f000, 0, 0x1000, 0, 2],
    [0xf0000, 0, 0x10000, 0, 2],
    [MIB, 0, 3 * MIB, 0, 1],
  ]);
});

test("without modules and command line there is an empty string and a count of 0", () => {
  const { information, word, text } = load(kernel());
  assert.equal([text(word(information + 16)), word(information + 20)], ["", 0]);
});

test("the information makes way for an image that claims its place", () => {
  const segments = [
    { physical: 0x9e000, bytes: [1], size: 0x1000 },
    { physical: MIB, bytes: CODE },
  ];
  const { information, at } = load(elfFile({ segments, entry: MIB }));
  assert.equal([information, at(0x9e000, 2)], [MIB + 0x1000, [1, 0]]);
});

test("a header with load addresses needs no ELF", () => {
  // 16 bytes before the header, 4 of code after it, 8 of bss.
  const addresses = bytesOf(MIB + 16, MIB, MIB + 52, MIB + 60, MIB + 48);
  const header = multibootHeader(0x10000);
  const file = Uint8Array.from([...new Array(16).fill(0x11), ...header, ...addresses, 1, 2, 3, 4, 9, 9]);
  const { format, entry, at } = load(file);
  assert.equal(
    [format, entry, at(MIB, 1), at(MIB + 48, 13)],
    ["multiboot", MIB + 48, [0x11], [1, 2, 3, 4, ...zeros(8), 0xee]],
  );
});

test("load and bss ends of 0 mean the whole file and no bss", () => {
  const file = Uint8Array.from([...multibootHeader(0x10000), ...bytesOf(MIB, MIB, 0, 0, MIB + 32), 7, 8]);
  assert.equal(load(file).at(MIB + 32, 3), [7, 8, 0xee]);
});

test("a magic number with a wrong checksum is not a header", () => {
  const decoy = bytesOf(MULTIBOOT_MAGIC, 0xffff, 0);
  const file = elfFile({
    segments: [{ physical: MIB, bytes: [...decoy, ...multibootHeader(3)] }],
    entry: MIB,
    multiboot: null,
  });
  assert.is(load(file).entry, MIB);
});

test("the header is found up to the end of the first 8 KiB, and not behind", () => {
  for (const [padding, found] of [
    [8192 - 84 - 12, true],
    [8192 - 84 - 8, false],
  ] as const) {
    const bytes = [...new Array<number>(padding).fill(0), ...multibootHeader(0)];
    const file = elfFile({ segments: [{ physical: MIB, bytes }], entry: MIB, multiboot: null });
    assert.is(messageOf(() => load(file)) === "no error", found);
  }
});

test("anything else is a boot sector", () => {
  const { format, entry, information, at } = load(Uint8Array.from([0xeb, 0xfe]));
  assert.equal([format, entry, information, at(0x7c00, 3)], ["flat", 0x7c00, 0, [0xeb, 0xfe, 0xee]]);
  assert.is(readFlat(Uint8Array.from([0xf4]), "raw.bin", 0x10000).entry, 0x10000);
});

// --- bad ones ---

/** An executable with fields of its header (16-bit where the offset is in `short`) overwritten. */
function patched(offset: number, value: number, width: 8 | 16 | 32 = 32, file = kernel()): Uint8Array {
  const view = new DataView(file.buffer);
  if (width === 8) view.setUint8(offset, value);
  else if (width === 16) view.setUint16(offset, value, true);
  else view.setUint32(offset, value, true);
  return file;
}

const twice = (physical: number) => [
  { physical: MIB, bytes: CODE, size: 0x1000 },
  { physical, bytes: CODE },
];

const BAD: [string, () => Uint8Array, RegExp][] = [
  ["empty", () => new Uint8Array(0), /the file is empty/],
  ["cut in the header", () => kernel().subarray(0, 40), /no Multiboot header|truncated: 40 bytes/],
  ["cut in a segment", () => kernel().subarray(0, -3), /truncated: .* ends at/],
  ["64-bit", () => patched(4, 2, 8), /the ELF file is 64-bit, little-endian/],
  ["big-endian", () => patched(5, 2, 8), /the ELF file is 32-bit, big-endian/],
  ["a relocatable object", () => patched(16, 1, 16), /a relocatable object; link it/],
  ["a shared object", () => patched(16, 3, 16), /a shared object or PIE/],
  ["for another machine", () => patched(18, 62, 16), /for machine 62/],
  ["no program headers", () => patched(44, 0, 16), /no program headers/],
  ["program headers beyond the end", () => patched(28, 0xfffffff0), /truncated: the program headers end at/],
  ["program headers of the wrong size", () => patched(42, 8, 16), /program headers of 8 bytes/],
  ["too many program headers", () => patched(44, 0xffff, 16), /65535 program headers/],
  ["nothing to load", () => patched(52, 4), /no loadable segment/],
  ["a segment beyond the end of the file", () => patched(52 + 4, 0x10000), /program header 0: truncated/],
  ["more in the file than in memory", () => patched(52 + 20, 1), /0x00000002 bytes in the file but only 0x00000001/],
  ["a segment around 4 GiB", () => patched(52 + 12, 0xffffffff), /wrap around 4 GiB/],
  ["no entry", () => patched(24, 0), /no entry: e_entry is 0/],
  ["an entry elsewhere", () => patched(24, 0x12345), /no entry: 0x00012345 lies in none of its 1 segments/],
  [
    "overlapping segments",
    () => elfFile({ segments: twice(MIB + 0xfff), entry: MIB }),
    /segments overlap: one ends at 0x00101000/,
  ],
  ["too large for memory", () => patched(52 + 20, 8 * MIB), /too large for memory: .*; -m 9 would do/],
  [
    "beyond any memory",
    () => patched(52 + 12, 0xe0000000),
    /too large for memory: .*; no machine has more than 3072 MiB/,
  ],
  ["no Multiboot header", () => kernel({ multiboot: null }), /no Multiboot header in the first 8 KiB/],
  ["unknown demands", () => kernel({ multiboot: 0x80 }), /demands features 0x00000080/],
  ["symbols without strings", () => patchedSymbols(24, 9), /names section 9 for its strings/],
  ["a symbol table beyond the end", () => patchedSymbols(20, 0xffff0), /truncated: section 1 ends at/],
  ["a symbol named from beyond the strings", () => patchedSymbol(0xffff), /a symbol's name is at 0x0000ffff/],
  ["section headers beyond the end", () => patched(48, 9, 16, withSymbols()), /truncated: the section headers end at/],
  ["a file of no kind, too large", () => new Uint8Array(0x98401), /neither ELF nor Multiboot, .* too large/],
  ["Multiboot without addresses", () => Uint8Array.from(multibootHeader(0)), /without load addresses/],
  ["Multiboot cut", () => Uint8Array.from(multibootHeader(0x10000)), /truncated: its Multiboot header/],
  ["a header loaded before its file", () => addressed(MIB + 64, MIB, 0, 0), /the file does not reach back/],
  ["a header loaded below itself", () => addressed(MIB, MIB + 4, 0, 0), /the file does not reach back/],
  ["a load end beyond the file", () => addressed(MIB, MIB, MIB + 0x100, 0), /the file has .* bytes for it/],
  ["a bss before the data", () => addressed(MIB, MIB, MIB + 34, MIB + 33), /ends the bss at/],
  ["an entry not loaded", () => addressed(MIB, MIB, 0, 0, MIB - 1), /no entry/],
];

function withSymbols(): Uint8Array {
  return kernel({ symbols: [{ name: "main", value: MIB }] });
}

/** A field of the symbol table's section header. */
function patchedSymbols(field: number, value: number): Uint8Array {
  const file = withSymbols();
  return patched(new DataView(file.buffer).getUint32(32, true) + 40 + field, value, 32, file);
}

/** The name of the first symbol. */
function patchedSymbol(value: number): Uint8Array {
  const file = withSymbols();
  const view = new DataView(file.buffer);
  return patched(view.getUint32(view.getUint32(32, true) + 40 + 16, true) + 16, value, 32, file);
}

function addressed(header: number, start: number, loadEnd: number, bssEnd: number, entry = start + 32): Uint8Array {
  return Uint8Array.from([...multibootHeader(0x10000), ...bytesOf(header, start, loadEnd, bssEnd, entry), 7, 8]);
}

for (const [title, file, expected] of BAD) {
  test(`${title}: one clear line that begins with the file's name`, () => {
    const message = messageOf(() => load(file()));
    assert.match(message, expected);
    assert.match(message, /^test\.elf: [^\n]+$/);
  });
}

test("a module that does not fit names itself and what would do", () => {
  const modules = [{ bytes: new Uint8Array(4 * MIB), text: "initrd.img" }];
  assert.match(
    messageOf(() => load(kernel(), { modules })),
    /module "initrd\.img" ends at .*; -m 6 would do/,
  );
});

function zeros(count: number): number[] {
  return new Array<number>(count).fill(0);
}

test.run();
