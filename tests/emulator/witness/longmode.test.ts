// Is what is asked of a processor in 64-bit mode what it does in 32-bit mode? The record says what it did there.
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { decode, type Instruction } from "../../../emulator/isa/index.ts";
import { whyNot } from "../../host.ts";
import { ARENA_SIZE } from "./arena.ts";
import type { Case } from "./case.ts";
import { compare } from "./compare.ts";
import { Host } from "./host.ts";
import { inLongMode, isInLongMode } from "./longmode.ts";
import type { Outcome } from "./outcome.ts";
import { recorded } from "./record.ts";
import { witnessed } from "./rules.ts";

const test = suite("the hardware witness in 64-bit mode");

const hex = (code: readonly number[]): string => Buffer.from(code).toString("hex");
const kept = recorded().filter(([one]) => inLongMode(one) !== undefined);

test("most forms have cases that are the same there", () => {
  const known = witnessed.filter(isInLongMode);
  assert.ok(known.length > witnessed.length * 0.75, `${known.length} of ${witnessed.length}`);
  const forms = new Set(kept.map(([{ form }]) => form));
  assert.ok(forms.size > known.length * 0.85, `${forms.size} of ${known.length} are in the record`);
});

/** Code in 32-bit mode, and in 64-bit mode; "": there is none that does the same. */
const translations: readonly (readonly [string, string])[] = [
  ["89d8", "6789d8"],
  ["40", "67ffc0"],
  ["664f", "6766ffcf"],
  ["030578563412", "6703042578563412"],
  ["f00fb10d78563412", "67f00fb10c2578563412"],
  ["a178563412", "67a178563412"],
  ["6650", "676650"],
  ["50", ""],
  ["678b07", ""],
  ["658b00", ""],
  ["2e8900", ""],
  ["37", ""],
  ["cd21", "67cd21"],
  ["cd1a", ""],
  ["7502", "677502"],
  ["75fd", ""],
  ["ffe0", ""],
  ["8ec0", ""],
];
const [[example]] = kept as [[Case, Outcome]];
for (const [bytes, long] of translations)
  test(`${bytes} is ${long === "" ? "nothing" : long}`, () => {
    const code = [...Buffer.from(bytes, "hex")];
    const { form } = decode(code, 0, code.length, 32) as Instruction;
    assert.is(hex(inLongMode({ ...example, form, code, prelude: [] })?.code ?? []), long);
  });

test("what follows an instruction stays where it is", () => {
  for (const [one] of kept) {
    const long = inLongMode(one)!;
    assert.is(long.eip + long.code.length, one.eip + one.code.length, hex(one.code));
    assert.is(long.place - one.place, long.eip - one.eip, hex(one.code));
    assert.ok(long.code.length <= 15, hex(one.code));
  }
});

/** Another maker's processors may differ from the record, not from one mode to the other. */
const RECORDED_ON = "AuthenticAMD";
const isRecordedOn = (): boolean => readFileSync("/proc/cpuinfo", "utf8").includes(RECORDED_ON);
const why = whyNot(64) ?? (isRecordedOn() ? undefined : `the record is of ${RECORDED_ON}`);
if (why !== undefined) console.log(`skipped: a processor leaves there what one left in 32-bit mode: ${why}`);
(why === undefined ? test : test.skip)("a processor leaves there what one left in 32-bit mode", () => {
  const host = new Host(64);
  const outcomes = host.run(
    kept.map(([one]) => one),
    new Uint8Array(ARENA_SIZE),
  );
  host.close();
  assert.equal(host.failures, []);
  const lines = kept.flatMap(([one, outcome], i) => {
    const { lines, rule } = compare(one, outcome, outcomes![i]!);
    return rule === undefined ? lines.map((line) => `${one.form.syntax} (${hex(one.code)}): ${line}`) : [];
  });
  assert.equal(lines, []);
  assert.ok(outcomes!.length > 500, `${outcomes!.length} cases`);
});

test.run();
