// What the exit code of a command says, and the error that ends a command with one.

/** Exit codes of every command. */
export const EXIT = {
  ok: 0,
  /** The guest, or a test in it, reported a failure. */
  failed: 1,
  /** The command line or an input file is wrong. */
  usage: 2,
  /** A limit ended it: instructions, states, time. */
  unfinished: 3,
  /** Nothing ran, or a scenario that never contends: not a proof of anything. */
  nothing: 4,
  /** An exploration found a violation. */
  violation: 5,
  /** The guest crashed: triple fault, or a bug check that wrote 6 to port F4h. */
  crashed: 6,
  /** Our own bug, or something the machine does not have. */
  ours: 70,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends a command with one clear message and an exit code. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly exitCode: ExitCode;

  constructor(message: string, exitCode: ExitCode = EXIT.usage) {
    super(message);
    this.exitCode = exitCode;
  }
}
