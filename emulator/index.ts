// The public library `ring0`: a machine, and the few types that go with it.

export type { CompilerStatistics } from "./engine/compiler/compiler.ts";
/** What is kept of a traced run: the shape of a record, and the ring of the last ones. */
export * as traceRecord from "./engine/trace/record.ts";
export { TraceRing } from "./engine/trace/ring.ts";
/** Bytes to instructions and instructions to text. */
export { decode } from "./isa/decode.ts";
export { format } from "./isa/format.ts";
export type { Form, Instruction } from "./isa/instruction.ts";
export { isElf, readSymbols } from "./machine/elf.ts";
/** An image read and checked, before a machine has it. */
export type { Image as LoadableImage, ImageSegment } from "./machine/image.ts";
/** What is wrong with an image that cannot be loaded. */
export { ImageError, type ImageSymbol } from "./machine/image.ts";
export { readImage } from "./machine/loader.ts";
export type {
  Bootable,
  BootOptions,
  Engine,
  MachineOptions,
  Observer,
  RunLimits,
  RunResult,
  StepResult,
  StopReason,
} from "./machine/machine.ts";
/** A multiprocessor PC: load an image, run it, look at it. */
export { Machine } from "./machine/machine.ts";
/** A machine whose steps can be taken back. */
export { type AccessKind, Rewinder, type StepWatcher } from "./machine/rewinder.ts";
export type { Snapshot } from "./machine/state.ts";
export type { SegmentView } from "./machine/views.ts";
/** How the host sees one processor and physical memory. */
export { PhysicalMemory, Processor } from "./machine/views.ts";
/** Where guest-visible state lies in a machine's memory: for observers, which read it there. */
export * as layout from "./memory/layout.ts";
