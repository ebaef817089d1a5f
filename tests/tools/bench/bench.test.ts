// The measured programs come to the same on every engine and number of processors, and the bench tells what it measured.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type BootOptions, Machine } from "#emulator";
import { generatingGuest } from "../../../tools/bench/generated-code.ts";
import { rows } from "../../../tools/bench/index.ts";
import { comparisonOf, isSound, type Report, tableOf, time } from "../../../tools/bench/table.ts";
import { expect, file, json } from "../cli/command.ts";

const test = suite("bench");

const MIB = 0x100000;
const ROUNDS = 3;

/** What a row's program prints. */
function run(image: Uint8Array, options: BootOptions): string {
  let text = "";
  const serial = (byte: number): void => {
    text += String.fromCharCode(byte);
  };
  const machine = Machine.boot(image, { memory: 8 * MIB, ...options, serial });
  const { reason, guestExit } = machine.run({ maxInstructions: 1e8 });
  assert.equal([reason, guestExit], ["guest exit", 0]);
  return text;
}

for (const { name, image, parallel } of rows)
  test(`${name}: the same checksum in both engines`, () => {
    const bytes = image().elf();
    for (const processors of parallel ? [1, 3] : [1]) {
      const commandLine = `rounds=${ROUNDS} cpus=${processors}`;
      const expected = run(bytes, { processors, commandLine, engine: "interpreter" });
      assert.match(expected, /^BEGIN\r\nEND [0-9a-f]{8}\r\n$/);
      assert.is(run(bytes, { processors, commandLine, engine: "compiled" }), expected);
    }
  });

for (const { name, image } of rows.filter((row) => row.parallel && row.name !== "own work"))
  test(`${name}: the checksum is the number of acquisitions`, () => {
    const text = run(image().elf(), { processors: 4, commandLine: "rounds=50 cpus=4" });
    assert.is(
      Number.parseInt(text.slice(-10), 16),
      4 * (26 + 50),
      "half of the rounds and one to warm up, and all of them",
    );
  });

test("every row has a name of its own", () => {
  assert.is(new Set(rows.map(({ name }) => name)).size, rows.length);
});

test("the guest that writes code for ever has it compiled, and dropped", () => {
  const machine = Machine.boot(generatingGuest(), { memory: 8 * MIB });
  machine.run({ maxInstructions: 1_000_000 });
  assert.ok((machine.statistics?.compiled ?? 0) > 10);
});

const report = (name: string, secondsPerRound: number, checksum = "0000002a"): Report => ({
  version: 1,
  host: { processor: "one", processors: 2, node: "v20" },
  clock: "processor",
  measurements: ["a", "b"].map((peer, i) => ({
    row: name,
    processors: 1,
    peer,
    rounds: 10,
    secondsPerRound: secondsPerRound / (i + 1),
    runs: [secondsPerRound],
    checksum,
  })),
});

test("a table has a line a row, ratios to the base, and their mean", () => {
  assert.is(
    tableOf(report("calls", 2e-6), "a"),
    [
      "time a round          a     /a        b     /a",
      "calls           2.00 us  1.00x  1.00 us  2.00x",
      "geometric mean           1.00x           2.00x",
    ].join("\n"),
  );
});

for (const [runs, range] of [
  [[1e-6, 1.2e-6, 1.1e-6], ""],
  [[3e-6, 1e-6, 1e-6, 1e-6, 1e-6], ""],
  [[1e-6, 1e-6, 1.3e-6], "1.00 us to 1.30 us"],
  [[6e-6, 11e-6, 6.1e-6, 11e-6, 6e-6, 6e-6, 11e-6], "6.00 us to 11.0 us"],
  [[1e-6], ""],
] as const)
  test(`a table tells of runs of ${runs.join(", ")} seconds ${range || "nothing"}`, () => {
    const one = report("calls", 1e-6);
    const measurements = one.measurements.map((each) => (each.peer === "b" ? { ...each, runs } : each));
    const lines = tableOf({ ...one, measurements }, "a")
      .split("\n")
      .slice(3);
    const advice = "a quieter machine, or more --runs, would do";
    assert.equal(lines, range === "" ? [] : [`calls on b: its runs took from ${range}; ${advice}`]);
  });

test("a comparison says how many times faster each became", () => {
  const [first, second] = comparisonOf(report("calls", 1e-6), report("calls", 3e-6)).split("\n");
  assert.is(first, "times as fast as before      a      b");
  assert.is(second, "calls                    3.00x  3.00x");
});

test("checksums that differ, and rows that failed, make a report unsound", () => {
  const good = report("calls", 1);
  assert.ok(isSound(good));
  const [one, two] = good.measurements as [Report["measurements"][number], Report["measurements"][number]];
  assert.not.ok(isSound({ ...good, measurements: [one, { ...two, checksum: "0000002b" }] }));
  assert.not.ok(isSound({ ...good, measurements: [one, { ...two, failure: "no end after 120 s" }] }));
});

for (const [seconds, text] of [
  [2, "2.00 s"],
  [0.00123, "1.23 ms"],
  [4.56e-6, "4.56 us"],
  [7.8e-10, "0.780 ns"],
] as const)
  test(`${seconds} seconds are ${text}`, () => assert.is(time(seconds), text));

test("ring0 bench measures what it is asked for, and compares it with what it found before", () => {
  const words = ["--rows", "calls; arithmetic", "--peers", "interpreter,compiled", "--runs", "1", "--seconds", "0.01"];
  const found = json(0, "bench", ...words) as unknown as Report;
  assert.equal(
    found.measurements.map(({ row, peer }) => `${row} ${peer}`),
    ["arithmetic interpreter", "arithmetic compiled", "calls interpreter", "calls compiled"],
  );
  assert.ok(found.measurements.every(({ secondsPerRound }) => secondsPerRound > 0));
  const before = file("before.json", JSON.stringify(found));
  assert.match(
    expect(0, "bench", ...words, "--compare", before).stdout,
    /times as fast as before .*\n(?:.*\n)*arithmetic/,
  );
});

test("mistakes are told in one line", () => {
  for (const [words, answer] of [
    [["--rows", "calss"], /--rows: no "calss"; did you mean "calls"\?/],
    [["--peers", "bochs"], /--peers: no "bochs"/],
    [["--smp", "64"], /--smp 64: a whole number/],
    [["--compare", "no.json", "--rows", "calls"], /--compare no.json: what ring0 bench --json printed would do/],
  ] as const)
    assert.match(expect(2, "bench", ...words).stderr, answer);
});

test.run();
