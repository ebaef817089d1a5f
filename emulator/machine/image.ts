// What a boot image comes to, whatever its format: pieces of memory, an entry, names; and the errors of one that is not right.

/** A bad image: one clear line saying what was asked, what was found and what would do. */
export class ImageError extends Error {
  override readonly name = "ImageError";
}

/** A named address of an image. Addresses are linear, as the image's own code uses them. */
export interface ImageSymbol {
  readonly name: string;
  readonly address: number;
  /** Bytes, 0 where the image does not say. */
  readonly size: number;
  readonly kind: "code" | "data" | "other";
}

/** A piece of an image: `bytes` at a physical address, then zeros up to `size`. */
export interface ImageSegment {
  readonly physical: number;
  /** The linear address the image's own code knows the piece by. */
  readonly linear: number;
  readonly size: number;
  readonly bytes: Uint8Array;
}

/** An image read and checked, not yet placed in a machine's memory. */
export interface Image {
  readonly format: "elf" | "multiboot" | "flat";
  /** Sorted by physical address; they do not overlap. */
  readonly segments: readonly ImageSegment[];
  /** Physical address of the first instruction. */
  readonly entry: number;
  readonly symbols: readonly ImageSymbol[];
}

/** A number as addresses print. */
export function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, "0")}`;
}

/** Sorts segments by physical address; overlapping ones are an error. */
export function sortedSegments(name: string, segments: readonly ImageSegment[]): ImageSegment[] {
  const sorted = [...segments].sort((a, b) => a.physical - b.physical);
  for (let i = 1; i < sorted.length; i++) {
    const [below, above] = [sorted[i - 1], sorted[i]];
    if (below.physical + below.size > above.physical) {
      throw new ImageError(
        `${name}: segments overlap: one ends at ${hex(below.physical + below.size)}, the next begins at ${hex(above.physical)}`,
      );
    }
  }
  return sorted;
}
