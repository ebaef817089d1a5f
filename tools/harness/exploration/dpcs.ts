// DPCs of an exploration: their objects, who queues them and where they count; and that each runs as often as it was queued.

import { type Assembler, al, byte, data, dword, eax, esp, fs, type Procedure, proc } from "#asm";
import type { Monitor, SetupMemory } from "#explore";
import {
  DpcObject,
  KDPC,
  KeInsertQueueDpc,
  KINTERRUPT_ENTRY,
  KiInterruptTable,
  KPCR,
  KSEG0_BASE,
  MediumImportance,
} from "#kernel";
import type { BootedKernel } from "./booted.ts";

const MOST_PROCESSORS = 8;
const IMPORTANCE_SHIFT = 8;

/** DPC objects, and how often each was queued and has run. Interrupts that queue DPCs use the one of their processor's number. */
export const ScenarioDpcs = data("ScenarioDpcs", MOST_PROCESSORS * KDPC.size);
export const DpcInserts = data("DpcInserts", 2 * 4 * MOST_PROCESSORS);
export const DpcRuns = DpcInserts.plus(4 * MOST_PROCESSORS);

/** A service routine, BOOLEAN stdcall (Vector, TrapFrame): queue this processor's DPC, and go on in another one if there is one. */
export function queueingRoutine(name: string, next?: Procedure): Procedure {
  return proc(name, (a) => {
    a.movzx(eax, byte(fs, KPCR.Number));
    a.push(0);
    a.push(0);
    a.imul(eax, eax, KDPC.size);
    a.add(eax, ScenarioDpcs);
    a.push(eax);
    a.call(KeInsertQueueDpc);
    a.test(al, al);
    a.jz("done");
    a.movzx(eax, byte(fs, KPCR.Number));
    a.inc(dword(eax.times(4), DpcInserts));
    a.label("done");
    if (next) a.jmp(next);
    else {
      a.mov(al, 1);
      a.ret(8);
    }
  });
}

/** VOID stdcall of four: what the DPC does, and then it counts that it has run. */
export function dpcRoutine(body: (a: Assembler) => void = () => {}): Procedure {
  return proc("ScenarioDpc", (a) => {
    body(a);
    a.mov(eax, dword(esp, 8)); // its context: where it counts
    a.lock.inc(dword(eax)); // an object that is queued again while it runs may run in two places
    a.ret(16);
  });
}

/** Puts a service routine into the kernel's table. */
export function serveVector(memory: SetupMemory, kernel: BootedKernel, vector: number, routine: Procedure): void {
  const entry = kernel.physical(KiInterruptTable) + vector * KINTERRUPT_ENTRY.size;
  memory.setDword(entry + KINTERRUPT_ENTRY.ServiceRoutine.offset, kernel.physical(routine) + KSEG0_BASE);
}

/** A DPC object, as KeInitializeDpc makes it, of an importance and with a target perhaps (KDPC.Number). */
export function prepareDpc(
  memory: SetupMemory,
  kernel: BootedKernel,
  number: number,
  routine: Procedure,
  { importance = MediumImportance as number, target = 0 } = {},
): void {
  const dpc = kernel.physical(ScenarioDpcs) + number * KDPC.size;
  memory.setDword(dpc, DpcObject | (importance << IMPORTANCE_SHIFT) | (target << 16));
  memory.setDword(dpc + KDPC.DeferredRoutine.offset, kernel.physical(routine) + KSEG0_BASE);
  memory.setDword(dpc + KDPC.DeferredContext.offset, kernel.physical(DpcRuns) + 4 * number + KSEG0_BASE);
}

/** Every DPC that was queued has run, once for each time. */
export function dpcMonitor(kernel: BootedKernel, count: number): Monitor {
  const [inserts, runs] = [kernel.physical(DpcInserts), kernel.physical(DpcRuns)];
  return {
    words: 0,
    demands: {},
    watch: (watch) => ({
      finished() {
        for (let number = 0; number < count; number++) {
          const [queued, run] = [watch.dword(inserts + 4 * number), watch.dword(runs + 4 * number)];
          if (queued !== run)
            watch.violated("every DPC runs once", `DPC ${number} was queued ${queued} times and has run ${run} times`);
        }
      },
    }),
  };
}

/** Queue a DPC, and count it where the answer is TRUE. */
export function insertDpc(a: Assembler, number: number): void {
  a.push(0);
  a.push(0);
  a.push(ScenarioDpcs.plus(number * KDPC.size));
  a.call(KeInsertQueueDpc);
  a.test(al, al);
  a.jz(`inserted${number}`);
  a.lock.inc(dword(DpcInserts, 4 * number));
  a.label(`inserted${number}`);
}
