// The one hash of machine state: H = sum mod 2^64 of mix(address, word) over all words, with mix(address, 0) = 0.
// A sum can be taken per word, per page or from scratch, in any order, and updated for one changed word.

/** A 64-bit sum as two unsigned halves. */
export interface Hash64 {
  low: number;
  high: number;
}

/** Low half of mix: two rounds of multiply and shift over word and address. The word is not zero. */
export function mixLow(address: number, word: number): number {
  let h = Math.imul(word ^ Math.imul(address, 0x9e3779b1), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 15) ^ address, 0xc2b2ae35);
  return h ^ (h >>> 13);
}

/** High half of mix, from other constants. */
export function mixHigh(address: number, word: number): number {
  let h = Math.imul((word + 0x7f4a7c15) ^ Math.imul(address, 0x27d4eb2f), 0x165667b1);
  h = Math.imul(h ^ (h >>> 14) ^ (address >>> 3), 0xd3a2646d);
  return h ^ (h >>> 16);
}

/** Adds mix(address, word) to a sum; `address` is the byte address of the word in the machine's memory, divided by 4. */
export function addWord(sum: Hash64, address: number, word: number): void {
  if (word === 0) return;
  const low = sum.low + (mixLow(address, word) >>> 0);
  sum.low = low >>> 0;
  sum.high = (sum.high + (mixHigh(address, word) >>> 0) + (low > 0xffffffff ? 1 : 0)) >>> 0;
}

/** Takes mix(address, word) out of a sum. */
export function removeWord(sum: Hash64, address: number, word: number): void {
  if (word === 0) return;
  const low = sum.low - (mixLow(address, word) >>> 0);
  sum.low = low >>> 0;
  sum.high = (sum.high - (mixHigh(address, word) >>> 0) - (low < 0 ? 1 : 0)) >>> 0;
}

/** Adds words `from` up to, not including, `to` of `words` to a sum. */
export function addWords(sum: Hash64, words: Int32Array, from: number, to: number): void {
  let { low, high } = sum;
  for (let i = from; i < to; i++) {
    // Most words are zero, and so are most of their neighbours.
    if ((i & 7) === 0 && i + 8 <= to && isEightZeros(words, i)) {
      i += 7;
      continue;
    }
    const word = words[i];
    if (word === 0) continue;
    low += mixLow(i, word) >>> 0;
    high += mixHigh(i, word) >>> 0;
    if (low > 0xffffffff) {
      low -= 2 ** 32;
      high++;
    }
    high >>>= 0;
  }
  sum.low = low;
  sum.high = high;
}

function isEightZeros(words: Int32Array, i: number): boolean {
  const first = words[i] | words[i + 1] | words[i + 2] | words[i + 3];
  return (first | words[i + 4] | words[i + 5] | words[i + 6] | words[i + 7]) === 0;
}

/** Sum of two sums. */
export function combine(a: Hash64, b: Hash64): Hash64 {
  const low = a.low + b.low;
  return { low: low >>> 0, high: (a.high + b.high + (low > 0xffffffff ? 1 : 0)) >>> 0 };
}

/** Sixteen hexadecimal digits. */
export function hashText({ low, high }: Hash64): string {
  return high.toString(16).padStart(8, "0") + low.toString(16).padStart(8, "0");
}
