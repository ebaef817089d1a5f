#!/usr/bin/env node
// The command `ring0`: hands its words to the command line and its streams to the command.
import { lowerBackgroundThreads } from "./background.ts";
import { isForPrepared, readPrepared } from "./prepared.ts";

const words = process.argv.slice(2);
const isPrepared = isForPrepared(words);
if (isPrepared) lowerBackgroundThreads();
const { runWords } = (isPrepared && readPrepared()?.run()) || (await import("./whole.ts"));
process.exitCode = await runWords(words);
