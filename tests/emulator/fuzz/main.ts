// `npm run fuzz`: a million random instruction strings and a hundred thousand mutants, twice each; ten times that with --long.
//
//   npm run fuzz                                      everything
//   npm run fuzz -- strings 5000                      the first 5000 strings
//   npm run fuzz -- mutants 77 78                     mutant 77 alone: how a failure is looked at again
//   npm run fuzz -- --long --resume build/fuzz.json   ten times as much; interrupted, it goes on where it was
//   npm run fuzz -- --engine everywhere               the second runs on another engine
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { type Campaign, type Engine, mutants, report, strings } from "./campaigns.ts";

/** How far a campaign has come: what `--resume FILE` keeps. */
interface Progress {
  next: number;
  to: number;
  seconds: number;
  causes: Record<string, number>;
}

const ENGINES: readonly Engine[] = ["interpreter", "compiled", "everywhere", "auto"];
const campaigns: Readonly<Record<string, readonly [campaign: Campaign, cases: number]>> = {
  strings: [strings, 1_000_000],
  mutants: [mutants, 100_000],
};
/** Seconds between two looks at the status line of a terminal, and between two lines elsewhere. */
const [ON_TERMINAL, ELSEWHERE] = [1, 60];

function refuse(message: string): never {
  console.error(`fuzz: ${message}`);
  process.exit(2);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { long: { type: "boolean" }, resume: { type: "string" }, engine: { type: "string" } },
});
const [only, first, last] = positionals;
if (only !== undefined && !(only in campaigns))
  refuse(`no campaign "${only}"; ${Object.keys(campaigns).join(" and ")} can be had`);
const engine = ENGINES.find((name) => name === (values.engine ?? "interpreter"));
if (!engine) refuse(`no engine "${values.engine}"; ${ENGINES.join(", ")} can be had`);

if (values.resume !== undefined) mkdirSync(dirname(values.resume), { recursive: true });
const kept: Record<string, Progress> =
  values.resume !== undefined && existsSync(values.resume) ? JSON.parse(readFileSync(values.resume, "utf8")) : {};

let current = "";
// Nothing is caught: this only says which case it was.
process.on("uncaughtExceptionMonitor", () => console.error(`\nfuzz: the case that failed: npm run fuzz -- ${current}`));

function run(name: string, campaign: Campaign, progress: Progress): void {
  const { to } = progress;
  const runCase = campaign(engine);
  const causes = new Map(Object.entries(progress.causes));
  const isTerminal = process.stderr.isTTY === true;
  const [began, already, start] = [performance.now(), progress.seconds, progress.next];
  let told = began;
  const tell = (next: number, now: number): void => {
    told = now;
    Object.assign(progress, { next, seconds: already + (now - began) / 1000, causes: Object.fromEntries(causes) });
    if (values.resume !== undefined) writeFileSync(values.resume, `${JSON.stringify(kept, null, 1)}\n`);
    const rate = ((next - start) * 1000) / (now - began);
    const line = `fuzz: ${name} ${next} of ${to}, ${rate.toFixed(0)} a second`;
    process.stderr.write(isTerminal ? `\r${line}\x1b[K` : `${line}\n`);
  };
  const pause = 1000 * (isTerminal ? ON_TERMINAL : ELSEWHERE);
  for (let number = start; number < to; number++) {
    current = `${name} ${number} ${number + 1}${engine === "interpreter" ? "" : ` --engine ${engine}`}`;
    runCase(number, causes);
    const now = performance.now();
    if (now - told >= pause) tell(number + 1, now);
  }
  tell(to, performance.now());
  if (isTerminal) process.stderr.write("\r\x1b[K");
}

const done: string[] = [];
let seconds = 0;
for (const [name, [campaign, cases]] of Object.entries(campaigns)) {
  if (only !== undefined && only !== name) continue;
  const whole = cases * (values.long ? 10 : 1);
  const [from, to] = last === undefined ? [0, Number(first ?? whole)] : [Number(first), Number(last)];
  const progress = (kept[name] ??= { next: from, to, seconds: 0, causes: {} });
  run(name, campaign, progress);
  console.log(report(new Map(Object.entries(progress.causes))));
  done.push(`${progress.to - from} ${name}`);
  seconds += progress.seconds;
}
console.log(`fuzz: ${done.join(" and ")}, twice each, in ${seconds.toFixed(0)} s: no difference, no exception`);
