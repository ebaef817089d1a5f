// The last records of a trace, in one array: written in place, and read only when somebody wants to know.
import type { AccessObserver } from "../../cpu/core.ts";
import { MAX_PROCESSORS } from "../../memory/layout.ts";
import * as R from "./record.ts";

// V8 looks an imported constant up at every use; one of this module it knows.
const { RECORD_WORDS, ACCESSES, ACCESS_BASE, ACCESS_WORDS, MOST_ACCESSES, ACCESS_WRITE, ACCESS_PORT } = R;
const { AT_LINEAR, AT_PHYSICAL, AT_VALUE, AT_OLD, AT_WHAT } = R;

export class TraceRing implements AccessObserver {
  /** Records it holds. */
  readonly capacity: number;
  /** All records, and one more that is being written; the same memory twice. */
  readonly words: Int32Array;
  readonly f64: Float64Array;
  /** Instructions that each processor has retired, as far as the trace has come. */
  readonly counts = new Float64Array(MAX_PROCESSORS);
  /** Records ever committed. */
  total = 0;
  /** Index in `words` of the record being written. */
  open = 0;
  private drained = 0;

  /** Throws RangeError for a capacity that is not a whole number from 1 on. */
  constructor(capacity: number) {
    if (!Number.isInteger(capacity) || capacity < 1)
      throw new RangeError(`trace ring: ${capacity} records asked for; a whole number from 1 on would do`);
    this.capacity = capacity;
    this.words = new Int32Array((capacity + 1) * RECORD_WORDS);
    this.f64 = new Float64Array(this.words.buffer);
  }

  /** Records that can be read. */
  get length(): number {
    return Math.min(this.total - this.drained, this.capacity);
  }

  read(physical: number, linear: number, width: number, value: number): void {
    const at = this.access();
    if (at < 0) return;
    const { words } = this;
    words[at + AT_LINEAR] = linear;
    words[at + AT_PHYSICAL] = physical;
    words[at + AT_VALUE] = value;
    words[at + AT_WHAT] = width;
  }

  write(physical: number, linear: number, width: number, value: number, old: number): void {
    const at = this.access();
    if (at < 0) return;
    const { words } = this;
    words[at + AT_LINEAR] = linear;
    words[at + AT_PHYSICAL] = physical;
    // Handlers hold narrow values sign-extended; what memory has of them is without the sign.
    words[at + AT_VALUE] = width === 1 ? value & 0xff : width === 2 ? value & 0xffff : value;
    words[at + AT_OLD] = old;
    words[at + AT_WHAT] = width | ACCESS_WRITE;
  }

  /** IN or OUT: an access to a port; `width` is 0 for string forms, whose value lies in memory. */
  port(port: number, width: number, value: number, isOutput: boolean): void {
    const at = this.access();
    if (at < 0) return;
    const { words } = this;
    words[at + AT_LINEAR] = port;
    words[at + AT_PHYSICAL] = port;
    words[at + AT_VALUE] = value;
    words[at + AT_OLD] = 0;
    words[at + AT_WHAT] = width | ACCESS_PORT | (isOutput ? ACCESS_WRITE : 0);
  }

  /** Where the record being written has its next access; -1 for one too many, which is only counted. */
  private access(): number {
    const { words, open } = this;
    const index = words[open + ACCESSES];
    words[open + ACCESSES] = index + 1;
    return index < MOST_ACCESSES ? open + ACCESS_BASE + index * ACCESS_WORDS : -1;
  }

  /** The record being written is complete: it is kept, the oldest is let go, and the next one can be begun. */
  commit(): void {
    this.total++;
    const next = this.open + RECORD_WORDS;
    this.open = next === this.words.length ? 0 : next;
  }

  /** The record being written, as it is now. */
  current(): Int32Array {
    return this.words.subarray(this.open, this.open + RECORD_WORDS);
  }

  /** Keeps a record that was written elsewhere. */
  push(record: Int32Array): void {
    this.words.set(record, this.open);
    this.commit();
  }

  /** The oldest is number 0. Good until the next one is begun. */
  at(index: number): Int32Array {
    const slots = this.capacity + 1;
    const slot = (this.open / RECORD_WORDS - this.length + index + slots) % slots;
    return this.words.subarray(slot * RECORD_WORDS, (slot + 1) * RECORD_WORDS);
  }

  /** Copies of all records, the oldest first; the ring is empty afterwards. */
  drain(): Int32Array[] {
    const records = Array.from({ length: this.length }, (_, i) => this.at(i).slice());
    this.drained = this.total;
    return records;
  }
}
