// The physical address space as processors reach it: RAM with its pages' attributes, and whatever the bus has elsewhere.
import * as L from "../memory/layout.ts";
import { type Core, G_OBSERVED } from "./core.ts";

/** Told of every change to RAM while G_OBSERVED is set, before it happens: word index in the memory, old value. */
export type Journal = (wordIndex: number, old: number) => void;

/** The physical address space, for processors; users' view of it is `PhysicalMemory` (machine/views.ts). */
export class PhysicalSpace {
  /** Somebody changed bytes of a page that holds decoded code. Physical address, bytes. */
  codeWritten: (physical: number, bytes: number) => void = () => {};
  /** Somebody changed a page that translations were read from. */
  pageTableWritten: () => void = () => {};
  journal: Journal | null = null;
  /** Bytes of RAM, and where its first one is in the memory. */
  readonly ramSize: number;
  readonly ramBase: number;

  private readonly core: Core;
  private readonly attributes: number;

  constructor(core: Core) {
    this.core = core;
    this.ramSize = core.layout.ramSize;
    this.ramBase = core.layout.ramBase;
    this.attributes = core.layout.attributeBase;
  }

  /** Reads within one page: RAM, or what the bus has there. */
  load(physical: number, width: 1 | 2 | 4): number {
    const { core } = this;
    if (physical + width > this.ramSize) return core.bus.readPhysical(physical, width);
    const at = this.ramBase + physical;
    const { u8 } = core;
    if (width === 1) return u8[at];
    if (width === 2) return u8[at] | (u8[at + 1] << 8);
    return (at & 3) === 0 ? core.i32[at >>> 2] : u8[at] | (u8[at + 1] << 8) | (u8[at + 2] << 16) | (u8[at + 3] << 24);
  }

  /** Writes within one page. */
  store(physical: number, width: 1 | 2 | 4, value: number): void {
    const { core } = this;
    if (physical + width > this.ramSize) {
      core.bus.writePhysical(physical, width, value);
      return;
    }
    const page = this.attributeOf(physical);
    const attribute = core.u8[page];
    if ((attribute & L.ATTRIBUTE_ROM) !== 0) return;
    const at = this.ramBase + physical;
    if (core.g[G_OBSERVED] !== 0 && this.journal) {
      this.journal(at >>> 2, core.i32[at >>> 2]);
      if ((at & 3) + width > 4) this.journal((at >>> 2) + 1, core.i32[(at >>> 2) + 1]);
    }
    const { u8 } = core;
    if (width === 4 && (at & 3) === 0) core.i32[at >>> 2] = value;
    else for (let i = 0; i < width; i++) u8[at + i] = value >>> (8 * i);
    if (attribute === L.ATTRIBUTE_DIRTY) return;
    core.u8[page] = attribute | L.ATTRIBUTE_DIRTY;
    if ((attribute & L.ATTRIBUTE_CODE) !== 0) this.codeWritten(physical, width);
    if ((attribute & L.ATTRIBUTE_PAGETABLE) !== 0) this.pageTableWritten();
  }

  /** What RAM holds, for those who only look: beyond its end there are zeros, and the bus is not asked. */
  peek(physical: number, width: number): number {
    let value = 0;
    for (let i = 0; i < width && physical + i < this.ramSize; i++)
      value |= this.core.u8[this.ramBase + physical + i] << (8 * i);
    return value;
  }

  /** Sets accessed and dirty bits of a page table entry in RAM: one locked update. The TLBs need not hear of it. */
  mark(physical: number, entry: number, bits: number): void {
    if ((entry & bits) === bits || physical + 4 > this.ramSize) return;
    const { core } = this;
    const at = (this.ramBase + physical) >>> 2;
    const page = this.attributeOf(physical);
    if ((core.u8[page] & L.ATTRIBUTE_ROM) !== 0) return;
    if (core.g[G_OBSERVED] !== 0 && this.journal) this.journal(at, core.i32[at]);
    core.i32[at] = entry | bits;
    core.u8[page] |= L.ATTRIBUTE_DIRTY;
    if ((core.u8[page] & L.ATTRIBUTE_CODE) !== 0) this.codeWritten(physical, 4);
  }

  /** Byte index of the attributes of the page of RAM that has an address in it. */
  attributeOf(physical: number): number {
    return this.attributes + Math.floor(physical / L.PAGE);
  }
}
