// Slices that regions run from end to end: the schedule is the machine's own, whoever keeps it.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { cr3, data, dword, eax, ebx, ecx, edx, esi, link, proc } from "#asm";
import { type Engine, Machine, type MachineOptions, type RunLimits } from "#emulator";
import queuedLock from "../../../../tools/programs/queued-lock.ts";
import { BUSY_MEMORY, busy } from "../../guests/busy.ts";

const test = suite("slices of regions");

const lock = data("lock", 4);
const total = data("total", 4);

/** Times that each processor takes the lock: far more than it takes to find that the code is hot. */
const ROUNDS = 8000;

/** Every processor adds one to a shared total, ROUNDS times, under a test-and-set lock, and halts. */
const testAndSet = link(
  proc("main", (a) => {
    a.mov(ecx, ROUNDS);
    a.label("acquire");
    a.mov(eax, 1);
    a.xchg(dword(lock), eax);
    a.test(eax, eax);
    a.jz("inside");
    a.pause();
    a.jmp("acquire");
    a.label("inside");
    a.mov(ebx, dword(total));
    a.pause();
    a.inc(ebx);
    a.mov(dword(total), ebx);
    a.mov(dword(lock), 0);
    a.pause();
    a.dec(ecx);
    a.jnz("acquire");
    a.hlt();
  }),
  { start: "all" },
);

const ends = data("ends", 4);

/** As above between pieces of work longer than any slice, so that slices end in the middle as well. */
const longWork = link(
  proc("main", (a) => {
    a.mov(ecx, 300);
    a.label("round");
    a.mov(edx, 1000);
    a.label("work");
    a.lea(eax, dword(eax, edx));
    a.dec(edx);
    a.jnz("work");
    a.label("acquire");
    a.lock.bts(dword(ends), 0);
    a.jnc("inside");
    a.pause();
    a.jmp("acquire");
    a.label("inside");
    a.pause();
    a.mov(dword(ends), 0);
    a.dec(ecx);
    a.jnz("round");
    a.hlt();
  }),
  { start: "all" },
);

/**
 * Two regions of the same loop: in one its middle can be entered, so that its head needs less of a budget than in the other,
 * which is the one that is entered there.
 */
const twoRegions = link(
  proc("main", (a) => {
    a.mov(ecx, 1);
    a.call("middle");
    a.mov(ecx, 400);
    a.call("loop");
    a.mov(eax, cr3);
    a.mov(cr3, eax);
    a.mov(esi, 20);
    a.label("again");
    a.mov(ecx, 100);
    a.call("loop");
    a.dec(esi);
    a.jnz("again");
    a.hlt();
    a.label("loop");
    for (let i = 0; i < 30; i++) a.inc(eax);
    a.label("middle");
    for (let i = 0; i < 200; i++) a.add(ebx, eax);
    a.dec(ecx);
    a.jnz("loop");
    a.ret();
  }),
  { start: "all" },
);

type Guest = readonly [name: string, boot: (options: MachineOptions) => Machine];

const guests: readonly Guest[] = [
  ...[1, 2, 3, 8].map(
    (processors): Guest => [
      `test-and-set on ${processors}`,
      (options) => Machine.boot(testAndSet, { memory: BUSY_MEMORY, processors, ...options }),
    ],
  ),
  ["long work on 4", (options) => Machine.boot(longWork, { memory: BUSY_MEMORY, processors: 4, ...options })],
  [
    "one loop in two regions",
    (options) => Machine.boot(twoRegions, { memory: BUSY_MEMORY, processors: 3, ...options }),
  ],
  ["timers and messages on 4", (options) => Machine.boot(busy, { memory: BUSY_MEMORY, processors: 4, ...options })],
  [
    "queued lock on 3",
    (options) =>
      Machine.boot(queuedLock, { memory: BUSY_MEMORY, processors: 3, commandLine: "rounds=2000", ...options }),
  ],
];

const LIMIT = 8_000_000;

/** Runs a guest in turns; the ends of the turns, at most so many of them. */
function turns(machine: Machine, next: (machine: Machine) => RunLimits, most: number): string[] {
  const found: string[] = [];
  while (found.length < most) {
    const { reason, instructions, clock } = machine.run(next(machine));
    found.push(`${reason} after ${instructions.join("+")} at ${clock}: ${machine.hash()}`);
    if (reason !== "budget") break;
  }
  return found;
}

const whole = (): RunLimits => ({ maxInstructions: LIMIT });
const compiled = (machine: Machine): number => machine.statistics?.slices ?? 0;

let slicesInTurns = 0;

for (const [name, boot] of guests) {
  test(`${name}: the run is the interpreter's for every seed`, () => {
    for (const seed of [1, 2, 3]) {
      const expected = turns(boot({ seed, engine: "interpreter" }), whole, 1);
      for (const engine of ["auto", "compiled"] satisfies Engine[])
        assert.equal(turns(boot({ seed, engine }), whole, 1), expected, `${engine}, seed ${seed}`);
    }
  });

  test(`${name}: so it is slice by slice, and a few at a time`, () => {
    for (const maxSlices of [1, 100]) {
      const some = (): RunLimits => ({ maxSlices });
      const machine = boot({ engine: "compiled" });
      assert.equal(turns(machine, some, 500), turns(boot({ engine: "interpreter" }), some, 500));
      slicesInTurns += compiled(machine);
    }
  });

  test(`${name}: so it is in turns of instructions`, () => {
    const more = ({ clock }: Machine): RunLimits => ({ maxInstructions: Math.floor(clock) + 1777 });
    assert.equal(turns(boot({ engine: "compiled" }), more, 300), turns(boot({ engine: "interpreter" }), more, 300));
  });
}

test("regions ran slices in those turns too", () => assert.ok(slicesInTurns > 10_000, String(slicesInTurns)));

test("where processors wait for each other, most slices are run without the interpreter", () => {
  for (const processors of [1, 2, 8]) {
    const machine = Machine.boot(testAndSet, { memory: BUSY_MEMORY, processors });
    assert.is(machine.run({ maxInstructions: LIMIT }).reason, "halted");
    // Two slices at least an acquisition, less those that it takes to find that the code is hot.
    assert.ok(compiled(machine) > processors * ROUNDS, `${compiled(machine)} slices on ${processors}`);
    assert.is(machine.memory.dword(testAndSet.addressOf(total)), ROUNDS * processors);
  }
});

test("a watched run does without", () => {
  const machine = Machine.boot(testAndSet, { memory: BUSY_MEMORY, processors: 2 });
  machine.observe({ before() {} });
  machine.run({ maxInstructions: 100_000 });
  assert.is(compiled(machine), 0);
});

/** Loops without an end and without PAUSE: slices end and begin anywhere in them. */
const endless = link(
  proc("main", (a) => {
    a.label("outer");
    a.mov(ecx, 20);
    a.label("inner");
    a.lea(eax, dword(eax, ecx, 4, 1));
    a.add(ebx, eax);
    a.rol(ebx, 3);
    a.test(ebx, 1);
    a.jz("even");
    a.inc(edx);
    a.label("even");
    a.dec(ecx);
    a.jnz("inner");
    a.jmp("outer");
  }),
  { start: "all" },
);

test("where slices end with their budget, most are run without the interpreter", () => {
  const machine = Machine.boot(endless, { memory: BUSY_MEMORY, processors: 3 });
  const maxSlices = 12_000;
  assert.is(machine.run({ maxSlices }).reason, "budget");
  assert.ok(compiled(machine) > maxSlices / 2, `${compiled(machine)} slices`);
});

test.run();
