// Processor time of a running process, all its threads together: what is left of a measurement on a machine that others use too.
import { readdirSync, readFileSync } from "node:fs";

/** Seconds of processor time that a process has used, or undefined where the system does not tell. */
export function cpuSeconds(pid: number): number | undefined {
  try {
    let nanoseconds = 0;
    for (const thread of readdirSync(`/proc/${pid}/task`))
      nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "latin1").split(" ")[0]);
    return nanoseconds / 1e9;
  } catch {
    return undefined; // not Linux, or the process is gone
  }
}
