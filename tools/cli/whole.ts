// The command with all its parts, each loaded when it is meant.
import { runCommandLine } from "./command-line.ts";
import { commands } from "./commands.ts";
import type { ExitCode } from "./exit.ts";
import { processHost } from "./host.ts";

export const runWords = (words: readonly string[]): Promise<ExitCode> => runCommandLine(words, processHost(), commands);
