// Linear memory as one processor sees it: accesses to RAM and to devices behind addresses, and who watches them.
import * as L from "../memory/layout.ts";
import {
  type AccessObserver,
  type Core,
  G_LOCKED,
  G_OBSERVED,
  G_PROCESSOR,
  G_STATUS,
  G_TLB_READ,
  G_TLB_WRITE,
  G_TOLD_READ,
  G_TOLD_WRITE,
  STATUS_SPLIT,
} from "./core.ts";
import { Paging } from "./paging.ts";
import { PhysicalSpace } from "./physical.ts";
import { Tlbs } from "./tlb.ts";

export class LinearMemory {
  readonly physical: PhysicalSpace;
  readonly tlbs: Tlbs;
  readonly paging: Paging;
  observer: AccessObserver | null = null;
  /** Split unlocked instructions into their accesses, using the micro-state of the processor block (exploration). */
  splitting = false;
  /** Index of the current instruction's next data access, and whether this step has done its one; only while splitting. */
  access = 0;
  accessDone = false;

  private readonly core: Core;
  private readonly ramBase: number;

  constructor(core: Core) {
    this.core = core;
    this.physical = new PhysicalSpace(core);
    this.tlbs = new Tlbs(core, this.physical);
    this.paging = new Paging(core, this.physical, this.tlbs);
    this.ramBase = this.physical.ramBase;
  }

  // --- data accesses with the rights of the current privilege level ---
  read8(linear: number): number {
    const at = this.told(linear, G_TOLD_READ, -4096);
    if (at < 0) return this.read(linear, 1, this.paging.isUser());
    const value = this.core.u8[at];
    this.observer?.read(at - this.ramBase, linear, 1, value);
    return value;
  }
  read16(linear: number): number {
    const at = this.told(linear, G_TOLD_READ, -4095);
    if (at < 0) return this.read(linear, 2, this.paging.isUser());
    const value = this.core.u16[at >>> 1];
    this.observer?.read(at - this.ramBase, linear, 2, value);
    return value;
  }
  read32(linear: number): number {
    const at = this.told(linear, G_TOLD_READ, -4093);
    if (at < 0) return this.read(linear, 4, this.paging.isUser());
    const value = this.core.i32[at >>> 2];
    this.observer?.read(at - this.ramBase, linear, 4, value);
    return value;
  }
  write8(linear: number, value: number): void {
    const at = this.told(linear, G_TOLD_WRITE, -4096);
    if (at < 0) {
      this.write(linear, 1, value, this.paging.isUser());
      return;
    }
    const { u8 } = this.core;
    const old = u8[at];
    u8[at] = value;
    this.observer?.write(at - this.ramBase, linear, 1, value, old);
  }
  write16(linear: number, value: number): void {
    const at = this.told(linear, G_TOLD_WRITE, -4095);
    if (at < 0) {
      this.write(linear, 2, value, this.paging.isUser());
      return;
    }
    const { u16 } = this.core;
    const old = u16[at >>> 1];
    u16[at >>> 1] = value;
    this.observer?.write(at - this.ramBase, linear, 2, value, old);
  }
  write32(linear: number, value: number): void {
    const at = this.told(linear, G_TOLD_WRITE, -4093);
    if (at < 0) {
      this.write(linear, 4, value, this.paging.isUser());
      return;
    }
    const { i32 } = this.core;
    const old = i32[at >>> 2];
    i32[at >>> 2] = value;
    this.observer?.write(at - this.ramBase, linear, 4, value, old);
  }
  /** First half of a read-modify-write: needs the rights of a write. */
  update8(linear: number): number {
    const at = this.told(linear, G_TOLD_WRITE, -4096);
    if (at < 0) return this.update(linear, 1);
    const value = this.core.u8[at];
    this.observer?.read(at - this.ramBase, linear, 1, value);
    return value;
  }
  update16(linear: number): number {
    const at = this.told(linear, G_TOLD_WRITE, -4095);
    if (at < 0) return this.update(linear, 2);
    const value = this.core.u16[at >>> 1];
    this.observer?.read(at - this.ramBase, linear, 2, value);
    return value;
  }
  update32(linear: number): number {
    const at = this.told(linear, G_TOLD_WRITE, -4093);
    if (at < 0) return this.update(linear, 4);
    const value = this.core.i32[at >>> 2];
    this.observer?.read(at - this.ramBase, linear, 4, value);
    return value;
  }

  /**
   * Byte index in the memory of plain RAM at `linear`, for an observer that only wants to be told of accesses; -1 when the
   * long way must be taken. `tagMask` keeps the bits of the page and those that a value of that width must not have.
   */
  private told(linear: number, tlb: typeof G_TOLD_READ | typeof G_TOLD_WRITE, tagMask: number): number {
    const { g, i32 } = this.core;
    const slot = g[tlb] + ((linear >>> 11) & 0x7fe);
    return i32[slot] === (linear & tagMask) ? (linear + i32[slot + 1]) >>> 0 : -1;
  }

  // --- the processor's own accesses to descriptor tables and task state: supervisor, never split ---
  systemRead8(linear: number): number {
    return this.systemRead(linear, 1);
  }
  systemRead16(linear: number): number {
    return this.systemRead(linear, 2);
  }
  systemRead32(linear: number): number {
    return this.systemRead(linear, 4);
  }
  systemWrite8(linear: number, value: number): void {
    this.systemWrite(linear, 1, value);
  }
  systemWrite16(linear: number, value: number): void {
    this.systemWrite(linear, 2, value);
  }
  systemWrite32(linear: number, value: number): void {
    this.systemWrite(linear, 4, value);
  }

  private systemRead(linear: number, width: 1 | 2 | 4): number {
    const { splitting } = this;
    this.splitting = false;
    const value = this.read(linear, width, false);
    this.splitting = splitting;
    return value;
  }

  private systemWrite(linear: number, width: 1 | 2 | 4, value: number): void {
    const { splitting } = this;
    this.splitting = false;
    this.write(linear, width, value, false);
    this.splitting = splitting;
  }

  /** Makes sure that `bytes` at `linear` (at most one page boundary inside) can be written; false after raising #PF. */
  probeWrite(linear: number, bytes: number, system: boolean): boolean {
    const { paging } = this;
    const user = !system && paging.isUser();
    if (paging.translate(linear, true, user) < 0) return false;
    const last = (linear + bytes - 1) | 0;
    return ((last ^ linear) & -L.PAGE) === 0 || paging.translate(last & -L.PAGE, true, user) >= 0;
  }

  /** As probeWrite, for reads. */
  probeRead(linear: number, bytes: number, system: boolean): boolean {
    const { paging } = this;
    const user = !system && paging.isUser();
    if (paging.translate(linear, false, user) < 0) return false;
    const last = (linear + bytes - 1) | 0;
    return ((last ^ linear) & -L.PAGE) === 0 || paging.translate(last & -L.PAGE, false, user) >= 0;
  }

  /**
   * Byte index in `u8` of plain RAM at `linear`, good until the page ends; -1 when the slow way must be taken. Only what a TLB
   * knows has one: a page walk may set accessed and dirty bits in the very bytes that are read, so its place in order matters.
   */
  readPointer(linear: number): number {
    return this.pointer(linear, G_TLB_READ);
  }
  writePointer(linear: number): number {
    return this.pointer(linear, G_TLB_WRITE);
  }

  private pointer(linear: number, tlb: typeof G_TLB_READ | typeof G_TLB_WRITE): number {
    const { g, i32 } = this.core;
    const slot = g[tlb] + ((linear >>> 11) & 0x7fe);
    return i32[slot] === (linear & -L.PAGE) ? (linear + i32[slot + 1]) >>> 0 : -1;
  }

  /** Bytes at `linear`, at most `bytes`, that lie in a row from its pointer on. */
  readSpan(linear: number, bytes: number): number {
    return this.span(linear, bytes, G_TLB_READ);
  }
  writeSpan(linear: number, bytes: number): number {
    return this.span(linear, bytes, G_TLB_WRITE);
  }

  private span(linear: number, bytes: number, tlb: typeof G_TLB_READ | typeof G_TLB_WRITE): number {
    const { g, i32 } = this.core;
    const distance = i32[g[tlb] + ((linear >>> 11) & 0x7fe) + 1];
    let page = linear & -L.PAGE;
    let room = L.PAGE - (linear & (L.PAGE - 1));
    while (room < bytes) {
      page = (page + L.PAGE) | 0;
      const slot = g[tlb] + ((page >>> 11) & 0x7fe);
      if (page === 0 || i32[slot] !== page || i32[slot + 1] !== distance) return room;
      room += L.PAGE;
    }
    return bytes;
  }

  private update(linear: number, width: 1 | 2 | 4): number {
    const { paging } = this;
    const user = paging.isUser();
    if ((linear & (L.PAGE - 1)) + width > L.PAGE) {
      if (paging.translate(linear, true, user) < 0) return 0;
      if (paging.translate((linear + width - 1) & -L.PAGE, true, user) < 0) return 0;
    } else if (paging.translate(linear, true, user) < 0) return 0;
    return this.read(linear, width, user);
  }

  private read(linear: number, width: 1 | 2 | 4, user: boolean): number {
    const device = this.deviceAt(linear, width, false, user);
    if (device !== 0) return this.core.bus.readPhysical(device, width);
    const { paging } = this;
    const across = (linear & (L.PAGE - 1)) + width > L.PAGE;
    const first = paging.translate(linear, false, user);
    if (first < 0) return 0;
    const second = across ? paging.translate((linear + width - 1) & -L.PAGE, false, user) : 0;
    if (second < 0) return 0;
    if (this.core.g[G_OBSERVED] !== 0) return this.observedRead(first, second, linear, width);
    return across ? this.loadAcross(first, second, linear, width) : this.physical.load(first, width);
  }

  private write(linear: number, width: 1 | 2 | 4, value: number, user: boolean): void {
    const device = this.deviceAt(linear, width, true, user);
    if (device !== 0) {
      this.core.bus.writePhysical(device, width, value);
      return;
    }
    const { paging } = this;
    const across = (linear & (L.PAGE - 1)) + width > L.PAGE;
    const first = paging.translate(linear, true, user);
    if (first < 0) return;
    const second = across ? paging.translate((linear + width - 1) & -L.PAGE, true, user) : 0;
    if (second < 0) return;
    if (this.core.g[G_OBSERVED] !== 0) this.observedWrite(first, second, linear, width, value);
    else if (across) this.storeAcross(first, second, linear, width, value);
    else this.physical.store(first, width, value);
  }

  /** The physical address (int32) of an unwatched access to the device page met last, 0 for any other. */
  private deviceAt(linear: number, width: number, write: boolean, user: boolean): number {
    const { g, i32 } = this.core;
    const device = this.tlbs.deviceOf(g[G_PROCESSOR], write, user);
    const offset = linear & (L.PAGE - 1);
    if (i32[device] !== linear - offset || offset + width > L.PAGE || g[G_OBSERVED] !== 0) return 0;
    return i32[device + 1] | offset;
  }

  /** Bytes on both sides of a page boundary: `first` is the physical address of the first one, `second` of the next page. */
  private loadAcross(first: number, second: number, linear: number, width: number): number {
    const here = L.PAGE - (linear & (L.PAGE - 1));
    let value = 0;
    for (let i = 0; i < width; i++) value |= this.physical.load(i < here ? first + i : second + i - here, 1) << (8 * i);
    return value;
  }

  private storeAcross(first: number, second: number, linear: number, width: number, value: number): void {
    const here = L.PAGE - (linear & (L.PAGE - 1));
    for (let i = 0; i < width; i++) this.physical.store(i < here ? first + i : second + i - here, 1, value >>> (8 * i));
  }

  // --- watched and split accesses ---

  /**
   * A split instruction does one access a step. Values read in earlier steps are answered from the micro-state; writes of
   * earlier steps have happened; the first access not yet done is done now, and the next one ends the step. Whoever runs
   * the step advances R_MICRO_INDEX when it ended with STATUS_SPLIT and `accessDone`: an observer may have refused it.
   */
  private splitStep(): "done before" | "now" | "stop" {
    const { core } = this;
    const micro = core.word(L.R_MICRO_INDEX);
    const index = this.access++;
    if (index < micro) return "done before";
    if (!this.accessDone) {
      this.accessDone = true;
      return "now";
    }
    core.g[G_STATUS] = STATUS_SPLIT;
    return "stop";
  }

  private observedRead(first: number, second: number, linear: number, width: 1 | 2 | 4): number {
    const { core, observer } = this;
    const split = this.splitting && core.g[G_LOCKED] === 0;
    if (split) {
      const index = this.access;
      const step = this.splitStep();
      if (step === "done before") return core.word(L.R_MICRO_VALUES + index);
      if (step === "stop") return 0;
    }
    if (observer?.beforeAccess?.(first, linear, width, false) === false) {
      this.accessDone = false;
      return 0;
    }
    const across = (linear & (L.PAGE - 1)) + width > L.PAGE;
    const value = across ? this.loadAcross(first, second, linear, width) : this.physical.load(first, width);
    if (split) core.setWord(L.R_MICRO_VALUES + this.access - 1, value);
    observer?.read(first, linear, width, value);
    return value;
  }

  private observedWrite(first: number, second: number, linear: number, width: 1 | 2 | 4, value: number): void {
    const { core, observer } = this;
    if (this.splitting && core.g[G_LOCKED] === 0) {
      const step = this.splitStep();
      if (step !== "now") return;
    }
    if (observer?.beforeAccess?.(first, linear, width, true) === false) {
      this.accessDone = false;
      return;
    }
    const old = this.physical.peek(first, width);
    if ((linear & (L.PAGE - 1)) + width > L.PAGE) this.storeAcross(first, second, linear, width, value);
    else this.physical.store(first, width, value);
    observer?.write(first, linear, width, value, old);
  }
}
