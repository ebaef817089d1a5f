// The command as far as it runs images, with nothing that is loaded later: what `prepared.ts` has a quick form of.
import { runCommandLine } from "./command-line.ts";
import { run } from "./commands/run.ts";
import type { ExitCode } from "./exit.ts";
import { type Host, processHost } from "./host.ts";

export const runWords = (words: readonly string[], host: Host = processHost()): Promise<ExitCode> =>
  runCommandLine(words, host, { run: async () => run });
