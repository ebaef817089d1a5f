// QEMU's firmware configuration device at ports 510h and 511h: items by key, a byte at a time (docs/specs/fw_cfg.rst in QEMU).
//
// What the items hold is fixed when the machine is made, like the contents of a ROM; which item is being read, and how far,
// are the device's only state. There is no DMA interface, and the feature bits say so.
import { FWCFG_BASE } from "../memory/layout.ts";
import type { MachineWords, PortDevice } from "./device.ts";

/** Takes a 16-bit write: the key of the item to read from its start. */
export const FWCFG_SELECTOR = 0x510;
/** Gives the item's bytes one by one, then zeros. */
export const FWCFG_DATA = 0x511;

/** Keys that every machine of QEMU's has, and those by which it hands over a kernel. */
export const FWCFG_KEYS = {
  signature: 0x00,
  interface: 0x01,
  ramSize: 0x03,
  processors: 0x05,
  kernelAddress: 0x07,
  kernelSize: 0x08,
  initrdAddress: 0x0a,
  initrdSize: 0x0b,
  kernelEntry: 0x10,
  kernelData: 0x11,
  initrdData: 0x12,
  commandLineAddress: 0x13,
  commandLineSize: 0x14,
  commandLineData: 0x15,
  setupAddress: 0x16,
  setupSize: 0x17,
  setupData: 0x18,
  directory: 0x19,
} as const;

const SELECTED = FWCFG_BASE / 4;
const OFFSET = SELECTED + 1;

/** The items by key. */
export type FirmwareItems = ReadonlyMap<number, Uint8Array>;

export class FirmwareConfiguration implements PortDevice {
  readonly #i32: Int32Array;
  #items: FirmwareItems = new Map();

  constructor(words: MachineWords) {
    this.#i32 = words.i32;
  }

  reset(): void {
    this.#i32[SELECTED] = 0;
    this.#i32[OFFSET] = 0;
  }

  /** Fits the machine with its items, once and before it runs. */
  offer(items: FirmwareItems): void {
    this.#items = items;
  }

  /** A 16-bit write to the selector. */
  select(key: number): void {
    this.#i32[SELECTED] = key & 0xffff;
    this.#i32[OFFSET] = 0;
  }

  /** Either port gives the next byte. */
  readPort(): number {
    const item = this.#items.get(this.#i32[SELECTED]);
    const offset = this.#i32[OFFSET];
    if (item === undefined || offset >= item.length) return 0;
    this.#i32[OFFSET] = offset + 1;
    return item[offset];
  }

  /** Items are read-only; a byte written to either port changes nothing. */
  writePort(): void {}
}
