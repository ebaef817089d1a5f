// Random values as instructions like them: the same ones on every run, boundary values among them.

const boundaries = [
  0, 1, -1, 2, 9, 10, 15, 16, 31, 32, 0x7f, 0x80, 0x81, 0xff, 0x100, 0x7ffe, 0x7fff, 0x8000, 0x8001, 0xffff, 0x10000,
  0x7ffffffe, 0x7fffffff, -0x80000000, -0x7fffffff, 0x55555555, -0x55555556, -2, -128, -129, -0x8000, 0x9999, 0x99,
];

export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = Math.imul(seed, 0x9e3779b1) | 1;
    for (let i = 0; i < 8; i++) this.bits();
  }

  /** 32 random bits, an int32 (Marsaglia's xorshift). */
  bits(): number {
    let s = this.#state;
    s ^= s << 13;
    s ^= s >>> 17;
    s ^= s << 5;
    this.#state = s;
    return Math.imul(s, 0x2545f491) | 0;
  }

  /** 0 to n - 1. */
  below(n: number): number {
    return Math.floor(((this.bits() >>> 1) / 0x80000000) * n);
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  /** A value an instruction may trip over: half of them boundaries, small numbers, or a register's narrow parts such. */
  value(): number {
    const kind = this.below(16);
    if (kind < 7) return this.pick(boundaries);
    if (kind < 9) return this.below(64);
    if (kind < 11)
      return (this.pick(boundaries) & 0xff) | ((this.pick(boundaries) & 0xff) << 8) | (this.bits() & ~0xffff);
    if (kind < 12) return (this.pick(boundaries) & 0xffff) | (this.bits() & ~0xffff);
    return this.bits();
  }
}
