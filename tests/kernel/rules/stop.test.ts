// Rules BC-01 and BC-02: the first STOP is the one shown, and every other processor is stopped by it.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { boot, type HarnessProcessor } from "#harness";
import { KeBugCheckEx } from "#kernel";
import { raise } from "./levels.ts";

const test = suite("rules of bug checks");

const STOP = /^\*\*\* STOP: 0x([0-9A-F]{8}) \(0x[0-9A-F]{8}(?:, 0x[0-9A-F]{8}){3}\)\r$/gm;

for (const processors of [2, 3, 4])
  test(`BC-01: of bug checks on ${processors} processors at once the first is shown, in its exact form`, () => {
    const nt = boot({ processors });
    const [late, ...others] = nt.processors as [HarnessProcessor, ...HarnessProcessor[]];
    const winner = others.at(-1)!;
    const owner = nt.addressOf("KiBugCheckOwner");
    for (const processor of nt.processors) processor.begin(KeBugCheckEx, 0x20 + processor.number, 1, 2, 3, 4);
    for (let step = 0; step < 100 && nt.dword(owner) === 0; step++) nt.machine.step(winner.number);
    for (let step = 0; step < 100; step++) nt.machine.step(late.number);
    assert.match(late.place, /^KiFreezeProcessor/);
    const stop = nt.bugCheckOf(() => nt.run(() => false));
    assert.equal(
      [...stop.screen.matchAll(STOP)].map(([, code = ""]) => Number.parseInt(code, 16)),
      [0x20 + winner.number],
    );
    assert.equal([stop.code, stop.processor, ...stop.parameters], [0x20 + winner.number, winner.number, 1, 2, 3, 4]);
    assert.not.match(stop.screen, /within/);
  });

for (const [how, prepare] of [
  ["at PASSIVE_LEVEL", () => {}],
  ["at HIGH_LEVEL", (processor: HarnessProcessor) => raise(processor, 31)],
  [
    "with interrupts off",
    (processor: HarnessProcessor) => {
      processor.program((a) => {
        a.cli();
        a.label("wait");
        a.pause();
        a.jmp("wait");
      });
      processor.steps(20);
    },
  ],
  [
    "in the idle loop",
    (processor: HarnessProcessor) => {
      processor.goIdle();
      processor.steps(100);
    },
  ],
] as const)
  test(`BC-02: processors ${how} stop as well, and stay where they were stopped`, () => {
    const nt = boot({ processors: 4 });
    const [first, ...others] = nt.processors as [HarnessProcessor, ...HarnessProcessor[]];
    for (const other of others) prepare(other);
    const { screen } = nt.bugCheckOf(() => first.call(KeBugCheckEx, 0x11, 0, 0, 0, 0));
    assert.match(screen, /frozen: 1,2,3\r/);
    for (const other of others) assert.match(other.place, /^KiFreezeProcessor/);
  });

test.run();
