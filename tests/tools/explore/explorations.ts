// npm run explorations: every search that must end "verified" and every mutant that must be found, by the built command, as tables.
//
// Exit codes: 0 all is as it should be, 1 something is not.

import { join } from "node:path";
import { folder, ring0 } from "../cli/command.ts";
import { KERNEL, KERNEL_MUTANTS, LARGE_LOCKS, LOCK_MUTANTS, type Verified, type Violated } from "./cases.ts";

/** Besides the tests' cases: smaller locks, and one search that is too long for a test. */
const MORE: readonly Verified[] = [
  ["queued-lock", 2, 2, 2347],
  ["queued-lock", 3, 1, 4158],
  ["spin-lock", 2, 2, 203],
  ["spin-lock", 3, 1, 310],
];
const LONG: readonly Verified[] = [["raising-spin-lock", 3, 1, 3055821]];

interface Found {
  readonly verdict: string;
  readonly states: number;
  readonly transitions: number;
  readonly seconds: number;
  readonly interrupts?: readonly unknown[];
  readonly violations: readonly { readonly property: string }[];
}

let wrong = 0;

function line(isRight: boolean, ...columns: readonly (string | number)[]): void {
  if (!isRight) wrong++;
  process.stdout.write(`${columns.map(padded).join(" ")}${isRight ? "" : "  NOT AS IT SHOULD BE"}\n`);
}

function padded(value: string | number, column: number): string {
  const width = WIDTHS[column] ?? 0;
  const text = typeof value === "number" ? value.toLocaleString("en") : value;
  return typeof value === "number" ? text.padStart(width) : text.padEnd(width);
}

const WIDTHS = [28, 5, 10, 10, 11, 8];

/** One `ring0 explore`: its exit code and what it found. */
function explore(
  name: string,
  processors: number,
  rounds: number,
  ...more: string[]
): { status: number; found: Found } {
  const size = ["--processors", `${processors}`, "--rounds", `${rounds}`];
  const { status, stdout, stderr } = ring0("explore", name, ...size, "--json", ...more);
  if (stdout === "") throw new Error(`ring0 explore ${name} ${more.join(" ")}: exit code ${status}: ${stderr}`);
  return { status: status ?? -1, found: JSON.parse(stdout) as Found };
}

function verify([name, processors, rounds, states]: Verified): void {
  const { status, found } = explore(name, processors, rounds);
  const isRight = status === 0 && found.verdict === "verified" && found.states === states;
  const size = `${processors}x${rounds}`;
  const seconds = found.seconds.toFixed(1);
  line(isRight, name, size, found.verdict, found.states, found.transitions, seconds.padStart(WIDTHS[5]!));
}

function violate([name, mutant, processors, rounds, property]: Violated): void {
  const file = join(folder, `${name}-${mutant}.json`);
  const { status, found } = explore(name, processors, rounds, "--mutant", mutant, "--output", file);
  const replayed = ring0("replay", file, "--json");
  const reproduced = replayed.stdout !== "" && (JSON.parse(replayed.stdout) as { reproduced: boolean }).reproduced;
  const isRight = status === 5 && found.violations[0]?.property === property && reproduced && replayed.status === 5;
  const size = `${processors}x${rounds}`;
  const seconds = found.seconds.toFixed(1).padStart(WIDTHS[5]!);
  const again = `exit code ${status}, replay ${reproduced ? "the same" : "another"} (${replayed.status})`;
  line(
    isRight,
    `${name} ${mutant}`,
    size,
    found.verdict,
    found.states,
    found.transitions,
    seconds,
    ` ${again}: ${property}`,
  );
}

process.stdout.write("scenario                     size  verdict        states transitions  seconds\n");
for (const one of [...MORE, ...LARGE_LOCKS, ...KERNEL, ...LONG]) verify(one);
process.stdout.write("\n");
for (const one of [...LOCK_MUTANTS, ...KERNEL_MUTANTS]) violate(one);
process.stdout.write(wrong === 0 ? "\nAll as it should be.\n" : `\n${wrong} not as they should be.\n`);
process.exitCode = wrong === 0 ? 0 : 1;
