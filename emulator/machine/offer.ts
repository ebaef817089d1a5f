// What fw_cfg offers the firmware: the machine's size, and an image to boot, as QEMU hands one over.
//
// A Multiboot image comes flattened in the "kernel" items with its physical address and entry, and its information structure
// in the "initrd" items, without memory sizes. A kernel without "initrd" items is a boot sector.
import { type FirmwareItems, FWCFG_KEYS } from "../devices/fwcfg.ts";
import { hex, ImageError } from "./image.ts";
import type { BootPlan } from "./loader.ts";

const NO_DMA = 1;
const LARGEST_FLATTENED = 256 * 0x100000;

/** The items of a machine, with those of what it shall boot. Throws ImageError for an image that cannot be flattened. */
export function firmwareItems(processors: number, ramSize: number, plan?: BootPlan, name = "image"): FirmwareItems {
  const key = FWCFG_KEYS;
  const items = new Map<number, Uint8Array>([
    [key.signature, Uint8Array.from("QEMU", (character) => character.charCodeAt(0))],
    [key.interface, dword(NO_DMA)],
    [key.ramSize, Uint8Array.from([...dword(ramSize), ...dword(0)])],
    [key.processors, Uint8Array.from([processors, 0])],
    [key.directory, dword(0)],
  ]);
  if (!plan) return items;
  const kernel = flatten(plan, name);
  items.set(key.kernelAddress, dword(kernel.physical));
  items.set(key.kernelSize, dword(kernel.bytes.length));
  items.set(key.kernelEntry, dword(plan.entry));
  items.set(key.kernelData, kernel.bytes);
  if (!plan.information) return items;
  items.set(key.initrdAddress, dword(plan.information.physical));
  items.set(key.initrdSize, dword(plan.information.size));
  items.set(key.initrdData, plan.information.bytes);
  return items;
}

/** All pieces as one stretch of memory. */
function flatten({ pieces }: BootPlan, name: string): { physical: number; bytes: Uint8Array } {
  const physical = Math.min(...pieces.map((piece) => piece.physical));
  const end = Math.max(...pieces.map((piece) => piece.physical + piece.size));
  if (end - physical > LARGEST_FLATTENED) {
    throw new ImageError(
      `${name}: reaches from ${hex(physical)} to ${hex(end)}, and a firmware is handed all that at once, at most ${hex(LARGEST_FLATTENED)} bytes; loading it without a ROM would do`,
    );
  }
  const bytes = new Uint8Array(end - physical);
  for (const piece of pieces) bytes.set(piece.bytes, piece.physical - physical);
  return { physical, bytes };
}

function dword(value: number): Uint8Array {
  return Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);
}
