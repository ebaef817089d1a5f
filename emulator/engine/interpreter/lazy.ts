// Bits of R_LAZY beside the status flags' own: how the last result came about.

/** The operation was a subtraction (bit 1 of EFLAGS, which is no flag). */
export const LAZY_SUBTRACTION = 2;
/** ... with result a - b exactly, so a and b can be compared instead. */
export const LAZY_EXACT = 8;
