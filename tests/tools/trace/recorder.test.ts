// The recorder sees every instruction and changes none.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { data, dword, link, proc } from "#asm";
import { Machine } from "#emulator";
import counter from "../../../tools/programs/counter.ts";
import { type Filter, Recorder, readRecord, symbolsOf, type TraceEvent } from "../../../tools/trace/index.ts";

const test = suite("the recorder");

const MIB = 0x100000;
const symbols = symbolsOf(counter.elf(), "counter");

interface Watched {
  readonly machine: Machine;
  readonly recorder: Recorder;
  readonly events: readonly TraceEvent[];
}

/** Runs the counter program to its end under a recorder. */
function watch(processors: number, filter: Filter, splitRmw = false): Watched {
  const machine = Machine.boot(counter, { processors, memory: 2 * MIB, splitRmw });
  const events: TraceEvent[] = [];
  const recorder = new Recorder(machine, filter, (record) => events.push(readRecord(record.slice(), symbols)));
  machine.observe(recorder);
  machine.run();
  recorder.finish();
  return { machine, recorder, events };
}

for (const splitRmw of [false, true])
  test(`a watched run has the hash of an unwatched one${splitRmw ? ", read-modify-writes split too" : ""}`, () => {
    const unwatched = Machine.boot(counter, { processors: 3, memory: 2 * MIB, splitRmw });
    unwatched.run();
    assert.is(watch(3, {}, splitRmw).machine.hash(), unwatched.hash());
  });

test("counts are the machine's, and every instruction has one record", () => {
  const { machine, recorder, events } = watch(2, {});
  assert.equal(
    [...recorder.counts],
    machine.processors.map(({ retired }) => retired),
  );
  assert.is(
    events.length,
    recorder.counts.reduce((sum, count) => sum + count),
  );
  for (const { number } of machine.processors) {
    const counts = events.filter(({ processor }) => processor === number).map(({ count }) => count);
    assert.equal(
      counts,
      counts.map((_, i) => i + 1),
    );
  }
});

test("bytes that are no instruction are told as such, with nothing of other instructions", () => {
  const total = data("total", 4);
  const main = proc("main", (a) => {
    a.lock.inc(dword(total));
    a.db(0xff, 0xff); // group 5 has no /7
  });
  const machine = Machine.boot(link(main), { memory: 2 * MIB });
  const events: TraceEvent[] = [];
  machine.observe(new Recorder(machine, {}, (record) => events.push(readRecord(record.slice(), symbols))));
  machine.run({ maxInstructions: 1000 });
  const invalid = events.filter((event) => event.kind === "instruction" && event.text === "(invalid)");
  assert.ok(invalid.length > 0);
  for (const event of invalid) assert.is(event.kind === "instruction" && event.locked, false);
});

test("registers and flags of the records add up to the processor's", () => {
  const { machine, events } = watch(1, {});
  const last = new Map(events.flatMap((event) => (event.kind === "instruction" ? event.registers : [])));
  const [processor] = machine.processors;
  for (const [name, value] of last) {
    const now = processor?.[name as "eax"] as number | { selector: number };
    assert.is(value, typeof now === "number" ? now : now.selector, name);
  }
});

test("the writes of the records add up to memory", () => {
  const { machine, events } = watch(2, {});
  const bytes = new Map<number, number>();
  for (const { accesses } of events)
    for (const { kind, write, physical, width, value } of accesses)
      if (kind === "memory" && write)
        for (let i = 0; i < width; i++) bytes.set(physical + i, (value >>> (8 * i)) & 0xff);
  const inRam = [...bytes].filter(([address]) => address < machine.memory.size);
  assert.ok(inRam.length > 50);
  for (const [address, value] of inRam) assert.is(machine.memory.byte(address), value, address.toString(16));
});

test("the filters keep what they say and nothing else", () => {
  const all = watch(2, {}).events;
  const main = symbols.rangeOf("main");
  assert.ok(main);
  const isInMain = ({ linear }: TraceEvent) => linear >= main.start && linear < main.end;
  const isLocked = (event: TraceEvent) => event.kind === "instruction" && event.locked;
  const cases: [filter: Filter, keeps: (event: TraceEvent) => boolean][] = [
    [{ processors: [1] }, ({ processor }) => processor === 1],
    [{ ranges: [main] }, isInMain],
    [{ classes: { locked: true } }, isLocked],
    [
      { ranges: [main], classes: { locked: true }, processors: [0] },
      (e) => isInMain(e) && isLocked(e) && e.processor === 0,
    ],
  ];
  for (const [filter, keeps] of cases) {
    const kept = all.filter(keeps);
    assert.ok(kept.length > 0);
    assert.equal(watch(2, filter).events, kept);
  }
});

test.run();
