// A machine whose processors idle until a test has one of them call a routine, and goes through it step by step.

import { data, type Image, link, type Procedure, proc } from "#asm";
import { decode, Machine } from "#emulator";

const ECX = 1;
const EDX = 2;
const ESP = 4;
const EBP = 5;
const PRESERVED = { ebx: 3, ebp: EBP, esi: 6, edi: 7 } as const;

/** Where every processor idles, and where a called routine returns to. */
const idle = proc("idle", (a) => {
  a.label("loop");
  a.pause();
  a.jmp("loop");
});

export interface Arguments {
  readonly ecx?: number;
  readonly edx?: number;
  /** stdcall: from the first argument on. */
  readonly stack?: readonly number[];
}

export interface Returned {
  readonly eax: number;
  /** Instructions of the routine, its RET included. */
  readonly steps: number;
  /** Those of them that locked the bus. */
  readonly locked: number;
  /** Bytes of arguments that the routine popped. */
  readonly popped: number;
}

/** One machine with the routines under test in memory. */
export class Guest {
  readonly machine: Machine;
  readonly #image: Image;
  readonly #memory = data("memory", 4096, { align: 64 });
  #used = 0;
  readonly #tops: number[] = [];

  constructor(processors: number, routines: readonly Procedure[]) {
    this.#image = link(idle, { start: "all", include: [...routines, this.#memory] });
    this.machine = Machine.boot(this.#image, { processors });
    const started = this.#image.addressOf("start.processors");
    while (
      this.machine.memory.dword(started) < processors ||
      !this.machine.processors.every((p) => this.#idles(p.eip))
    ) {
      this.machine.run({ maxInstructions: this.machine.clock + 997 });
    }
    for (const processor of this.machine.processors) this.#tops.push(processor.esp);
  }

  #idles(eip: number): boolean {
    return this.#image.symbolAt(eip)?.symbol.name === idle.name;
  }

  /** Address of fresh memory, filled with a byte that no routine expects. */
  allocate(size: number, fill = 0xcc): number {
    const address = this.#image.addressOf(this.#memory) + this.#used;
    this.#used += Math.ceil(size / 64) * 64;
    this.machine.memory.set(address, new Uint8Array(size).fill(fill));
    return address;
  }

  dword(address: number): number {
    return this.machine.memory.dword(address);
  }

  /** Let a processor stand before the first instruction of a routine. */
  begin(number: number, routine: Procedure, { ecx = 0, edx = 0, stack = [] }: Arguments): void {
    const processor = this.machine.processors[number];
    if (!processor) throw new Error(`there is no processor ${number}`);
    const frame = [this.#image.addressOf(idle), ...stack];
    const esp = (this.#tops[number] as number) - 4 * frame.length;
    frame.forEach((value, index) => {
      this.machine.memory.setDword(esp + 4 * index, value);
    });
    processor.setRegister(ECX, ecx);
    processor.setRegister(EDX, edx);
    processor.setRegister(ESP, esp);
    for (const register of Object.values(PRESERVED)) processor.setRegister(register, 0xabcd0000 + register);
    processor.setEip(this.#image.addressOf(routine));
  }

  /** One instruction of one processor. Tells whether it locked the bus. */
  step(number: number): boolean {
    const processor = this.machine.processors[number];
    if (!processor) throw new Error(`there is no processor ${number}`);
    const instruction = decode(this.machine.memory.bytes(processor.eip, 15), 0, 15, 32);
    const { kind, detail } = this.machine.step(number);
    if (kind !== "retired") throw new Error(`processor ${number} ended a step as ${kind}: ${detail}`);
    if (typeof instruction === "string") throw new Error(`processor ${number} executed what is ${instruction}`);
    return instruction.lock || (instruction.form.lockedAlways && instruction.memory);
  }

  /** So many instructions of one processor. */
  steps(number: number, count: number): void {
    for (let i = 0; i < count; i++) this.step(number);
  }

  /** Whether a processor has returned from what it began. */
  returned(number: number): boolean {
    return this.#idles(this.machine.processors[number]?.eip ?? 0);
  }

  /** The name of the place where a processor is: `Routine`, or `Routine.label` of the last label before it. */
  place(number: number): string {
    const eip = this.machine.processors[number]?.eip ?? 0;
    return this.#image.symbols.findLast((symbol) => symbol.address <= eip)?.name ?? "nowhere";
  }

  /** Step a processor until it returns. Checks that the routine preserved what every routine preserves. */
  finish(number: number): Returned {
    const processor = this.machine.processors[number];
    if (!processor) throw new Error(`there is no processor ${number}`);
    const before = processor.esp;
    let steps = 0;
    let locked = 0;
    while (!this.returned(number)) {
      if (++steps > 1000) throw new Error(`processor ${number} does not return: it is at ${this.place(number)}`);
      if (this.step(number)) locked++;
    }
    for (const [name, register] of Object.entries(PRESERVED)) {
      if (processor.register(register) !== 0xabcd0000 + register)
        throw new Error(`the routine changed ${name.toUpperCase()}`);
    }
    return { eax: processor.eax, steps, locked, popped: processor.esp - before - 4 };
  }

  /** Begin and finish. */
  call(number: number, routine: Procedure, given: Arguments): Returned {
    this.begin(number, routine, given);
    return this.finish(number);
  }

  /** Step a processor until it is at a label, given as `Routine.label` or as the label alone. */
  stepTo(number: number, label: string): void {
    for (let steps = 0; !this.place(number).endsWith(`.${label}`); steps++) {
      if (steps > 1000)
        throw new Error(`processor ${number} does not come to ${label}: it is at ${this.place(number)}`);
      this.step(number);
    }
  }

  /** Everything a processor can change: its registers and flags, and the test's memory. */
  state(number: number): string {
    const processor = this.machine.processors[number];
    const memory = this.machine.memory.bytes(this.#image.addressOf(this.#memory), this.#used);
    return `${processor?.describe()}\n${Buffer.from(memory).toString("hex")}`;
  }
}
