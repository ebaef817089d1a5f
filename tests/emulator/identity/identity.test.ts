// time limit: 900 s
// Every engine leaves the same state at the end of every slice: random programs, the machine's other guests, the kernel.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Bootable, BootOptions } from "#emulator";
import { Machine } from "#emulator";
import { linkKernel } from "#kernel";
import counter from "../../../tools/programs/counter.ts";
import queuedLock from "../../../tools/programs/queued-lock.ts";
import { bootSector } from "../guests/boot-sector.ts";
import { BUSY_MEMORY, busy } from "../guests/busy.ts";
import { emptyTally, runOne } from "./campaign.ts";
import { compared, type Engine, reference } from "./engines.ts";
import { Lockstep, type Plan, runSideBySide } from "./lockstep.ts";
import { MOST_PROCESSORS } from "./places.ts";
import { programOf } from "./program.ts";
import { explain } from "./report.ts";

const PROGRAMS = 200;
const engines: readonly Engine[] = [reference, ...compared];

const test = suite("identity of the engines");

test(`${PROGRAMS} random programs leave the same state at the end of every slice`, () => {
  const lockstep = new Lockstep(compared);
  const tally = emptyTally();
  for (let seed = 1; seed <= PROGRAMS; seed++) {
    const different = runOne(lockstep, seed, tally);
    if (different !== null) assert.unreachable(explain(lockstep, different));
  }
  assert.is(tally.programs, PROGRAMS);
});

/** Runs an image in all engines, compared at each slice, or at random places in between. */
function compareBoots(image: Uint8Array | Bootable, options: BootOptions, plan: Partial<Plan> = {}): void {
  const machines = engines.map((engine) => Machine.boot(image, { ...options, ...engine.options }));
  for (const machine of machines) machine.hash(); // from here on only pages that are written are compared
  const whole: Plan = { cut: "slices", hashes: false, seed: 1, maxInstructions: 2e7, maxSteps: 1e6, ...plan };
  const { difference, result } = runSideBySide(engines, machines, whole);
  if (difference !== null) {
    const { engine, step, before, after, lines } = difference;
    assert.unreachable(`${engine.name} differs after step ${step}, ${before} to ${after}:\n${lines.join("\n")}`);
  }
  assert.is.not(result.reason, "budget");
}

const memory = BUSY_MEMORY;
const guests: readonly (readonly [name: string, image: Uint8Array | Bootable, options: BootOptions])[] = [
  ["busy", busy, { memory }],
  ["busy on 4", busy, { memory, processors: 4 }],
  ["the queued lock on 3", queuedLock, { memory, processors: 3, commandLine: "rounds=300" }],
  ["the counter on 2", counter, { memory, processors: 2 }],
  ["the boot sector, in real mode", bootSector, { memory }],
];

for (const [name, image, options] of guests) {
  test(`${name}: the same at the end of every slice`, () => compareBoots(image, options));
  test(`${name}: the same wherever it is cut`, () => compareBoots(image, options, { cut: "anywhere", hashes: true }));
}

for (const [build, processors, seed] of [
  ["free", 1, 1],
  ["free", 4, 2],
  ["checked", 3, 3],
] as const)
  test(`the ${build} kernel's workload on ${processors}: the same at the end of every slice`, () => {
    const image = linkKernel({ checked: build === "checked" });
    compareBoots(image, { memory: 0x800000, processors, seed, commandLine: "workload" }, { maxInstructions: 4e7 });
  });

test("the random programs meet all that can go wrong, in all shapes", () => {
  const programs = Array.from({ length: PROGRAMS }, (_, i) => programOf(i + 1));
  const shapes = programs.map(({ shape }) => shape);
  for (let processors = 1; processors <= MOST_PROCESSORS; processors++)
    assert.ok(shapes.filter((shape) => shape.processors === processors).length > 10, `${processors} processors`);
  const count = (what: (shape: (typeof shapes)[number]) => boolean): number => shapes.filter(what).length;
  for (const [name, found] of [
    ["16-bit", count(({ bits }) => bits === 16)],
    ["ring 3", count(({ ring }) => ring === 3)],
    ["not paged", count(({ paged }) => !paged)],
    ["with code of their own", count(({ shared }) => !shared)],
    ["based code", count(({ codeBase, bits }) => codeBase !== 0 && bits === 32)],
    ["based data", count(({ dataBase, bits }) => dataBase !== 0 && bits === 32)],
    ["timers", count(({ timers }) => timers)],
    ["big pages", count(({ bigPages }) => bigPages)],
    ["code that cannot be written", count(({ codeWritable }) => !codeWritable)],
  ] as const)
    assert.ok(found > 10, `${found} programs: ${name}`);
});

test("an engine that does something else is found, and told with the smallest program that shows it", () => {
  const lockstep = new Lockstep([{ name: "split", options: { splitRmw: true } }]);
  const tally = emptyTally();
  for (let seed = 1; ; seed++) {
    const different = runOne(lockstep, seed, tally);
    if (different === null) continue;
    const text = explain(lockstep, different);
    assert.match(
      text,
      `program ${seed} differs between interpreter and split: npm run identity -- --programs 1 --seed ${seed}`,
    );
    assert.match(text, /words that differ, interpreter \/ other:\n {2}\S/);
    break;
  }
});

test.run();
