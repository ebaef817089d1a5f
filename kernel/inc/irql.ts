// Interrupt request levels, the vectors that go with them, and the task priority that masks each (SDM vol. 3A, 10.8.3).

export const PASSIVE_LEVEL = 0;
export const APC_LEVEL = 1;
export const DISPATCH_LEVEL = 2;
export const PROFILE_LEVEL = 27;
export const CLOCK2_LEVEL = 28;
export const IPI_LEVEL = 29;
export const POWER_LEVEL = 30;
export const HIGH_LEVEL = 31;
export const IRQLS = 32;

export const APC_VECTOR = 0x3d;
/** What the local APIC raises when an interrupt went away before it was acknowledged. */
export const SPURIOUS_VECTOR = 0x3f;
/** The same of the 8259s, should one of them raise anything at all. */
export const PIC_SPURIOUS_VECTOR = 0x37;
export const DISPATCH_VECTOR = 0x41;
export const UART_VECTOR = 0x83;
export const KEYBOARD_VECTOR = 0x93;
/** Vectors that no device of the board has: for whoever tests. */
export const TEST_VECTORS = [0x53, 0x63, 0x73, 0xa3, 0xb3] as const;
export const CLOCK_VECTOR = 0xd1;
export const IPI_VECTOR = 0xe1;
export const APIC_ERROR_VECTOR = 0xe3;

/** The level at which a device's vector is served: one below the vector's priority class. */
export function deviceIrql(vector: number): number {
  return (vector >> 4) - 1;
}

/**
 * What the task priority register holds at a level: it masks every vector of the same class and of those below. Level 3
 * masks what level 2 does, levels 11 to 26 what level 10 does: no device has them.
 */
export function taskPriority(irql: number): number {
  if (irql === PASSIVE_LEVEL) return 0x00;
  if (irql === APC_LEVEL) return APC_VECTOR;
  if (irql <= 3) return DISPATCH_VECTOR;
  if (irql <= 10) return ((irql + 1) << 4) | 1;
  if (irql < PROFILE_LEVEL) return 0xb1;
  if (irql === PROFILE_LEVEL) return 0xc1;
  if (irql === CLOCK2_LEVEL) return CLOCK_VECTOR;
  if (irql === IPI_LEVEL) return IPI_VECTOR;
  return irql === POWER_LEVEL ? 0xef : 0xff;
}
