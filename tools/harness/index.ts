// ring0/harness: the booted kernel in a test's hands, name by name.

/** From nothing to a booted kernel. */
export { boot, type HarnessOptions } from "./boot.ts";
/** How routines are called. */
export { type Convention, type Result, type Signature, signatureOf, stackBytes } from "./conventions.ts";
/** How a call ends when it does not end well. */
export { BugCheck, ConventionError, GuestStopped, StepLimit } from "./errors.ts";
/** Parts of which explorations are made: a kernel to begin on, levels that come back, DPCs that run once. */
export { type BootedKernel, bootKernel, replaceRoutine } from "./exploration/booted.ts";
export {
  DpcInserts,
  DpcRuns,
  dpcMonitor,
  dpcRoutine,
  insertDpc,
  prepareDpc,
  queueingRoutine,
  serveVector,
} from "./exploration/dpcs.ts";
/** Every schedule of a test's own programs. */
export {
  type CriticalSection,
  type ExplorationOptions,
  type ExploredKernel,
  type ExploredProcessor,
  explore,
  type Property,
  UnfinishedError,
  ViolationError,
} from "./exploration/explore.ts";
export { levelMonitor } from "./exploration/levels.ts";
/** The kernel and what is in it. */
export {
  type DpcOptions,
  HarnessDpc,
  type HarnessEvent,
  Nt,
  type SpinLock,
} from "./nt.ts";
/** One processor of it. */
export { type Argument, HarnessProcessor, type Place, type When } from "./processor.ts";
/** What processors did. */
export type { Trace, TracedAccess, TracedInstruction } from "./trace.ts";
/** Structures of the guest as objects. */
export { type ByteStore, type View, viewOf } from "./view.ts";
/** Programs of one's own. */
export type { Local, Writer, WriterArgument } from "./writer.ts";
