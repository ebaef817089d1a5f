// A lock on the booted kernel: the program that every lock is put through, while the clock may interrupt it and queues a DPC.

import { type Assembler, data, dword, type Procedure } from "#asm";
import {
  type LockMarks,
  lockMonitor,
  type Monitor,
  type Scenario,
  type ScenarioOptions,
  type SetupMemory,
} from "#explore";
import { type BootedKernel, bootKernel, DpcRuns, dpcMonitor, dpcRoutine, levelMonitor } from "#harness";
import { CLOCK_VECTOR } from "#kernel";
import { prepareClock, ScenarioClock } from "./clocked.ts";
import { type LockUse, lockProgram, placesOf, poison } from "./lock-scenario.ts";

export interface KernelLockUse extends LockUse {
  /** How many processors the clock interrupts, once each: the first ones. All, unless given. */
  readonly clocks?: number;
  /** The level at which a processor takes the lock, and to which it comes back; PASSIVE_LEVEL, unless given. */
  level?(processor: number): number;
  /** The DPC takes the lock too. */
  readonly dpc?: {
    acquire(a: Assembler): void;
    release(a: Assembler): void;
  };
  /** More routines that shall be in the image. */
  readonly include?: readonly Procedure[];
  /** More to prepare. */
  setup?(memory: SetupMemory, kernel: BootedKernel): void;
  /** More properties. The handles are physical addresses. */
  monitors?(kernel: BootedKernel, dpc: Procedure, handles: readonly number[]): readonly Monitor[];
  /** Memory below the stack pointer counts: the mistake is in using it. */
  readonly keepsDeadStack?: boolean;
}

/** Every processor takes the lock `rounds` times, from PASSIVE_LEVEL, and one clock interrupt may come anywhere on each. */
export function kernelLockScenario(use: KernelLockUse, options: ScenarioOptions): Scenario {
  const { processors, rounds } = options;
  const section = data("section", 4);
  const program = lockProgram(use, section, rounds, true);
  const dpc = dpcRoutine((a) => {
    if (!use.dpc) return;
    use.dpc.acquire(a);
    a.label("enter");
    a.inc(dword(section));
    a.label("leave");
    use.dpc.release(a);
  });
  const kernel = bootKernel(processors, [program, ScenarioClock, dpc, ...(use.include ?? [])]);
  const { image, tops } = kernel;
  const handleBytes = use.handle.size * 4;
  const handles = tops.map((top) => top + image.load - handleBytes);
  const places = placesOf(program, image);
  const marks: LockMarks = {
    ...places,
    section: kernel.physical(section),
    ...(use.fifo ? { fifo: kernel.physical(use.lock) } : {}),
    ...(handleBytes > 0 ? { handles, handleBytes } : {}),
    ...(use.dpc
      ? {
          dpc: { enter: image.addressOf(dpc.label("enter")), leave: image.addressOf(dpc.label("leave")) },
          others: kernel.physical(DpcRuns),
        }
      : {}),
  };
  const words = new Map<number, string>([
    [kernel.physical(use.lock), use.lock.name],
    [kernel.physical(section), section.name],
  ]);
  handles.forEach((address, processor) => {
    for (const [offset, field] of use.handle) words.set(address + offset, `handle${processor}.${field}`);
  });
  const { stacks, ...start } = kernel;
  return {
    ...options,
    name: use.name,
    image: start.image,
    booted: start.booted,
    ...(use.keepsDeadStack ? {} : { stacks }),
    // The handle is on the stack from the start: an interrupt before would write where others will look.
    starts: tops.map((top) => ({ eip: image.addressOf(program), esp: top - handleBytes })),
    interrupts: handles.slice(0, use.clocks).map((_, processor) => ({ processor, vector: CLOCK_VECTOR, budget: 1 })),
    setup: (memory) => {
      poison(memory, use, handles);
      prepareClock(memory, kernel, processors, dpc);
      use.setup?.(memory, kernel);
    },
    monitors: [
      lockMonitor(marks),
      levelMonitor(kernel, new Map([[places.released, use.level ?? 0]]), use.level),
      dpcMonitor(kernel, processors),
      ...(use.monitors?.(kernel, dpc, handles) ?? []),
    ],
    words,
  };
}
