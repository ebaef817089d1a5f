// What a person needs to see when the guest crashed: registers, the code there, and how the processors got there.
import { type Machine, type Processor, type RunResult, TraceRing } from "#emulator";
import { codeLine, Recorder, readRecord, type SymbolTable, symbolsOf, TraceText } from "../trace/index.ts";
import type { Host } from "./host.ts";
import type { Setup } from "./options.ts";
import { reportStop } from "./stop.ts";
import { totalOf } from "./turns.ts";

/** Instructions shown before the end. */
const SHOWN = 20;
/** How many of the last are watched to find them: exceptions come in without counting. */
const WATCHED = 200;
/** A longer run is not made a second time unasked. */
const LONGEST_RERUN_SECONDS = 20;
const CODE_LINES = 3;
const LONGEST_INSTRUCTION = 15;
const BIG_CODE = 0x400000;

/**
 * Reports a triple fault, the use of something that is not implemented, or a kernel's bug check; nothing for any other end. `seconds` is what the
 * run took: the last instructions come from doing it again, which is exact, and leaves the first run alone.
 */
export async function reportCrash(
  setup: Setup,
  machine: Machine,
  result: RunResult,
  seconds: number,
  host: Host,
): Promise<void> {
  reportStop(setup, machine, result, host);
  if (result.reason !== "triple fault" && result.reason !== "not implemented") return;
  const symbols = symbolsOf(setup.subject.bytes, setup.subject.name);
  for (const processor of machine.processors) host.err.write(`\n${describe(machine, processor, symbols)}`);
  host.err.write("\nlast instructions\n");
  if (seconds > LONGEST_RERUN_SECONDS) host.err.write(`  not shown after a long run: ring0 trace --last ${SHOWN}\n`);
  else host.err.write(lastInstructions(setup, totalOf(result.instructions), symbols));
}

/** A processor's registers, where it is, and the code there. */
function describe(machine: Machine, processor: Processor, symbols: SymbolTable): string {
  const { number, eip, cs, activity } = processor;
  const linear = (cs.base + eip) >>> 0;
  const source = symbols.lineOf(linear);
  const where = [symbols.nameOf(linear), source && `${source.file}:${source.line}`].filter(
    (part) => part !== undefined,
  );
  const bits = (cs.attributes & BIG_CODE) !== 0 ? 32 : 16;
  const lines = [`processor ${number}, ${activity}${where.length > 0 ? `, at ${where.join(", ")}` : ""}`];
  lines.push(...processor.describe().split("\n"));
  let at = linear;
  for (let i = 0; i < CODE_LINES; i++) {
    const bytes = bytesAt(machine, processor, at);
    if (bytes.length === 0) {
      lines.push(`${at.toString(16).padStart(8, "0")}  no memory here`);
      break;
    }
    const line = codeLine(bytes, at, bits, symbols);
    lines.push(line.text);
    at = (at + line.length) >>> 0;
  }
  return lines.map((line, i) => `${i === 0 ? "" : "  "}${line}\n`).join("");
}

/** Memory as a processor sees it, as many bytes as an instruction may have and there are. */
function bytesAt(machine: Machine, processor: Processor, linear: number): Uint8Array {
  const bytes: number[] = [];
  for (let i = 0; i < LONGEST_INSTRUCTION; i++) {
    const physical = processor.physicalOf(linear + i);
    if (physical < 0 || physical >= machine.memory.size) break;
    bytes.push(machine.memory.byte(physical));
  }
  return Uint8Array.from(bytes);
}

/** Runs the same thing again, unwatched until shortly before its end. */
function lastInstructions(setup: Setup, total: number, symbols: SymbolTable): string {
  const machine = setup.boot(() => {});
  if (total > WATCHED) machine.run({ maxInstructions: total - WATCHED });
  const ring = new TraceRing(SHOWN);
  const recorder = new Recorder(machine, {}, ring);
  machine.observe(recorder);
  machine.run();
  recorder.finish();
  return new TraceText(symbols).format(ring.drain().map((record) => readRecord(record, symbols)));
}
