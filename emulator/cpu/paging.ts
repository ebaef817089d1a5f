// Paging: from linear to physical addresses, by way of the TLBs or the page tables (SDM vol. 3A, ch. 4).
import * as L from "../memory/layout.ts";
import { type Core, CR0_PG, CR0_WP, CR4_PSE, G_CPU, G_FAULT_ADDRESS, G_MODE_CHANGED, G_PROCESSOR, PF } from "./core.ts";
import type { PhysicalSpace } from "./physical.ts";
import type { Tlbs } from "./tlb.ts";

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

export class Paging {
  /** Translations changed: engines drop what they derived from them. -1: all processors. */
  translationsChanged: (processor: number) => void = () => {};

  private readonly core: Core;
  private readonly physical: PhysicalSpace;
  private readonly tlbs: Tlbs;
  /** Pages of RAM that translations were read from since the TLBs were empty. */
  private readonly pageTables: number[] = [];

  constructor(core: Core, physical: PhysicalSpace, tlbs: Tlbs) {
    this.core = core;
    this.physical = physical;
    this.tlbs = tlbs;
    physical.pageTableWritten = () => this.flushEverything();
  }

  /** Physical address for an access, or -1 after raising #PF. Enters the TLB when the page is plain RAM. */
  translate(linear: number, write: boolean, user: boolean): number {
    const { core, tlbs } = this;
    const { ramBase, ramSize } = this.physical;
    const slot = tlbs.of(core.g[G_PROCESSOR], write, user) + ((linear >>> 11) & 0x7fe);
    if (core.i32[slot] === (linear & -L.PAGE)) return ((linear + core.i32[slot + 1]) >>> 0) - ramBase;
    const physical = (core.word(L.R_CR0) & CR0_PG) === 0 ? linear >>> 0 : this.walk(linear, write, user, false);
    if (physical >= ramSize) {
      const device = tlbs.deviceOf(core.g[G_PROCESSOR], write, user);
      core.i32[device] = linear & -L.PAGE;
      core.i32[device + 1] = physical & -L.PAGE;
    } else if (physical >= 0) tlbs.enter(slot, linear, physical, write);
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

  /** The current processor is in ring 3, and its accesses have the rights of that. */
  isUser(): boolean {
    const { core } = this;
    return core.i32[core.g[G_CPU] + L.R_CPL] === 3;
  }

  // --- page walks ---

  private walk(linear: number, write: boolean, user: boolean, quiet: boolean): number {
    const { core, physical } = this;
    const cr0 = core.word(L.R_CR0);
    const cr4 = core.word(L.R_CR4);
    const directory = ((core.word(L.R_CR3) & -L.PAGE) >>> 0) + ((linear >>> 22) << 2);
    const pde = this.readEntry(directory, quiet);
    if ((pde & PTE_P) === 0) return this.pageFault(linear, 0, write, user, quiet);
    const large = (pde & PTE_PS) !== 0 && (cr4 & CR4_PSE) !== 0;
    if (large) {
      if ((pde & PDE_RESERVED) !== 0) return this.pageFault(linear, PF_PRESENT | PF_RESERVED, write, user, quiet);
      if (!this.allowed(pde, write, user, cr0)) return this.pageFault(linear, PF_PRESENT, write, user, quiet);
      if (!quiet) physical.mark(directory, pde, PTE_A | (write ? PTE_D : 0));
      return ((pde & 0xffc00000) | (linear & 0x3fffff)) >>> 0;
    }
    const table = ((pde & -L.PAGE) >>> 0) + (((linear >>> 12) & 0x3ff) << 2);
    const pte = this.readEntry(table, quiet);
    if ((pte & PTE_P) === 0) return this.pageFault(linear, 0, write, user, quiet);
    const rights = pte & (pde | ~(PTE_W | PTE_U));
    if (!this.allowed(rights, write, user, cr0)) return this.pageFault(linear, PF_PRESENT, write, user, quiet);
    if (!quiet) {
      physical.mark(directory, pde, PTE_A);
      physical.mark(table, pte, PTE_A | (write ? PTE_D : 0));
    }
    return ((pte & -L.PAGE) | (linear & (L.PAGE - 1))) >>> 0;
  }

  private allowed(entry: number, write: boolean, user: boolean, cr0: number): boolean {
    if (user) return (entry & PTE_U) !== 0 && (!write || (entry & PTE_W) !== 0);
    return !write || (entry & PTE_W) !== 0 || (cr0 & CR0_WP) === 0;
  }

  private readEntry(address: number, quiet: boolean): number {
    const { core, physical } = this;
    if (!quiet && address + 4 <= physical.ramSize) {
      const page = physical.attributeOf(address);
      if ((core.u8[page] & L.ATTRIBUTE_PAGETABLE) === 0) {
        core.u8[page] |= L.ATTRIBUTE_PAGETABLE;
        this.pageTables.push(page);
        this.tlbs.dropWritable();
      }
    }
    return physical.load(address, 4);
  }

  private pageFault(linear: number, present: number, write: boolean, user: boolean, quiet: boolean): -1 {
    if (!quiet) {
      this.core.fault(PF, present | (write ? PF_WRITE : 0) | (user ? PF_USER : 0));
      this.core.g[G_FAULT_ADDRESS] = linear;
    }
    return -1;
  }

  // --- forgetting ---

  /**
   * All translations of all processors: page tables were written, or RAM was replaced from outside, and nothing derived from what
   * was there may be used again.
   */
  flushEverything(): void {
    const { core } = this;
    this.tlbs.empty();
    // With no translation cached nothing depends on these pages until the next walk marks them again.
    for (const page of this.pageTables) core.u8[page] &= ~L.ATTRIBUTE_PAGETABLE;
    this.pageTables.length = 0;
    this.translationsChanged(-1);
    core.g[G_MODE_CHANGED] = 1;
    core.stopAfterThis();
  }

  /** All translations of the current processor (MOV CR3 and mode changes; global pages are not kept apart). */
  flushAll(): void {
    this.tlbs.emptyOf(this.core.g[G_PROCESSOR]);
    this.changed();
  }

  /** MOV CR3: translations follow the page tables exactly, so global pages may go too. */
  flushNonGlobal(): void {
    this.flushAll();
  }

  /** INVLPG. Translations never differ from the page tables here, so this is a matter of form. */
  invalidatePage(linear: number): void {
    this.tlbs.drop(this.core.g[G_PROCESSOR], linear);
    this.changed();
  }

  /** The current processor's translations did: engines hear of it, and look again before the next instruction. */
  private changed(): void {
    const { g } = this.core;
    this.translationsChanged(g[G_PROCESSOR]);
    g[G_MODE_CHANGED] = 1;
  }
}
