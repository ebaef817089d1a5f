// Numbers and schedules as people read them.

/** `0x00001f40`. */
export function hex(value: number): string {
  return `0x${(value >>> 0).toString(16).padStart(8, "0")}`;
}

/** Processors in the order of their steps, as runs, and interrupts among them: `0x5 1x3 0!`. */
export function scheduleText(processors: readonly number[], interrupts: readonly boolean[] = []): string {
  const runs: { step: string; times: number }[] = [];
  for (const [number, processor] of processors.entries()) {
    const step = interrupts[number] ? `${processor}!` : `${processor}`;
    const last = runs.at(-1);
    if (last?.step === step) last.times++;
    else runs.push({ step, times: 1 });
  }
  return runs.map(({ step, times }) => (times === 1 ? step : `${step}x${times}`)).join(" ");
}
