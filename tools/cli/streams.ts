// The process's output, as commands write to it.
import { fstatSync, statSync, writeSync } from "node:fs";
import { devNull } from "node:os";
import { CommandError, EXIT } from "./exit.ts";
import type { Output } from "./host.ts";

/**
 * The process's stream with a file descriptor. Files, pipes and nobody are written to at once. So does Node on Linux, but its streams
 * take a hundredth of a second to make. A reader that has gone away (`ring0 trace ... | head`) ends the process quietly.
 */
export function processOutput(descriptor: 1 | 2): Output {
  return isPlain(descriptor) ? plainOutput(descriptor) : streamOutput(descriptor);
}

/** What is written to a file, a pipe or nobody has been written when the call is over. */
export function isPlain(descriptor: number): boolean {
  try {
    const status = fstatSync(descriptor);
    if (status.isFile() || status.isFIFO() || status.isSocket()) return true;
    return status.isCharacterDevice() && status.rdev === statSync(devNull).rdev;
  } catch {
    return false; // it cannot be told
  }
}

function plainOutput(descriptor: 1 | 2): Output {
  return {
    write: (data) => {
      let rest = typeof data === "string" ? Buffer.from(data) : data;
      while (rest.length > 0) {
        try {
          rest = rest.subarray(writeSync(descriptor, rest));
        } catch (error) {
          if (!isFull(error as NodeJS.ErrnoException)) return fail(descriptor, error as NodeJS.ErrnoException);
        }
      }
    },
    isTerminal: false,
  };
}

/** A pipe that is full, and does not block, is waited for. */
function isFull({ code }: NodeJS.ErrnoException): boolean {
  if (code === "EAGAIN") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
  return code === "EAGAIN";
}

/** Nobody can be told of messages that cannot be written. */
function fail(descriptor: 1 | 2, error: NodeJS.ErrnoException): void {
  if (error.code === "EPIPE") process.exit(0);
  if (descriptor === 1) throw new CommandError(cannotBeWritten(error));
}

const cannotBeWritten = ({ code }: NodeJS.ErrnoException): string =>
  `standard output cannot be written (${code}); a place with room would do`;

function streamOutput(descriptor: 1 | 2): Output {
  const target = descriptor === 1 ? process.stdout : process.stderr;
  // The writer has gone on meanwhile.
  target.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    if (descriptor === 2) return;
    process.stderr.write(`ring0: ${cannotBeWritten(error)}\n`);
    process.exit(EXIT.usage);
  });
  return {
    write: (data) => {
      target.write(data);
    },
    isTerminal: target.isTTY === true,
  };
}
