// Asks this host's processor: cases to the C program beside this file as bytes, and its results back.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ARENA, ARENA_SIZE, type LocalSegment, localSegments, pages } from "./arena.ts";
import type { Case } from "./case.ts";

/** What an instruction left behind. A fault leaves `eip` at the instruction; `vector` is -1 when the instruction retired. */
export interface Outcome {
  /** EAX ECX EDX EBX ESP EBP ESI EDI. */
  readonly registers: Int32Array;
  readonly eip: number;
  readonly eflags: number;
  /** Selectors of ES CS SS DS FS GS. */
  readonly selectors: readonly number[];
  readonly vector: number;
  readonly error: number;
  /** The faulting address of a page fault, else 0. */
  readonly cr2: number;
  readonly windows: readonly Uint8Array[];
}

const BREAKPOINT = 3;
const OVERFLOW = 4;
const PAGE_FAULT = 14;
/** The error code's bit for an instruction fetch: there with no-execute pages only, which the P6 does not have. */
const FETCH = 0x10;

export class Host {
  readonly #directory = mkdtempSync(join(tmpdir(), "witness-"));
  readonly #program = join(this.#directory, "host");
  /** Why batches of cases did not come to an end. */
  readonly failures: string[] = [];

  /** Compiles the program. Throws where there is no compiler for 32-bit programs. */
  constructor() {
    const source = fileURLToPath(new URL("host.c", import.meta.url));
    const flags = "-m32 -O2 -Wall -Wextra -static -no-pie -fno-stack-protector -fno-tree-loop-distribute-patterns";
    execFileSync("gcc", [...flags.split(" "), "-o", this.#program, source]);
  }

  close(): void {
    rmSync(this.#directory, { recursive: true });
  }

  /** What the program answers; undefined, and told, when it does not come to an end. */
  #execute(input: Uint8Array): Buffer | undefined {
    try {
      return execFileSync(this.#program, [], { input, maxBuffer: 1 << 30, stdio: ["pipe", "pipe", "pipe"] });
    } catch (error) {
      this.failures.push(error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }

  /** Runs the cases in order, in one process, over an arena that begins as `arena` and is left as it ends. */
  run(cases: readonly Case[], arena: Uint8Array): Outcome[] | undefined {
    const said = this.#execute(encode(cases, arena));
    if (said === undefined) return undefined;
    const words = new Int32Array(said.buffer.slice(said.byteOffset, said.byteOffset + said.length));
    let at = 0;
    const outcomes = cases.map((one) => {
      const [outcome, next] = readOutcome(words, at, one);
      at = next;
      return outcome;
    });
    arena.set(new Uint8Array(words.buffer, at * 4, ARENA_SIZE));
    return outcomes;
  }
}

/** The flags of Linux's struct user_desc. */
const flagsOf = (segment: LocalSegment): number =>
  (segment.wide ? 1 : 0) |
  ({ data: 0, down: 1, code: 2 }[segment.kind] << 1) |
  (segment.open ? 0 : 8) |
  (segment.pages ? 0x10 : 0) |
  (segment.absent ? 0x20 : 0);

function encode(cases: readonly Case[], arena: Uint8Array): Uint8Array {
  const segments = localSegments.flatMap((s) => (s === undefined ? [0, 0, 0, 0] : [1, s.base, s.limit, flagsOf(s)]));
  const head = [ARENA, pages.length, ...pages, localSegments.length, ...segments];
  let size = head.length + ARENA_SIZE / 4 + 1;
  for (const one of cases) size += sizeOf(one);
  const words = new Int32Array(size);
  const bytes = new Uint8Array(words.buffer);
  words.set(head);
  let at = head.length;
  bytes.set(arena, at * 4);
  at += ARENA_SIZE / 4;
  words[at++] = cases.length;
  for (const one of cases) at = writeCase(words, bytes, at, one);
  return bytes;
}

const wordsFor = (length: number): number => (length + 3) >> 2;

/** Words before the windows of a case; of a result. */
const HEAD = 22;
const RESULT_HEAD = 19;

const sizeOf = (one: Case): number => one.windows.reduce((size, { bytes }) => size + 2 + wordsFor(bytes.length), HEAD);

function writeCase(words: Int32Array, bytes: Uint8Array, start: number, one: Case): number {
  words[start] = one.place - one.prelude.length;
  words[start + 1] = one.eip - one.prelude.length;
  bytes.fill(0xcc, start * 4 + 8, start * 4 + 24);
  bytes.set([...one.prelude, ...one.code], start * 4 + 8);
  words.set(one.registers, start + 6);
  words[start + 14] = one.eflags;
  words.set(one.selectors, start + 15);
  words[start + 21] = one.windows.length;
  let at = start + HEAD;
  for (const window of one.windows) {
    words[at] = window.address;
    words[at + 1] = window.bytes.length;
    bytes.set(window.bytes, (at + 2) * 4);
    at += 2 + wordsFor(window.bytes.length);
  }
  return at;
}

function readOutcome(words: Int32Array, start: number, one: Case): [Outcome, number] {
  let at = start + RESULT_HEAD;
  const windows = one.windows.map(({ bytes }) => {
    const window = new Uint8Array(words.buffer, at * 4, bytes.length);
    at += wordsFor(bytes.length);
    return window;
  });
  const trap = words[start + 16]!;
  const eip = words[start + 8]!;
  const { mnemonic } = one.form;
  // The breakpoint after the instruction, or where it jumped to; or the fault of a place it jumped to.
  const broke = trap === BREAKPOINT && mnemonic !== "INT3" && mnemonic !== "INT";
  const software = mnemonic === "INT3" || mnemonic === "INT" || mnemonic === "INT1" || trap === OVERFLOW;
  const retired = broke || (!software && eip !== one.eip);
  const outcome: Outcome = {
    registers: words.subarray(start, start + 8),
    eip: broke ? eip - 1 : eip,
    eflags: words[start + 9]!,
    selectors: [...words.subarray(start + 10, start + 16)],
    vector: retired ? -1 : trap,
    error: retired ? 0 : trap === PAGE_FAULT ? words[start + 17]! & ~FETCH : words[start + 17]!,
    cr2: !retired && trap === PAGE_FAULT ? words[start + 18]! : 0,
    windows,
  };
  return [outcome, at];
}
