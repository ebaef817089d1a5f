// Where the firmware and what it leaves lie in memory (IBM PC AT memory map; the manuals of each table name its place).

/** The ROM's last 64 KiB as they show below 1 MiB: the firmware runs there, real mode segment F000h. */
export const ROM = 0xf0000;
export const ROM_SIZE = 0x10000;
export const ROM_SEGMENT = 0xf000;
/** Where every processor's reset begins, at the end of the ROM. */
export const RESET_VECTOR = 0xffff0;

// BIOS data area.
export const BDA_COM1 = 0x400;
export const BDA_EBDA_SEGMENT = 0x40e;
export const BDA_EQUIPMENT = 0x410;
export const BDA_MEMORY_KIB = 0x413;
/** 40:67, where a warm reset goes on, far. */
export const BDA_RESUME_SEGMENT = 0x40;
export const BDA_RESUME_OFFSET = 0x67;

/** Where a boot sector goes. */
export const BOOT_SECTOR = 0x7c00;

/** The extended BIOS data area: 4 KiB below 640 KiB. */
export const EBDA = 0x9f000;
export const EBDA_KIB = 4;
export const EBDA_END = 0xa0000;
export const RSDP = EBDA + 0x10;
export const MP_POINTER = EBDA + 0x30;
export const RSDT = EBDA + 0x40;
export const MADT = EBDA + 0x80;
export const MP_TABLE = EBDA + 0x400;
/** The firmware's own stack, from its end down; zeros again when a kernel gets the machine. */
export const SCRATCH = EBDA + 0x800;

export const MIB = 0x100000;
