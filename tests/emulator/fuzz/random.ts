// Chance that can be had again: a seeded generator (xorshift128, Marsaglia 2003), so that a seed names a case for ever.

export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor(seed: number) {
    // A multiplicative scramble of the seed, so that neighbouring seeds have nothing in common.
    const word = (n: number): number => {
      const x = Math.imul((seed ^ (n * 0x9e3779b9)) + n, 0x85ebca6b);
      return Math.imul(x ^ (x >>> 15), 0xc2b2ae35) | 1;
    };
    [this.#a, this.#b, this.#c, this.#d] = [word(1), word(2), word(3), word(4)];
    for (let i = 0; i < 8; i++) this.word();
  }

  /** 32 bits, as an int32. */
  word(): number {
    const t = this.#a ^ (this.#a << 11);
    this.#a = this.#b;
    this.#b = this.#c;
    this.#c = this.#d;
    this.#d = this.#d ^ (this.#d >>> 19) ^ t ^ (t >>> 8);
    return this.#d;
  }

  /** 0 to `limit` - 1. */
  below(limit: number): number {
    return (this.word() >>> 0) % limit;
  }

  /** True in one case of `n`. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)];
  }

  byte(): number {
    return this.word() >>> 24;
  }

  /** A byte of the kinds that reach the corners: small, signed extremes, or any. */
  corner(): number {
    const kind = this.below(8);
    if (kind < 3) return this.below(16);
    if (kind === 3) return this.pick(CORNERS);
    return this.byte();
  }
}

const CORNERS = [0, 1, 0x7f, 0x80, 0xff, 0xfe, 0x1f, 0x20] as const;
