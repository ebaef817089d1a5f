// Measurements as a table for people, and beside earlier ones.
import type { Measurement } from "./measure.ts";

/** Everything a run of the bench found; what `--json` prints and `--compare` reads. */
export interface Report {
  readonly version: 1;
  readonly host: { readonly processor: string; readonly processors: number; readonly node: string };
  readonly clock: string;
  readonly measurements: readonly Measurement[];
}

const UNITS = [
  [1, "s"],
  [1e-3, "ms"],
  [1e-6, "us"],
  [1e-9, "ns"],
] as const;

/** Seconds with three digits and a unit. */
export function time(seconds: number): string {
  const [unit, name] = UNITS.find(([least]) => seconds >= least) ?? UNITS[3];
  return `${(seconds / unit).toPrecision(3)} ${name}`;
}

/** Runs whose quartiles lie further apart than this say more of the machine than of the program. */
const WIDEST_SPREAD = 1.25;

/** What to think of a figure whose runs took different times; nothing where they agree. */
function scattered(one: Measurement): string[] {
  const sorted = [...one.runs].sort((a, b) => a - b);
  const [low, high] = [0.25, 0.75].map((part) => sorted[Math.floor(sorted.length * part)] ?? Number.NaN);
  if (!(high > low * WIDEST_SPREAD)) return [];
  const range = `${time(low)} to ${time(high)}`;
  return [`${keyOf(one)} on ${one.peer}: its runs took from ${range}; a quieter machine, or more --runs, would do`];
}

const keyOf = ({ row, processors }: Measurement): string => (processors === 1 ? row : `${row} on ${processors}`);
const distinct = (all: readonly string[]): string[] => [...new Set(all)];

/** Lines of cells under each other, the first column to the left. */
function columns(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, i) => Math.max(...lines.map((line) => (line[i] ?? "").length)));
  return lines
    .map((line) =>
      line
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

const geometricMean = (ratios: readonly number[]): number =>
  Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);

/** Time a round on each emulator, and how many times faster than `base` that is; then what is wrong or unsure, a line each. */
export function tableOf({ measurements }: Report, base: string): string {
  const peers = distinct(measurements.map(({ peer }) => peer));
  const rows = distinct(measurements.map(keyOf));
  const at = (row: string, peer: string): Measurement | undefined =>
    measurements.find((one) => keyOf(one) === row && one.peer === peer);
  const ratioOf = (row: string, peer: string): number =>
    (at(row, base)?.secondsPerRound ?? Number.NaN) / (at(row, peer)?.secondsPerRound ?? Number.NaN);
  const cells = rows.map((row) => [
    row,
    ...peers.flatMap((peer) => {
      const found = at(row, peer);
      if (!found) return ["-", ""];
      if (found.failure !== undefined) return ["failed", ""];
      const ratio = ratioOf(row, peer);
      return [time(found.secondsPerRound), Number.isNaN(ratio) ? "" : `${ratio.toFixed(2)}x`];
    }),
  ]);
  const means = peers.flatMap((peer) => {
    const ratios = rows.map((row) => ratioOf(row, peer)).filter(Number.isFinite);
    return ["", ratios.length > 0 ? `${geometricMean(ratios).toFixed(2)}x` : ""];
  });
  const wrong = rows.flatMap((row) => {
    const sums = distinct(peers.map((peer) => at(row, peer)?.checksum ?? "").filter((sum) => sum !== ""));
    return sums.length > 1 ? [`${row}: the checksums differ: ${sums.join(", ")}`] : [];
  });
  const failed = measurements.flatMap((one) => (one.failure ? [`${keyOf(one)} on ${one.peer}: ${one.failure}`] : []));
  const head = ["time a round", ...peers.flatMap((peer) => [peer, `/${base}`])];
  const unsure = measurements.flatMap(scattered);
  return [columns([head, ...cells, ["geometric mean", ...means]]), ...wrong, ...failed, ...unsure].join("\n");
}

/** How many times faster each measurement is than the same one of an earlier report. */
export function comparisonOf(now: Report, earlier: Report): string {
  const peers = distinct(now.measurements.map(({ peer }) => peer));
  const pairs = now.measurements.flatMap((one) => {
    const before = earlier.measurements.find((old) => keyOf(old) === keyOf(one) && old.peer === one.peer);
    const ratio = (before?.secondsPerRound ?? Number.NaN) / one.secondsPerRound;
    return Number.isFinite(ratio) ? [{ key: keyOf(one), peer: one.peer, ratio }] : [];
  });
  const rows = distinct(pairs.map(({ key }) => key));
  const ratioOf = (row: string, peer: string): string => {
    const pair = pairs.find((one) => one.key === row && one.peer === peer);
    return pair ? `${pair.ratio.toFixed(2)}x` : "-";
  };
  const means = peers.map((peer) => {
    const ratios = pairs.filter((pair) => pair.peer === peer).map(({ ratio }) => ratio);
    return ratios.length > 0 ? `${geometricMean(ratios).toFixed(2)}x` : "-";
  });
  return columns([
    ["times as fast as before", ...peers],
    ...rows.map((row) => [row, ...peers.map((peer) => ratioOf(row, peer))]),
    ["geometric mean", ...means],
  ]);
}

/** Rows or checksums that make the figures worthless: for an exit code. */
export function isSound({ measurements }: Report): boolean {
  const sums = new Map<string, string>();
  return measurements.every((one) => {
    if (one.failure !== undefined) return false;
    const key = keyOf(one);
    const known = sums.get(key) ?? one.checksum;
    sums.set(key, known);
    return known === one.checksum;
  });
}
