// What comes of a case, and who can be asked for it.
import type { Case } from "./case.ts";

/** What an instruction left behind. A fault leaves `eip` at the instruction; `vector` is -1 when the instruction retired. */
export interface Outcome {
  /** EAX ECX EDX EBX ESP EBP ESI EDI. */
  readonly registers: Int32Array;
  readonly eip: number;
  readonly eflags: number;
  /** Selectors of ES CS SS DS FS GS. */
  readonly selectors: readonly number[];
  readonly vector: number;
  readonly error: number;
  /** The faulting address of a page fault, else 0. */
  readonly cr2: number;
  readonly windows: readonly Uint8Array[];
}

export interface Witness {
  /** What the witness is, in a line. */
  readonly name: string;
  /** Is it one of ours, from which nothing may differ, by no rule? */
  readonly isOurs: boolean;
  /** Is it a processor in 32-bit mode, whose outcomes can be kept in the record? */
  readonly isOnRecord: boolean;
  /** Can the witness be asked for a form's cases at all? For this one? */
  knows(form: Case["form"]): boolean;
  takes(one: Case): boolean;
  /** The bytes that the witness runs for a case. */
  bytesOf(one: Case): readonly number[];
  /**
   * What comes of cases, one after the other, over an arena that begins as `arena` and is left as it ends; undefined when they
   * do not come to an end.
   */
  run(cases: readonly Case[], arena: Uint8Array): readonly Outcome[] | undefined;
  /** Why cases did not come to an end. */
  readonly failures: readonly string[];
  close(): void;
}
