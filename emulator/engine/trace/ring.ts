// The last records of a trace, in one array: written in place, and read only when somebody wants to know.
import type { AccessObserver } from "../../cpu/core.ts";
import { MAX_PROCESSORS } from "../../memory/layout.ts";
import * as R from "./record.ts";

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
    this.words = new Int32Array((capacity + 1) * R.RECORD_WORDS);
    this.f64 = new Float64Array(this.words.buffer);
  }

  /** Records that can be read. */
  get length(): number {
    return Math.min(this.total - this.drained, this.capacity);
  }

  read(physical: number, linear: number, width: number, value: number): void {
    this.access(linear, physical, value, value, width);
  }

  write(physical: number, linear: number, width: number, value: number, old: number): void {
    // Handlers hold narrow values sign-extended; what memory has of them is without the sign.
    const stored = width === 1 ? value & 0xff : width === 2 ? value & 0xffff : value;
    this.access(linear, physical, stored, old, width | R.ACCESS_WRITE);
  }

  /** Adds an access to the record being written; one too many is only counted. */
  access(linear: number, physical: number, value: number, old: number, what: number): void {
    const { words, open } = this;
    const index = words[open + R.ACCESSES];
    words[open + R.ACCESSES] = index + 1;
    if (index >= R.MOST_ACCESSES) return;
    const at = open + R.ACCESS_BASE + index * R.ACCESS_WORDS;
    words[at + R.AT_LINEAR] = linear;
    words[at + R.AT_PHYSICAL] = physical;
    words[at + R.AT_VALUE] = value;
    words[at + R.AT_OLD] = old;
    words[at + R.AT_WHAT] = what;
  }

  /** The record being written is complete: it is kept, the oldest is let go, and the next one can be begun. */
  commit(): void {
    this.total++;
    const next = this.open + R.RECORD_WORDS;
    this.open = next === this.words.length ? 0 : next;
  }

  /** The record being written, as it is now. */
  current(): Int32Array {
    return this.words.subarray(this.open, this.open + R.RECORD_WORDS);
  }

  /** Keeps a record that was written elsewhere. */
  push(record: Int32Array): void {
    this.words.set(record, this.open);
    this.commit();
  }

  /** The oldest is number 0. Good until the next one is begun. */
  at(index: number): Int32Array {
    const slots = this.capacity + 1;
    const slot = (this.open / R.RECORD_WORDS - this.length + index + slots) % slots;
    return this.words.subarray(slot * R.RECORD_WORDS, (slot + 1) * R.RECORD_WORDS);
  }

  /** Copies of all records, the oldest first; the ring is empty afterwards. */
  drain(): Int32Array[] {
    const records = Array.from({ length: this.length }, (_, i) => this.at(i).slice());
    this.drained = this.total;
    return records;
  }
}
