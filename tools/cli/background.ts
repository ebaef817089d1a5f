// V8's background threads give way to the one that runs the guest.
import { existsSync, readdirSync } from "node:fs";
import { setPriority } from "node:os";

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
