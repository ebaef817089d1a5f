// What a command knows of the world around it: two streams, and how they like to be written to.

import { type Log, silent } from "./log.ts";
import { processOutput } from "./streams.ts";

/** A stream for people or for a pipe. */
export interface Output {
  write(data: string | Uint8Array): void;
  /** Somebody is watching: status lines make sense. */
  readonly isTerminal: boolean;
}

export interface Host {
  /** Results: the guest's serial port, listings, traces, JSON. */
  readonly out: Output;
  /** Diagnostics and status. */
  readonly err: Output;
  /** What the tool itself is doing. */
  readonly log: Log;
  /** Seconds since the process began, on a clock that only goes forward. */
  now(): number;
  /** Lets the process look at signals and closed pipes; long work calls it several times a second. */
  breathe(): Promise<void>;
}

/** The process's own streams and time. */
export function processHost(): Host {
  return {
    out: processOutput(1),
    err: processOutput(2),
    log: silent,
    now: () => process.uptime(),
    breathe: () => new Promise((resolve) => setImmediate(resolve)),
  };
}

/** One line that is written over as work goes on, on a terminal and nowhere else. */
export class StatusLine {
  readonly #output: Output;
  readonly #host: Host;
  #shownAt: number;
  #shown = false;

  /** Nothing shows for the first second. */
  constructor(host: Host, output: Output = host.err) {
    this.#host = host;
    this.#output = output;
    this.#shownAt = host.now() + 0.8;
  }

  /** Shows `text()` if it is time to. */
  show(text: () => string): void {
    const now = this.#host.now();
    if (!this.#output.isTerminal || now - this.#shownAt < 0.2) return;
    this.#shownAt = now;
    this.#shown = true;
    this.#output.write(`\r\x1b[K${text().slice(0, 100)}`);
  }

  clear(): void {
    if (this.#shown) this.#output.write("\r\x1b[K");
    this.#shown = false;
  }
}
