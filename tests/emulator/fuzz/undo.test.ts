// Random code stepped access by access and taken back: nothing stays behind, not even in what the engine has derived.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Machine, Rewinder } from "#emulator";
import * as L from "../../../emulator/memory/layout.ts";
import { Random } from "./random.ts";
import { modes, World } from "./world.ts";

const CASES = 400;
const STEPS = 60;
const goesOn: readonly string[] = ["retired", "access", "delivered"];

const world = new World(1);
const rewinder = new Rewinder(world.machine, {
  instruction() {},
  mayAccess: () => true,
  accessed() {},
  exception() {},
});

/** Steps to an end or so many times; the kind and the hash of each step. */
function walk(): string[] {
  const steps: string[] = [];
  for (let step = 0; step < STEPS; step++) {
    rewinder.save(0);
    const { kind } = rewinder.step();
    rewinder.settle();
    steps.push(`${kind} ${rewinder.hashText()}`);
    if (!goesOn.includes(kind)) break;
  }
  return steps;
}

function walkBack(): void {
  while (rewinder.depth > 0) rewinder.undo();
}

/** Devices are not taken back: a case that touches them is no case of this test. */
const devicesOf = ({ core }: Machine): string =>
  [
    core.i32.slice((L.PROCESSOR_BASE >> 2) + L.R_APIC, (L.PROCESSOR_BASE >> 2) + L.PROCESSOR_WORDS),
    core.i32.slice(L.DEVICE_BASE >> 2, L.MONITOR_BASE >> 2),
  ].join();

const test = suite("random steps");

test("taken back, steps leave the state they found, and go the same way again", () => {
  let walked = 0;
  for (let number = 0; number < CASES; number++) {
    const machine = world.enter(world.draw(new Random(number), modes[number % modes.length]));
    rewinder.rehash();
    const [before, devices] = [machine.stateHash(), devicesOf(machine)];
    const first = walk();
    if (devicesOf(machine) === devices) {
      assert.is(machine.stateHash(), rewinder.hashText(), `case ${number}: the hash kept along the way`);
      walkBack();
      assert.is(machine.stateHash(), before, `case ${number}: the way back`);
      assert.equal(walk(), first, `case ${number}: the way again`);
      walked++;
    }
    walkBack();
  }
  assert.ok(walked > CASES / 2, `${walked} of ${CASES} cases left the devices alone`);
});

test.run();
