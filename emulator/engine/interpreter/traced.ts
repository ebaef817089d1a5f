// The inner loop of a traced run: calls the handlers that the plain one calls, and writes down what each of them did.
import { type Core, G_BUDGET, G_CPU, G_EIP_BASE, G_LEFT, G_PROCESSOR, G_RESERVE } from "../../cpu/core.ts";
import type { Instruction } from "../../isa/instruction.ts";
import { CS } from "../../isa/operands.ts";
import { footprintOf } from "../../isa/semantics/footprint.ts";
import * as L from "../../memory/layout.ts";
import * as R from "../trace/record.ts";
import type { TraceRing } from "../trace/ring.ts";
import { type CodeCache, MOST_INSTRUCTIONS } from "./codecache.ts";
import type { Handler } from "./environment.ts";
import * as F from "./record.ts";

// What is known of an instruction before it runs: a row of words by its index in the code cache.
/** ROW_UNKNOWN until it first runs here; else whether it may be run here, and whether it changes flags. */
const ROW_KIND = 0;
const ROW_UNKNOWN = 0;
const ROW_STEPPED = 1;
const ROW_PLAIN = 2;
const ROW_FLAGS = 3;
/** The general registers that it changes: none (R_ZERO, which never changes), one or two. */
const ROW_FIRST = 1;
const ROW_SECOND = 2;
/** Its length and class, as its record has them, and its bytes. */
const ROW_LENGTH = 3;
const ROW_CLASS = 4;
const ROW_BYTES = 5;
/** 16 words a row. */
const ROW_SHIFT = 4;

const CS_WORDS = L.R_SEGMENTS + CS * L.SEGMENT_WORDS;

/**
 * Makes the loop: from the code record `p` on it runs instructions that are data flow, each with a record in the ring, until
 * the budget ends, one leaves (a negative result, as handlers give it), or one comes that must be stepped and observed in
 * the long way: then its code record is the result and G_LEFT is above 0. Only for 32-bit code segments. `lastWas` is told
 * the last code record that ran. Handlers from `handlerCount` on are the engine's own, of which `goto` leads elsewhere.
 */
export function makeTracedLoop(
  core: Core,
  cache: CodeCache,
  handlers: readonly Handler[],
  handlerCount: number,
  lastWas: (p: number) => void,
  ring: TraceRing,
): (p: number) => number {
  const { g, i32, f64 } = core;
  const { code } = cache;
  const { words, f64: wides, counts } = ring;
  const rows = new Int32Array(MOST_INSTRUCTIONS << ROW_SHIFT);
  let rowsEnd = 0;
  let generation = cache.generation;

  /** Fills the row of an instruction at a linear address. */
  const describe = (index: number, linear: number): void => {
    const row = index << ROW_SHIFT;
    rowsEnd = Math.max(rowsEnd, row + (1 << ROW_SHIFT));
    rows[row + ROW_KIND] = ROW_STEPPED;
    const instruction = cache.instructions[index];
    const changed = registersChanged(instruction);
    const bytes = bytesAt(core, linear, instruction.length);
    if (index === 0 || changed === undefined || changed.registers.length > 2 || bytes === undefined) return;
    const [first = L.R_ZERO, second = L.R_ZERO] = changed.registers;
    rows[row + ROW_KIND] = changed.flags ? ROW_FLAGS : ROW_PLAIN;
    rows[row + ROW_FIRST] = first;
    rows[row + ROW_SECOND] = second;
    rows[row + ROW_LENGTH] = instruction.length;
    rows[row + ROW_CLASS] = R.classesOf(instruction);
    rows.set(bytes, row + ROW_BYTES);
  };

  return (start) => {
    if (generation !== cache.generation) {
      generation = cache.generation;
      rows.fill(0, 0, rowsEnd);
      rowsEnd = 0;
    }
    const c = g[G_CPU];
    const processor = g[G_PROCESSOR];
    const base = i32[c + CS_WORDS + L.S_BASE];
    // The clock is this less what is left: handlers may move ticks between G_LEFT and G_RESERVE.
    const clock = f64[L.CLOCK >> 3] + g[G_BUDGET];
    let count = counts[processor];
    let flags = core.eflags();
    let last = start;
    let total = 0;
    let p = start;
    for (;;) {
      while (code[p] === handlerCount + 1) p = code[p + F.F_TARGET];
      if (code[p] >= handlerCount) break;
      const index = code[p + F.F_INSTRUCTION];
      const row = index << ROW_SHIFT;
      const eip = (g[G_EIP_BASE] + code[p + F.F_OFFSET]) | 0;
      if (rows[row] === ROW_UNKNOWN) describe(index, (base + eip) | 0);
      const kind = rows[row];
      if (kind === ROW_STEPPED) break;

      const r = ring.open;
      words[r + R.KIND] = R.INSTRUCTION;
      words[r + R.PROCESSOR] = processor;
      wides[(r + R.CLOCK) >> 1] = clock - g[G_LEFT] - g[G_RESERVE];
      words[r + R.EIP] = eip;
      words[r + R.LINEAR] = base + eip;
      words[r + R.BITS] = 32;
      words[r + R.LENGTH] = rows[row + ROW_LENGTH];
      words[r + R.BYTES] = rows[row + ROW_BYTES];
      words[r + R.BYTES + 1] = rows[row + ROW_BYTES + 1];
      words[r + R.BYTES + 2] = rows[row + ROW_BYTES + 2];
      words[r + R.BYTES + 3] = rows[row + ROW_BYTES + 3];
      words[r + R.FLAGS_BEFORE] = flags;
      words[r + R.ACCESSES] = 0;
      const first = rows[row + ROW_FIRST];
      const second = rows[row + ROW_SECOND];
      const firstBefore = i32[c + first];
      const secondBefore = i32[c + second];

      last = p;
      p = handlers[code[p]](p);

      const isRetired = p !== F.FAULT;
      const firstNow = i32[c + first];
      const secondNow = i32[c + second];
      let changed = 0;
      if (firstNow !== firstBefore) changed = 1 << first;
      if (secondNow !== secondBefore) changed |= 1 << second;
      words[r + R.VALUES + first] = firstNow;
      words[r + R.VALUES + second] = secondNow;
      if (kind === ROW_FLAGS && isRetired) {
        const now = core.eflags();
        if (now !== flags) changed |= 1 << R.EFLAGS_INDEX;
        words[r + R.VALUES + R.EFLAGS_INDEX] = now;
        flags = now;
      }
      words[r + R.CHANGED] = changed;
      words[r + R.FLAGS] = rows[row + ROW_CLASS] | (isRetired ? R.OUTCOME_RETIRED : 0);
      wides[(r + R.COUNT) >> 1] = count + 1;
      ring.open = r + R.RECORD_WORDS === words.length ? 0 : r + R.RECORD_WORDS;
      total++;
      if (isRetired) count++;
      if (p < 0) break;
      const left = g[G_LEFT] - 1;
      g[G_LEFT] = left;
      if (left <= 0) break;
    }
    counts[processor] = count;
    ring.total += total;
    lastWas(last);
    return p;
  };
}

/** The general registers that an instruction may change, and whether it changes flags; undefined where nobody can tell. */
function registersChanged(instruction: Instruction): { registers: number[]; flags: boolean } | undefined {
  const footprint = footprintOf(instruction);
  if (!footprint) return undefined;
  const registers = [...Array(8).keys()].filter((register) => (footprint.registersWritten & (1 << register)) !== 0);
  return { registers, flags: footprint.flagsWritten !== 0 };
}

/** Bytes of an instruction that lies in one page of RAM, as a record has them; undefined elsewhere. */
function bytesAt(core: Core, linear: number, length: number): Int32Array | undefined {
  const physical = core.linear.lookUp(linear);
  if (physical < 0 || physical + length > core.layout.ramSize) return undefined;
  const at = core.layout.ramBase + physical;
  const bytes = new Uint8Array(16);
  bytes.set(core.u8.subarray(at, at + length));
  return new Int32Array(bytes.buffer);
}
