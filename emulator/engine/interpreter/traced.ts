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
/** Zero until it first runs here. */
const ROW_HEAD = 0;
const ROW_BYTES = 1;
/** 8 words a row. */
const ROW_SHIFT = 3;

// What its head says beside what the record's head has of it (its kind, length and class).
/** It cannot be run here. */
const HEAD_STEPPED = 1 << 16;
/** It changes flags. */
const HEAD_FLAGS = 1 << 17;
/** The general registers that it changes: none (R_ZERO, which never changes), one or two. */
const HEAD_FIRST = 20;
const HEAD_SECOND = 24;
const HEAD_REGISTER = 15;
const HEAD_OF_RECORD = 0xffff;
/** In the length: eight bytes and more. */
const LONG = 8 << R.LENGTH_SHIFT;

// V8 looks an imported constant up at every use; one of this module it knows.
const { HEAD, FLAGS_BEFORE, COUNT, CLOCK, EIP, LINEAR, BYTES, CHANGED, VALUES, EFLAGS_INDEX, ACCESSES } = R;
const { RECORD_WORDS, OUTCOME_RETIRED, PROCESSOR_SHIFT } = R;
const { F_INSTRUCTION, F_OFFSET, F_TARGET, FAULT } = F;
const { R_ZERO } = L;
const [CPU, EIP_BASE, LEFT, RESERVE] = [G_CPU, G_EIP_BASE, G_LEFT, G_RESERVE];
const CS_BASE = L.R_SEGMENTS + CS * L.SEGMENT_WORDS + L.S_BASE;

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
  const { g, i32, f64, eflagsOf } = core;
  const { code } = cache;
  const { words, f64: wides, counts } = ring;
  const rows = new Int32Array(MOST_INSTRUCTIONS << ROW_SHIFT);
  let rowsEnd = 0;
  let generation = cache.generation;

  /** Fills the row of an instruction at a linear address; returns its head. */
  const describe = (index: number, linear: number): number => {
    const row = index << ROW_SHIFT;
    rowsEnd = Math.max(rowsEnd, row + (1 << ROW_SHIFT));
    rows[row + ROW_HEAD] = HEAD_STEPPED;
    const instruction = cache.instructions[index];
    const changed = registersChanged(instruction);
    const bytes = bytesAt(core, linear, instruction.length);
    if (index === 0 || changed === undefined || changed.registers.length > 2 || bytes === undefined)
      return HEAD_STEPPED;
    const [first = R_ZERO, second = R_ZERO] = changed.registers;
    rows[row + ROW_HEAD] =
      R.INSTRUCTION |
      R.BITS_32 |
      (instruction.length << R.LENGTH_SHIFT) |
      R.classesOf(instruction) |
      (changed.flags ? HEAD_FLAGS : 0) |
      (first << HEAD_FIRST) |
      (second << HEAD_SECOND);
    rows.set(bytes, row + ROW_BYTES);
    return rows[row + ROW_HEAD];
  };

  return (start) => {
    if (generation !== cache.generation) {
      generation = cache.generation;
      rows.fill(0, 0, rowsEnd);
      rowsEnd = 0;
    }
    const c = g[CPU];
    const processor = g[G_PROCESSOR];
    const base = i32[c + CS_BASE];
    // The clock is this less what is left: handlers may move ticks between G_LEFT and G_RESERVE.
    const clock = f64[L.CLOCK >> 3] + g[G_BUDGET];
    // Both go on by one an instruction, so that the record's count is its clock and this.
    const ahead = counts[processor] + 1 - (clock - g[LEFT] - g[RESERVE]);
    let retired = 0;
    let total = 0;
    let flags = eflagsOf(c);
    let last = start;
    let p = start;
    for (;;) {
      while (code[p] === handlerCount + 1) p = code[p + F_TARGET];
      if (code[p] >= handlerCount) break;
      const index = code[p + F_INSTRUCTION];
      const row = index << ROW_SHIFT;
      const eip = (g[EIP_BASE] + code[p + F_OFFSET]) | 0;
      const head = rows[row] || describe(index, (base + eip) | 0);
      if ((head & HEAD_STEPPED) !== 0) break;

      const r = ring.open;
      const now = clock - (g[LEFT] + g[RESERVE]);
      wides[(r + CLOCK) >> 1] = now;
      wides[(r + COUNT) >> 1] = now + ahead;
      words[r + EIP] = eip;
      words[r + LINEAR] = base + eip;
      words[r + BYTES] = rows[row + ROW_BYTES];
      words[r + BYTES + 1] = rows[row + ROW_BYTES + 1];
      if ((head & LONG) !== 0) {
        words[r + BYTES + 2] = rows[row + ROW_BYTES + 2];
        words[r + BYTES + 3] = rows[row + ROW_BYTES + 3];
      }
      words[r + FLAGS_BEFORE] = flags;
      words[r + ACCESSES] = 0;
      const first = (head >>> HEAD_FIRST) & HEAD_REGISTER;
      const second = (head >>> HEAD_SECOND) & HEAD_REGISTER;
      const firstBefore = i32[c + first];
      const secondBefore = i32[c + second];

      last = p;
      p = handlers[code[p]](p);

      const isRetired = p === FAULT ? 0 : 1;
      const firstNow = i32[c + first];
      let changed = 0;
      if (firstNow !== firstBefore) {
        changed = 1 << first;
        words[r + VALUES + first] = firstNow;
      }
      if (second !== R_ZERO) {
        const secondNow = i32[c + second];
        if (secondNow !== secondBefore) changed |= 1 << second;
        words[r + VALUES + second] = secondNow;
      }
      if ((head & HEAD_FLAGS) !== 0) {
        const flagsNow = eflagsOf(c);
        if (flagsNow !== flags) changed |= 1 << EFLAGS_INDEX;
        words[r + VALUES + EFLAGS_INDEX] = flagsNow;
        flags = flagsNow;
      }
      words[r + CHANGED] = changed;
      words[r + HEAD] = (head & HEAD_OF_RECORD) | (processor << PROCESSOR_SHIFT) | (isRetired * OUTCOME_RETIRED);
      const next = r + RECORD_WORDS;
      ring.open = next === words.length ? 0 : next;
      total++;
      retired += isRetired;
      if (p < 0) break;
      const left = g[LEFT] - 1;
      g[LEFT] = left;
      if (left <= 0) break;
    }
    counts[processor] += retired;
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
  const physical = core.linear.paging.lookUp(linear);
  if (physical < 0 || physical + length > core.layout.ramSize) return undefined;
  const at = core.layout.ramBase + physical;
  const bytes = new Uint8Array(16);
  bytes.set(core.u8.subarray(at, at + length));
  return new Int32Array(bytes.buffer);
}
