// Raise to DISPATCH_LEVEL and lower again, while the clock may interrupt anywhere and queues a DPC.

import { al, cl, ebx, type Procedure, proc } from "#asm";
import type { Scenario, ScenarioOptions } from "#explore";
import { bootKernel, dpcMonitor, dpcRoutine, levelMonitor } from "#harness";
import { CLOCK_VECTOR, DISPATCH_LEVEL, KfLowerIrql, KfRaiseIrql } from "#kernel";
import { prepareClock, ScenarioBroadcastClock, ScenarioClock } from "./clocked.ts";

/** Every processor raises and lowers its level so many times; the clock interrupts each of them once. */
export function raiseLower(options: ScenarioOptions): Scenario {
  return scenario("raise-lower", options, ScenarioClock, options.processors);
}

/** The same, but that the clock interrupts processor 0, which sends the vector on to all others, as the kernel does. */
export function clock(options: ScenarioOptions): Scenario {
  return scenario("clock", options, ScenarioBroadcastClock, 1);
}

function scenario(name: string, options: ScenarioOptions, service: Procedure, clocks: number): Scenario {
  const { processors, rounds } = options;
  const program = raiseLowerProgram(rounds);
  const dpc = dpcRoutine();
  const kernel = bootKernel(processors, [program, service, dpc]);
  const { image } = kernel;
  const at = (label: string): number => image.addressOf(program.label(label));
  const every = Array.from({ length: processors }, (_, processor) => processor);
  return {
    ...options,
    name,
    ...kernel,
    starts: every.map(() => ({ eip: image.addressOf(program) })),
    interrupts: every.slice(0, clocks).map((processor) => ({ processor, vector: CLOCK_VECTOR, budget: 1 })),
    setup: (memory) => prepareClock(memory, kernel, processors, dpc, service),
    monitors: [
      levelMonitor(
        kernel,
        new Map([
          [at("raised"), DISPATCH_LEVEL],
          [at("lowered"), 0],
        ]),
      ),
      dpcMonitor(kernel, processors),
    ],
    words: new Map(),
  };
}

function raiseLowerProgram(rounds: number): Procedure {
  return proc("program", (a) => {
    a.mov(ebx, rounds);
    a.label("again");
    a.mov(cl, DISPATCH_LEVEL);
    a.call(KfRaiseIrql);
    a.label("raised");
    a.mov(cl, al);
    a.call(KfLowerIrql);
    a.label("lowered");
    a.dec(ebx);
    a.jnz("again");
    a.cli();
    a.hlt();
  });
}
