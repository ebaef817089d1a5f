// `ring0 info`: what an image is, before anything runs it.
import { readImage } from "#emulator";
import { readSections, symbolsOf } from "../../trace/index.ts";
import { command } from "../command.ts";
import { EXIT } from "../exit.ts";
import { readSubject } from "../subject.ts";

const hex = (value: number): string => `0x${value.toString(16).padStart(8, "0")}`;

export const info = command({
  usage: "info <image>",
  summary: "Say what an image is: format, entry, segments, symbols",
  positionals: { image: { type: "string", demandOption: true, describe: "An image or a program FILE.ts" } },
  options: { json: { type: "boolean", default: false, describe: "Print one JSON object" } },
  examples: [["info kernel.elf", "format, entry, segments, symbols"]],
  async run({ image, json }, host) {
    const { name, bytes } = await readSubject(image);
    const { format, entry, segments } = readImage(bytes, name);
    const symbols = symbolsOf(bytes, name);
    const about = {
      image: name,
      bytes: bytes.length,
      format: format === "elf" ? "Multiboot ELF" : format === "multiboot" ? "Multiboot, not ELF" : "boot sector",
      entry,
      segments: segments.map(({ physical, linear, size, bytes }) => ({
        physical,
        linear,
        size,
        fileSize: bytes.length,
      })),
      sections: readSections(bytes).length,
      symbols: symbols.all.length,
      lines: symbols.lines.size,
    };
    if (json) host.out.write(`${JSON.stringify(about)}\n`);
    else {
      host.out.write(`${name}: ${about.format}, ${about.bytes} bytes, entry ${hex(entry)}\n`);
      for (const { physical, linear, size, fileSize } of about.segments) {
        const where = linear === physical ? "" : ` (linear ${hex(linear)})`;
        host.out.write(
          `  ${hex(physical)} to ${hex(physical + size)}${where}, ${fileSize} bytes of it from the file\n`,
        );
      }
      host.out.write(`  ${about.symbols} symbols, ${about.lines} line records\n`);
    }
    return EXIT.ok;
  },
});
