// Linear memory as one processor sees it: paging, TLBs, RAM, devices behind addresses, and who watches (SDM vol. 3A, ch. 4).
import * as L from "../memory/layout.ts";
import {
  type AccessObserver,
  type Core,
  CR0_PG,
  CR0_WP,
  CR4_PSE,
  G_CPU,
  G_FAULT_ADDRESS,
  G_LOCKED,
  G_MODE_CHANGED,
  G_OBSERVED,
  G_PROCESSOR,
  G_STATUS,
  G_TLB_READ,
  G_TLB_WRITE,
  G_TOLD_READ,
  G_TOLD_WRITE,
  PF,
  STATUS_SPLIT,
} from "./core.ts";

// Page table entry bits.
const PTE_P = 1;
const PTE_W = 2;
const PTE_U = 4;
const PTE_A = 0x20;
const PTE_D = 0x40;
const PTE_PS = 0x80;
/** Bits 13..21 of a 4 MiB entry are reserved without PAE and PSE-36. */
const PDE_RESERVED = 0x3fe000;

// Page fault error code bits.
const PF_PRESENT = 1;
const PF_WRITE = 2;
const PF_USER = 4;
const PF_RESERVED = 8;

/** Up to so many filled slots are remembered one by one; when there are more, whole TLBs are emptied. */
const MOST_FILLED = 256;

/** Told of every change to RAM while G_OBSERVED is set, before it happens: word index in the memory, old value. */
export type Journal = (wordIndex: number, old: number) => void;

/** Word index of what the first processor's supervisor reads know of devices, and distance to what user reads do. */
const FIRST_DEVICE = (L.TLB_BASE + L.TLB_READ_SUPERVISOR * L.TLB_BYTES + L.TLB_DEVICE) / 4;
const DEVICE_OF_USER = ((L.TLB_READ_USER - L.TLB_READ_SUPERVISOR) * L.TLB_BYTES) / 4;

export class LinearMemory {
  /** Somebody changed bytes of a page that holds decoded code. Physical address, bytes. */
  codeWritten: (physical: number, bytes: number) => void = () => {};
  /** Translations changed: engines drop what they derived from them. -1: all processors. */
  translationsChanged: (processor: number) => void = () => {};
  observer: AccessObserver | null = null;
  journal: Journal | null = null;
  /** Split unlocked instructions into their accesses, using the micro-state of the processor block (exploration). */
  splitting = false;
  /** Index of the current instruction's next data access, and whether this step has done its one; only while splitting. */
  access = 0;
  accessDone = false;

  private readonly core: Core;
  private readonly ramSize: number;
  private readonly ramBase: number;
  private readonly attributes: number;
  private readonly pageTables: number[] = [];
  /** Slots of all TLBs that hold something, while these are few: emptying a TLB is then a matter of so many words. */
  private readonly filled = new Int32Array(MOST_FILLED);
  private filledCount = 0;

  constructor(core: Core) {
    this.core = core;
    this.ramSize = core.layout.ramSize;
    this.ramBase = core.layout.ramBase;
    this.attributes = core.layout.attributeBase;
    core.i32.fill(L.TLB_INVALID, L.TLB_BASE >> 2, (L.TLB_BASE + L.TLB_SIZE * core.layout.processors) >> 2);
    this.clearRefilled();
    const never = (L.TLB_BASE + L.TLB_NEVER * L.TLB_BYTES) >> 2;
    for (const tlb of [G_TLB_READ, G_TLB_WRITE, G_TOLD_READ, G_TOLD_WRITE]) core.g[tlb] = never; // until an engine chooses
  }

  // --- data accesses with the rights of the current privilege level ---
  read8(linear: number): number {
    const at = this.told(linear, G_TOLD_READ, -4096);
    if (at < 0) return this.read(linear, 1, this.isUser());
    const value = this.core.u8[at];
    this.observer?.read(at - this.ramBase, linear, 1, value);
    return value;
  }
  read16(linear: number): number {
    const at = this.told(linear, G_TOLD_READ, -4095);
    if (at < 0) return this.read(linear, 2, this.isUser());
    const value = this.core.u16[at >>> 1];
    this.observer?.read(at - this.ramBase, linear, 2, value);
    return value;
  }
  read32(linear: number): number {
    const at = this.told(linear, G_TOLD_READ, -4093);
    if (at < 0) return this.read(linear, 4, this.isUser());
    const value = this.core.i32[at >>> 2];
    this.observer?.read(at - this.ramBase, linear, 4, value);
    return value;
  }
  write8(linear: number, value: number): void {
    const at = this.told(linear, G_TOLD_WRITE, -4096);
    if (at < 0) {
      this.write(linear, 1, value, this.isUser());
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
      this.write(linear, 2, value, this.isUser());
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
      this.write(linear, 4, value, this.isUser());
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
    const user = !system && this.isUser();
    if (this.translate(linear, true, user) < 0) return false;
    const last = (linear + bytes - 1) | 0;
    return ((last ^ linear) & -L.PAGE) === 0 || this.translate(last & -L.PAGE, true, user) >= 0;
  }

  /** As probeWrite, for reads. */
  probeRead(linear: number, bytes: number, system: boolean): boolean {
    const user = !system && this.isUser();
    if (this.translate(linear, false, user) < 0) return false;
    const last = (linear + bytes - 1) | 0;
    return ((last ^ linear) & -L.PAGE) === 0 || this.translate(last & -L.PAGE, false, user) >= 0;
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

  private isUser(): boolean {
    const { core } = this;
    return core.i32[core.g[G_CPU] + L.R_CPL] === 3;
  }

  private update(linear: number, width: 1 | 2 | 4): number {
    const user = this.isUser();
    if ((linear & (L.PAGE - 1)) + width > L.PAGE) {
      if (this.translate(linear, true, user) < 0) return 0;
      if (this.translate((linear + width - 1) & -L.PAGE, true, user) < 0) return 0;
    } else if (this.translate(linear, true, user) < 0) return 0;
    return this.read(linear, width, user);
  }

  private read(linear: number, width: 1 | 2 | 4, user: boolean): number {
    const device = this.deviceAt(linear, width, false, user);
    if (device !== 0) return this.core.bus.readPhysical(device, width);
    const across = (linear & (L.PAGE - 1)) + width > L.PAGE;
    const first = this.translate(linear, false, user);
    if (first < 0) return 0;
    const second = across ? this.translate((linear + width - 1) & -L.PAGE, false, user) : 0;
    if (second < 0) return 0;
    if (this.core.g[G_OBSERVED] !== 0) return this.observedRead(first, second, linear, width);
    return across ? this.loadAcross(first, second, linear, width) : this.load(first, width);
  }

  private write(linear: number, width: 1 | 2 | 4, value: number, user: boolean): void {
    const device = this.deviceAt(linear, width, true, user);
    if (device !== 0) {
      this.core.bus.writePhysical(device, width, value);
      return;
    }
    const across = (linear & (L.PAGE - 1)) + width > L.PAGE;
    const first = this.translate(linear, true, user);
    if (first < 0) return;
    const second = across ? this.translate((linear + width - 1) & -L.PAGE, true, user) : 0;
    if (second < 0) return;
    if (this.core.g[G_OBSERVED] !== 0) this.observedWrite(first, second, linear, width, value);
    else if (across) this.storeAcross(first, second, linear, width, value);
    else this.storeTo(first, width, value);
  }

  /** The physical address (int32) of an unwatched access to the device page met last, 0 for any other. */
  private deviceAt(linear: number, width: number, write: boolean, user: boolean): number {
    const { g, i32 } = this.core;
    const device = this.deviceWords(g[G_PROCESSOR], write, user);
    const offset = linear & (L.PAGE - 1);
    if (i32[device] !== linear - offset || offset + width > L.PAGE || g[G_OBSERVED] !== 0) return 0;
    return i32[device + 1] | offset;
  }

  /** Word index of what is known of the device page met last. */
  private deviceWords(processor: number, write: boolean, user: boolean): number {
    return FIRST_DEVICE + processor * (L.TLB_SIZE / 4) + (user ? DEVICE_OF_USER : 0) + (write ? 2 : 0);
  }

  private forgetDevices(processor: number): void {
    for (const user of [false, true])
      for (const write of [false, true]) this.core.i32[this.deviceWords(processor, write, user)] = L.TLB_INVALID;
  }

  /** Bytes on both sides of a page boundary: `first` is the physical address of the first one, `second` of the next page. */
  private loadAcross(first: number, second: number, linear: number, width: number): number {
    const here = L.PAGE - (linear & (L.PAGE - 1));
    let value = 0;
    for (let i = 0; i < width; i++) value |= this.load(i < here ? first + i : second + i - here, 1) << (8 * i);
    return value;
  }

  private storeAcross(first: number, second: number, linear: number, width: number, value: number): void {
    const here = L.PAGE - (linear & (L.PAGE - 1));
    for (let i = 0; i < width; i++) this.storeTo(i < here ? first + i : second + i - here, 1, value >>> (8 * i));
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
    const value = across ? this.loadAcross(first, second, linear, width) : this.load(first, width);
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
    const old = first < this.ramSize ? this.peek(first, width) : 0;
    if ((linear & (L.PAGE - 1)) + width > L.PAGE) this.storeAcross(first, second, linear, width, value);
    else this.storeTo(first, width, value);
    observer?.write(first, linear, width, value, old);
  }

  private peek(physical: number, width: number): number {
    let value = 0;
    for (let i = 0; i < width && physical + i < this.ramSize; i++)
      value |= this.core.u8[this.ramBase + physical + i] << (8 * i);
    return value;
  }

  // --- physical memory ---

  /** Reads within one page: RAM, or what the bus has there. */
  load(physical: number, width: 1 | 2 | 4): number {
    const { core } = this;
    if (physical + width > this.ramSize) return core.bus.readPhysical(physical, width);
    const at = this.ramBase + physical;
    const { u8 } = core;
    if (width === 1) return u8[at];
    if (width === 2) return u8[at] | (u8[at + 1] << 8);
    return (at & 3) === 0 ? core.i32[at >>> 2] : u8[at] | (u8[at + 1] << 8) | (u8[at + 2] << 16) | (u8[at + 3] << 24);
  }

  /** Writes within one page. */
  storeTo(physical: number, width: 1 | 2 | 4, value: number): void {
    const { core } = this;
    if (physical + width > this.ramSize) {
      core.bus.writePhysical(physical, width, value);
      return;
    }
    const page = this.attributes + Math.floor(physical / L.PAGE);
    const attribute = core.u8[page];
    if ((attribute & L.ATTRIBUTE_ROM) !== 0) return;
    const at = this.ramBase + physical;
    if (core.g[G_OBSERVED] !== 0 && this.journal) {
      this.journal(at >>> 2, core.i32[at >>> 2]);
      if ((at & 3) + width > 4) this.journal((at >>> 2) + 1, core.i32[(at >>> 2) + 1]);
    }
    const { u8 } = core;
    if (width === 4 && (at & 3) === 0) core.i32[at >>> 2] = value;
    else for (let i = 0; i < width; i++) u8[at + i] = value >>> (8 * i);
    if (attribute === L.ATTRIBUTE_DIRTY) return;
    core.u8[page] = attribute | L.ATTRIBUTE_DIRTY;
    if ((attribute & L.ATTRIBUTE_CODE) !== 0) this.codeWritten(physical, width);
    if ((attribute & L.ATTRIBUTE_PAGETABLE) !== 0) this.pageTablesChanged();
  }

  // --- translation ---

  /** Physical address for an access, or -1 after raising #PF. Enters the TLB when the page is plain RAM. */
  translate(linear: number, write: boolean, user: boolean): number {
    const { core } = this;
    const base = this.tlbOf(core.g[G_PROCESSOR], write, user);
    const slot = base + ((linear >>> 11) & 0x7fe);
    if (core.i32[slot] === (linear & -L.PAGE)) return ((linear + core.i32[slot + 1]) >>> 0) - this.ramBase;
    const physical = (core.word(L.R_CR0) & CR0_PG) === 0 ? linear >>> 0 : this.walk(linear, write, user, false);
    if (physical >= this.ramSize) {
      const device = this.deviceWords(core.g[G_PROCESSOR], write, user);
      core.i32[device] = linear & -L.PAGE;
      core.i32[device + 1] = physical & -L.PAGE;
    } else if (physical >= 0) this.enter(slot, linear, physical, write);
    return physical;
  }

  /** As `translate` for an instruction fetch; -1 after raising #PF. */
  translateFetch(linear: number): number {
    return (this.core.word(L.R_CR0) & CR0_PG) === 0 ? linear >>> 0 : this.walk(linear, false, this.isUser(), false);
  }

  /** What `linear` maps to for a debugger: no fault, no accessed bits, no rights. -1: not present. */
  lookUp(linear: number): number {
    return (this.core.word(L.R_CR0) & CR0_PG) === 0 ? linear >>> 0 : this.walk(linear, false, false, true);
  }

  /**
   * Physical address that a fetch at `linear` would come from, if it would change nothing: no fault, and accessed bits set
   * already. Else -1. The page tables on the way are watched from now on.
   */
  peekFetch(linear: number): number {
    const { core } = this;
    if ((core.word(L.R_CR0) & CR0_PG) === 0) return linear >>> 0;
    const needed = PTE_P | PTE_A | (this.isUser() ? PTE_U : 0);
    const pde = this.readEntry(((core.word(L.R_CR3) & -L.PAGE) >>> 0) + ((linear >>> 22) << 2), false);
    if ((pde & needed) !== needed) return -1;
    if ((pde & PTE_PS) !== 0 && (core.word(L.R_CR4) & CR4_PSE) !== 0)
      return (pde & PDE_RESERVED) !== 0 ? -1 : ((pde & 0xffc00000) | (linear & 0x3fffff)) >>> 0;
    const pte = this.readEntry(((pde & -L.PAGE) >>> 0) + (((linear >>> 12) & 0x3ff) << 2), false);
    return (pte & needed) !== needed ? -1 : ((pte & -L.PAGE) | (linear & (L.PAGE - 1))) >>> 0;
  }

  /** Word index of one of a processor's TLBs. */
  tlbOf(processor: number, write: boolean, user: boolean): number {
    const which = (user ? L.TLB_READ_USER : L.TLB_READ_SUPERVISOR) + (write ? 1 : 0);
    return (L.TLB_BASE + processor * L.TLB_SIZE + which * L.TLB_BYTES) >> 2;
  }

  private enter(slot: number, linear: number, physical: number, write: boolean): void {
    const { core } = this;
    const page = physical - (physical & (L.PAGE - 1));
    if (write) {
      const at = this.attributes + page / L.PAGE;
      if ((core.u8[at] & ~L.ATTRIBUTE_DIRTY) !== 0) return;
      core.u8[at] = L.ATTRIBUTE_DIRTY;
    }
    if (core.i32[slot] === L.TLB_INVALID && this.filledCount <= MOST_FILLED) this.filled[this.filledCount++] = slot;
    core.i32[slot] = linear & -L.PAGE;
    core.i32[slot + 1] = (this.ramBase + physical - linear) | 0;
  }

  private walk(linear: number, write: boolean, user: boolean, quiet: boolean): number {
    const { core } = this;
    const cr0 = core.word(L.R_CR0);
    const cr4 = core.word(L.R_CR4);
    const directory = ((core.word(L.R_CR3) & -L.PAGE) >>> 0) + ((linear >>> 22) << 2);
    const pde = this.readEntry(directory, quiet);
    if ((pde & PTE_P) === 0) return this.pageFault(linear, 0, write, user, quiet);
    const large = (pde & PTE_PS) !== 0 && (cr4 & CR4_PSE) !== 0;
    if (large) {
      if ((pde & PDE_RESERVED) !== 0) return this.pageFault(linear, PF_PRESENT | PF_RESERVED, write, user, quiet);
      if (!this.allowed(pde, write, user, cr0)) return this.pageFault(linear, PF_PRESENT, write, user, quiet);
      if (!quiet) this.mark(directory, pde, PTE_A | (write ? PTE_D : 0));
      return ((pde & 0xffc00000) | (linear & 0x3fffff)) >>> 0;
    }
    const table = ((pde & -L.PAGE) >>> 0) + (((linear >>> 12) & 0x3ff) << 2);
    const pte = this.readEntry(table, quiet);
    if ((pte & PTE_P) === 0) return this.pageFault(linear, 0, write, user, quiet);
    const rights = pte & (pde | ~(PTE_W | PTE_U));
    if (!this.allowed(rights, write, user, cr0)) return this.pageFault(linear, PF_PRESENT, write, user, quiet);
    if (!quiet) {
      this.mark(directory, pde, PTE_A);
      this.mark(table, pte, PTE_A | (write ? PTE_D : 0));
    }
    return ((pte & -L.PAGE) | (linear & (L.PAGE - 1))) >>> 0;
  }

  private allowed(entry: number, write: boolean, user: boolean, cr0: number): boolean {
    if (user) return (entry & PTE_U) !== 0 && (!write || (entry & PTE_W) !== 0);
    return !write || (entry & PTE_W) !== 0 || (cr0 & CR0_WP) === 0;
  }

  private readEntry(physical: number, quiet: boolean): number {
    if (!quiet && physical + 4 <= this.ramSize) {
      const page = Math.floor(physical / L.PAGE);
      const attribute = this.core.u8[this.attributes + page];
      if ((attribute & L.ATTRIBUTE_PAGETABLE) === 0) {
        this.core.u8[this.attributes + page] = attribute | L.ATTRIBUTE_PAGETABLE;
        this.pageTables.push(page);
        this.dropWritable();
      }
    }
    return this.load(physical, 4);
  }

  /** Sets accessed and dirty bits: one locked update. Our own TLBs need not hear of it. */
  private mark(physical: number, entry: number, bits: number): void {
    if ((entry & bits) === bits || physical + 4 > this.ramSize) return;
    const { core } = this;
    const at = (this.ramBase + physical) >>> 2;
    const page = this.attributes + Math.floor(physical / L.PAGE);
    if ((core.u8[page] & L.ATTRIBUTE_ROM) !== 0) return;
    if (core.g[G_OBSERVED] !== 0 && this.journal) this.journal(at, core.i32[at]);
    core.i32[at] = entry | bits;
    core.u8[page] |= L.ATTRIBUTE_DIRTY;
    if ((core.u8[page] & L.ATTRIBUTE_CODE) !== 0) this.codeWritten(physical, 4);
  }

  private pageFault(linear: number, present: number, write: boolean, user: boolean, quiet: boolean): -1 {
    if (!quiet) {
      this.core.fault(PF, present | (write ? PF_WRITE : 0) | (user ? PF_USER : 0));
      this.core.g[G_FAULT_ADDRESS] = linear;
    }
    return -1;
  }

  // --- forgetting ---

  /** Page tables were written: nothing derived from them may be used again, on any processor. */
  private pageTablesChanged(): void {
    const { core } = this;
    this.emptyTlbs();
    // With no translation cached nothing depends on these pages until the next walk marks them again.
    for (const page of this.pageTables) core.u8[this.attributes + page] &= ~L.ATTRIBUTE_PAGETABLE;
    this.pageTables.length = 0;
    this.translationsChanged(-1);
    core.g[G_MODE_CHANGED] = 1;
    core.stopAfterThis();
  }

  /** Every filled slot is among those remembered: they were not too many, and no engine has filled others. */
  private knowsFilled(): boolean {
    const { i32, layout } = this.core;
    if (this.filledCount > MOST_FILLED) return false;
    for (let processor = 0; processor < layout.processors; processor++)
      for (const user of [false, true])
        if (i32[this.tlbOf(processor, false, user) + L.TLB_REFILLED / 4] !== 0) return false;
    return true;
  }

  private clearRefilled(): void {
    const { i32, layout } = this.core;
    for (let processor = 0; processor < layout.processors; processor++)
      for (const user of [false, true]) i32[this.tlbOf(processor, false, user) + L.TLB_REFILLED / 4] = 0;
  }

  private emptyTlbs(): void {
    const { core, filled } = this;
    const { i32 } = core;
    if (this.knowsFilled()) for (let i = 0; i < this.filledCount; i++) i32[filled[i]] = L.TLB_INVALID;
    else {
      for (let processor = 0; processor < core.layout.processors; processor++) {
        const base = this.tlbOf(processor, false, false);
        i32.fill(L.TLB_INVALID, base, base + (4 * L.TLB_BYTES) / 4);
      }
      this.clearRefilled();
    }
    this.filledCount = 0;
    for (let processor = 0; processor < core.layout.processors; processor++) this.forgetDevices(processor);
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
        const base = this.tlbOf(processor, true, user);
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

  /** All translations of all processors, after RAM was replaced from outside. */
  flushEverything(): void {
    this.pageTablesChanged();
  }

  /** All translations of the current processor (MOV CR3 and mode changes; global pages are not kept apart). */
  flushAll(): void {
    const { core } = this;
    const processor = core.g[G_PROCESSOR];
    const base = (L.TLB_BASE + processor * L.TLB_SIZE) >> 2;
    core.i32.fill(L.TLB_INVALID, base, base + (4 * L.TLB_BYTES) / 4);
    this.forgetDevices(processor);
    this.translationsChanged(processor);
    core.g[G_MODE_CHANGED] = 1;
  }

  /** MOV CR3: translations follow the page tables exactly, so global pages may go too. */
  flushNonGlobal(): void {
    this.flushAll();
  }

  /** INVLPG. Translations never differ from the page tables here, so this is a matter of form. */
  invalidatePage(linear: number): void {
    const { core } = this;
    for (const write of [false, true]) {
      for (const user of [false, true]) {
        const slot = this.tlbOf(core.g[G_PROCESSOR], write, user) + ((linear >>> 11) & 0x7fe);
        core.i32[slot] = L.TLB_INVALID;
      }
    }
    this.forgetDevices(core.g[G_PROCESSOR]);
    this.translationsChanged(core.g[G_PROCESSOR]);
    core.g[G_MODE_CHANGED] = 1;
  }
}
