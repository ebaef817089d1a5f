// One witnessed instruction: its bytes, where they lie, and everything it starts from.
import type { Form } from "../../../emulator/isa/index.ts";
import { PAGE, SMALL_CODE_LIMIT } from "./arena.ts";

/** Bytes of the longest instruction. */
export const MOST_BYTES = 15;
/** Bytes of code that a case has room for, prelude included. */
export const CODE_BYTES = 16;

/** Bytes put into the arena before the instruction, and looked at after it. Nowhere but in pages that hold something. */
export interface Window {
  /** Linear. */
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** How our side runs: as usual, with an observer, or split into its memory accesses as exploration does it. */
export type Mode = "fast" | "observed" | "split";

export interface Case {
  readonly form: Form;
  /** CS.D. */
  readonly bits: 16 | 32;
  readonly code: readonly number[];
  /** Code run before it, for the flags it leaves, or nothing. */
  readonly prelude: readonly number[];
  /** Linear address of the code. */
  readonly place: number;
  readonly eip: number;
  /** Before the prelude: EAX ECX EDX EBX ESP EBP ESI EDI. */
  readonly registers: Int32Array;
  readonly eflags: number;
  /** Selectors of ES CS SS DS FS GS. */
  readonly selectors: readonly number[];
  readonly windows: readonly Window[];
  readonly mode: Mode;
  /** Our side is given a budget for all iterations of a REP at once, not one step for each. */
  readonly atOnce: boolean;
}

const prefixes = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]);

/** The bytes of the code before its opcode. */
export const prefixesOf = (code: readonly number[]): readonly number[] =>
  code.slice(
    0,
    code.findIndex((byte) => !prefixes.has(byte)),
  );

/** Is a byte among the prefixes of the code? */
export const hasPrefix = (code: readonly number[], prefix: number): boolean => prefixesOf(code).includes(prefix);

type Placed = Pick<Case, "form" | "code" | "place">;

/** Can something be run behind the instruction in its page and segment? */
const hasRoomBehind = ({ code, place }: Placed): boolean => (place & (PAGE - 1)) + code.length + 2 <= SMALL_CODE_LIMIT;

/** Does the instruction iterate, and is there room behind it? Then it can be run at once. */
export const canRunAtOnce = (one: Placed): boolean =>
  one.form.repeatable && (hasPrefix(one.code, 0xf2) || hasPrefix(one.code, 0xf3)) && hasRoomBehind(one);

/** Does what comes after the instruction lie behind it? Then it can be run with a budget for more. */
export const canRunOn = (one: Placed): boolean =>
  !/^(?:J|LOOP|CALL|RET|IRET|INT|BOUND)/.test(one.form.mnemonic) && hasRoomBehind(one);
