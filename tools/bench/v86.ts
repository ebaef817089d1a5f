// A process that is one run of v86, the npm package: `v86 FOLDER IMAGE COMMAND-LINE`, FOLDER being its `build`.
import { readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** The little of its interface that is used here (v86.d.ts of the package). */
interface Emulator {
  run(): void;
  add_listener(event: string, listener: (value: number) => void): void;
}

const [folder = "", image = "", cmdline = ""] = process.argv.slice(2);
const MIB = 0x100000;
const LINE_FEED = 0x0a;

const { V86 } = (await import(pathToFileURL(join(folder, "libv86.mjs")).href)) as {
  V86: new (options: object) => Emulator;
};
const emulator = new V86({
  wasm_path: join(folder, "v86.wasm"),
  multiboot: { buffer: new Uint8Array(readFileSync(image)).buffer },
  cmdline,
  memory_size: 128 * MIB,
  vga_memory_size: 2 * MIB,
  acpi: true, // without it there is no local APIC
  disable_keyboard: true,
  disable_mouse: true,
  disable_speaker: true,
  autostart: false,
  log_level: 0,
});

let line: number[] = [];
emulator.add_listener("serial0-output-byte", (byte) => {
  line.push(byte);
  if (byte !== LINE_FEED) return;
  writeSync(1, Uint8Array.from(line));
  line = [];
});
emulator.add_listener("emulator-loaded", () => emulator.run());
