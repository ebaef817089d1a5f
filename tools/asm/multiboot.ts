// The header by which boot loaders know a kernel, within the first 8 KiB of the file (Multiboot specification 1, 3.1).

import { data, dwords } from "./symbols.ts";

const MAGIC = 0x1badb002;
const PAGE_ALIGN = 1 << 0;
const MEMORY_INFO = 1 << 1;
const FLAGS = PAGE_ALIGN | MEMORY_INFO;

/** What a kernel finds in EAX at its entry when such a loader started it; EBX then points to its information. */
export const MULTIBOOT_BOOTLOADER_MAGIC = 0x2badb002;

/** The header: magic number, flags, and the checksum that makes their sum zero. */
export const multibootHeader = data("multiboot", dwords(MAGIC, FLAGS, -(MAGIC + FLAGS) | 0), { section: ".rodata" });
