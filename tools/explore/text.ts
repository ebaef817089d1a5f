// Numbers and schedules as people read them.

/** `0x00001f40`. */
export function hex(value: number): string {
  return `0x${(value >>> 0).toString(16).padStart(8, "0")}`;
}

/** Processors in the order of their steps, as runs: `0x5 1x3 0`. */
export function scheduleText(processors: readonly number[]): string {
  const runs: { processor: number; steps: number }[] = [];
  for (const processor of processors) {
    const last = runs.at(-1);
    if (last?.processor === processor) last.steps++;
    else runs.push({ processor, steps: 1 });
  }
  return runs.map(({ processor, steps }) => (steps === 1 ? `${processor}` : `${processor}x${steps}`)).join(" ");
}
