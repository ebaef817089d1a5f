// Failure files: what was written is read back, and what is none is refused in a sentence.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { explore, type Failure, FailureFileError, readFailure, replay, writeFailure } from "#explore";
import { scenarioByName } from "../../../tools/scenarios/index.ts";

const test = suite("failure files");

const { failure } = explore(scenarioByName("spin-lock", { mutant: "P01" })).violations[0]!;

test("a failure survives its file", () => assert.equal(readFailure(writeFailure(failure)), failure));

const REFUSED: readonly (readonly [title: string, text: string, complaint: RegExp])[] = [
  ["an empty file", "", /^not a failure file: /],
  ["another file", "<html>", /^not a failure file: /],
  ["a list", "[]", /^not a failure file: an object was expected$/],
  [
    "a later version",
    writeFailure({ ...failure, version: 2 } as unknown as Failure),
    /^a failure file of version 2; version 1/,
  ],
  ["no version", "{}", /^a failure file of version undefined; version 1 can be read$/],
  [
    "no decisions",
    writeFailure({ ...failure, decisions: undefined } as unknown as Failure),
    /^not a whole failure file/,
  ],
  [
    "a strange decision",
    writeFailure({ ...failure, decisions: [{ processor: -1 }] } as unknown as Failure),
    /^not a whole/,
  ],
  ["an unknown model", writeFailure({ ...failure, options: { model: "pso" } } as unknown as Failure), /^not a whole/],
];

for (const [title, text, complaint] of REFUSED) {
  test(`${title} is refused in a sentence`, () =>
    assert.throws(
      () => readFailure(text),
      (error: unknown) => error instanceof FailureFileError && complaint.test(error.message),
    ));
}

const ALTERED: readonly (readonly [title: string, change: Partial<Failure>, difference: RegExp])[] = [
  [
    "a step too few",
    { decisions: failure.decisions.slice(0, -1) },
    /^seen in the end: nothing wrong; expected: mutual exclusion$/,
  ],
  [
    "another processor",
    { decisions: failure.decisions.map((one) => ({ ...one, processor: 7 })) },
    /^decision 1 .* cannot be taken$/,
  ],
  [
    "another address",
    { decisions: failure.decisions.map((one) => ({ ...one, address: 4 })) },
    /^decision 1 .* cannot be taken$/,
  ],
  ["another property", { property: "progress" }, /^seen in the end: mutual exclusion; expected: progress$/],
  [
    "another final state",
    { stateHash: "0000000000000000" },
    /^the final state's hash is [0-9a-f]{16}; expected: 0{16}$/,
  ],
];

for (const [title, change, difference] of ALTERED) {
  test(`${title} is not the failure, and the answer says how`, () => {
    const again = replay({ ...failure, ...change }, scenarioByName("spin-lock", failure.scenario));
    assert.is(again.reproduced, false);
    assert.match(again.difference ?? "", difference);
  });
}

test.run();
