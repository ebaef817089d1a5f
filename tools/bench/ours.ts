// A process that is one run of our machine, for whoever measures processes: `ours IMAGE OPTIONS`, the options as JSON.
import { readFileSync, writeSync } from "node:fs";
import { type BootOptions, Machine } from "#emulator";

const [image = "", options = "{}"] = process.argv.slice(2);
const MIB = 0x100000;
const LINE_FEED = 0x0a;

let line: number[] = [];
const serial = (byte: number): void => {
  line.push(byte);
  if (byte !== LINE_FEED) return;
  writeSync(1, Uint8Array.from(line));
  line = [];
};

Machine.boot(readFileSync(image), { memory: 128 * MIB, ...(JSON.parse(options) as BootOptions), serial }).run();
