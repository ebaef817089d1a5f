// The local APIC's and the I/O APIC's registers (SDM vol. 3A, 10.4.1; 82093AA, 3.0). Always used as [register + displacement].

/** Physical and linear address of every processor's own APIC. */
export const APIC_BASE = 0xfee00000;

export const APIC_ID = 0x20;
export const APIC_TPR = 0x80;
export const APIC_EOI = 0xb0;
export const APIC_SVR = 0xf0;
export const APIC_ESR = 0x280;
export const APIC_ICR_LOW = 0x300;
export const APIC_ICR_HIGH = 0x310;
export const APIC_LVT_TIMER = 0x320;
export const APIC_LVT_LINT0 = 0x350;
export const APIC_LVT_ERROR = 0x370;

/** The ID's place in APIC_ID and APIC_ICR_HIGH. */
export const APIC_ID_SHIFT = 24;
export const SVR_ENABLE = 0x100;
export const LVT_MASKED = 0x10000;

/** Interrupt command, low half: edge triggered, asserted; the vector is added. */
export const ICR_FIXED = 0x00004000;
export const ICR_NMI = 0x00004400;
export const ICR_INIT = 0x00004500;
export const ICR_STARTUP = 0x00004600;
/** Shorthands: the sender itself, and all but it. */
export const ICR_SELF = 0x00040000;
export const ICR_ALL_BUT_SELF = 0x000c0000;
/** The last command is still on its way. */
export const ICR_PENDING = 0x1000;

/** Where an I/O APIC is unless a table says otherwise. */
export const IOAPIC_BASE = 0xfec00000;
/** Index of the register that the window shows, and the window. */
export const IOAPIC_SELECT = 0x00;
export const IOAPIC_WINDOW = 0x10;
/** First register of the redirection table: two an input, low half first. */
export const IOAPIC_REDIRECTION = 0x10;
