// Where every piece of guest-visible state lies in the machine's one WebAssembly.Memory, and which class its words belong to.
//
//   0x00000  guard page, always zero
//   0x01000  time and accounting: machine clock, due times, retired counts, slice generator   (machine hash only)
//   0x08000  processor blocks, 1 KiB each, 32 of them: registers, hidden segment parts, local APIC (architectural)
//   0x10000  device words: I/O APIC, 8259 pair, 8254, 16550, board                             (architectural)
//   0x18000  monitor words of an exploration                                                   (monitor)
//   0x20000  TLBs, 64 KiB a processor                                                          (derived: never hashed)
//   ...      one attribute byte per RAM page                                                   (derived)
//   ramBase  guest RAM
//
// Sizes are fixed when the machine is made; the memory never grows, so typed arrays over it never detach.

export const PAGE = 4096;
export const MAX_PROCESSORS = 32;

// --- time and accounting (byte offsets; 64-bit floats hold exact integers below 2^53) ---
export const TIME_BASE = 0x1000;
/** f64: the machine clock in ticks: +1 per retired instruction of any processor (1 ns nominal). */
export const CLOCK = TIME_BASE;
/** i32 x4: state of the slice generator. */
export const SLICE_GENERATOR = TIME_BASE + 0x10;
/** i32: the processor whose slice it is; i32: what is left of that slice. */
export const SLICE_PROCESSOR = TIME_BASE + 0x20;
export const SLICE_LEFT = TIME_BASE + 0x24;
/** i32: 1 when no other processor could run as the slice began, so it ends when one can. */
export const SLICE_ALONE = TIME_BASE + 0x28;
/** f64 per device slot: when the device wants to be called next (Infinity: never). */
export const DEVICE_DUE = TIME_BASE + 0x40;
export const DEVICE_DUE_SLOTS = 24;
/** f64s that devices need to derive counts from the clock (start times), 32 of them. */
export const DEVICE_TIMES = TIME_BASE + 0x100;
/** Per processor, 64 bytes: see the T_ offsets. */
export const PROCESSOR_TIME = TIME_BASE + 0x1000;
export const PROCESSOR_TIME_SIZE = 64;
/** f64 retired instructions; f64 TSC minus clock; f64 local APIC timer due (Infinity: off); f64 local APIC timer start. */
export const T_RETIRED = 0;
export const T_TSC_OFFSET = 8;
export const T_APIC_DUE = 16;
export const T_APIC_START = 24;
/** f64 retired instructions when the last exception or interrupt was delivered; i32 deliveries since without another one. */
export const T_DELIVERED_AT = 32;
export const T_DELIVERIES = 40;

// --- processor blocks ---
export const PROCESSOR_BASE = 0x8000;
export const PROCESSOR_SIZE = 1024;
export const PROCESSOR_WORDS = PROCESSOR_SIZE / 4;

// Word offsets within a processor block. General registers come first, in encoding order.
export const R_EAX = 0;
export const R_ECX = 1;
export const R_EDX = 2;
export const R_EBX = 3;
export const R_ESP = 4;
export const R_EBP = 5;
export const R_ESI = 6;
export const R_EDI = 7;
/** Always zero: the base or index of an address that has none. */
export const R_ZERO = 8;
export const R_EIP = 9;
/** EFLAGS; of the status flags only those whose bit is clear in R_LAZY are valid here. */
export const R_EFLAGS = 10;
/** Status flags that must be derived from R_FA, R_FB, R_FRES (same bit numbers as EFLAGS), plus LAZY_SUB. */
export const R_LAZY = 11;
/** Operands and result of the last flag-setting operation, sign-extended from its size. */
export const R_FA = 12;
export const R_FB = 13;
export const R_FRES = 14;
/** 0..3; kept equal to the DPL of the stack segment. */
export const R_CPL = 15;
/** Six segment registers of four words (selector, base, limit in bytes, attributes), in encoding order ES CS SS DS FS GS. */
export const R_SEGMENTS = 16;
export const SEGMENT_WORDS = 4;
export const S_SELECTOR = 0;
export const S_BASE = 1;
export const S_LIMIT = 2;
/** Bits 8..15 and 20..23 of the descriptor's high dword, in place; 0 in the P bit: a null (unusable) segment. */
export const S_ATTRIBUTES = 3;
export const R_LDTR = 40;
export const R_TR = 44;
export const R_GDTR_BASE = 48;
export const R_GDTR_LIMIT = 49;
export const R_IDTR_BASE = 50;
export const R_IDTR_LIMIT = 51;
export const R_CR0 = 52;
export const R_CR2 = 53;
export const R_CR3 = 54;
export const R_CR4 = 55;
/** DR0..DR3, DR6, DR7 (only their reset values for now). */
export const R_DR = 56;
/** RUNNING, HALTED, WAIT_FOR_SIPI or SHUTDOWN. */
export const R_ACTIVITY = 62;
/** SHADOW_STI / SHADOW_SS: interrupts are held off until the next instruction has retired. */
export const R_SHADOW = 63;
/** One NMI remembered / NMIs held until IRET. */
export const R_NMI_PENDING = 64;
export const R_NMI_MASKED = 65;
/** Vector of the exception being delivered + 1 (double-fault detection), else 0. */
export const R_DELIVERING = 66;
/** IA32_APIC_BASE low word. */
export const R_APIC_BASE = 67;
/** Model-specific registers that are plain storage (SYSENTER_CS/ESP/EIP, ...): 8 words. */
export const R_MSR = 68;
/** Micro-state of a split instruction: index of its next access, then the values read so far. */
export const R_MICRO_INDEX = 80;
export const R_MICRO_VALUES = 81;
export const MICRO_VALUES = 31;
/** The local APIC's words begin here; devices/lapic.ts names them. */
export const R_APIC = 128;
export const APIC_WORDS = 128;

export const RUNNING = 0;
export const HALTED = 1;
export const WAIT_FOR_SIPI = 2;
export const SHUTDOWN = 3;
export const SHADOW_STI = 1;
export const SHADOW_SS = 2;

// --- devices, monitors ---
export const DEVICE_BASE = 0x10000;
/** Byte offsets of each device's words. */
export const IOAPIC_BASE = DEVICE_BASE;
export const PIC_BASE = DEVICE_BASE + 0x400;
export const PIT_BASE = DEVICE_BASE + 0x500;
export const UART_BASE = DEVICE_BASE + 0x600;
export const BOARD_BASE = DEVICE_BASE + 0xa00;
export const CMOS_BASE = DEVICE_BASE + 0xb00;
export const FWCFG_BASE = DEVICE_BASE + 0xe00;
/** No device has words beyond: hashes look no further. */
export const DEVICE_END = DEVICE_BASE + 0x1000;
export const MONITOR_BASE = 0x18000;
export const MONITOR_SIZE = 0x8000;

// --- derived ---
export const TLB_BASE = 0x20000;
export const TLB_SIZE = 0x10000;
/** Entries of one TLB; each is two words: tag (linear page, or TLB_INVALID) and addend (byte offset in the memory minus linear address). */
export const TLB_ENTRIES = 1024;
export const TLB_BYTES = TLB_ENTRIES * 8;
/** A bit that no address keeps when it is compared with a tag: page and misalignment, so that one look tells both. */
export const TLB_INVALID = 0x800;
/** Order of the TLBs of one processor; a fifth one stays empty for ever: observed runs use it, so that every access takes the slow path. */
export const TLB_READ_SUPERVISOR = 0;
export const TLB_WRITE_SUPERVISOR = 1;
export const TLB_READ_USER = 2;
export const TLB_WRITE_USER = 3;
export const TLB_NEVER = 4;
/** Behind a TLB for reads, supervisor or user: not 0 when an engine has entered translations there by itself. */
export const TLB_REFILLED = 0xb084;
/**
 * Behind a TLB for reads, supervisor or user: the device page that reads met last, and that writes did, two words each: linear
 * page, or TLB_INVALID, and physical page. As exact as the TLBs.
 */
export const TLB_DEVICE = 0xb088;
/**
 * Words of the engine's own, in the area of the first processor. For each processor the TLB for reads that it uses (byte offset);
 * 0 when what follows from its segments and modes must be worked out again.
 */
export const MODES_KNOWN = TLB_BASE + 0xc000;

export interface Layout {
  readonly processors: number;
  readonly ramSize: number;
  readonly attributeBase: number;
  readonly ramBase: number;
  readonly totalBytes: number;
}

/** Places the parts whose size depends on the machine. `ramSize` is in bytes, a multiple of 4096 from 1 MiB to 3072 MiB. */
export function layoutOf(processors: number, ramSize: number): Layout {
  const attributeBase = TLB_BASE + TLB_SIZE * processors;
  const attributeBytes = Math.ceil(ramSize / PAGE);
  const ramBase = Math.ceil((attributeBase + attributeBytes) / 0x10000) * 0x10000;
  const totalBytes = Math.ceil((ramBase + ramSize) / 0x10000) * 0x10000;
  return { processors, ramSize, attributeBase, ramBase, totalBytes };
}

// Page attributes: any bit but DIRTY keeps the page out of the write TLBs; a page enters them only when it is DIRTY.
export const ATTRIBUTE_CODE = 1;
export const ATTRIBUTE_PAGETABLE = 2;
export const ATTRIBUTE_ROM = 4;
export const ATTRIBUTE_DIRTY = 128;
