// Where operands of a case lie: offsets in segments that hit one kind of page or another, their edges, and the segments' limits.
import * as A from "./arena.ts";
import type { Random } from "./random.ts";

const pagesWith = (rights: number): number[] =>
  A.pages.flatMap((have, page) => (have === rights && page !== A.CODE_PAGE ? [page] : []));
const writable = pagesWith(A.WRITE);
const readable = pagesWith(A.READ);
const empty = pagesWith(A.NONE);
/** Ends of pages behind which a page of another kind begins; the code page is left alone. */
const edges = A.pages.flatMap((rights, page) => {
  const next = A.pages[page + 1];
  const apart = rights !== next && page !== A.CODE_PAGE && page + 1 !== A.CODE_PAGE;
  return apart ? [(page + 1) * A.PAGE] : [];
});
/** First offsets outside the limits of local segments. */
export const limits = [0x1235, 0x1000, A.ARENA_SIZE];

/** Does anything lie at this linear address that a case may put bytes into? */
export function isMapped(linear: number): boolean {
  const offset = linear - A.ARENA;
  if (offset < 0 || offset >= A.ARENA_SIZE) return false;
  const page = Math.floor(offset / A.PAGE);
  return page !== A.CODE_PAGE && A.pages[page] !== A.NONE;
}

/** An offset in the arena for `bytes` bytes: mostly in writable pages, else where something is wrong with them. */
function arenaOffset(random: Random, bytes: number): number {
  const kind = random.below(100);
  const within = (page: number): number => {
    const offset = random.below(A.PAGE - bytes + 1);
    const aligned = bytes <= 8 && random.chance(60) ? offset & -bytes : offset;
    return page * A.PAGE + aligned;
  };
  const across = (edge: number): number => edge - 1 - random.below(bytes - 1);
  if (kind < 10) return within(random.pick(readable));
  if (kind < (bytes > 1 ? 30 : 36)) return within(random.pick(empty));
  if (kind < (bytes > 1 ? 34 : 40)) return random.pick(limits) - random.below(bytes + 1);
  if (kind < 46 && bytes > 1) return across(A.PAGE);
  if (kind < 58 && bytes > 1) return across(random.pick(edges));
  return within(random.pick(writable));
}

/** Is a segment with this selector based at 0? */
export const isFlat = (selector: number): boolean =>
  (selector & 0xfffc) === (A.FLAT_DATA & 0xfffc) || (selector & 0xfffc) === (A.FLAT_CODE & 0xfffc);

export const baseOf = (selector: number): number =>
  isFlat(selector) || selector < 4 ? 0 : (A.localSegments[selector >> 3]?.base ?? 0);

/** Has a stack segment with this selector 32-bit offsets (B)? */
export const isWide = (selector: number): boolean => isFlat(selector) || A.localSegments[selector >> 3]?.wide === true;

/** An address at which neither side has anything. */
export function wild(random: Random): number {
  const [from, to] = random.pick(A.WILD);
  return (from + random.below(to - from)) | 0;
}

/** An offset (int32) for an operand of `bytes` bytes in the segment of a selector, reached with addresses of a size. */
export function dataOffset(random: Random, selector: number, addressSize: 16 | 32, bytes: number): number {
  if (isFlat(selector)) {
    if (addressSize === 16) return random.bits() & 0xffff;
    return random.chance(3) ? wild(random) : A.ARENA + arenaOffset(random, bytes);
  }
  return arenaOffset(random, bytes) & 0xffff;
}

/**
 * Where a transfer may go in the segment of a selector: breakpoints in the code page, or places that cannot be executed.
 * Never near the code of a case, which lies between CODE_FROM and CODE_TO of its page.
 */
export function codeOffset(random: Random, selector: number, bytes: 2 | 4): number {
  const flat = isFlat(selector);
  if (flat && bytes === 2) return random.bits() & 0xffff;
  const inPage = random.chance(50)
    ? random.below(CODE_FROM - 0x80)
    : CODE_TO + 0x80 + random.below(A.PAGE - CODE_TO - 0x80);
  const base = flat ? A.ARENA : 0;
  const kind = random.below(10);
  if (kind < 6) return base + A.CODE_OFFSET + inPage;
  if (kind < 8 && bytes === 4) return flat ? wild(random) : random.bits() | 0x20000;
  const offset = random.below(A.ARENA_SIZE);
  return base + (Math.floor(offset / A.PAGE) === A.CODE_PAGE ? offset ^ A.PAGE : offset);
}

/** Offsets in the code page at which cases put their code. */
export const CODE_FROM = 0x180;
export const CODE_TO = 0xe00;

/** A selector for an instruction that loads or examines one: of every kind both sides have alike. */
export function selector(random: Random): number {
  const kind = random.below(20);
  if (kind < 2) return random.below(4);
  if (kind < 5)
    return ((random.chance(60) ? A.FLAT_DATA : A.FLAT_CODE) & ~3) | (random.chance(70) ? 3 : random.below(4));
  if (kind < 7) return ((16 + random.below(random.chance(50) ? 8 : 0x1ff0)) << 3) | random.below(4);
  if (kind < 8)
    return ((A.localSegments.length + random.below(random.chance(50) ? 4 : 0x1f00)) << 3) | 4 | random.below(4);
  return (random.below(A.localSegments.length) << 3) | 4 | (random.chance(75) ? 3 : random.below(4));
}
