// From a routine's items to its bytes: every branch as short as the distance to its label allows.

import type { Fixup } from "./lowering.ts";
import type { Branch, Item, Routine } from "./routine.ts";
import { AssemblyError, type Site } from "./site.ts";
import type { Procedure } from "./symbols.ts";

/** A routine laid out: its bytes, what the linker has to fill in, and what lies where in it. */
export interface Fragment {
  readonly procedure: Procedure;
  readonly bytes: readonly number[];
  readonly align: number;
  readonly fixups: readonly (Fixup & { readonly site: Site })[];
  readonly labels: ReadonlyMap<string, number>;
  /** The source of the bytes from `offset` on; `code` when they are one instruction. In the order of the offsets. */
  readonly lines: readonly Line[];
}

export interface Line {
  readonly offset: number;
  readonly length: number;
  readonly code: boolean;
  readonly bits: 16 | 32;
  readonly site: Site;
}

/** Lay a routine out. */
export function layOut(routine: Routine): Fragment {
  for (const [name, site] of routine.wanted) {
    if (routine.placed.has(name)) continue;
    const known = [...routine.placed.keys()].join(", ") || "none";
    throw new AssemblyError(site, `no label "${name}" in ${routine.procedure.name}; its labels: ${known}`);
  }
  const near = chooseNear(routine.items);
  const { offsets, labels } = place(routine.items, near);
  const bytes: number[] = [];
  const fixups: Fragment["fixups"][number][] = [];
  const lines: Line[] = [];
  let align = routine.procedure.align;
  routine.items.forEach((item, index) => {
    const offset = offsets[index] as number;
    if (item.kind === "align") {
      align = Math.max(align, item.boundary);
      const length = (offsets[index + 1] as number) - offset;
      for (const nop of nops(length, item.bits)) bytes.push(nop);
      if (length > 0) lines.push({ offset, length, code: false, bits: item.bits, site: item.site });
    } else if (item.kind === "chunk") {
      for (const byte of item.bytes) bytes.push(byte);
      for (const fixup of item.fixups) fixups.push({ ...fixup, offset: offset + fixup.offset, site: item.site });
      const { code, bits, site } = item;
      lines.push({ offset, length: item.bytes.length, code, bits, site });
    } else if (item.kind === "branch") {
      const branch = branchBytes(item, near.has(item), offset, labels);
      for (const byte of branch) bytes.push(byte);
      lines.push({ offset, length: branch.length, code: true, bits: item.bits, site: item.site });
    }
  });
  return { procedure: routine.procedure, bytes, align, fixups, labels, lines };
}

/** Start with every branch short and lengthen those that cannot reach, until all can. A long one stays long: this ends. */
function chooseNear(items: readonly Item[]): ReadonlySet<Branch> {
  const branches = items.filter((item) => item.kind === "branch");
  const near = new Set(branches.filter((branch) => branch.short === null));
  for (;;) {
    const { offsets, labels } = place(items, near);
    const before = near.size;
    items.forEach((item, index) => {
      if (item.kind !== "branch" || near.has(item)) return;
      const distance = distanceOf(item, offsets[index] as number, item.short?.length ?? 0, labels);
      if (distance >= -128 && distance <= 127) return;
      if (item.near === null) {
        const reach = `${item.mnemonic} reaches -128 to 127 bytes`;
        throw new AssemblyError(item.site, `label "${item.target}" is ${distance} bytes away, and ${reach}`);
      }
      near.add(item);
    });
    if (near.size === before) return near;
  }
}

/** Offsets of the items (one more than there are: the end) and of the labels, for a choice of near branches. */
function place(items: readonly Item[], near: ReadonlySet<Branch>) {
  const offsets: number[] = [];
  const labels = new Map<string, number>();
  let offset = 0;
  for (const item of items) {
    offsets.push(offset);
    if (item.kind === "label") labels.set(item.name, offset);
    else if (item.kind === "align") offset = Math.ceil(offset / item.boundary) * item.boundary;
    else if (item.kind === "branch") offset += ((near.has(item) ? item.near : item.short) ?? []).length;
    else offset += item.bytes.length;
  }
  offsets.push(offset);
  return { offsets, labels };
}

function distanceOf(branch: Branch, offset: number, length: number, labels: ReadonlyMap<string, number>): number {
  return (labels.get(branch.target) as number) - (offset + length);
}

function branchBytes(branch: Branch, near: boolean, offset: number, labels: ReadonlyMap<string, number>): number[] {
  const bytes = [...((near ? branch.near : branch.short) ?? [])];
  const size = near ? branch.nearSize / 8 : 1;
  const distance = distanceOf(branch, offset, bytes.length, labels);
  for (let i = 0; i < size; i++) bytes[bytes.length - size + i] = (distance >> (8 * i)) & 0xff;
  return bytes;
}

/** The multi-byte NOPs that the manual recommends (vol. 2, NOP). In 16-bit code those of four bytes and more read otherwise. */
const NOPS = ["", "90", "6690", "0f1f00", "0f1f4000", "0f1f440000", "660f1f440000", "0f1f8000000000"].map((hex) =>
  (hex.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16)),
);

function nops(length: number, bits: 16 | 32): number[] {
  const longest = bits === 32 ? 7 : 3;
  const out: number[] = [];
  while (out.length < length) out.push(...(NOPS[Math.min(length - out.length, longest)] as number[]));
  return out;
}
