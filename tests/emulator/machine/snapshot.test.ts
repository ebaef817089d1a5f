// Snapshots: the whole machine in one copy of memory, taken anywhere, put back on this machine or on another of its shape.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { data, dword, eax, ecx, edi, esi, esp, proc } from "#asm";
import { Machine } from "#emulator";
import queuedLock from "../../../tools/programs/queued-lock.ts";
import { bootSector } from "../guests/boot-sector.ts";
import { BUSY_MEMORY, busy } from "../guests/busy.ts";
import { APIC, EOI, enableApic, handle, LVT_TIMER, snippet, TIMER_DIVIDE, TIMER_INITIAL } from "../guests/snippet.ts";

const test = suite("snapshots");

const LIMIT = 2_000_000;
const bootBusy = (processors: number): Machine => Machine.boot(busy, { memory: BUSY_MEMORY, processors });
const bootLock = (): Machine =>
  Machine.boot(queuedLock, { memory: BUSY_MEMORY, processors: 3, commandLine: "rounds=100" });
const bootReal = (): Machine => Machine.boot(bootSector, { memory: BUSY_MEMORY });

const end = (machine: Machine): string => {
  const { reason, instructions, clock } = machine.run({ maxInstructions: LIMIT });
  return `${reason} after ${instructions.join("+")} at ${clock}: ${machine.hash()}`;
};

/** Points of a run: timers armed, others starting, interrupts pending, REP half done, handlers half-way. */
const points: readonly (readonly [boot: () => Machine, instructions: readonly number[]])[] = [
  [() => bootBusy(1), [0, 1, 21_000, 22_900, 23_500, 25_000, 29_999, 38_000]],
  [() => bootBusy(4), [20_900, 21_007, 22_222, 26_666, 31_313]],
  [bootLock, [0, 21_000, 24_567]],
  [bootReal, [0, 77, 500, 5000]],
];

test("a restored machine goes on as the first time", () => {
  for (const [boot, instructions] of points) {
    for (const maxInstructions of instructions) {
      const machine = boot();
      machine.run({ maxInstructions });
      const snapshot = machine.snapshot();
      const first = end(machine);
      machine.restore(snapshot);
      assert.is(end(machine), first, `again, from ${maxInstructions}`);
      machine.restore(snapshot);
      assert.is(end(machine), first, `a third time, from ${maxInstructions}`);
    }
  }
});

test("a snapshot goes on in another machine of its shape", () => {
  for (const [boot, instructions] of points) {
    const machine = boot();
    machine.run({ maxInstructions: instructions[instructions.length - 1] });
    const snapshot = machine.snapshot();
    const other = boot();
    other.run({ maxInstructions: 1234 });
    other.restore(snapshot);
    assert.is(other.hash(), machine.hash());
    assert.is(end(other), end(machine));
  }
});

test("what a machine does later leaves its snapshot alone", () => {
  const machine = bootBusy(1);
  const snapshot = machine.snapshot();
  const bytes = snapshot.bytes.slice();
  end(machine);
  assert.equal(Buffer.compare(snapshot.bytes, bytes), 0);
});

test("a restored machine has the hash of the moment of the snapshot, whatever was written since", () => {
  const machine = bootBusy(4);
  machine.run({ maxInstructions: 24_000 });
  const snapshot = machine.snapshot();
  const hash = machine.hash();
  for (const writes of [[], [0x1c0000], [0x1c0000, 0x100010, 0]]) {
    machine.run({ maxInstructions: 24_000 + 1000 * writes.length });
    for (const address of writes) machine.memory.setDword(address, 0x12345678);
    if (writes.length === 1) machine.hash();
    machine.restore(snapshot);
    assert.is(machine.hash(), hash);
  }
});

test("going back and forth between two snapshots is exact", () => {
  const machine = bootLock();
  const states = [22_000, 40_000].map((maxInstructions) => {
    machine.run({ maxInstructions });
    return { snapshot: machine.snapshot(), hash: machine.hash() };
  });
  const ends = states.map(({ snapshot }) => {
    machine.restore(snapshot);
    return end(machine);
  });
  for (const which of [0, 1, 1, 0, 0, 1]) {
    machine.restore(states[which].snapshot);
    assert.is(machine.hash(), states[which].hash);
    if (which === 1) assert.is(end(machine), ends[1]);
  }
});

const TIMER_VECTOR = 0x31;
const ticks = data("ticks", 4);
const tick = proc("tick", (a) => {
  a.push(eax);
  a.inc(dword(ticks));
  a.mov(eax, APIC);
  a.mov(dword(eax, EOI), 0);
  a.pop(eax);
  a.iretd();
});
/** Goes on behind UD2. */
const skip = proc("skip", (a) => {
  a.add(dword(esp), 2);
  a.iretd();
});

/** A timer every 37 ticks, REPs longer than that, an exception, waits: something goes on at every boundary. */
const restless = snippet((a) => {
  handle(a, { [TIMER_VECTOR]: tick, 6: skip });
  enableApic(a);
  a.mov(dword(eax, TIMER_DIVIDE), 0xb);
  a.mov(dword(eax, LVT_TIMER), 0x20000 | TIMER_VECTOR);
  a.mov(dword(eax, TIMER_INITIAL), 37);
  a.sti();
  a.mov(edi, 0x20000);
  a.mov(ecx, 50);
  a.rep.stosb();
  a.ud2();
  a.mov(esi, 0x20003);
  a.mov(edi, 0x20001);
  a.mov(ecx, 40);
  a.std();
  a.rep.movsd();
  a.cld();
  a.lock.inc(dword(ticks));
  a.hlt();
  a.mov(edi, 0x1ffc0);
  a.mov(ecx, 60);
  a.repe.scasb();
  a.hlt();
});

test("at every single boundary of a restless guest the machine can be put into another one", () => {
  for (const splitRmw of [false, true]) {
    const expected = end(restless.boot({ splitRmw }));
    const [machine, other] = [restless.boot({ splitRmw }), restless.boot({ splitRmw })];
    for (let limit = 0; machine.run({ maxInstructions: limit }).reason === "budget"; limit++) {
      other.restore(machine.snapshot());
      assert.is(end(other), expected, `after ${limit}${splitRmw ? ", split" : ""}`);
    }
  }
});

test("a snapshot of another shape is refused, and says so", () => {
  const snapshot = bootBusy(1).snapshot();
  const machine = bootBusy(2);
  const hash = machine.hash();
  assert.throws(() => machine.restore(snapshot), /other processors or memory/);
  assert.is(machine.hash(), hash);
});

test.run();
