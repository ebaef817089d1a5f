// What must be verified, with how many states, and which mutant must violate what: for the tests, and for `npm run explorations`.

/** A search that ends "verified". */
export type Verified = readonly [scenario: string, processors: number, rounds: number, states: number];
/** A mutant and the property that its simplest failure violates. */
export type Violated = readonly [
  scenario: string,
  mutant: string,
  processors: number,
  rounds: number,
  property: string,
];

/** The locks' forms for DISPATCH_LEVEL on a bare machine. */
export const LARGE_LOCKS: readonly Verified[] = [
  ["queued-lock", 4, 1, 95229],
  ["queued-lock", 3, 2, 338697],
];

export const LOCK_MUTANTS: readonly Violated[] = [
  ["queued-lock", "M1", 2, 1, "memory safety"],
  ["queued-lock", "M2", 2, 1, "progress"],
  ["queued-lock", "M3", 2, 1, "progress"],
  ["queued-lock", "M4", 2, 1, "memory safety"],
  ["queued-lock", "M5", 2, 1, "mutual exclusion"],
  ["queued-lock", "M7", 2, 1, "progress"],
  ["queued-lock", "M8", 2, 1, "first come, first served"],
  ["queued-lock", "M9", 3, 1, "progress"],
  ["queued-lock", "M10", 2, 1, "memory safety"],
  ["queued-lock", "M11", 2, 1, "progress"],
  ["queued-lock", "M12", 2, 1, "first come, first served"],
  ["queued-lock", "M13", 2, 2, "handles are left alone"],
  ["queued-lock", "P03", 2, 1, "progress"],
  ["queued-lock", "P04", 2, 1, "progress"],
  ["two-locks", "P19", 2, 1, "progress"],
  ["spin-lock", "P01", 2, 1, "mutual exclusion"],
  ["spin-lock", "P02", 3, 1, "mutual exclusion"],
  ["spin-lock", "S1", 2, 1, "mutual exclusion"],
  ["spin-lock", "S2", 2, 1, "mutual exclusion"],
  ["spin-lock", "S3", 2, 1, "mutual exclusion"],
];

/** On the booted kernel, with interrupts. */
export const KERNEL: readonly Verified[] = [
  ["raise-lower", 1, 1, 28],
  ["raise-lower", 2, 1, 82],
  ["clock", 2, 1, 1899],
  ["raising-queued-lock", 2, 1, 3589],
  ["raising-queued-lock", 2, 2, 28979],
  ["raising-spin-lock", 2, 2, 108182],
  ["raising-spin-lock-one-clock", 2, 2, 4791],
  ["raising-spin-lock-one-clock", 3, 1, 6884],
  ["dpc-queue", 2, 1, 45398],
  ["idle", 2, 1, 401],
  ["halt-wait", 1, 1, 7],
];

export const KERNEL_MUTANTS: readonly Violated[] = [
  ["raising-queued-lock", "M6", 2, 1, "no DPC while the lock is held"],
  ["raising-queued-lock", "P11", 2, 1, "no DPC while the lock is held"],
  ["raising-queued-lock", "P20", 2, 1, "no exception"],
  ["raising-spin-lock", "P09", 2, 1, "levels come back"],
  ["raising-spin-lock", "P10", 1, 1, "progress"],
  ["raising-spin-lock", "P11", 1, 1, "progress"],
  ["dpc-queue", "P13", 2, 1, "progress"],
  ["dpc-queue", "P14", 2, 1, "no exception"],
  ["idle", "P15", 2, 1, "progress"],
  ["halt-wait", "P16", 1, 1, "progress"],
  ["halt-wait", "P17", 1, 1, "progress"],
];
