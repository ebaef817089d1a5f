// How long slices are: a seeded generator whose state lies in the machine's memory (xorshift128, Marsaglia 2003).
import * as L from "../memory/layout.ts";

/** Longest slice, and the only limit on a processor that runs alone: an engine must be re-entered now and then. */
export const LONGEST_SLICE = 100_000;
const SHORTEST_SLICE = 16;
const LONGEST_SHORT_SLICE = 1000;
/** One slice in this many is a long one. */
const LONG_EVERY = 8;

/** The same for an engine that draws by itself. */
export const SLICE_RULES = {
  longest: LONGEST_SLICE,
  shortest: SHORTEST_SLICE,
  longestShort: LONGEST_SHORT_SLICE,
  longEvery: LONG_EVERY,
} as const;

const STATE = L.SLICE_GENERATOR >> 2;

/** Starts the generator; equal seeds give equal schedules. */
export function seedSlices(i32: Int32Array, seed: number): void {
  let x = seed | 0;
  for (let i = 0; i < 4; i++) {
    // SplitMix32 spreads nearby seeds; the last word keeps the state from being all zero.
    x = (x + 0x9e3779b9) | 0;
    let z = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    i32[STATE + i] = z ^ (z >>> 16);
  }
  i32[STATE + 3] |= 1;
}

/** The next 32 bits, unsigned. */
function next(i32: Int32Array): number {
  let t = i32[STATE];
  const s = i32[STATE + 3];
  i32[STATE] = i32[STATE + 1];
  i32[STATE + 1] = i32[STATE + 2];
  i32[STATE + 2] = s;
  t ^= t << 11;
  t ^= t >>> 8;
  const drawn = t ^ s ^ (s >>> 19);
  i32[STATE + 3] = drawn;
  return drawn >>> 0;
}

/** A number from 0 to `below` - 1. */
export function draw(i32: Int32Array, below: number): number {
  return next(i32) % below;
}

/** Length of a slice in ticks: mostly short ones, which make contention, and some long ones, which pay for the switches. */
export function drawSlice(i32: Int32Array): number {
  const long = draw(i32, LONG_EVERY) === 0;
  return long
    ? LONGEST_SHORT_SLICE + draw(i32, LONGEST_SLICE - LONGEST_SHORT_SLICE + 1)
    : SHORTEST_SLICE + draw(i32, LONGEST_SHORT_SLICE - SHORTEST_SLICE + 1);
}
