// Where memory is: physical addresses from zero on appear at 80000000h, and the page at linear zero does not exist.

import type { Address, AddressLike } from "#asm";

/** Linear address of the physical address 0. */
export const KSEG0_BASE = 0x80000000;
/** Linear address of the kernel's first byte, and the physical one at which a boot loader puts it. */
export const KERNEL_BASE = 0x80100000;
export const KERNEL_LOAD = KERNEL_BASE - KSEG0_BASE;
/** Physical memory below this appears; above it are the APICs. */
export const KSEG0_SIZE = 0x7ec00000;

/** The physical address of something in the image, for while paging is off. */
export function physical(linear: Exclude<AddressLike, Address>): Address {
  return linear.minus(KSEG0_BASE);
}
