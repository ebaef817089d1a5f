// npm run witness [CASES] [-- --form TEXT] [--seed N] [--record] [--engine compiled] [--by WITNESS]: CASES a form (4,000) on this
// host's processor and on ours. WITNESS: processor (in 32-bit mode), long-mode (in 64-bit mode: what is the same there; taken
// where the host starts no 32-bit programs), interpreter (ours, for compiled code).
import { decode, type Form, format } from "../../../emulator/isa/index.ts";
import { heedBranchHints } from "../../../tools/cli/v8.ts";
import { whyNot } from "../../host.ts";
import { ARENA_SIZE } from "./arena.ts";
import type { Case } from "./case.ts";
import { type Comparison, compare } from "./compare.ts";
import { Cases } from "./generate.ts";
import { Host } from "./host.ts";
import { Interpreter } from "./interpreter.ts";
import type { Outcome, Witness } from "./outcome.ts";
import { OurProcessor } from "./processor.ts";
import { Random } from "./random.ts";
import { record } from "./record.ts";
import { CASES_AN_INTERRUPT, interrupted, rules, whyInterrupted, witnessed } from "./rules.ts";

const words = process.argv.slice(2);
const option = (name: string): string | undefined =>
  words.includes(name) ? words[words.indexOf(name) + 1] : undefined;
const perForm = Number(words.find((word, i) => /^\d+$/.test(word) && words[i - 1] !== "--seed") ?? 4000);
const wanted = option("--form") ?? "";
/** Cases given to one process of the host's. */
const BATCH = 20_000;
const MOST_SHOWN = 40;
/** Cases drawn for one that the witness takes. */
const MOST_DRAWS = 1000;
const PAGE_FAULT = 14;

interface Tally {
  cases: number;
  faults: number;
  pageFaults: number;
  /** With bytes in memory. */
  inMemory: number;
  different: number;
}

function fail(why: string): never {
  console.error(`witness: ${why}`);
  process.exit(2);
}

const engine = option("--engine") ?? "interpreter";
if (engine !== "interpreter" && engine !== "compiled")
  fail(`no engine "${engine}"; interpreter and compiled can be had`);

/** Who is asked: whoever was named, else the host's processor in the mode that it can be asked in. */
function summon(): Witness {
  const by = option("--by");
  if (by === "interpreter") {
    if (engine === "interpreter")
      fail("the interpreter is no witness of itself; --engine compiled would be compared with it");
    return new Interpreter();
  }
  if (by !== undefined && by !== "processor" && by !== "long-mode")
    fail(`no witness "${by}"; processor, long-mode and interpreter can be asked`);
  const why32 = by === "long-mode" ? "" : whyNot(32);
  if (why32 === undefined) return new Host(32);
  const why = by === "processor" ? why32 : whyNot(64);
  if (why !== undefined) fail(`the host's processor cannot be asked: ${why}`);
  if (by === undefined) console.log(`the host's processor cannot be asked in 32-bit mode: ${why32}`);
  return new Host(64);
}

const witness = summon();

function refuse(why: string): never {
  witness.close();
  fail(why);
}

if (words.includes("--record") && !witness.isOnRecord)
  refuse("the record is what a processor does in 32-bit mode: --by processor makes it");
const named = witnessed.filter((form) => form.syntax.startsWith(wanted));
const forms = named.filter((form) => witness.knows(form));
if (forms.length === 0)
  refuse(`${named.length === 0 ? "there is" : `${witness.name} knows`} no form that begins with "${wanted}"`);
if (forms.length < named.length) console.log(`${witness.name} is asked for ${forms.length} of ${named.length} forms`);
const tallies = new Map<Form, Tally>(
  forms.map((form) => [form, { cases: 0, faults: 0, pageFaults: 0, inMemory: 0, different: 0 }]),
);
const byRule = new Map<string, number>();
const shown: string[] = [];
const kept: [Case, Outcome][] = [];
let apart = 0;
let lost = 0;

const random = new Random(Number(option("--seed") ?? 1));
const cases = new Cases(random);
heedBranchHints(); // as the command does
const ours = new OurProcessor(engine);
const arena = Uint8Array.from({ length: ARENA_SIZE }, () => random.bits());

/** Everything about a case whose outcomes differ. */
function describe(one: Case, theirs: Outcome, own: Outcome, { lines }: Comparison): string {
  const hex = (value: number): string => (value >>> 0).toString(16);
  const bytes = (list: Iterable<number>): string => Buffer.from([...list]).toString("hex");
  const instruction = decode(one.code, 0, one.code.length, one.bits);
  const text = typeof instruction === "string" ? instruction : format(instruction, one.eip);
  const how = `${one.bits} bits${one.mode === "fast" ? "" : `, ${one.mode}`}${one.atOnce ? ", at once" : ""}`;
  return [
    `${one.form.syntax}: ${text} (${bytes(one.code)}, asked as ${bytes(witness.bytesOf(one))}, ${how}) at ${hex(one.eip)}, after ${bytes(one.prelude)}`,
    `  registers ${[...one.registers].map(hex).join(" ")} eflags ${hex(one.eflags)} selectors ${one.selectors.map(hex).join(" ")}`,
    ...one.windows.map((window) => `  memory at ${hex(window.address)}: ${bytes(window.bytes)}`),
    `  vectors: witness ${theirs.vector}, ours ${own.vector}`,
    ...lines.map((line) => `  ${line}`),
  ].join("\n");
}

function judge(one: Case, theirs: Outcome): void {
  const own = ours.run(one);
  const found = compare(one, theirs, own, witness.isOurs);
  const tally = tallies.get(one.form)!;
  if (words.includes("--record")) kept.push([one, theirs]);
  tally.cases++;
  if (one.windows.length > 0) tally.inMemory++;
  if (theirs.vector >= 0) tally.faults++;
  if (theirs.vector === PAGE_FAULT) tally.pageFaults++;
  if (found.lines.length === 0) return;
  if (found.rule !== undefined) {
    byRule.set(found.rule, (byRule.get(found.rule) ?? 0) + 1);
    ours.adopt(one, theirs);
  } else if (tally.different++ < 2 && shown.length < MOST_SHOWN) shown.push(describe(one, theirs, own, found));
}

/** Both sides run over the same arena; what a case changes outside its windows shows at the end of the batch. */
function runBatch(batch: readonly Case[]): void {
  ours.load(arena);
  const outcomes = witness.run(batch, arena);
  if (outcomes === undefined) {
    lost++;
    return;
  }
  for (const [i, one] of batch.entries()) judge(one, outcomes[i]!);
  apart += ours.distance(arena);
}

/** A case that the witness takes. */
function draw(form: Form): Case {
  for (let i = 0; i < MOST_DRAWS; i++) {
    const one = cases.make(form);
    if (witness.takes(one)) return one;
  }
  throw new Error(`witness: no case of ${form.syntax} that ${witness.name} takes`);
}

const begin = performance.now();
let batch: Case[] = [];
for (let i = 0; i < perForm; i++) {
  for (const form of forms) {
    batch.push(draw(form));
    if (batch.length < BATCH) continue;
    runBatch(batch);
    batch = [];
  }
}
if (batch.length > 0) runBatch(batch);
witness.close();

for (const text of shown) console.log(text);
for (const why of witness.failures) console.log(`a batch did not end: ${why}`);
const all = [...tallies];
const sum = (what: keyof Tally): number => all.reduce((total, [, tally]) => total + tally[what], 0);
for (const [form, { cases: made, different }] of all)
  if (different > 0) console.log(`${form.syntax}: ${different} of ${made} differ`);
for (const [name, count] of byRule)
  console.log(`${String(count).padStart(9)}  ${name}: ${rules[name]?.why ?? whyInterrupted}`);
const interrupts = byRule.get(interrupted) ?? 0;
const tooMany = interrupts > Math.ceil(sum("cases") / CASES_AN_INTERRUPT) ? interrupts : 0;
if (tooMany > 0) console.log(`${interrupted}: too often for chance`);

// Forms that reach memory in some case, and are not #GP or #UD before they do.
const inMemory = all.filter(([, tally]) => tally.inMemory > 0 && tally.faults < tally.cases);
const few = inMemory.filter(([, { pageFaults }]) => pageFaults < perForm / 8);
const least = Math.min(...inMemory.map(([, { pageFaults }]) => pageFaults));
console.log(
  `${sum("cases")} cases of ${forms.length} forms, ${perForm} a form, by ${witness.name}, in ${((performance.now() - begin) / 1000).toFixed(0)} s; ` +
    `${sum("faults")} fault, ${sum("pageFaults")} of them by paging`,
);
if (engine === "compiled") console.log(`${ours.compiledInstructions} instructions ran in compiled code`);
if (inMemory.length > 0) console.log(`${inMemory.length} forms in memory, each with at least ${least} page faults`);
for (const [form, tally] of few) console.log(`${form.syntax}: ${tally.pageFaults} page faults of ${tally.cases} cases`);
console.log(`${sum("different") + tooMany} differ by no rule; ${apart} bytes of memory apart; ${lost} batches lost`);
if (words.includes("--record")) record(kept);
process.exitCode = sum("different") + tooMany + apart + lost === 0 ? 0 : 1;
