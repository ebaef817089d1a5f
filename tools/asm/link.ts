// The linker: everything that a program reaches gets an address, and every reference the address it asks for.

import { assemble } from "./assembler.ts";
import { Image, type ImageSection, type ImageSymbol, type Line } from "./image.ts";
import { type Fragment, layOut } from "./layout.ts";
import type { Fixup } from "./lowering.ts";
import { multibootHeader } from "./multiboot.ts";
import { AssemblyError, callSite, type Site } from "./site.ts";
import { startStub } from "./start.ts";
import { type Address, type Data, Label, type LinkSymbol, Procedure } from "./symbols.ts";

export interface LinkOptions {
  /**
   * What runs before `main`. `"all"`: a stub wakes every processor, gives each a stack and calls `main` on all of them;
   * `"boot"`: the same on the boot processor alone; left out: `main` is the entry, in the state of Multiboot 1, 3.2.
   */
  readonly start?: "all" | "boot";
  /** Address of the first byte: 1 MiB unless given. */
  readonly base?: number;
  /** Physical address at which the byte of `base` is loaded, where it differs: for a kernel that turns paging on. */
  readonly load?: number;
  /** Begin with a Multiboot header: yes unless told not to. */
  readonly multiboot?: boolean;
  /** Bytes of stack of each processor that a start stub starts: 4096 unless given. */
  readonly stackSize?: number;
  /** Routines and data that nothing refers to and that shall be in the image all the same. */
  readonly include?: readonly (Procedure | Data)[];
  /** An image that is in memory already: what it holds is not linked again, and references to it go there. */
  readonly against?: Image;
}

/** Link `main` and everything it reaches into an image. The same program gives the same bytes. */
export function link(main: Procedure, options: LinkOptions = {}): Image {
  const site = callSite(link);
  const { base = 0x100000, load = base, stackSize = 4096, include = [], against } = options;
  for (const [name, address] of Object.entries({ base, load })) {
    if (Number.isInteger(address) && address >= 0 && address < FOUR_GIB) continue;
    throw new AssemblyError(site, `${name} is ${address}; an address is a whole number from 0 to 0xffffffff`);
  }
  if (stackSize < 64 || stackSize % 4 !== 0) {
    throw new AssemblyError(site, `a stack of ${stackSize} bytes was asked for; 64 and more, in fours, will do`);
  }
  const entry = options.start ? startStub(main, options.start, stackSize) : main;
  const header = options.multiboot === false ? [] : [multibootHeader];
  const parts = reach([...header, entry, main, ...include], against);
  refuseEqualNames(parts.map(({ symbol }) => symbol));

  const groups = sectionNames.map((name) => ({ name, parts: parts.filter((part) => sectionOf(part) === name) }));
  const placed = place(groups, base);
  const end = Math.max(...placed.sections.map(({ address, size }) => address + size));
  if (end > FOUR_GIB) {
    throw new AssemblyError(site, `the image ends ${end - FOUR_GIB} bytes beyond 4 GiB; a lower base will do`);
  }
  const addresses = new Addresses(placed.addresses, parts, against);
  return new Image({
    entry: addresses.of(entry, site),
    load: load - base,
    sections: placed.sections.map(
      ({ parts, ...section }): ImageSection => ({ ...section, bytes: fill(section, parts, addresses) }),
    ),
    symbols: parts.flatMap((part) => symbolsOf(part, addresses)),
    lines: parts.flatMap((part) => linesOf(part, addresses)),
    addressOf: (symbol) => addresses.of(symbol, () => callSite(Image.prototype.addressOf)),
    has: (symbol) => addresses.has(symbol),
  });
}

const PAGE = 4096;
const FOUR_GIB = 2 ** 32;

/** In the order of their addresses. What can be written begins on a page of its own. */
const sectionNames = [".multiboot", ".text", ".rodata", ".data", ".bss"] as const;
type SectionName = (typeof sectionNames)[number];

/** A routine or a variable, laid out but not placed. */
interface Part {
  readonly symbol: Procedure | Data;
  readonly size: number;
  readonly align: number;
  readonly bytes: readonly number[];
  readonly fixups: readonly (Fixup & { readonly site: Site })[];
  readonly fragment?: Fragment;
}

function partOf(symbol: Procedure | Data): Part {
  if (symbol instanceof Procedure) {
    const fragment = layOut(assemble(symbol));
    const { bytes, align, fixups } = fragment;
    return { symbol, size: bytes.length, align, bytes, fixups, fragment };
  }
  const { size, align, values, site } = symbol;
  const fixups = (values?.fixups ?? []).map((fixup) => ({ ...fixup, relative: false, site }));
  return { symbol, size, align, bytes: values?.bytes ?? [], fixups };
}

/** The roots and all they refer to that is not in memory already, in the order in which the references are met. */
function reach(roots: readonly (Procedure | Data)[], against?: Image): readonly Part[] {
  const parts = new Map<Procedure | Data, Part | null>(roots.map((root) => [root, null]));
  for (const symbol of parts.keys()) {
    const part = partOf(symbol);
    parts.set(symbol, part);
    for (const { address } of part.fixups) {
      for (const target of [address.symbol, address.less]) {
        const owner = target instanceof Label ? target.procedure : target;
        if (owner && !parts.has(owner) && !against?.has(owner)) parts.set(owner, null);
      }
    }
  }
  return [...parts.values()].filter((part) => part !== null);
}

function refuseEqualNames(symbols: readonly (Procedure | Data)[]): void {
  const known = new Map<string, Site>();
  for (const { name, site } of symbols) {
    const before = known.get(name);
    if (before)
      throw new AssemblyError(site, `"${name}" is declared here and at ${before}; an image wants names of their own`);
    known.set(name, site);
  }
}

function sectionOf({ symbol }: Part): SectionName {
  if (symbol === multibootHeader) return ".multiboot";
  return symbol instanceof Procedure ? ".text" : symbol.section;
}

type Placed = Omit<ImageSection, "bytes"> & { readonly parts: readonly Part[] };

/** Addresses for sections and their parts, one after the other from `base`. */
function place(groups: readonly { readonly name: SectionName; readonly parts: readonly Part[] }[], base: number) {
  const addresses = new Map<Procedure | Data, number>();
  const sections: Placed[] = [];
  let address = base;
  let writable = false;
  for (const { name, parts } of groups) {
    if (parts.length === 0) continue;
    const write = name === ".data" || name === ".bss";
    address = alignUp(address, write && !writable ? PAGE : Math.max(16, ...parts.map(({ align }) => align)));
    writable = write;
    const start = address;
    for (const { symbol, size, align } of parts) {
      address = alignUp(address, align);
      addresses.set(symbol, address);
      address += size;
    }
    sections.push({ name, address: start, size: address - start, write, execute: name === ".text", parts });
  }
  return { addresses, sections };
}

function alignUp(address: number, align: number): number {
  return Math.ceil(address / align) * align;
}

function placeOf(site: Site | (() => Site)): Site {
  return typeof site === "function" ? site() : site;
}

/** What each symbol's address came to be. */
class Addresses {
  readonly #placed: ReadonlyMap<Procedure | Data, number>;
  readonly #labels: ReadonlyMap<Procedure | Data, ReadonlyMap<string, number>>;
  readonly #against: Image | undefined;

  constructor(placed: ReadonlyMap<Procedure | Data, number>, parts: readonly Part[], against?: Image) {
    this.#placed = placed;
    this.#against = against;
    this.#labels = new Map(parts.flatMap(({ symbol, fragment }) => (fragment ? [[symbol, fragment.labels]] : [])));
  }

  /** Whether a routine or variable has an address, here or in the image that was there before. */
  has(symbol: Procedure | Data): boolean {
    return this.#placed.has(symbol) || this.#against?.has(symbol) === true;
  }

  /** The address of a symbol; `site` is who asks, for the error: a place, or how to find it, which takes its time. */
  of(symbol: LinkSymbol, site: Site | (() => Site)): number {
    const owner = symbol instanceof Label ? symbol.procedure : symbol;
    const address = this.#placed.get(owner);
    if (address === undefined && this.#against?.has(owner)) return this.#against.addressOf(symbol);
    if (address === undefined)
      throw new AssemblyError(placeOf(site), `${symbol.name} is not in the image: nothing refers to it`);
    if (!(symbol instanceof Label)) return address;
    const labels = this.#labels.get(owner);
    const offset = labels?.get(symbol.label);
    if (offset !== undefined) return address + offset;
    const known = [...(labels?.keys() ?? [])].join(", ") || "none";
    throw new AssemblyError(placeOf(site), `no label "${symbol.label}" in ${owner.name}; its labels: ${known}`);
  }

  sum({ symbol, less, addend }: Address, site: Site): number {
    return this.of(symbol, site) - (less ? this.of(less, site) : 0) + addend;
  }
}

/** A section's bytes with every address filled in; none for `.bss`. Gaps between routines are INT3, else zero. */
function fill(section: Omit<ImageSection, "bytes">, parts: readonly Part[], addresses: Addresses): Uint8Array {
  if (section.name === ".bss") return new Uint8Array(0);
  const bytes = new Uint8Array(section.size).fill(section.execute ? 0xcc : 0);
  for (const part of parts) {
    const start = addresses.of(part.symbol, part.symbol.site) - section.address;
    bytes.fill(0, start, start + part.size).set(part.bytes, start);
    for (const fixup of part.fixups) {
      const offset = start + fixup.offset;
      const target = addresses.sum(fixup.address, fixup.site);
      const end = section.address + offset + fixup.size / 8;
      store(bytes, offset, fixup, fixup.relative ? target - end : target);
    }
  }
  return bytes;
}

function store(
  bytes: Uint8Array,
  offset: number,
  { size, relative, address, site }: Part["fixups"][number],
  value: number,
) {
  const least = -(2 ** (size - 1));
  const most = relative && size < 32 ? -least - 1 : 2 ** size - 1;
  if (value < least || value > most) {
    const what = relative ? `${address} is ${value} bytes away` : `${address} is 0x${value.toString(16)}`;
    throw new AssemblyError(site, `${what}, which does not fit ${size} bits (${least} to ${most})`);
  }
  for (let i = 0; i < size / 8; i++) bytes[offset + i] = (value >> (8 * i)) & 0xff;
}

function symbolsOf({ symbol, size, fragment }: Part, addresses: Addresses): ImageSymbol[] {
  const address = addresses.of(symbol, symbol.site);
  const kind = fragment ? "function" : "object";
  const labels = [...(fragment?.labels ?? [])].map(
    ([label, offset]): ImageSymbol => ({
      name: `${symbol.name}.${label}`,
      kind: "label",
      address: address + offset,
      size: 0,
    }),
  );
  return [{ name: symbol.name, kind, address, size }, ...labels];
}

function linesOf({ symbol, fragment }: Part, addresses: Addresses): Line[] {
  const address = addresses.of(symbol, symbol.site);
  return (fragment?.lines ?? []).map(({ offset, ...line }) => ({ address: address + offset, ...line }));
}
