// Lengths and validity against a processor's record, which `npm run witness:lengths -- --record` makes anew.
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { forms } from "../../../emulator/isa/index.ts";
import { judge, rules } from "./rules.ts";
import { askDecoder } from "./witness/ask.ts";

/** Code size, sixteen bytes, how many of them the processor asked for, and the exception that came then. */
type Line = readonly [bits: 16 | 32, bytes: string, length: number, exception: number];
const recorded: readonly Line[] = JSON.parse(
  readFileSync(new URL("witness/recorded/lengths.json", import.meta.url), "utf8"),
);

const test = suite("lengths and validity");

const judged = recorded.map(([bits, text, length, exception]) => {
  const bytes = [...Buffer.from(text, "hex")];
  const { ours, asked } = askDecoder(bytes, 0, bits);
  return { bits, text, ours, verdict: judge(bytes, 0, ours, asked, { length, exception }) };
});

test("the decoder asks for the bytes a processor asks for, and takes what it takes, but for the listed rules", () => {
  const differences = judged.filter(({ verdict }) => verdict === undefined).map(({ bits, text }) => `${bits} ${text}`);
  assert.equal(differences, []);
});

test("no rule is idle", () => {
  const used = new Set(judged.map(({ verdict }) => verdict));
  assert.equal(
    rules.filter(({ name }) => !used.has(name)).map(({ name }) => name),
    [],
  );
});

test("the record has every form of the table, in code of both sizes", () => {
  for (const bits of [32, 16]) {
    const seen = new Set(
      judged.flatMap(({ ours, bits: own }) => (own === bits && typeof ours !== "string" ? [ours.form] : [])),
    );
    assert.equal(
      forms.filter((form) => !seen.has(form)).map((form) => form.syntax),
      [],
    );
  }
});

test.run();
