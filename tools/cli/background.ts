// V8's background threads give way to the one that runs the guest.
import { readdirSync } from "node:fs";
import { setPriority } from "node:os";

/** Linux has a thread's priority (nice value) set by its number, as if it were a process; elsewhere nothing happens. */
const THREADS = "/proc/self/task";
const NICE = 10;

/**
 * V8 compiles hot code in four threads of its own. On a machine with two processors they take turns with the thread that runs the
 * guest, some milliseconds at a time: a fifth of the first half second. Threads that come later inherit from those that make them.
 */
export function lowerBackgroundThreads(): void {
  try {
    for (const thread of readdirSync(THREADS)) if (Number(thread) !== process.pid) setPriority(Number(thread), NICE);
  } catch {
    // No such folder, or not allowed: the threads stay as they are.
  }
}
