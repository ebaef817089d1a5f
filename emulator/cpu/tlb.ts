// The TLBs of all processors: where their slots are, what is entered, and how they are emptied (memory/layout.ts has their form).
import * as L from "../memory/layout.ts";
import { type Core, G_TLB_READ, G_TLB_WRITE, G_TOLD_READ, G_TOLD_WRITE } from "./core.ts";
import type { PhysicalSpace } from "./physical.ts";

/** Up to so many filled slots are remembered one by one; when there are more, whole TLBs are emptied. */
const MOST_FILLED = 256;

/** Word index of what the first processor's supervisor reads know of devices, and distance to what user reads do. */
const FIRST_DEVICE = (L.TLB_BASE + L.TLB_READ_SUPERVISOR * L.TLB_BYTES + L.TLB_DEVICE) / 4;
const DEVICE_OF_USER = ((L.TLB_READ_USER - L.TLB_READ_SUPERVISOR) * L.TLB_BYTES) / 4;

export class Tlbs {
  private readonly core: Core;
  private readonly physical: PhysicalSpace;
  /** Slots of all TLBs that hold something, while these are few: emptying a TLB is then a matter of so many words. */
  private readonly filled = new Int32Array(MOST_FILLED);
  private filledCount = 0;

  constructor(core: Core, physical: PhysicalSpace) {
    this.core = core;
    this.physical = physical;
    core.i32.fill(L.TLB_INVALID, L.TLB_BASE >> 2, (L.TLB_BASE + L.TLB_SIZE * core.layout.processors) >> 2);
    this.clearRefilled();
    const never = (L.TLB_BASE + L.TLB_NEVER * L.TLB_BYTES) >> 2;
    for (const tlb of [G_TLB_READ, G_TLB_WRITE, G_TOLD_READ, G_TOLD_WRITE]) core.g[tlb] = never; // until an engine chooses
  }

  /** Word index of one of a processor's TLBs. */
  of(processor: number, write: boolean, user: boolean): number {
    const which = (user ? L.TLB_READ_USER : L.TLB_READ_SUPERVISOR) + (write ? 1 : 0);
    return (L.TLB_BASE + processor * L.TLB_SIZE + which * L.TLB_BYTES) >> 2;
  }

  /** Enters a translation to RAM, unless writes to its page must be seen. */
  enter(slot: number, linear: number, physical: number, write: boolean): void {
    const { core } = this;
    if (write) {
      const at = this.physical.attributeOf(physical);
      if ((core.u8[at] & ~L.ATTRIBUTE_DIRTY) !== 0) return;
      core.u8[at] = L.ATTRIBUTE_DIRTY;
    }
    if (core.i32[slot] === L.TLB_INVALID && this.filledCount <= MOST_FILLED) this.filled[this.filledCount++] = slot;
    core.i32[slot] = linear & -L.PAGE;
    core.i32[slot + 1] = (this.physical.ramBase + physical - linear) | 0;
  }

  /** Word index of what is known of the device page met last: its linear address, its physical one. */
  deviceOf(processor: number, write: boolean, user: boolean): number {
    return FIRST_DEVICE + processor * (L.TLB_SIZE / 4) + (user ? DEVICE_OF_USER : 0) + (write ? 2 : 0);
  }

  /** Everything, on every processor. */
  empty(): void {
    const { core, filled } = this;
    const { i32 } = core;
    if (this.knowsFilled()) for (let i = 0; i < this.filledCount; i++) i32[filled[i]] = L.TLB_INVALID;
    else {
      for (let processor = 0; processor < core.layout.processors; processor++) this.emptySlots(processor);
      this.clearRefilled();
    }
    this.filledCount = 0;
    for (let processor = 0; processor < core.layout.processors; processor++) this.forgetDevices(processor);
  }

  /** Everything of one processor. */
  emptyOf(processor: number): void {
    this.emptySlots(processor);
    this.forgetDevices(processor);
  }

  /** What one processor knows of a page. */
  drop(processor: number, linear: number): void {
    for (const write of [false, true])
      for (const user of [false, true])
        this.core.i32[this.of(processor, write, user) + ((linear >>> 11) & 0x7fe)] = L.TLB_INVALID;
    this.forgetDevices(processor);
  }

  /** Every processor's write TLBs: a page has got an attribute that the store path must see. */
  dropWritable(): void {
    const { core } = this;
    if (this.knowsFilled()) {
      this.dropFilledWritable();
      return;
    }
    for (let processor = 0; processor < core.layout.processors; processor++) {
      for (const user of [false, true]) {
        const base = this.of(processor, true, user);
        core.i32.fill(L.TLB_INVALID, base, base + L.TLB_ENTRIES * 2);
      }
    }
  }

  private dropFilledWritable(): void {
    const { filled } = this;
    const { i32 } = this.core;
    let kept = 0;
    for (let i = 0; i < this.filledCount; i++) {
      const slot = filled[i];
      const which = Math.floor(((slot * 4 - L.TLB_BASE) % L.TLB_SIZE) / L.TLB_BYTES);
      if (which === L.TLB_WRITE_SUPERVISOR || which === L.TLB_WRITE_USER) i32[slot] = L.TLB_INVALID;
      else filled[kept++] = slot;
    }
    this.filledCount = kept;
  }

  private emptySlots(processor: number): void {
    const base = this.of(processor, false, false);
    this.core.i32.fill(L.TLB_INVALID, base, base + (4 * L.TLB_BYTES) / 4);
  }

  private forgetDevices(processor: number): void {
    for (const user of [false, true])
      for (const write of [false, true]) this.core.i32[this.deviceOf(processor, write, user)] = L.TLB_INVALID;
  }

  /** Every filled slot is among those remembered: they were not too many, and no engine has filled others. */
  private knowsFilled(): boolean {
    const { i32, layout } = this.core;
    if (this.filledCount > MOST_FILLED) return false;
    for (let processor = 0; processor < layout.processors; processor++)
      for (const user of [false, true])
        if (i32[this.of(processor, false, user) + L.TLB_REFILLED / 4] !== 0) return false;
    return true;
  }

  private clearRefilled(): void {
    const { i32, layout } = this.core;
    for (let processor = 0; processor < layout.processors; processor++)
      for (const user of [false, true]) i32[this.of(processor, false, user) + L.TLB_REFILLED / 4] = 0;
  }
}
