// The firmware as others see it: a ROM image, made to order.
import { link } from "#asm";
import { RESET_VECTOR, ROM, ROM_SIZE } from "./memory.ts";
import { reset, resetVector } from "./reset.ts";
import type { TableOptions } from "./tables.ts";

/** What can be different about a ROM. */
export type FirmwareOptions = TableOptions;

/** Behind the reset vector: a date, and FCh for an AT. */
const SIGNATURE_AT = 0xfff5;
const SIGNATURE = [..."11/22/26"].map((character) => character.charCodeAt(0));
const MODEL_AT = 0xfffe;
const MODEL = 0xfc;

/** The ROM: 64 KiB that end at the reset vector, the same bytes every time. */
export function firmwareRom(options: FirmwareOptions = {}): Uint8Array {
  const image = link(reset(options), { base: ROM, multiboot: false });
  const code = image.flat();
  if (code.length > RESET_VECTOR - ROM)
    throw new RangeError(`firmware: ${code.length} bytes; ${RESET_VECTOR - ROM} lie before the reset vector`);
  const rom = new Uint8Array(ROM_SIZE).fill(0xff);
  rom.set(code);
  rom.set(link(resetVector(image.entry - ROM), { base: RESET_VECTOR, multiboot: false }).flat(), RESET_VECTOR - ROM);
  rom.set(SIGNATURE, SIGNATURE_AT);
  rom[MODEL_AT] = MODEL;
  return rom;
}
