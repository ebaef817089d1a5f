// What a real processor made of a few thousand instructions, kept in recorded/, against ours.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { forms } from "../../../emulator/isa/index.ts";
import { ARENA_SIZE } from "./arena.ts";
import { type Case, canRunAtOnce } from "./case.ts";
import { compare } from "./compare.ts";
import { OurProcessor } from "./processor.ts";
import { recorded } from "./record.ts";
import { interrupted, reasonsOf, ruleFor, rules, witnessed } from "./rules.ts";

const test = suite("the hardware witness");

const kept = recorded();
const ours = new OurProcessor();
ours.load(new Uint8Array(ARENA_SIZE));

/** What differs between the record and a processor of ours, which runs the cases in a given way: a line each. */
function differences(how: Partial<Case>, cases = kept, processor = ours): string[] {
  return cases.flatMap(([one, outcome]) => {
    const { lines, rule } = compare(one, outcome, processor.run({ ...one, ...how }));
    return rule === undefined
      ? lines.map((line) => `${one.form.syntax} (${Buffer.from(one.code).toString("hex")}): ${line}`)
      : [];
  });
}

test("every recorded instruction leaves what it left on a processor", () => {
  assert.equal(differences({}), []);
});

test("the same when it is observed", () => {
  assert.equal(differences({ mode: "observed" }), []);
});

test("the same when it is split into its accesses, as in exploration", () => {
  assert.equal(differences({ mode: "split" }), []);
});

test("the same in compiled code, REPs with a budget for all iterations among them", () => {
  const compiled = new OurProcessor("compiled");
  compiled.load(new Uint8Array(ARENA_SIZE));
  assert.equal(differences({}, kept, compiled), []);
  const repeated = kept.filter(([one]) => canRunAtOnce(one));
  assert.equal(differences({ atOnce: true }, repeated, compiled), []);
  assert.ok(compiled.compiledInstructions > kept.length, `${compiled.compiledInstructions} instructions were compiled`);
});

test("the same when a REP has a budget for all its iterations", () => {
  const repeated = kept.filter(([one]) => canRunAtOnce(one));
  assert.ok(repeated.length > 20);
  assert.equal(differences({ atOnce: true }, repeated), []);
});

test("every form but those left out is among them, faults included", () => {
  const forms = new Set(kept.map(([{ form }]) => form));
  assert.equal(
    witnessed.filter((form) => !forms.has(form)).map(({ syntax }) => syntax),
    [],
  );
  assert.ok(kept.filter(([, { vector }]) => vector === 14).length > 300);
});

test("a null selector that an IRET of the host's made 0 is told from a wrong one", () => {
  const [one, outcome] = kept.find(([{ form }]) => form.syntax === "POP FS")!;
  const selecting = (fs: number): typeof outcome => ({ ...outcome, selectors: outcome.selectors.with(4, fs) });
  assert.is(ruleFor(one, selecting(0), selecting(2), ["fs"]), interrupted);
  assert.is(ruleFor(one, selecting(2), selecting(0), ["fs"]), undefined);
  assert.is(ruleFor(one, selecting(0), selecting(0x2b), ["fs"]), undefined);
  assert.is(ruleFor(one, selecting(0), selecting(2), ["fs", "esp"]), undefined);
});

test("every reason for leaving something out is explained, and used", () => {
  const used = new Set(forms.flatMap(reasonsOf));
  assert.equal([...used].sort(), Object.keys(rules).sort());
});

test.run();
