// A thread that halts until a device has interrupted twice: what the idle loop does, without a DPC that would hide mistakes.

import { al, byte, type Data, data, dword, eax, ebx, ecx, esp, fs, type Procedure, proc } from "#asm";
import type { Scenario, ScenarioOptions } from "#explore";
import { bootKernel, levelMonitor } from "#harness";
import { KfLowerIrql, KINTERRUPT_ENTRY, KiInterruptTable, KPCR, KSEG0_BASE, TEST_VECTORS } from "#kernel";
import { onlyOneRound } from "./rounds.ts";

const [VECTOR] = TEST_VECTORS;
const INTERRUPTS = 2;

/** Deliberately broken variants, by name. */
export const haltWaitMutants = {
  P16: { summary: "an instruction between STI and HLT: an interrupt that comes there is slept through" },
  P17: { summary: "the service routine goes back by a way of its own, which does not tell the local APIC" },
} as const;

/** Each processor waits for a device of its own. */
export function haltWait(options: ScenarioOptions): Scenario {
  const { processors, mutant } = options;
  onlyOneRound("halt-wait", options);
  const counts = data("counts", 4 * processors);
  const service = serviceRoutine(counts, mutant === "P17");
  const programs = Array.from({ length: processors }, (_, number) => program(number, counts, mutant === "P16"));
  const kernel = bootKernel(processors, [...programs, service]);
  const { image, booted, stacks } = kernel;
  return {
    ...options,
    name: "halt-wait",
    image,
    booted,
    stacks,
    starts: programs.map((routine) => ({ eip: image.addressOf(routine) })),
    interrupts: programs.map((_, processor) => ({ processor, vector: VECTOR, budget: INTERRUPTS })),
    setup(memory) {
      const entry = kernel.physical(KiInterruptTable) + VECTOR * KINTERRUPT_ENTRY.size;
      memory.setDword(entry + KINTERRUPT_ENTRY.ServiceRoutine.offset, kernel.physical(service) + KSEG0_BASE);
    },
    monitors: [levelMonitor(kernel, new Map())],
    words: new Map(programs.map((_, number) => [kernel.physical(counts) + 4 * number, `count${number}`])),
  };
}

function program(number: number, counts: Data, gap: boolean): Procedure {
  return proc(`program${number}`, (a) => {
    a.label("wait");
    a.cli();
    a.cmp(dword(counts, 4 * number), INTERRUPTS);
    a.je("over");
    a.sti();
    if (gap) a.nop();
    a.hlt();
    a.jmp("wait");
    a.label("over");
    a.hlt();
  });
}

/** BOOLEAN stdcall (Vector, TrapFrame). Counts, by processor. */
function serviceRoutine(counts: Data, early: boolean): Procedure {
  return proc("ScenarioService", (a) => {
    a.movzx(eax, byte(fs, KPCR.Number));
    a.inc(dword(eax.times(4), counts));
    if (early) {
      a.cli();
      a.add(esp, 12); // our return address and arguments: the frame is what is left
      a.mov(ecx, ebx); // the level before, where the entry keeps it
      a.call(KfLowerIrql);
      a.popad();
      a.add(esp, 8);
      a.iretd();
    } else {
      a.mov(al, 1);
      a.ret(8);
    }
  });
}
