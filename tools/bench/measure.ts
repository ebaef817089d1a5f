// One measurement: an emulator runs a program as a process, whose processor time between the program's two lines is taken.
import { type ChildProcess, spawn } from "node:child_process";
import { cpuSeconds } from "./cpu-time.ts";
import { BEGIN, END, type Row } from "./frame.ts";
import type { Job, Peer } from "./peers.ts";

/** A run that is not over by then does not end. */
const LONGEST_SECONDS = 120;
/** How much longer the next attempt at a good length may be than the last. */
const GROWTH = 16;

interface Sample {
  readonly seconds: number;
  readonly checksum: string;
}

/** A row measured on one emulator. */
export interface Measurement {
  readonly row: string;
  readonly processors: number;
  readonly peer: string;
  /** Why there are no figures. */
  readonly failure?: string;
  readonly rounds: number;
  /** Processor seconds a round, the median of the runs, and each of them. */
  readonly secondsPerRound: number;
  readonly runs: readonly number[];
  /** Of the row's usual number of rounds: equal on every emulator. */
  readonly checksum: string;
}

/** Processor time where the system tells a process's, else time by the clock. */
export const CLOCK = cpuSeconds(process.pid) === undefined ? "wall" : "processor";

const secondsOf = (pid: number): number =>
  (CLOCK === "processor" ? cpuSeconds(pid) : undefined) ?? performance.now() / 1000;

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Runs a program once. Rejects with a reason for people. */
function sample(peer: Peer, job: Job): Promise<Sample> {
  const [command = "", ...words] = peer.command(job);
  return new Promise((fulfil, reject) => {
    const child = spawn(command, words, { stdio: ["ignore", "pipe", "pipe"] });
    running.add(child);
    let text = "";
    let complaint = "";
    let began = Number.NaN;
    let isOver = false;
    const over = (then: () => void): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      child.kill("SIGKILL");
      running.delete(child);
      then();
    };
    const fail = (why: string): void => over(() => reject(new Error(why)));
    const timer = setTimeout(() => fail(`no end after ${LONGEST_SECONDS} s`), LONGEST_SECONDS * 1000);
    child.on("error", ({ message }) => fail(message));
    child.on("exit", (code) => fail(`it ended with ${code} before the program did: ${complaint.trim().slice(-200)}`));
    child.stderr.setEncoding("latin1").on("data", (data: string) => {
      complaint += data;
    });
    child.stdout.setEncoding("latin1").on("data", (data: string) => {
      const now = secondsOf(child.pid ?? 0);
      text += data;
      if (Number.isNaN(began) && text.includes(`${BEGIN}\r\n`)) began = now;
      const checksum = new RegExp(`${END} ([0-9a-f]{8})\r\n`).exec(text)?.[1];
      if (checksum !== undefined) over(() => fulfil({ seconds: now - began, checksum }));
    });
  });
}

export interface Settings {
  /** Seconds a run should take. */
  readonly seconds: number;
  readonly runs: number;
}

/** Measures a row on one emulator: as many rounds as take about the time wanted, several times. */
export async function measure(
  row: Row,
  image: string,
  peer: Peer,
  processors: number,
  { seconds, runs }: Settings,
): Promise<Measurement> {
  const jobOf = (rounds: number): Job => ({
    image,
    processors,
    commandLine: `rounds=${rounds} cpus=${processors} exit=0`,
  });
  const known = { row: row.name, processors, peer: peer.name };
  let rounds = row.rounds;
  try {
    const first = await sample(peer, jobOf(rounds));
    let last = first.seconds;
    while (last < seconds / 2) {
      rounds = Math.ceil(rounds * Math.min(GROWTH, Math.max(2, seconds / Math.max(last, 1e-4))));
      last = (await sample(peer, jobOf(rounds))).seconds;
    }
    const found: number[] = [last / rounds];
    while (found.length < runs) found.push((await sample(peer, jobOf(rounds))).seconds / rounds);
    const sorted = [...found].sort((a, b) => a - b);
    return {
      ...known,
      rounds,
      secondsPerRound: sorted[sorted.length >> 1] as number,
      runs: found,
      checksum: first.checksum,
    };
  } catch (error) {
    return { ...known, failure: (error as Error).message, rounds, secondsPerRound: Number.NaN, runs: [], checksum: "" };
  }
}
