// The code a region is made of, read without side effects: where it lies, and which parts of RAM it depends on.
import type { Core } from "../../cpu/core.ts";
import { decode } from "../../isa/decode.ts";
import type { Instruction } from "../../isa/instruction.ts";
import * as L from "../../memory/layout.ts";

/** Pages a region's code may lie in. */
const MOST_PAGES = 8;
const LONGEST_INSTRUCTION = 15;

/** Flat 32-bit code as the current processor would fetch it. */
export class CodeSource {
  /** Physical pages by linear pages, as far as they were read; numbers. */
  readonly pages = new Map<number, number>();
  /** By physical page: bits of the 64-byte granules that hold instructions read so far. */
  readonly granules = new Map<number, Int32Array>();
  private readonly core: Core;

  constructor(core: Core) {
    this.core = core;
  }

  /** The instruction at an EIP; null where there is none, or where fetching it would change something. */
  instructionAt(eip: number): Instruction | null {
    const { u8, layout } = this.core;
    const page = this.pageOf(eip);
    if (page < 0) return null;
    const offset = eip & (L.PAGE - 1);
    const here = Math.min(LONGEST_INSTRUCTION, L.PAGE - offset);
    const at = layout.ramBase + page * L.PAGE + offset;
    let found = decode(u8, at, here, 32);
    if (found === "truncated" && here < LONGEST_INSTRUCTION) {
      const following = this.pageOf((eip + here) | 0);
      if (following < 0) return null;
      const bytes = new Uint8Array(LONGEST_INSTRUCTION);
      bytes.set(u8.subarray(at, at + here));
      const rest = layout.ramBase + following * L.PAGE;
      bytes.set(u8.subarray(rest, rest + LONGEST_INSTRUCTION - here), here);
      found = decode(bytes, 0, LONGEST_INSTRUCTION, 32);
      if (typeof found !== "string") this.mark(following, 0, found.length - here);
    }
    if (typeof found === "string" || found.form.unimplemented !== "") return null;
    this.mark(page, offset, Math.min(found.length, here));
    return found;
  }

  /** Physical page (number) of an EIP's page, or -1. */
  private pageOf(eip: number): number {
    const { linear, layout } = this.core;
    const page = eip >>> 12;
    const known = this.pages.get(page);
    if (known !== undefined) return known;
    if (this.pages.size >= MOST_PAGES) return -1;
    const physical = linear.paging.peekFetch((page * L.PAGE) | 0);
    if (physical < 0 || physical + L.PAGE > layout.ramSize) return -1;
    this.pages.set(page, physical / L.PAGE);
    return physical / L.PAGE;
  }

  private mark(page: number, offset: number, bytes: number): void {
    const bits = this.granules.get(page) ?? new Int32Array(2);
    this.granules.set(page, bits);
    for (let granule = offset >> 6; granule <= (offset + bytes - 1) >> 6; granule++)
      bits[granule >> 5] |= 1 << (granule & 31);
  }
}
