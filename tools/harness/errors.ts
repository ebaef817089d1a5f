// How a call or a run ends when it does not end well: each a class of its own, so that a test can expect it.

/** The kernel stopped the machine by KeBugCheckEx. */
export class BugCheck extends Error {
  override readonly name = "BugCheck";
  readonly code: number;
  readonly parameters: readonly [number, number, number, number];
  /** The processor that bug checked, and the address at which. */
  readonly processor: number;
  readonly eip: number;
  /** What the serial port said. */
  readonly screen: string;

  constructor(data: readonly number[], screen: string) {
    const [code = 0, p1 = 0, p2 = 0, p3 = 0, p4 = 0, processor = 0, eip = 0] = data;
    super(`bug check ${hex(code)} (${[p1, p2, p3, p4].map(hex).join(", ")}) on processor ${processor} at ${hex(eip)}`);
    this.code = code;
    this.parameters = [p1, p2, p3, p4];
    this.processor = processor;
    this.eip = eip;
    this.screen = screen;
  }
}

/** A processor did not come to where it was awaited within the bound of steps: it hangs, or waits for somebody. */
export class StepLimit extends Error {
  override readonly name = "StepLimit";
}

/** A routine broke its calling convention. */
export class ConventionError extends Error {
  override readonly name = "ConventionError";
}

/** The machine ended otherwise: a shutdown, something not implemented, an exit. */
export class GuestStopped extends Error {
  override readonly name = "GuestStopped";
}

/** An address or value as `0x80100243`. */
export function hex(value: number): string {
  return `0x${(value >>> 0).toString(16).padStart(8, "0")}`;
}
