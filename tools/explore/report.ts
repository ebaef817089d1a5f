// A failure as a person reads it: the property, the schedule, the command that replays it, and the last steps.

import { format } from "#emulator";
import { Blueprint } from "./blueprint.ts";
import { memoryOf } from "./execution.ts";
import type { Failure } from "./failure.ts";
import { type RecordedAccess, type RecordedInstruction, Recording } from "./recording.ts";
import { replay } from "./replay.ts";
import type { Scenario } from "./scenario.ts";
import { scheduleText } from "./text.ts";

export interface FormatOptions {
  /** The command that replays the failure: `ring0 replay queued-lock-M3.failure.json`. */
  readonly command?: string;
  /** How many of the last instructions to show; 24 unless given. */
  readonly last?: number;
}

/** Lines of text without colours, each ending in a newline. The failure is replayed to see what happened. */
export function formatFailure(failure: Failure, scenario: Scenario, options: FormatOptions = {}): string {
  const { command, last = 24 } = options;
  const { property, message, decisions } = failure;
  const { name, processors, rounds, mutant } = failure.scenario;
  const recording = new Recording();
  const seen = replay(failure, scenario, recording);
  const stepping = decisions.at(-1)?.processor;
  if (stepping !== undefined && failure.property === "memory safety") recording.close(stepping);
  const shown = recording.instructions.slice(-last);
  const before = recording.instructions.length - shown.length;
  const lines = [
    `${name}${mutant === undefined ? "" : ` with mutant ${mutant}`}, ${processors} processors x ${rounds}: violates "${property}"`,
    `  ${message}`,
    `  schedule  ${
      scheduleText(
        decisions.map(({ processor }) => processor),
        decisions.map(({ kind }) => kind === "interrupt"),
      ) || "none: it fails by itself"
    }`,
    ...(command === undefined ? [] : [`  replay    ${command}`]),
    ...(seen.reproduced ? [] : [`  (taken again it went otherwise: ${seen.difference})`]),
    "",
    before > 0 ? `The last ${shown.length} of ${recording.instructions.length} instructions:` : "All instructions:",
    ...instructionLines(shown, new Blueprint(scenario, memoryOf(scenario))),
  ];
  return `${lines.join("\n")}\n`;
}

/** A heading wherever another processor or routine comes on, and a line an instruction. */
function instructionLines(instructions: readonly RecordedInstruction[], blueprint: Blueprint): string[] {
  const rows = instructions.map(({ processor, eip, instruction, accesses }) => {
    const { routine, offset } = blueprint.routineAt(eip);
    return {
      heading: `P${processor} in ${routine}`,
      offset,
      text: instruction ? format(instruction, eip, { symbol: (address) => blueprint.symbolOf(address) }) : "",
      source: blueprint.sourceOf(eip),
      effect: accesses.length === 0 ? "" : effectText(accesses, blueprint),
    };
  });
  const widest = (column: "offset" | "text" | "source"): number =>
    Math.max(0, ...rows.map((row) => row[column].length));
  const [offset, text, source] = [widest("offset"), widest("text"), widest("source")];
  return rows.flatMap((row, number) => {
    const line = `    ${row.offset.padEnd(offset)}  ${row.text.padEnd(text)}  ${row.source.padEnd(source)}  ${row.effect}`;
    const heading = rows[number - 1]?.heading === row.heading ? [] : [`  ${row.heading}`];
    return [...heading, line.trimEnd()];
  });
}

/** `spinLock: handle0 -> 0`, `handle0.Next = 0`, `reads section: 1`. */
function effectText(accesses: readonly RecordedAccess[], blueprint: Blueprint): string {
  const [first, second] = accesses;
  const updates = accesses.length === 2 && first?.address === second?.address && second?.kind !== "read";
  if (first && second && updates) {
    const [old, now] = [first, second].map(({ value }) => blueprint.valueText(value));
    return `${blueprint.nameOf(first.address)}: ${old} -> ${now}`;
  }
  return accesses
    .map(({ kind, address, value }) => {
      const name = blueprint.nameOf(address);
      return kind === "read"
        ? `reads ${name}: ${blueprint.valueText(value)}`
        : `${name} = ${blueprint.valueText(value)}`;
    })
    .join(", ");
}
