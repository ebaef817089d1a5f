// Writes the firmware as a file: build/firmware.rom, or as asked.
//
//   npm run -s build:firmware -- [--output FILE] [--no-madt] [--mp-table FILE]
//
// --no-madt leaves the ACPI tables out; --mp-table puts the bytes of a file where the MP configuration table goes.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { type FirmwareOptions, firmwareRom } from "#firmware";

/** What the command line asks for. Throws where it asks for something else. */
function readOptions(): { output: string; options: FirmwareOptions } {
  const { values } = parseArgs({
    options: {
      output: { type: "string", short: "o", default: "build/firmware.rom" },
      "no-madt": { type: "boolean", default: false },
      "mp-table": { type: "string" },
    },
  });
  const mpTable = values["mp-table"];
  return {
    output: values.output,
    options: { withoutMadt: values["no-madt"], ...(mpTable !== undefined && { mpTable: readFileSync(mpTable) }) },
  };
}

try {
  const { output, options } = readOptions();
  const rom = firmwareRom(options);
  mkdirSync(dirname(output), { recursive: true });
  writeFileSync(output, rom);
} catch (error) {
  if (!(error instanceof Error)) throw error;
  process.stderr.write(`build:firmware: ${error.message}\n`);
  process.exitCode = 2;
}
