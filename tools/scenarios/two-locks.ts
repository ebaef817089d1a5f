// Two queued locks, the second taken while the first is held: all processors in the same order, or else they block each other.

import { type Assembler, type Data, data, dword, ebx, ecx, edx, esi, esp, link, proc } from "#asm";
import type { Monitor, Scenario, ScenarioOptions } from "#explore";
import {
  KeAcquireInStackQueuedSpinLockAtDpcLevel,
  KeReleaseInStackQueuedSpinLockFromDpcLevel,
  KLOCK_QUEUE_HANDLE,
} from "#kernel";
import { BASE } from "./lock-scenario.ts";

const STACK_BYTES = 128;
const HANDLE_BYTES = KLOCK_QUEUE_HANDLE.LockQueue.size;

export const twoLocksMutants = {
  P19: { summary: "every other processor takes the two locks in the opposite order" },
} as const;

/** Every processor takes both locks, `rounds` times, and adds one to a word. */
export function twoLocks(options: ScenarioOptions): Scenario {
  const { processors, rounds, mutant } = options;
  const [outer, inner, section] = [data("outerLock", 4), data("innerLock", 4), data("section", 4)];
  const stacks = data("stacks", processors * STACK_BYTES);
  const programs = Array.from({ length: processors }, (_, processor) => {
    const [first, second] = mutant === "P19" && processor % 2 === 1 ? [inner, outer] : [outer, inner];
    return proc(`program${processor}`, (a) => {
      a.mov(ebx, rounds);
      a.label("again");
      acquire(a, first);
      acquire(a, second);
      a.mov(esi, dword(section));
      a.inc(esi);
      a.mov(dword(section), esi);
      release(a);
      release(a);
      a.dec(ebx);
      a.jnz("again");
      a.hlt();
    });
  });
  const [main, ...others] = programs;
  const image = link(main!, { base: BASE, multiboot: false, include: [...others, stacks] });
  const total = image.addressOf(section);
  return {
    ...options,
    name: "two-locks",
    image,
    starts: programs.map((program, processor) => ({
      eip: image.addressOf(program),
      esp: image.addressOf(stacks) + (processor + 1) * STACK_BYTES,
    })),
    monitors: [totalMonitor(total)],
    words: new Map([outer, inner, section].map((word) => [image.addressOf(word), word.name])),
  };
}

/** With a handle of its own, below what is on the stack. */
function acquire(a: Assembler, lock: Data): void {
  a.sub(esp, HANDLE_BYTES);
  a.mov(ecx, lock);
  a.mov(edx, esp);
  a.call(KeAcquireInStackQueuedSpinLockAtDpcLevel);
}

/** The lock acquired last. */
function release(a: Assembler): void {
  a.mov(ecx, esp);
  a.call(KeReleaseInStackQueuedSpinLockFromDpcLevel);
  a.add(esp, HANDLE_BYTES);
}

function totalMonitor(section: number): Monitor {
  return {
    words: 0,
    demands: {},
    watch: (watch) => ({
      finished() {
        const [found, expected] = [watch.dword(section), watch.processors * watch.rounds];
        if (found !== expected)
          watch.violated("no lost update", `the section's word is ${found} in the end, not ${expected}`);
      },
    }),
  };
}
