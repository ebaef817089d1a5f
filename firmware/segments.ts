// The descriptor table the firmware runs with, in the ROM (SDM vol. 3A, 3.4.5).
import { type Data, data, dwords, words } from "#asm";
import { ROM } from "./memory.ts";

/** Flat 4 GiB, 32-bit; and 64 KiB, 16-bit, code in the ROM and data at 0, for the way back to real mode. */
export const CODE = 0x08;
export const DATA = 0x10;
export const CODE_16 = 0x18;
export const DATA_16 = 0x20;

/** A descriptor's two words. Accessed bits are set already: the processor could not write them here. */
const descriptor = (base: number, limit: number, attributes: number) =>
  dwords(
    (limit & 0xffff) | (base << 16),
    ((base >>> 16) & 0xff) | attributes | (limit & 0xf0000) | (base & 0xff000000) | 0,
  );

const gdt = data(
  "gdt",
  [
    dwords(0, 0),
    descriptor(0, 0xfffff, 0xc09b00),
    descriptor(0, 0xfffff, 0xc09300),
    descriptor(ROM, 0xffff, 0x009b00),
    descriptor(0, 0xffff, 0x009300),
  ],
  { align: 8, section: ".rodata" },
);

const pointer = (name: string, limit: number, base: number | Data): Data =>
  data(name, [words(limit), dwords(base)], { align: 4, section: ".rodata" });

/** What LGDT takes. */
export const gdtr = pointer("gdtr", gdt.size - 1, gdt);
/** No table at all: what a Multiboot kernel may count on finding. */
export const noGdtr = pointer("noGdtr", 0, 0);
/** As after a reset. */
export const resetGdtr = pointer("resetGdtr", 0xffff, 0);
