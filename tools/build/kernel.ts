// Writes the kernel's images to build/: the free one, the checked one, and the one with lock counters.

import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { linkKernel } from "#kernel";

const BUILD = new URL("../../build/", import.meta.url);

mkdirSync(fileURLToPath(BUILD), { recursive: true });
for (const [file, image] of [
  ["kernel.elf", linkKernel()],
  ["kernel-checked.elf", linkKernel({ checked: true })],
  ["kernel-counters.elf", linkKernel({ counters: true })],
] as const) {
  writeFileSync(fileURLToPath(new URL(file, BUILD)), image.elf());
}
