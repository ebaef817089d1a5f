// What processors did between two moments: every instruction and every access to data, in their order.

import type { Instruction, Machine } from "#emulator";

export interface TracedInstruction {
  readonly processor: number;
  readonly eip: number;
  /** Upper case, as the manual spells it. */
  readonly mnemonic: string;
  /** It locked the bus. */
  readonly locked: boolean;
  /** Its processor had interrupts on. */
  readonly interruptible: boolean;
}

export interface TracedAccess {
  readonly processor: number;
  readonly kind: "read" | "write";
  /** Linear, and physical; the local APIC is at FEE00000h in both. */
  readonly address: number;
  readonly physical: number;
  readonly bytes: number;
  readonly value: number;
  /** The instruction's address, and whether it locked the bus. */
  readonly eip: number;
  readonly locked: boolean;
  readonly interruptible: boolean;
}

export interface Trace {
  readonly instructions: readonly TracedInstruction[];
  readonly accesses: readonly TracedAccess[];
  /** Vectors delivered, exceptions among them. */
  readonly interrupts: readonly { readonly processor: number; readonly vector: number }[];
}

const EFLAGS_IF = 0x200;

/** Runs `action` and notes what every processor does meanwhile. */
export function traced(machine: Machine, action: () => void): Trace {
  const instructions: TracedInstruction[] = [];
  const accesses: TracedAccess[] = [];
  const interrupts: { processor: number; vector: number }[] = [];
  let current: TracedInstruction | undefined;
  const note = (kind: "read" | "write", physical: number, linear: number, bytes: number, value: number): void => {
    if (!current) return;
    const { processor, eip, locked, interruptible } = current;
    const [address, place] = [linear >>> 0, physical >>> 0];
    accesses.push({ processor, kind, address, physical: place, bytes, value: value >>> 0, eip, locked, interruptible });
  };
  machine.observe({
    before(processor, eip, instruction) {
      current = {
        processor,
        eip: eip >>> 0,
        mnemonic: instruction?.form.mnemonic ?? "",
        locked: instruction !== null && locks(instruction),
        interruptible: (machine.processors[processor]!.eflags & EFLAGS_IF) !== 0,
      };
      instructions.push(current);
    },
    after() {
      current = undefined;
    },
    interrupt(processor, vector) {
      interrupts.push({ processor, vector });
    },
    read: (physical, linear, bytes, value) => note("read", physical, linear, bytes, value),
    write: (physical, linear, bytes, value) => note("write", physical, linear, bytes, value),
  });
  try {
    action();
  } finally {
    machine.observe(null);
  }
  return { instructions, accesses, interrupts };
}

function locks({ lock, form, memory }: Instruction): boolean {
  return lock || (form.lockedAlways && memory);
}
