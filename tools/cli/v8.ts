// How V8 is to run the guest: its background threads give way, and what compiled code says of its branches is heeded.
import { existsSync, readdirSync } from "node:fs";
import { setPriority } from "node:os";
import { setFlagsFromString } from "node:v8";

/** Linux has a thread's priority (nice value) set by its number, as if it were a process; elsewhere nothing happens. */
const THREADS = "/proc/self/task";
/** The lowest priority there is. */
const NICE = 19;

/**
 * V8 compiles hot code in four threads of its own. On a machine with two processors they take turns with the thread that runs the
 * guest, some milliseconds at a time: a fifth of the first half second. Threads that come later inherit from those that make them.
 * Where there is one processor only, or others are busy on all, short runs gain more, and runs of half a minute lose nothing.
 * Collecting garbage uses the same threads; it is little here.
 */
export function lowerBackgroundThreads(): void {
  if (!existsSync(THREADS)) return;
  for (const thread of readdirSync(THREADS)) {
    try {
      if (Number(thread) !== process.pid) setPriority(Number(thread), NICE);
    } catch {
      // It has ended, or nobody may: it stays as it is.
    }
  }
}

/** Major versions of V8 that know the flag and need it: those of Node 20 to 24. */
const NEED_FLAG = ["11", "12", "13"];

/**
 * Modules say which branches are hardly ever taken; V8 heeds it by itself where it knows the proposal for good, and when asked to where it
 * does not. Once flags have changed it refuses code that was made before, a script's and that of Node's own modules: call this when they
 * are loaded.
 */
export function heedBranchHints(): void {
  if (NEED_FLAG.includes(process.versions.v8.split(".")[0])) setFlagsFromString("--experimental-wasm-branch-hinting");
}
