// The shape of a predecoded instruction: one record of sixteen words in the engine's code array.

/** Words a record takes: one cache line. */
export const STRIDE = 16;
/** Index of the handler. */
export const F_HANDLER = 0;
/** ModR/M reg (or +r) register, scaled for its size: words, halfwords or bytes from the block's start. */
export const F_REG = 1;
/** ModR/M rm register, scaled likewise. */
export const F_RM = 2;
/** First immediate, sign-extended; for relative jumps the distance. */
export const F_IMM = 3;
/** Memory operand: displacement, base and index as word offsets in the block (R_ZERO when absent), shift of the index. */
export const F_DISP = 4;
export const F_BASE = 5;
export const F_INDEX = 6;
export const F_SCALE = 7;
/** 0: flat 32-bit address, nothing to check; else 1 + segment, plus MODE_16 for 16-bit addressing. */
export const F_MODE = 8;
export const MODE_16 = 0x100;
/** POP to memory at [ESP]: the pointer is already raised in the address, and wraps at 64 KiB on a 16-bit stack. */
export const MODE_POP = 0x200;
/** Offset of the instruction in its page, and its length. */
export const F_OFFSET = 9;
export const F_LENGTH = 10;
/** Record of the jump target in the same page once known, else 0. */
export const F_TARGET = 11;
/** SPECIAL_ bits: what keeps the short ways from being taken. */
export const F_SPECIAL = 12;
export const SPECIAL_STACK = 1;
export const SPECIAL_CODE = 2;
/** Index of the decoded Instruction, and of the plain function where the handler is `plain`. */
export const F_INSTRUCTION = 13;
export const F_PLAIN = 14;
/** 1: one atomic access (LOCK, or XCHG with memory). */
export const F_LOCKED = 15;

// What a handler returns instead of the next record.
/** The instruction is complete; R_EIP says where to go on. */
export const EXIT = -1;
/** The instruction did not complete: G_STATUS says why. */
export const FAULT = -2;
/** Nothing was executed: look the current EIP up again (stale record, end of page). */
export const RELOCATE = -3;
/** Not a handler's: the inner loop has passed a boundary, and R_EIP says where to go on. */
export const BOUNDARY = -4;
