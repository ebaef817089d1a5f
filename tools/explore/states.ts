// The states found so far: 64-bit hashes to consecutive numbers, by open addressing.

export class States {
  /** How many there are. */
  count = 0;
  /** Whether the last `number` met a state for the first time. */
  isNew = false;
  private low = new Uint32Array(1 << 12);
  private high = new Uint32Array(1 << 12);
  /** Number of the state in a slot, plus one; 0: the slot is free. */
  private numbers = new Int32Array(1 << 12);

  /** The number of the state with a hash: 0, 1, ... in the order of their first sight. */
  number(low: number, high: number): number {
    if (this.count * 2 >= this.numbers.length) this.grow();
    const slot = this.slot(low, high);
    this.isNew = this.numbers[slot] === 0;
    if (this.isNew) {
      this.low[slot] = low;
      this.high[slot] = high;
      this.numbers[slot] = ++this.count;
    }
    return this.numbers[slot]! - 1;
  }

  private slot(low: number, high: number): number {
    const mask = this.numbers.length - 1;
    let slot = (low ^ (high >>> 7)) & mask;
    while (this.numbers[slot] !== 0 && (this.low[slot] !== low || this.high[slot] !== high)) slot = (slot + 1) & mask;
    return slot;
  }

  private grow(): void {
    const { low, high, numbers } = this;
    this.low = new Uint32Array(low.length * 2);
    this.high = new Uint32Array(low.length * 2);
    this.numbers = new Int32Array(low.length * 2);
    for (let old = 0; old < numbers.length; old++) {
      if (numbers[old] === 0) continue;
      const slot = this.slot(low[old]!, high[old]!);
      this.low[slot] = low[old]!;
      this.high[slot] = high[old]!;
      this.numbers[slot] = numbers[old]!;
    }
  }
}
