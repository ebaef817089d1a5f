// The instructions of one execution with what they did to memory, kept while a failure is replayed.

import type { Instruction } from "#emulator";
import type { Recorder } from "./execution.ts";
import type { StepKind } from "./failure.ts";

/** One access to data. */
export interface RecordedAccess {
  readonly kind: StepKind;
  readonly address: number;
  readonly bytes: number;
  readonly value: number;
}

/** One instruction of one processor, from its first access to its last; others may have come between. */
export interface RecordedInstruction {
  readonly processor: number;
  readonly eip: number;
  readonly instruction: Instruction | null;
  readonly accesses: RecordedAccess[];
}

export class Recording implements Recorder {
  readonly instructions: RecordedInstruction[] = [];
  /** The instruction that each processor has begun and not completed. */
  private readonly open = new Map<number, RecordedInstruction>();

  instruction(processor: number, eip: number, instruction: Instruction | null): void {
    if (!this.open.has(processor)) this.open.set(processor, { processor, eip, instruction, accesses: [] });
  }

  accessed(processor: number, kind: StepKind, address: number, bytes: number, value: number): void {
    const current = this.open.get(processor);
    if (!current) return;
    // An instruction with several accesses is shown where its first one was, and again where others have come between.
    if (current.accesses.length > 0 && this.instructions.at(-1) !== current) {
      const resumed = { ...current, accesses: [{ kind, address, bytes, value }] };
      this.open.set(processor, resumed);
      this.instructions.push(resumed);
      return;
    }
    if (current.accesses.length === 0) this.instructions.push(current);
    current.accesses.push({ kind, address, bytes, value });
  }

  retired(processor: number): void {
    const current = this.open.get(processor);
    this.open.delete(processor);
    if (current && current.accesses.length === 0) this.instructions.push(current);
  }

  /** The violation may have stopped a processor within an instruction: it counts as the last one. */
  close(processor: number): void {
    const current = this.open.get(processor);
    if (current && this.instructions.at(-1) !== current) this.instructions.push(current);
  }
}
