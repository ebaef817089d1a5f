// The public library `ring0`: a machine, and the few types that go with it.

/** A multiprocessor PC: load an image, run it, look at it. */
export { Machine } from "./machine/machine.ts";
export type {
  Bootable,
  BootOptions,
  MachineOptions,
  Observer,
  RunLimits,
  RunResult,
  Snapshot,
  StepResult,
  StopReason,
} from "./machine/machine.ts";
/** How the host sees one processor and physical memory. */
export { PhysicalMemory, Processor } from "./machine/views.ts";
export type { SegmentView } from "./machine/views.ts";
/** What is wrong with an image that cannot be loaded. */
export { ImageError, type ImageSymbol } from "./machine/image.ts";
/** Bytes to instructions and instructions to text. */
export { decode } from "./isa/decode.ts";
export type { Form, Instruction } from "./isa/instruction.ts";
