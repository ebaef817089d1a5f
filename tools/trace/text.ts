// A trace as text for people: what ran where, one instruction a line, turns of a waiting loop told once.
import { basename } from "node:path";
import { bytesText, hex } from "./code.ts";
import type { Access, DeliveryEvent, InstructionEvent, TraceEvent } from "./event.ts";
import { labelText, type Place, type SymbolTable, withOffset } from "./symbols.ts";

/** The exceptions' short names by vector (SDM vol. 3A, table 6-1). */
const EXCEPTIONS = "#DE #DB NMI #BP #OF #BR #UD #NM #DF - #TS #NP #SS #GP #PF - #MF #AC #MC".split(" ");
const PAGE_FAULT = 14;
const WITH_ERROR_CODE = new Set([8, 10, 11, 12, 13, 14, 17]);

/** The longest loop whose turns are folded. */
const LONGEST_TURN = 8;

interface Line {
  /** Everything but the count: equal for equal turns of a loop. */
  readonly what: string;
  readonly count: number;
  readonly event: TraceEvent;
}

export interface TextOptions {
  /** Tell the equal turns of a loop once; default true. */
  readonly fold?: boolean;
}

/** Turns events into lines. It remembers the last one, so that a headline comes when the processor or routine changes. */
export class TraceText {
  readonly #symbols: SymbolTable;
  readonly #fold: boolean;
  #last: TraceEvent | undefined;

  constructor(symbols: SymbolTable, { fold = true }: TextOptions = {}) {
    this.#symbols = symbols;
    this.#fold = fold;
  }

  /** Events in their order as text, every line ended. */
  format(events: readonly TraceEvent[]): string {
    const out: string[] = [];
    let run: Line[] = [];
    const flush = (): void => {
      out.push(...(this.#fold ? folded(run) : run.map(lineText)));
      run = [];
    };
    for (const event of events) {
      if (!this.#goesOn(event)) {
        flush();
        if (this.#last) out.push("");
        out.push(headline(event));
      }
      run.push({ what: this.#text(event), count: event.count, event });
      this.#last = event;
    }
    flush();
    return out.map((line) => `${line}\n`).join("");
  }

  /** The same processor in the same routine, with nothing left out between. */
  #goesOn(event: TraceEvent): boolean {
    const last = this.#last;
    if (!last || last.processor !== event.processor || last.place?.symbol !== event.place?.symbol) return false;
    return event.count - last.count <= 1;
  }

  #text(event: TraceEvent): string {
    return event.kind === "instruction" ? this.#instruction(event) : this.#delivery(event);
  }

  #instruction(event: InstructionEvent): string {
    const { eip, place, bytes, text, registers, flags, source } = event;
    const changes = [
      ...registers.map(([name, value]) => `${name}=${hex(value, isSelector(name) ? 4 : 8)}`),
      ...flags.map(([name, value]) => `${name}=${value}`),
      ...this.#accesses(event),
      event.part ? "(half of it: others may come in between)" : event.retired ? "" : "(faulted)",
    ].filter((part) => part !== "");
    const columns = [hex(eip, 8), within(place).padEnd(10), bytesText(bytes).padEnd(20), text.padEnd(34)];
    const where = source ? `${basename(source.file)}:${source.line}` : "";
    return `${columns.join("  ")}  ${where === "" ? changes.join(" ") : `${changes.join(" ").padEnd(44)}  ${where}`}`.trimEnd();
  }

  #delivery(event: DeliveryEvent): string {
    const { kind, vector, errorCode, eip, target, targetPlace, faultAddress, shutdown } = event;
    const handler = targetPlace ? withOffset(targetPlace.symbol.name, targetPlace.offset) : `0x${hex(target, 8)}`;
    const name = kind === "exception" ? (EXCEPTIONS[vector] ?? "exception") : kind === "nmi" ? "NMI" : "interrupt";
    const words = [
      `${hex(eip, 8)}  ${name === "interrupt" || name === "exception" ? `${name} ` : `${name}, `}vector 0x${hex(vector, 2)}`,
      kind === "exception" && WITH_ERROR_CODE.has(vector) ? `error code 0x${hex(errorCode, 4)}` : "",
      kind === "exception" && vector === PAGE_FAULT ? `at 0x${hex(faultAddress, 8)}` : "",
      shutdown ? "-> triple fault: no handler can be called" : `-> ${handler}`,
      ...this.#accesses(event),
    ];
    return words.filter((word) => word !== "").join("  ");
  }

  /** Reads and writes; a read is not told apart from the write that replaces what it read. */
  #accesses({ accesses, moreAccesses }: TraceEvent): string[] {
    const shown = accesses.filter(
      (access, i) => access.write || !accesses.some((other, j) => j > i && other.write && isSame(other, access)),
    );
    const more = moreAccesses > 0 ? [`(and ${moreAccesses} accesses more)`] : [];
    return [...shown.map((access) => this.#access(access)), ...more];
  }

  #access({ kind, write, linear, width, value, old }: Access): string {
    const number = hex(value, width * 2);
    if (kind === "port") {
      const port = `port 0x${linear.toString(16)}`;
      return width === 0 ? port : write ? `${port} <- ${number}` : `${port} = ${number}`;
    }
    const where = `[${this.#nameOf(linear)}]`;
    return write ? `${where} ${hex(old, width * 2)} -> ${number}` : `${where} = ${number}`;
  }

  /** A variable's name, or an address. */
  #nameOf(linear: number): string {
    const place = this.#symbols.at(linear);
    return place && place.symbol.size > 0 ? withOffset(place.symbol.name, place.offset) : `0x${hex(linear, 8)}`;
  }
}

const isSelector = (name: string): boolean => /^[c-g]s$|^es$|^ss$/.test(name);

const isSame = (a: Access, b: Access): boolean => a.kind === b.kind && a.linear === b.linear && a.width === b.width;

/** Where in its routine: behind which label, else how far from its start. */
function within(place: Place | undefined): string {
  if (!place) return "";
  if (place.label) return labelText(place.label);
  return `+0x${hex(place.offset, 2)}`;
}

function headline({ processor, place, linear }: TraceEvent): string {
  return `processor ${processor}, ${place ? place.symbol.name : `0x${hex(linear, 8)}`}`;
}

function lineText({ what, count, event }: Line): string {
  return `${event.processor} ${String(count).padStart(10)}  ${what}`;
}

/** The lines, with turns of a loop that are equal to the turn before replaced by their number. */
function folded(lines: readonly Line[]): string[] {
  const out: string[] = [];
  for (let at = 0; at < lines.length; ) {
    const { length, times } = repeated(lines, at);
    for (let i = 0; i < length; i++) out.push(lineText(lines[at + i] as Line));
    if (times > 0)
      out.push(
        `${" ".repeat(14)}(${length === 1 ? "this" : `these ${length}`} again, ${times} ${times === 1 ? "time" : "times"})`,
      );
    at += length * (times + 1);
  }
  return out;
}

/** The shortest stretch from `at` on that comes again at once, and how often; a single line that does not otherwise. */
function repeated(lines: readonly Line[], at: number): { length: number; times: number } {
  for (let length = 1; length <= LONGEST_TURN; length++) {
    let times = 0;
    while (isEqual(lines, at, at + length * (times + 1), length)) times++;
    if (times > 0) return { length, times };
  }
  return { length: 1, times: 0 };
}

function isEqual(lines: readonly Line[], a: number, b: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (lines[a + i]?.what !== lines[b + i]?.what || !lines[b + i]) return false;
  return true;
}
