// Where the guest's serial port leads: a stream, a file, a string, or nowhere.
import { closeSync, openSync, writeSync } from "node:fs";
import { CommandError } from "./exit.ts";
import type { Host } from "./host.ts";

const BUFFER = 4096;
const LINE_FEED = 0x0a;

/** Takes bytes as the guest sends them. */
export interface SerialPort {
  put(byte: number): void;
  /** Everything sent so far has arrived. */
  flush(): void;
  close(): void;
  /** The last byte was the end of a line, or there was none. */
  readonly atLineStart: boolean;
}

export const serialOption = {
  type: "string",
  requiresArg: true,
  describe: "The guest's serial port: stdio, file:PATH or none",
} as const;

/** Opens what `--serial` names. Throws CommandError. */
export function openSerial(where: string, host: Host): SerialPort {
  if (where === "stdio") return new BufferedPort((bytes) => host.out.write(bytes));
  if (where === "none") return new BufferedPort(() => {});
  if (!where.startsWith("file:") || where === "file:")
    throw new CommandError(`--serial ${where}: stdio, file:PATH or none would do`);
  const file = openFile("--serial", where.slice("file:".length));
  return new BufferedPort(
    (bytes) => writeSync(file, bytes),
    () => closeSync(file),
  );
}

/** A file to write to. Throws CommandError. */
export function openFile(option: string, path: string): number {
  try {
    return openSync(path, "w");
  } catch (error) {
    throw new CommandError(`${option} ${path}: it cannot be written (${(error as NodeJS.ErrnoException).code})`);
  }
}

/** Hands on whole lines, so that who reads them can tell the time of each. */
export class BufferedPort implements SerialPort {
  readonly #write: (bytes: Uint8Array) => void;
  readonly #end: () => void;
  readonly #buffer = new Uint8Array(BUFFER);
  #used = 0;
  atLineStart = true;

  constructor(write: (bytes: Uint8Array) => void, end: () => void = () => {}) {
    this.#write = write;
    this.#end = end;
  }

  put(byte: number): void {
    this.#buffer[this.#used++] = byte;
    this.atLineStart = byte === LINE_FEED;
    if (this.atLineStart || this.#used === BUFFER) this.flush();
  }

  flush(): void {
    if (this.#used > 0) this.#write(this.#buffer.slice(0, this.#used));
    this.#used = 0;
  }

  close(): void {
    this.flush();
    this.#end();
  }
}

/** Keeps everything: each byte one character (ISO 8859-1), so that nothing is lost. */
export class KeptPort implements SerialPort {
  readonly #parts: string[] = [];
  readonly #port = new BufferedPort((bytes) => this.#parts.push(Buffer.from(bytes).toString("latin1")));

  put(byte: number): void {
    this.#port.put(byte);
  }
  flush(): void {
    this.#port.flush();
  }
  close(): void {
    this.#port.close();
  }
  get atLineStart(): boolean {
    return this.#port.atLineStart;
  }
  get text(): string {
    this.flush();
    return this.#parts.join("");
  }
}
