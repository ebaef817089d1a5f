// The commands by name. Only the one that is meant is loaded: the kernel and the explorer take longer than a short run.
import type { Command } from "./command.ts";

export type Commands = Readonly<Record<string, () => Promise<Command>>>;

export const commands: Commands = {
  run: async () => (await import("./commands/run.ts")).run,
  trace: async () => (await import("./commands/trace.ts")).trace,
  explore: async () => (await import("./commands/explore.ts")).explore,
  replay: async () => (await import("./commands/replay.ts")).replay,
  asm: async () => (await import("./commands/asm.ts")).asm,
  disasm: async () => (await import("./commands/disasm.ts")).disasm,
  info: async () => (await import("./commands/info.ts")).info,
  bench: async () => (await import("./commands/bench.ts")).bench,
};
