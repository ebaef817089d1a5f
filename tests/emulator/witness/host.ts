// Asks this host's processor: cases to the C program beside this file as bytes, and its results back.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Form } from "../../../emulator/isa/index.ts";
import { ARENA, ARENA_SIZE, type LocalSegment, localSegments, pages } from "./arena.ts";
import type { Case } from "./case.ts";
import { inLongMode, isInLongMode } from "./longmode.ts";
import type { Outcome, Witness } from "./outcome.ts";

const BREAKPOINT = 3;
const OVERFLOW = 4;
const PAGE_FAULT = 14;
/** The error code's bit for an instruction fetch: there with no-execute pages only, which the P6 does not have. */
const FETCH = 0x10;

/** This host's processor, in 32-bit mode or, for what is the same there, in 64-bit mode. */
export class Host implements Witness {
  readonly isOurs = false;
  readonly failures: string[] = [];
  readonly #bits: 32 | 64;
  readonly #directory = mkdtempSync(join(tmpdir(), "witness-"));
  readonly #program = join(this.#directory, "host");

  /** Compiles the program. Throws where there is no compiler for such programs. */
  constructor(bits: 32 | 64) {
    this.#bits = bits;
    const source = fileURLToPath(new URL("host.c", import.meta.url));
    const flags = "-O2 -Wall -Wextra -fno-stack-protector -fno-tree-loop-distribute-patterns";
    // In 64-bit mode nothing of the program lies where addresses of 32 bits reach: it, its heap and its stack are far above.
    const mode = bits === 32 ? "-m32 -static -no-pie" : "-m64 -mno-red-zone -static-pie -fPIE";
    try {
      execFileSync("gcc", [...mode.split(" "), ...flags.split(" "), "-o", this.#program, source]);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  get name(): string {
    return `this host's processor in ${this.#bits}-bit mode`;
  }

  get isOnRecord(): boolean {
    return this.#bits === 32;
  }

  knows(form: Form): boolean {
    return this.#bits === 32 || isInLongMode(form);
  }

  takes(one: Case): boolean {
    return this.#bits === 32 || inLongMode(one) !== undefined;
  }

  bytesOf(one: Case): readonly number[] {
    return this.#bits === 32 ? one.code : inLongMode(one)!.code;
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

  run(cases: readonly Case[], arena: Uint8Array): Outcome[] | undefined {
    if (this.#bits === 32) return this.#run(cases, localSegments, arena);
    const longCases = cases.map((one) => inLongMode(one)!);
    const outcomes = this.#run(longCases, [], arena);
    return outcomes?.map((outcome, i) => fromLongMode(cases[i]!, longCases[i]!, outcome));
  }

  /** Runs the cases in one process. */
  #run(cases: readonly Case[], table: typeof localSegments, arena: Uint8Array): Outcome[] | undefined {
    const said = this.#execute(encode(cases, table, arena));
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

function encode(cases: readonly Case[], table: typeof localSegments, arena: Uint8Array): Uint8Array {
  const segments = table.flatMap((s) => (s === undefined ? [0, 0, 0, 0] : [1, s.base, s.limit, flagsOf(s)]));
  const head = [ARENA, pages.length, ...pages, table.length, ...segments];
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

/** What came of a case in 64-bit mode, as it is told of the case it stands for. */
const fromLongMode = (one: Case, long: Case, outcome: Outcome): Outcome => ({
  ...outcome,
  eip: outcome.eip === long.eip ? one.eip : outcome.eip,
  selectors: one.selectors,
});

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
