// What a row of the table says once parsed (Form), and what decoding bytes gives (Instruction). Intel SDM vol. 2, ch. 2.
import type { OperandSpec } from "./operands.ts";

/**
 * A row: the manual's instruction column, its opcode column, and notes.
 *
 * Opcode column, beyond the manual's own signs: `o16 o32` and `a16 a32` name the operand and address size of a row
 * whose operands do not tell. Notes, separated by blanks:
 * `r w rw -` joined by commas: how each operand is used (`-`: only its address);
 * `lock`: may be LOCKed when the destination is memory; `locked`: is so by itself; `rep`: F2 and F3 repeat it;
 * `sets: reads: undef:` status flags, of `oszapc` and `d i` (set and undefined: the operands decide);
 * `commutes`: the operands may be written in either order;
 * `anysize`: the operand-size prefix plays no part; `default:N`: the immediate when it is left out;
 * `alias`: real hardware takes it, the encoder never chooses it;
 * `unimplemented:NAME`: its use stops the run under NAME;
 * `skip:REASON,REASON`: what the hardware witness leaves out, and why; the witness's rules explain each reason.
 */
export type Row = readonly [syntax: string, opcode: string, notes?: string];

/** How the ModR/M byte is used: not there, `/r` (a register operand in `reg`), or an opcode digit 0..7 in `reg`. */
export type ModRM = "none" | "/r" | 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;

/** What follows the opcode and ModR/M, in order: immediates, relative targets, code pointers and memory offsets. */
export type Trailer = "ib" | "iw" | "id" | "cb" | "cw" | "cd" | "cp16" | "cp32" | "moffs";

/** Where an operand is encoded: ModR/M `rm` or `reg`, the opcode (`+r`), a trailer, or nowhere (a fixed register, 1). */
export type Role = "rm" | "reg" | "opcode" | "immediate" | "immediate2" | "relative" | "far" | "moffs" | "fixed";

/** One row of the instruction table. */
export interface Form {
  /** Index of the row in `forms`; the identity used by engines. */
  readonly id: number;
  /** The manual's first column, e.g. `ADD r/m32, r32`. */
  readonly syntax: string;
  readonly mnemonic: string;
  readonly operands: readonly OperandSpec[];
  /** Where each operand is encoded, aligned with `operands`. */
  readonly roles: readonly Role[];
  /** 1: one-byte opcode map, 2: after 0F. */
  readonly map: 1 | 2;
  /** The opcode byte within its map; for `+r` forms the one with register 0. */
  readonly opcode: number;
  /** The register is in the low three bits of the opcode (`+rb`, `+rw`, `+rd`). */
  readonly plusRegister: boolean;
  readonly modrm: ModRM;
  /** A fixed ModR/M byte (three-byte forms such as the fences: 0F AE E8), else -1. */
  readonly modrmByte: number;
  readonly trailers: readonly Trailer[];
  /** Operand size the row is for: 16 or 32; 0 where the size plays no part (byte forms, NOP, CLI ...). */
  readonly operandSize: 0 | 16 | 32;
  /** Address size the row is for (JCXZ, LOOP, string forms where spelled out); 0 where it plays no part. */
  readonly addressSize: 0 | 16 | 32;
  /** A mandatory F3/F2 prefix (PAUSE: 0xf3), else 0. */
  readonly mandatory: 0 | 0xf2 | 0xf3;
  /** The ModR/M rm operand may be a register / may be memory. */
  readonly rmRegister: boolean;
  readonly rmMemory: boolean;
  /** LOCK is legal here when the destination is memory; elsewhere it is #UD. */
  readonly lockable: boolean;
  /** Locked without a prefix: XCHG with memory. */
  readonly lockedAlways: boolean;
  /** F3/F2 repeat the instruction (string forms). */
  readonly repeatable: boolean;
  /** How each operand is used: r, w, or rw, aligned with `operands`; what tracing, footprints and the DSL need. */
  readonly access: readonly ("r" | "w" | "rw" | "")[];
  /** Status flags written / read / left undefined, letters of `oszapc` (and `d`, `i` where it applies). */
  readonly flagsSet: string;
  readonly flagsRead: string;
  readonly flagsUndefined: string;
  /** Why the hardware witness leaves the form or an outcome of it out, joined by commas; empty when it is compared in full. */
  readonly witnessSkips: string;
  /** Real hardware takes the form, the encoder never chooses it. */
  readonly alias: boolean;
  /** The two operands may be written in either order: XCHG, TEST. */
  readonly commutes: boolean;
  /** What the immediate is when it is left out (AAM, AAD: 10), or NONE. */
  readonly defaultImmediate: number;
  /** Empty, or the name under which its use stops the run: "not implemented: NAME at ADDRESS". */
  readonly unimplemented: string;
}

/** No segment override, no register: what a decoded field holds when it is absent. */
export const NONE = -1;

/** One decoded instruction. Registers and segments are encodings; NONE where absent. */
export interface Instruction {
  readonly form: Form;
  /** Bytes, prefixes included: 1..15. */
  readonly length: number;
  /** Effective sizes in bits, prefixes applied. */
  readonly operandSize: 16 | 32;
  readonly addressSize: 16 | 32;
  readonly lock: boolean;
  /** The last F2/F3 prefix, or 0. (For a form with `mandatory` the prefix is part of the opcode, and this is 0.) */
  readonly repeat: 0 | 0xf2 | 0xf3;
  /** Segment override prefix, or NONE. */
  readonly segmentOverride: number;
  /** Segment a memory operand goes through: the override, else SS for ESP/EBP/BP bases, else DS. */
  readonly segment: number;
  /** ModR/M reg field, or the register of a `+r` form, or NONE. */
  readonly reg: number;
  /** ModR/M rm register when mod is 3, else NONE. */
  readonly rm: number;
  /** There is a memory operand: ModR/M memory, or moffs. */
  readonly memory: boolean;
  /** In 16-bit addressing base/index are BX/BP (3/5) and SI/DI (6/7), as register numbers. */
  readonly base: number;
  readonly index: number;
  /** Shift of the index: 0..3. */
  readonly scale: number;
  /** Signed 32-bit displacement or moffs address (16-bit addressing: sign-extended; the sum wraps at 16 bits). */
  readonly displacement: number;
  /** First immediate, sign-extended to 32 bits from its size; a relative target's signed distance; a code pointer's offset. */
  readonly immediate: number;
  /** Second immediate (ENTER's level) or a code pointer's selector; 0 otherwise. */
  readonly immediate2: number;
}

/** Why bytes are no instruction: #UD; #GP for more than 15 bytes; or the bytes at hand end too soon. */
export type DecodeFailure = "invalid" | "too long" | "truncated";
