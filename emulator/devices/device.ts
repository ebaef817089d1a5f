// What every device is given: the machine's words to keep its state in, and nothing else to remember anything by.

/** Views on the machine's one memory. Indices are word indices: byte offset / 4 in `i32`, byte offset / 8 in `f64`. */
export interface MachineWords {
  readonly i32: Int32Array;
  readonly f64: Float64Array;
}

/** A device that answers at I/O ports, a byte at a time, as on the 8-bit ISA bus. `now` is the machine clock in ticks. */
export interface PortDevice {
  /** The byte at `port` (0 to FFh). */
  readPort(port: number, now: number): number;
  /** Writes one byte (0 to FFh). */
  writePort(port: number, value: number, now: number): void;
}

/** A wire from a device to an interrupt controller. */
export type Line = (asserted: boolean) => void;

/** A due time that never comes. */
export const NEVER = Number.POSITIVE_INFINITY;
