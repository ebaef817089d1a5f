// `ring0 asm`: turns a program into an image file, and shows what became of it line by line.
import { writeFileSync } from "node:fs";
import { command } from "../command.ts";
import { CommandError, EXIT } from "../exit.ts";
import { readSubject } from "../subject.ts";

export const asm = command({
  usage: "asm <program>",
  summary: "Assemble a program into an ELF file with a Multiboot header, or a flat one",
  positionals: {
    program: { type: "string", demandOption: true, describe: "FILE.ts with `export default image`" },
  },
  options: {
    o: { alias: "output", type: "string", requiresArg: true, describe: "The file to write" },
    flat: { type: "boolean", default: false, describe: "Write memory as it is, without headers and symbols" },
    listing: { type: "boolean", default: false, describe: "Print addresses, bytes, instructions and source lines" },
    json: { type: "boolean", default: false, describe: "Print one JSON object, the listing inside" },
  },
  examples: [
    ["asm counter.ts -o counter.elf", "for QEMU, GRUB or ring0"],
    ["asm counter.ts --listing", "to look at"],
  ],
  async run({ program, o, flat, listing, json }, host) {
    const { image } = await readSubject(program);
    if (!image) throw new CommandError(`asm: ${program} is no program; FILE.ts with \`export default image\` would do`);
    if (o === undefined && !listing) throw new CommandError("asm: nothing to do; -o FILE, --listing or both would do");
    const file = flat ? image.flat() : image.elf();
    if (o !== undefined) write(o, file);
    const text = listing ? image.listing() : undefined;
    const about = {
      program,
      output: o,
      format: flat ? "flat" : "elf",
      bytes: file.length,
      entry: image.entry,
      listing: text,
    };
    if (json) host.out.write(`${JSON.stringify(about)}\n`);
    else if (text !== undefined) host.out.write(text);
    return EXIT.ok;
  },
});

function write(file: string, bytes: Uint8Array): void {
  try {
    writeFileSync(file, bytes);
  } catch (error) {
    throw new CommandError(`-o ${file}: it cannot be written (${(error as NodeJS.ErrnoException).code})`);
  }
}
