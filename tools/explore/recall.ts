// Steps seen before: a processor that stands where it has stood, and finds what it has found there, does what it has done.
//
// A step and all that follows it privately depends on the processor's block and on the words that it reads; as long as the same words
// are shared, on nothing else. So what it did is kept with these, and done at once when they are met again: most states of a search
// differ in what others do.

import type { Rewinder } from "#emulator";

/** Where a processor comes to: its status, and its next visible step. */
export interface Arrival {
  readonly status: number;
  readonly kind: number;
  readonly address: number;
}

/** One thing that was done in a place. */
interface Deed {
  /** Indices of words, and what they held, in pairs. */
  readonly found: Int32Array;
  readonly effect: ReturnType<Rewinder["effect"]>;
  readonly arrival: Arrival;
}

/** A processor's block, and what it did from there, the last one used first. */
interface Place {
  readonly processor: number;
  readonly action: number;
  readonly block: Int32Array;
  readonly deeds: Deed[];
}

/** More than this are forgotten, all at once: each takes a few kilobytes. */
const MOST_DEEDS = 200_000;

export class Recall {
  private readonly rewinder: Rewinder;
  private readonly places = new Map<number, Place[]>();
  private count = 0;
  private place: Place | null = null;
  /** What the step in progress has found so far, and per word the number of the step that found it last. */
  private readonly found: number[] = [];
  private readonly seen: Int32Array;
  private step = 0;

  constructor(rewinder: Rewinder) {
    this.rewinder = rewinder;
    this.seen = new Int32Array(rewinder.words);
  }

  private forget(): void {
    this.places.clear();
    this.count = 0;
  }

  /**
   * The processor saved last is about to take an action. If that is known it is done, and where the processor comes to is the answer;
   * else what it finds from here on is to be told to `finds`, and the end to `keep`.
   */
  again(processor: number, action: number): Arrival | undefined {
    const { rewinder } = this;
    const { low, high } = rewinder.blockSum(processor);
    const key = (low ^ Math.imul(high, 0x9e3779b1) ^ (action + 1)) | 0;
    const block = rewinder.blockOf(processor);
    let places = this.places.get(key);
    if (!places) {
      places = [];
      this.places.set(key, places);
    }
    let place = places.find((one) => one.processor === processor && one.action === action && equal(one.block, block));
    if (!place) {
      place = { processor, action, block: block.slice(), deeds: [] };
      places.push(place);
    }
    const deed = this.known(place.deeds);
    if (deed) {
      rewinder.redo(deed.effect);
      return deed.arrival;
    }
    this.place = place;
    this.found.length = 0;
    this.step++;
    return undefined;
  }

  private known(deeds: Deed[]): Deed | undefined {
    for (let at = 0; at < deeds.length; at++) {
      const deed = deeds[at]!;
      if (!this.isFound(deed.found)) continue;
      deeds.copyWithin(1, 0, at);
      deeds[0] = deed;
      return deed;
    }
    return undefined;
  }

  private isFound(found: Int32Array): boolean {
    const { rewinder } = this;
    for (let at = 0; at < found.length; at += 2) if (rewinder.word(found[at]!) !== found[at + 1]!) return false;
    return true;
  }

  /** What the step does depends on a word, by its index, as it is now: before it is read or written. */
  finds(index: number): void {
    if (this.seen[index] === this.step) return;
    this.seen[index] = this.step;
    this.found.push(index, this.rewinder.word(index));
  }

  /** The step has ended well. */
  keep(arrival: Arrival): void {
    const { rewinder, place, found } = this;
    if (!place) return;
    const changes = rewinder.changes();
    for (let at = 0; at < changes.length; at += 3)
      if (this.seen[changes[at]!] !== this.step) found.push(changes[at]!, changes[at + 1]!);
    if (this.count++ === MOST_DEEDS) {
      this.forget();
      return;
    }
    place.deeds.unshift({ found: Int32Array.from(found), effect: rewinder.effect(), arrival });
  }
}

function equal(a: Int32Array, b: Int32Array): boolean {
  for (let word = 0; word < a.length; word++) if (a[word] !== b[word]) return false;
  return true;
}
