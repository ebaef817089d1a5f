// Test files in processes of their own: which tests belong to which rules, and which of them fail, and how.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { filesUnder, ROOT } from "../../house/tree.ts";

/** A test that belongs to rules. A title made in a loop is the text that its author wrote. */
export interface Tagged {
  readonly file: string;
  readonly title: string;
  readonly ids: readonly string[];
}

export interface Failure {
  readonly title: string;
  /** The rules that its title names. */
  readonly ids: readonly string[];
  /** The test says that what it looks at is not so, or a bound of steps, a bug check or a broken convention does. */
  readonly isVerdict: boolean;
}

export interface Outcome {
  readonly failures: readonly Failure[];
  /** All tests have been run. */
  readonly isWhole: boolean;
  /** What was printed last. */
  readonly end: string;
}

const ID = /\b(?:IRQL|APIC|SL|QL|RW|XI|IO|DPC|TMR|IPI|BC|LAY|CC|HW)-\d\d\b/g;
const TITLE = /\btest\)?\(\s*(["'`])(.*?[^\\])\1/gs;
/** A test that failed, and the first line of why. */
const FAILURE = /^ {3}FAIL {2}.*?"(.*)"\n {4}(.*)$/gm;
const END_CHARACTERS = 300;

/** First lines of failures that are verdicts; any other is a mistake of the test, the harness or the emulator. */
const VERDICTS: readonly RegExp[] = [
  / {2}\([a-z.]+\)$/, // an assertion, with its operator
  /^no bug check came$/,
  /^bug check 0x/,
  /^processor \d+ (?:does not (?:return|come to)|ends the run:)/,
  /^what was awaited does not come/,
  /^the machine ends:/,
  /^a bug check does not end the machine/,
  /^\w+ (?:pops \S+ bytes of arguments|does not keep|returns with DF)/,
];

/** The rules that a title names. */
function idsIn(title: string): readonly string[] {
  return [...new Set(title.match(ID) ?? [])];
}

/** Every test whose title names a rule. */
export function taggedTests(): readonly Tagged[] {
  return filesUnder("tests", /\.test\.ts$/).flatMap((file) =>
    [...readFileSync(ROOT + file, "utf8").matchAll(TITLE)]
      .map(([, , title = ""]) => ({ file, title, ids: idsIn(title) }))
      .filter(({ ids }) => ids.length > 0),
  );
}

/** Runs a script that ends as uvu does, in a process of its own, for so long at most. */
export function run(script: readonly string[], limitMs: number, environment: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ["--conditions=ring0-source", "--import", "tsx", ...script], {
      cwd: ROOT,
      env: { ...process.env, NO_COLOR: "1", ...environment },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: limitMs,
      killSignal: "SIGKILL",
    });
    let output = "";
    const keep = (text: string): void => {
      output += text;
    };
    child.stdout.setEncoding("utf8").on("data", keep);
    child.stderr.setEncoding("utf8").on("data", keep);
    child.on("close", () => {
      const failures = [...output.matchAll(FAILURE)].map(([, title = "", why = ""]) => ({
        title,
        ids: idsIn(title),
        isVerdict: VERDICTS.some((verdict) => verdict.test(why)),
      }));
      resolve({ failures, isWhole: /^ {2}Total: +[1-9]/m.test(output), end: output.slice(-END_CHARACTERS) });
    });
  });
}

/** Does all of something, so many at a time; results in the order of the work. */
export async function all<T, R>(
  work: readonly T[],
  atOnce: number,
  act: (one: T) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < work.length; index = next++) results[index] = await act(work[index]!);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return results;
}
