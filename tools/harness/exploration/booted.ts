// Scenarios that begin on a booted kernel: its image with the programs in it, and the machine when every processor is up.

import { type Address, type Data, type Image, type Procedure, proc } from "#asm";
import { Machine, type Snapshot } from "#emulator";
import type { SetupMemory, StackRange } from "#explore";
import { KERNEL_STACK_SIZE, KeStallExecutionProcessor, KiProcessors, KPROCESSOR, linkKernel } from "#kernel";

const MEMORY = 0x400000;
const BOOT_LIMIT = 100_000_000;
const BOOT_STEP = 10_000;
/** RET 4. */
const RETURN = [0xc2, 0x04, 0x00];
const JMP_REL32 = 0xe9;
/** Bytes of the jump that takes a routine's place. */
const JMP_BYTES = 5;

/** Where processors wait until they are given a program. */
const ScenarioThread = proc("ScenarioThread", (a) => {
  a.label("wait");
  a.pause();
  a.jmp("wait");
});

export interface BootedKernel {
  readonly image: Image;
  readonly booted: Snapshot;
  /** The stacks of each processor: the thread's, and the one for DPCs. */
  readonly stacks: readonly (readonly StackRange[])[];
  /** Stack pointers of the waiting processors. */
  readonly tops: readonly number[];
  /** The physical address of something in the image. */
  physical(what: Procedure | Data | Address): number;
  /** The physical address of a processor's KPCR. */
  pcr(processor: number): number;
}

/** The kernel on so many processors without a clock, every one of them at PASSIVE_LEVEL with interrupts on. */
export function bootKernel(processors: number, include: readonly Procedure[]): BootedKernel {
  const image = linkKernel({ thread: ScenarioThread, include });
  const machine = Machine.boot(image, { processors, memory: MEMORY, commandLine: "noclock", name: "the kernel" });
  const stallAgain = withoutStalls(machine, image);
  const start = image.addressOf(ScenarioThread);
  const waits = (eip: number): boolean => eip >= start && eip < start + 8;
  for (let limit = BOOT_STEP; !machine.processors.every(({ eip }) => waits(eip)); limit += BOOT_STEP) {
    const { reason, detail } = machine.run({ maxInstructions: limit });
    if (reason !== "budget" || limit >= BOOT_LIMIT)
      throw new Error(`the kernel of a scenario does not boot on ${processors} processors: ${reason} ${detail ?? ""}`);
  }
  stallAgain();
  const at = (address: number): number => (address + image.load) >>> 0;
  const stacksNamed = (name: string) => at(image.addressOf(name));
  const [threads, dpcs] = [stacksNamed("KiStacks"), stacksNamed("KiDpcStacks")];
  const stack = (base: number, processor: number): StackRange => ({
    start: base + processor * KERNEL_STACK_SIZE,
    end: base + (processor + 1) * KERNEL_STACK_SIZE,
  });
  return {
    image,
    booted: machine.snapshot(),
    stacks: machine.processors.map(({ number }) => [stack(threads, number), stack(dpcs, number)]),
    tops: machine.processors.map(({ esp }) => esp),
    physical: (what) => at(image.addressOf(what)),
    pcr: (processor) => at(image.addressOf(KiProcessors)) + processor * KPROCESSOR.size + KPROCESSOR.Pcr.offset,
  };
}

/**
 * Has KeStallExecutionProcessor return at once while a kernel boots: the processors that it starts answer at once, so that nobody
 * need wait for them. The answer puts the routine back.
 */
export function withoutStalls({ memory }: Machine, image: Image): () => void {
  const stall = (image.addressOf(KeStallExecutionProcessor) + image.load) >>> 0;
  const original = memory.bytes(stall, RETURN.length);
  memory.set(stall, RETURN);
  return () => memory.set(stall, original);
}

/** Puts a routine in another's place: a jump over the first bytes of that, so that every caller comes here. */
export function replaceRoutine(memory: SetupMemory, kernel: BootedKernel, routine: Procedure, by: Procedure): void {
  const from = kernel.physical(routine);
  const distance = kernel.physical(by) - (from + JMP_BYTES);
  const bytes = [JMP_REL32, ...[0, 8, 16, 24].map((shift) => (distance >>> shift) & 0xff)];
  bytes.forEach((byte, number) => {
    setByte(memory, from + number, byte);
  });
}

function setByte(memory: SetupMemory, address: number, value: number): void {
  const word = address - (address % 4);
  const shift = (address % 4) * 8;
  memory.setDword(word, (memory.dword(word) & ~(0xff << shift)) | (value << shift));
}
