// Where witnessed instructions live: sixteen pages with different rights, and the local descriptor table, the same on the
// host's processor and on ours (Intel SDM vol. 3A, 3.4.5 and 4.6).

/** Linear address of the sixteen pages. Nothing lies below 64 KiB, before or behind them, or in `WILD`. */
export const ARENA = 0x10000000;
export const PAGE = 0x1000;
export const ARENA_SIZE = 0x10000;

export const NONE = 0;
export const READ = 1;
export const WRITE = 3;
export const EXECUTE = 7;

/** Rights of each page; the neighbours of any kind that an operand can straddle are among them. */
export const pages: readonly number[] = [
  WRITE,
  WRITE,
  READ,
  NONE,
  WRITE,
  READ,
  WRITE,
  NONE,
  EXECUTE,
  NONE,
  WRITE,
  NONE,
  READ,
  WRITE,
  NONE,
  WRITE,
];

/** The page the instructions are put into. */
export const CODE_PAGE = 8;
export const CODE_OFFSET = CODE_PAGE * PAGE;

/** Linear addresses at which neither side has anything, from and to. */
export const WILD: readonly (readonly [number, number])[] = [
  [0, 0x10000],
  [0x30000000, 0xa0000000],
  [0xffffe100, 0xfffffff0],
];

/** The selectors of flat code and data that a Linux host gives its 32-bit programs; our table has the same ones. */
export const FLAT_CODE = 0x23;
export const FLAT_DATA = 0x2b;

/** A descriptor of the local table. `down`: expand-down; `small`: 16 bits (D or B clear). */
export interface LocalSegment {
  readonly base: number;
  /** The limit field, in pages where `pages` says so. */
  readonly limit: number;
  readonly kind: "data" | "down" | "code";
  readonly wide: boolean;
  /** Writable (data), readable (code). */
  readonly open: boolean;
  readonly pages?: boolean;
  readonly absent?: boolean;
}

const data = { base: ARENA, limit: 0xffff, kind: "data", wide: true, open: true } as const;
const code = { base: ARENA, limit: 0xffff, kind: "code", wide: true, open: true } as const;

export const DATA32 = 0;
export const DATA16 = 1;
export const CODE16 = 2;
export const READ_ONLY = 3;
export const DOWN32 = 4;
export const DOWN16 = 5;
export const EXECUTE_ONLY = 6;
export const SMALL = 7;
export const CODE32 = 8;
export const ABSENT = 9;
export const PAGES = 10;
export const SMALL_CODE = 11;
export const ABSENT_CODE = 12;

/** Limit of the small code segment within the code page. */
export const SMALL_CODE_LIMIT = 0xeff;

/** The local descriptor table, all of ring 3; the last entry is empty. */
export const localSegments: readonly (LocalSegment | undefined)[] = [
  data,
  { ...data, wide: false },
  { ...code, wide: false },
  { ...data, open: false },
  { ...data, kind: "down", limit: 0xfff },
  { ...data, kind: "down", limit: 0xfff, wide: false },
  { ...code, open: false },
  { ...data, limit: 0x1234 },
  code,
  { ...data, absent: true },
  { ...data, limit: 0xf, pages: true },
  { ...code, limit: CODE_OFFSET + SMALL_CODE_LIMIT },
  { ...code, absent: true },
  undefined,
];

/** Selector of an entry of the local table. */
export const local = (entry: number): number => (entry << 3) | 7;

/** The two words of an entry's descriptor, accessed as Linux leaves it. */
export function descriptorOf(segment: LocalSegment): readonly [number, number] {
  const type = 1 | (segment.open ? 2 : 0) | (segment.kind === "down" ? 4 : 0) | (segment.kind === "code" ? 8 : 0);
  const access = type | 0x70 | (segment.absent ? 0 : 0x80);
  const flags = (segment.wide ? 4 : 0) | (segment.pages ? 8 : 0);
  return [
    (segment.base << 16) | (segment.limit & 0xffff),
    ((segment.base >>> 16) & 0xff) |
      (access << 8) |
      (segment.limit & 0xf0000) |
      (flags << 20) |
      (segment.base & 0xff000000),
  ];
}
