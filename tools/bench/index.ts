// The bench: rows of small programs on every emulator that is here, one process a run.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import type { Row } from "./frame.ts";
import { contended, uncontended } from "./locks.ts";
import { CLOCK, type Measurement, measure, type Settings } from "./measure.ts";
import { type Peer, peersOf, USUAL_PEERS } from "./peers.ts";
import { singles } from "./programs.ts";
import type { Report } from "./table.ts";

export { comparisonOf, isSound, type Report, tableOf } from "./table.ts";
export { peersOf, USUAL_PEERS };

/** Every row; `own work` is measured only when it is asked for. */
export const rows: readonly Row[] = [...singles, ...contended, uncontended];
export const USUAL_ROWS: readonly string[] = [...singles, ...contended].map(({ name }) => name);

export interface Wishes extends Settings {
  readonly rows: readonly string[];
  readonly peers: readonly Peer[];
  /** Numbers of processors for the rows that take several. */
  readonly processors: readonly number[];
}

/** Measures; `tell` hears of each row and emulator before it is measured. */
export async function bench(wishes: Wishes, tell: (what: string) => void): Promise<Report> {
  const measurements: Measurement[] = [];
  const folder = mkdtempSync(join(tmpdir(), "ring0-bench-"));
  try {
    for (const row of rows.filter(({ name }) => wishes.rows.includes(name))) {
      const image = join(folder, "image.elf");
      writeFileSync(image, row.image().elf());
      for (const processors of row.parallel ? wishes.processors : [1]) {
        const peers = wishes.peers.filter(({ parallel }) => parallel || !row.parallel);
        const next = (peer: Peer): void => tell(`${row.name} on ${processors}, ${peer.name}`);
        measurements.push(...(await measure(row, image, peers, processors, wishes, next)));
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  const host = { processor: cpus()[0]?.model.trim() ?? "unknown", processors: cpus().length, node: process.version };
  return { version: 1, host, clock: CLOCK, measurements };
}
