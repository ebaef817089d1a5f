// One image, one seed, one run: whatever the budgets, whoever watches, however often somebody asks for the hash.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Machine, type MachineOptions } from "#emulator";
import * as L from "../../../emulator/memory/layout.ts";
import queuedLock from "../../../tools/programs/queued-lock.ts";
import { Random } from "../fuzz/random.ts";
import { bootSector } from "../guests/boot-sector.ts";
import { BUSY_MEMORY, busy, counts } from "../guests/busy.ts";

const test = suite("determinism");

interface Guest {
  readonly name: string;
  readonly boot: (options?: MachineOptions) => Machine;
}

const guests: readonly Guest[] = [
  { name: "busy", boot: (options) => Machine.boot(busy, { memory: BUSY_MEMORY, ...options }) },
  { name: "busy on 4", boot: (options) => Machine.boot(busy, { memory: BUSY_MEMORY, processors: 4, ...options }) },
  {
    name: "queued lock on 3",
    boot: (options) =>
      Machine.boot(queuedLock, { memory: BUSY_MEMORY, processors: 3, commandLine: "rounds=300", ...options }),
  },
  { name: "boot sector", boot: (options) => Machine.boot(bootSector, { memory: BUSY_MEMORY, ...options }) },
];

const LIMIT = 2_000_000;

/** The end of a run as one line: how, after how many instructions each, when, and in which state. */
const end = (machine: Machine): string => {
  const { reason, guestExit, instructions, clock } = machine.run({ maxInstructions: LIMIT });
  return `${reason} ${guestExit} after ${instructions.join("+")} at ${clock}: ${machine.hash()}`;
};

/** The hashes of a run every so many instructions, to its end. */
function hashes(machine: Machine, every: number): string[] {
  const found: string[] = [];
  for (let limit = every; limit < LIMIT; limit += every) {
    const { reason } = machine.run({ maxInstructions: limit });
    found.push(`${limit}: ${machine.hash()}`);
    if (reason !== "budget") break;
  }
  return found;
}

test("the guests of these tests do what they are for", () => {
  const machine = guests[1].boot();
  assert.is(end(machine).split(":")[0].split(" ").slice(0, 3).join(" "), "guest exit 0");
  for (const [name, data] of Object.entries(counts))
    assert.ok(machine.memory.dword(busy.addressOf(data)) > 0, `${name} is 0`);
});

test("equal images and seeds have equal hashes every 10,000 instructions", () => {
  for (const { name, boot } of guests) {
    const first = hashes(boot(), 10_000);
    assert.ok(first.length > 1, name);
    assert.equal(hashes(boot(), 10_000), first, name);
  }
});

test("a run in pieces of 1000 instructions ends as one at once", () => {
  for (const { name, boot } of guests) {
    const machine = boot();
    for (let limit = 1000; machine.run({ maxInstructions: limit }).reason === "budget"; limit += 1000);
    assert.is(machine.hash(), end(boot()).split(": ")[1], name);
  }
});

test("a run slice by slice ends as one at once", () => {
  for (const { name, boot } of guests) {
    const machine = boot();
    let slices = 0;
    while (machine.run({ maxSlices: 1 }).reason === "budget") slices++;
    assert.ok(slices > 10, name);
    assert.is(machine.hash(), end(boot()).split(": ")[1], name);
  }
});

test("a run in pieces of random sizes, hashed now and then, passes through the same states", () => {
  const random = new Random(1);
  for (const { name, boot } of guests) {
    const pieces = boot();
    for (let limit = 0, at = 0; ; limit += 1 + random.below(2500)) {
      const { reason } = pieces.run({ maxInstructions: limit });
      if (reason !== "budget") break;
      if (random.oneIn(4)) pieces.hash();
      if (at++ % 8 !== 0) continue;
      const whole = boot();
      whole.run({ maxInstructions: limit });
      assert.is(pieces.hash(), whole.hash(), `${name} after ${limit}`);
    }
  }
});

/** A message of the busy guest by which the other three processors have all gone to sleep. */
const LATE_MESSAGE = 31;

test("a lone processor that wakes another ends its slice alike, wherever the run was cut", () => {
  const machine = guests[1].boot();
  const messages = busy.addressOf(counts.messages);
  let woken = 20_000;
  while (machine.memory.dword(messages) < LATE_MESSAGE) machine.run({ maxInstructions: ++woken });
  machine.restore(guests[1].boot().snapshot());
  machine.run({ maxInstructions: woken - 100 });
  const start = machine.snapshot();
  for (let limit = woken - 99; limit < woken + 20; limit++) {
    machine.restore(start);
    machine.run({ maxInstructions: limit });
    const whole = machine.hash();
    machine.restore(start);
    machine.run({ maxInstructions: limit - 1 });
    machine.run({ maxInstructions: limit });
    assert.is(machine.hash(), whole, `after ${limit}`);
  }
});

test("a limit of n instructions stops a run after exactly n", () => {
  for (const { name, boot } of guests) {
    const machine = boot();
    for (let limit = 0; limit < 60_000; limit = Math.ceil(limit * 1.07) + 1) {
      const { reason, instructions } = machine.run({ maxInstructions: limit });
      if (reason !== "budget") break;
      const retired = instructions.reduce((sum, n) => sum + n, 0);
      assert.is(retired, limit, name);
    }
  }
});

test("another seed gives several processors another schedule, and one processor the same run", () => {
  const ends = (guest: Guest): string[] => [1, 2, 3].map((seed) => end(guest.boot({ seed })).split(" at ")[0]);
  assert.is(new Set(ends(guests[0])).size, 1);
  assert.is(new Set(ends(guests[2])).size, 3);
});

test("a watched run ends as an unwatched one, and is told of every instruction", () => {
  for (const { name, boot } of guests) {
    const unwatched = boot();
    const expected = end(unwatched);
    const machine = boot();
    const retired = machine.processors.map(() => 0);
    machine.observe({
      after: (processor, _, complete) => {
        if (complete) retired[processor]++;
      },
    });
    const found = end(machine);
    assert.is(found, expected, name);
    assert.equal(
      retired,
      unwatched.processors.map((processor) => processor.retired),
      name,
    );
  }
});

test("an observer that comes and goes changes nothing", () => {
  for (const { name, boot } of guests) {
    const machine = boot();
    for (let limit = 500; ; limit += 777) {
      machine.observe(limit % 2 === 0 ? {} : null);
      if (machine.run({ maxInstructions: limit }).reason !== "budget") break;
    }
    assert.is(machine.hash(), end(boot()).split(": ")[1], name);
  }
});

test("the hash kept up to date is the hash from scratch", () => {
  for (const { name, boot } of guests) {
    const machine = boot();
    for (let limit = 1000; machine.run({ maxInstructions: limit }).reason === "budget"; limit += 9000) {
      const kept = [machine.hash(), machine.stateHash()];
      const copy = boot();
      copy.restore(machine.snapshot());
      assert.equal([copy.hash(), copy.stateHash()], kept, `${name} after ${limit}`);
    }
  }
});

test("any word of state changes the hash; a change back restores it", () => {
  const machine = guests[0].boot();
  machine.run({ maxInstructions: 30_000 });
  const { core } = machine;
  const before = machine.hash();
  const random = new Random(2);
  for (let i = 0; i < 200; i++) {
    const address = random.below(BUSY_MEMORY / 4) * 4;
    const old = machine.memory.dword(address);
    machine.memory.setDword(address, old ^ (1 << random.below(32)));
    assert.is.not(machine.hash(), before, `RAM at ${address}`);
    machine.memory.setDword(address, old);
    assert.is(machine.hash(), before, `RAM at ${address}`);
  }
  for (const word of [L.R_EAX, L.R_EIP, L.R_CR2, L.R_APIC + 1]) {
    const at = (L.PROCESSOR_BASE >> 2) + word;
    core.i32[at] ^= 0x100;
    assert.is.not(machine.hash(), before, `word ${word}`);
    core.i32[at] ^= 0x100;
    assert.is(machine.hash(), before, `word ${word}`);
  }
});

test("time is in the machine's hash and not in the hash of its state", () => {
  const machine = guests[0].boot();
  const [whole, state] = [machine.hash(), machine.stateHash()];
  machine.core.f64[L.CLOCK >> 3] += 1;
  assert.is.not(machine.hash(), whole);
  assert.is(machine.stateHash(), state);
});

test.run();
