// All of the command but its process: what `prepared.ts` has a quick form of.
export { runCommandLine } from "./command-line.ts";
export { processHost } from "./host.ts";
