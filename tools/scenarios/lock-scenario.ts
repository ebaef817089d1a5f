// The scenario that every lock is put through: acquire, add one to a word, release, so many times, on every processor.

import { type Assembler, type Data, data, dword, ebx, esi, esp, type Image, link, type Procedure, proc } from "#asm";
import { type LockMarks, lockMonitor, type Scenario, type ScenarioOptions, type SetupMemory } from "#explore";

/** How one lock is used. Each part may use EAX, ECX and EDX. */
export interface LockUse {
  readonly name: string;
  readonly lock: Data;
  /** Call the acquiring routine. A handle, where there is one, lies at ESP. */
  acquire(a: Assembler): void;
  /** Call the releasing routine. */
  release(a: Assembler): void;
  /** Release before the last store of the section: a mistake of the caller that the properties must catch. */
  readonly releasesEarly?: boolean;
  /** A handle begins as zeros and is not filled with garbage between two acquisitions. */
  readonly reusesHandle?: boolean;
  /** What each processor does first, on a booted kernel. */
  prepare?(a: Assembler): void;
  /** Processors enter in the order in which they first write the lock's word. */
  readonly fifo: boolean;
  /** What each processor brings along for an acquisition, on its stack: names of its doublewords by offset. */
  readonly handle: ReadonlyMap<number, string>;
}

/** What a handle holds before it is given to the lock, and after it is got back: an address where nothing is. */
export const POISON = 0xdeadbee0;

const STACK_BYTES = 64;
/** Low, so that small memories hold it, and not page 0, so that null pointers hit nothing. */
export const BASE = 0x8000;

/** The scenario of a lock, for so many processors and rounds. */
export function lockScenario(use: LockUse, options: ScenarioOptions): Scenario {
  const { processors, rounds } = options;
  const { lock, handle } = use;
  const handleBytes = handle.size * 4;
  const section = data("section", 4);
  const stacks = data("stacks", processors * STACK_BYTES);
  const program = lockProgram(use, section, rounds);
  const image = link(program, { base: BASE, multiboot: false, include: [lock, section, stacks] });

  const tops = Array.from(
    { length: processors },
    (_, processor) => image.addressOf(stacks) + (processor + 1) * STACK_BYTES,
  );
  const handles = tops.map((top) => top - handleBytes);
  const marks: LockMarks = {
    ...placesOf(program, image),
    section: image.addressOf(section),
    ...(use.fifo ? { fifo: image.addressOf(lock) } : {}),
    ...(handleBytes > 0 ? { handles, handleBytes } : {}),
  };
  const words = new Map<number, string>([
    [image.addressOf(lock), lock.name],
    [image.addressOf(section), section.name],
  ]);
  handles.forEach((address, processor) => {
    for (const [offset, field] of handle) words.set(address + offset, `handle${processor}.${field}`);
  });
  return {
    ...options,
    name: use.name,
    image,
    starts: handles.map((esp) => ({ eip: image.entry, esp })),
    setup: (memory) => poison(memory, use, handles),
    monitors: [lockMonitor(marks)],
    words,
  };
}

/** Handles before their first use, by physical address. */
export function poison(memory: SetupMemory, { handle, reusesHandle }: LockUse, handles: readonly number[]): void {
  if (reusesHandle) return;
  for (const address of handles) for (const offset of handle.keys()) memory.setDword(address + offset, POISON);
}

/** The marks in a lock's program. */
export function placesOf(program: Procedure, image: Image): Record<"acquire" | "enter" | "leave" | "released", number> {
  const mark = (label: string): number => image.addressOf(program.label(label));
  return { acquire: mark("acquire"), enter: mark("enter"), leave: mark("leave"), released: mark("released") };
}

/** EBX counts the rounds left; the handle lies at ESP. On a booted kernel the program ends by switching interrupts off. */
export function lockProgram(use: LockUse, section: Data, rounds: number, booted = false): Procedure {
  return proc("program", (a) => {
    use.prepare?.(a);
    a.mov(ebx, rounds);
    a.label("acquire");
    use.acquire(a);
    a.label("enter");
    a.mov(esi, dword(section));
    a.inc(esi);
    if (use.releasesEarly) use.release(a);
    a.mov(dword(section), esi);
    a.label("leave");
    if (!use.releasesEarly) use.release(a);
    a.label("released");
    a.dec(ebx);
    a.jz("over");
    if (!use.reusesHandle) for (const offset of use.handle.keys()) a.mov(dword(esp, offset), POISON); // garbage again for the next round
    a.jmp("acquire");
    a.label("over");
    if (booted) a.cli();
    a.hlt();
  });
}
