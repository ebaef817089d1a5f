// The engine writes most records of a full trace itself: they must be those that the recorder writes when it is asked.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Machine, TraceRing, traceRecord } from "#emulator";
import { linkKernel } from "#kernel";
import counter from "../../../tools/programs/counter.ts";
import { jsonLine, Recorder, readRecord, symbolsOf } from "../../../tools/trace/index.ts";
import { Random } from "../../emulator/fuzz/random.ts";
import { modes, World } from "../../emulator/fuzz/world.ts";

const test = suite("the trace ring");

const MIB = 0x100000;
/** Records compared at the end of each run. */
const KEPT = 2000;
const symbols = symbolsOf(new Uint8Array(0), "none");

interface Traced {
  readonly hash: string;
  readonly total: number;
  /** The last records as JSON lines. */
  readonly lines: readonly string[];
}

/** Runs with every instruction recorded: by the engine where it can, or all by the recorder. */
function traced(machine: Machine, by: "engine" | "recorder", maxInstructions: number): Traced {
  const ring = new TraceRing(KEPT);
  const recorder = new Recorder(machine, {}, by === "engine" ? ring : (record) => ring.push(record));
  machine.observe(recorder);
  machine.run({ maxInstructions });
  recorder.finish();
  machine.observe(null);
  const { total } = ring;
  return { hash: machine.hash(), total, lines: ring.drain().map((record) => jsonLine(readRecord(record, symbols))) };
}

/** Both ways and no way: the same records, and a machine in the state that the plain run leaves. */
function compare(make: () => Machine, maxInstructions: number, what: string): Traced {
  const machine = make();
  machine.run({ maxInstructions });
  const hash = machine.hash();
  const byEngine = traced(make(), "engine", maxInstructions);
  const byRecorder = traced(make(), "recorder", maxInstructions);
  assert.is(byEngine.hash, hash, what);
  assert.is(byEngine.total, byRecorder.total, what);
  assert.is(byEngine.lines.join(""), byRecorder.lines.join(""), what);
  return byEngine;
}

for (const splitRmw of [false, true])
  test(`it holds the end of the full trace${splitRmw ? ", read-modify-writes split too" : ""}`, () => {
    const make = () => Machine.boot(counter, { processors: 3, memory: 2 * MIB, splitRmw });
    const { total, lines } = compare(make, 60_000, "counter");
    assert.is(lines.length, KEPT);
    assert.ok(total > 2 * KEPT);
  });

test("it holds the end of the kernel's trace, with its interrupts", () => {
  const kernel = linkKernel();
  const make = () => Machine.boot(kernel, { processors: 2, memory: 8 * MIB, commandLine: "workload" });
  for (const limit of [3_000, 61_234]) compare(make, limit, `${limit} instructions`);
});

test("it holds what random code did, faults and devices and self-modification too", () => {
  const worlds = [new World(1), new World(3)];
  for (let number = 0; number < 600; number++) {
    const random = new Random(number);
    const world = worlds[number % 8 === 7 ? 1 : 0] as World;
    const drawn = world.draw(random, modes[number % modes.length] as (typeof modes)[number]);
    compare(() => world.enter(drawn), 256, `case ${number}`);
  }
});

test("a narrow value that is written is told without its sign", () => {
  const record = new TraceRing(1);
  record.write(0x1000, 0x2000, 1, -1, 0);
  record.write(0x1000, 0x2000, 2, -2, 0);
  assert.equal(
    readRecord(record.current(), symbols).accesses.map(({ value }) => value),
    [0xff, 0xfffe],
  );
});

test("it keeps the last ones, the oldest first", () => {
  const ring = new TraceRing(3);
  const record = (n: number) => new Int32Array(traceRecord.RECORD_WORDS).fill(n);
  for (const n of [1, 2, 3, 4, 5]) ring.push(record(n));
  assert.equal(
    ring.drain().map(([n]) => n),
    [3, 4, 5],
  );
  assert.is(ring.length, 0);
  ring.push(record(6));
  assert.equal([ring.length, ring.total, ring.at(0)[0]], [1, 6, 6]);
  assert.throws(() => new TraceRing(0), /a whole number from 1 on would do/);
});

test.run();
