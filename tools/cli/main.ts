#!/usr/bin/env node
// The command `ring0`: hands its words to the command line and its streams to the command.
import { runCommandLine } from "./command-line.ts";
import { processHost } from "./host.ts";

process.exitCode = await runCommandLine(process.argv.slice(2), processHost());
