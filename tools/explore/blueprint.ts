// What is known of a scenario's memory before it runs: names and source lines of addresses, and which words hold data.

import type { Image } from "#asm";
import { LOCAL_APIC, MESSAGES } from "./interrupts.ts";
import { type Scenario, ScenarioError } from "./scenario.ts";
import { hex } from "./text.ts";

const NOBODY = 0;
const READ_ONLY = 1;
const WRITABLE = 2;
const CODE = 4;
/** Low bits of an address that lock code keeps flags in. */
const FLAG_BITS = 3;

export class Blueprint {
  private readonly image: Image;
  private readonly words: ReadonlyMap<number, string>;
  /** Of each byte: NOBODY, READ_ONLY, WRITABLE or CODE. */
  private readonly uses: Uint8Array;
  /** What to add to an address of the image for a physical one. */
  private readonly load: number;

  /** For a machine with so many bytes of memory. */
  constructor({ image, words, name }: Scenario, memory: number) {
    this.image = image;
    this.words = words;
    this.load = image.load;
    this.uses = new Uint8Array(memory);
    for (const section of image.sections) {
      const { size, execute, write } = section;
      const address = this.physical(section.address);
      if (address + size > memory)
        throw new ScenarioError(
          `${name}: ${section.name} ends at ${hex(address + size)}; the scenario's memory at ${hex(memory)}`,
        );
      this.uses.fill(execute ? CODE : write ? WRITABLE : READ_ONLY, address, address + size);
    }
  }

  /** Whether all these bytes are somebody's data, and may be written if that is what is wanted. */
  isData(address: number, bytes: number, write: boolean): boolean {
    for (let byte = address; byte < address + bytes; byte++) {
      const use = this.uses[byte] ?? NOBODY;
      if (use !== WRITABLE && (write || use !== READ_ONLY)) return false;
    }
    return true;
  }

  /** The doublewords that hold data. */
  dataAddresses(): number[] {
    return Array.from({ length: this.uses.length / 4 }, (_, word) => word * 4).filter((at) =>
      this.isData(at, 4, false),
    );
  }

  isCode(eip: number): boolean {
    return this.uses[this.physical(eip)] === CODE;
  }

  /** The name of a word of data: `handle0.Next`. */
  nameOf(address: number): string {
    const named = this.words.get(address) ?? this.image.nameAt(this.linear(address));
    if (named) return named;
    if (address >= MESSAGES) return `vector ${(address & 0xff).toString(16)}h to P${(address - MESSAGES) >>> 8}`;
    if (address >= LOCAL_APIC) return `local APIC+0x${(address - LOCAL_APIC).toString(16)}`;
    const word = this.words.get(address - (address % 4));
    if (word) return `${word}+${address % 4}`;
    const found = this.image.symbolAt(this.linear(address));
    return found && found.symbol.kind === "object"
      ? `${found.symbol.name}+0x${found.offset.toString(16)}`
      : hex(address);
  }

  private physical(address: number): number {
    return (address + this.load) >>> 0;
  }

  private linear(address: number): number {
    return (address - this.load) >>> 0;
  }

  /** A place in the code: `KeAcquireSpinLock.spin (spinlock.ts:71)`. */
  whereIs(eip: number): string {
    const source = this.sourceOf(eip);
    return (this.image.nameAt(eip) ?? hex(eip)) + (source === "" ? "" : ` (${source})`);
  }

  /** `spinlock.ts:71`, or nothing where no line is known. */
  sourceOf(eip: number): string {
    const line = this.image.lineOf(eip);
    return line ? `${line.file.split(/[\\/]/).at(-1)}:${line.line}` : "";
  }

  /** The routine that an instruction belongs to, and how far into it. */
  routineAt(eip: number): { routine: string; offset: string } {
    const found = this.image.symbolAt(eip);
    return found
      ? { routine: found.symbol.name, offset: `+0x${found.offset.toString(16)}` }
      : { routine: hex(eip), offset: "" };
  }

  /** The symbol whose address this is exactly, or one with a distance; undefined outside the image. */
  symbolOf(address: number): string | undefined {
    return this.words.get(this.physical(address)) ?? this.image.nameAt(address);
  }

  /** A value as a symbol and flags in its low bits where it is the address of something named, else as a number. */
  valueText(value: number): string {
    const base = (value & ~FLAG_BITS) >>> 0;
    const found = base === 0 ? undefined : (this.objectAt(base) ?? undefined);
    if (found === undefined) return value >>> 0 < 10 ? `${value}` : `0x${(value >>> 0).toString(16)}`;
    const flags = value & FLAG_BITS;
    return flags === 0 ? found : `${found}|${flags}`;
  }

  /** What begins at an address: a variable, or the structure whose first word has a name with a dot. */
  private objectAt(address: number): string | undefined {
    const word = this.words.get(this.physical(address));
    if (word) return word.split(".")[0];
    return this.image.symbols.find((symbol) => symbol.kind === "object" && symbol.address === address)?.name;
  }
}
