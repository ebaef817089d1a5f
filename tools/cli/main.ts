#!/usr/bin/env node
// The command `ring0`: hands its words to the command line and its streams to the command. `npm run build` makes `ring0.cjs` of it and
// of what it imports at once, which Node starts sooner than modules (tools/build/prepare.ts).
import { EXIT } from "./exit.ts";
import { isForPrepared, readPrepared } from "./prepared.ts";
import { isPlain } from "./streams.ts";
import { heedBranchHints, lowerBackgroundThreads } from "./v8.ts";

async function main(words: readonly string[]): Promise<void> {
  const isPrepared = isForPrepared(words);
  if (isPrepared) lowerBackgroundThreads();
  const { runWords } = (isPrepared && readPrepared()?.run()) || (await import("./whole.ts"));
  heedBranchHints();
  process.exitCode = EXIT.ours; // unless it comes to an end
  process.exitCode = await runWords(words);
  // Everything is written. Node would take the heap apart now, which the system does faster.
  if (isPrepared && isPlain(1) && isPlain(2)) process.exit();
}

void main(process.argv.slice(2));
