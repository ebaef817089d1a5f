// Measurements: emulators run a program as a process, whose processor time between the program's two lines is taken.
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

/** A row on one emulator, while it is being measured. */
class Subject {
  readonly peer: Peer;
  readonly #known: Pick<Measurement, "row" | "processors" | "peer">;
  readonly #image: string;
  readonly #runs: number[] = [];
  #rounds: number;
  #checksum = "";
  #failure: string | undefined;

  constructor(row: Row, image: string, peer: Peer, processors: number) {
    this.peer = peer;
    this.#known = { row: row.name, processors, peer: peer.name };
    this.#image = image;
    this.#rounds = row.rounds;
  }

  #sample(): Promise<Sample> {
    const { processors } = this.#known;
    const commandLine = `rounds=${this.#rounds} cpus=${processors} exit=0`;
    return sample(this.peer, { image: this.#image, processors, commandLine });
  }

  /** Does something until it fails once. */
  async #attempt(what: () => Promise<void>): Promise<void> {
    if (this.#failure !== undefined) return;
    try {
      await what();
    } catch (error) {
      this.#failure = (error as Error).message;
    }
  }

  /** Finds the rounds that take about as long as is wanted: the first run. */
  async fit(seconds: number): Promise<void> {
    await this.#attempt(async () => {
      const first = await this.#sample();
      this.#checksum = first.checksum;
      let last = first.seconds;
      while (last < seconds / 2) {
        this.#rounds = Math.ceil(this.#rounds * Math.min(GROWTH, Math.max(2, seconds / Math.max(last, 1e-4))));
        last = (await this.#sample()).seconds;
      }
      this.#runs.push(last / this.#rounds);
    });
  }

  async run(): Promise<void> {
    await this.#attempt(async () => {
      this.#runs.push((await this.#sample()).seconds / this.#rounds);
    });
  }

  get measurement(): Measurement {
    const known = { ...this.#known, rounds: this.#rounds };
    if (this.#failure !== undefined)
      return { ...known, failure: this.#failure, secondsPerRound: Number.NaN, runs: [], checksum: "" };
    const sorted = [...this.#runs].sort((a, b) => a - b);
    const secondsPerRound = sorted[sorted.length >> 1] ?? Number.NaN;
    return { ...known, secondsPerRound, runs: this.#runs, checksum: this.#checksum };
  }
}

/**
 * Measures a row on emulators: as many rounds on each as take about the time wanted, several times. They take turns: a machine
 * that is slower for a while is so for all of them. `tell` hears who is next.
 */
export async function measure(
  row: Row,
  image: string,
  peers: readonly Peer[],
  processors: number,
  { seconds, runs }: Settings,
  tell: (peer: Peer) => void,
): Promise<Measurement[]> {
  const subjects = peers.map((peer) => new Subject(row, image, peer, processors));
  for (const subject of subjects) {
    tell(subject.peer);
    await subject.fit(seconds);
  }
  for (let i = 1; i < runs; i++) for (const subject of subjects) await subject.run();
  return subjects.map(({ measurement }) => measurement);
}
