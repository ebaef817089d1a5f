// Source lines of images by three assemblers and compilers; addr2line is the witness.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import counter from "../../../tools/programs/counter.ts";
import { readLines, readSections } from "../../../tools/trace/index.ts";

const test = suite("source lines of an image");

const folder = mkdtempSync(join(tmpdir(), "ring0-lines-"));

/** Whether a tool answers; says so where it does not. */
function has(tool: string, ...words: string[]): boolean {
  const found = spawnSync(tool, words, { stdio: "ignore" }).status === 0;
  if (!found) console.log(`skipped: source lines, for want of ${tool}`);
  return found;
}

/** Every code address where our line or the witness's is another than for the address before, with what both say. */
function compare(name: string, bytes: Uint8Array): { addresses: number; differences: string[] } {
  const file = join(folder, name);
  writeFileSync(file, bytes);
  const code = readSections(bytes).filter(({ execute }) => execute);
  const addresses = code.flatMap(({ address, size }) => Array.from({ length: size }, (_, i) => address + i));
  const asked = addresses.map((address) => address.toString(16)).join("\n");
  const answers = execFileSync("addr2line", ["-e", file], { input: asked, encoding: "utf8" }).trimEnd().split("\n");
  const lines = readLines(bytes);
  const differences = addresses.flatMap((address, i) => {
    const line = lines.lineOf(address);
    const ours = line ? `${basename(line.file)}:${line.line}` : "??:0";
    const theirs = basename((answers[i] as string).replace(/ \(discriminator \d+\)$/, "")).replace(/:\?$/, ":0");
    return ours === theirs ? [] : [`0x${address.toString(16)}: ${ours}, addr2line ${theirs}`];
  });
  return { addresses: addresses.length, differences };
}

const C_SOURCE = `volatile int total;
static int twice(int x) { return x + x; }
void _start(void) {
  for (int i = 0; i < 10; i++)
    total += twice(i);
  for (;;);
}
`;
const NASM_SOURCE = `bits 32
global _start
section .text
_start:
  mov eax, 1
again:
  dec eax
  jnz again
  hlt
`;

const canAsk = has("addr2line", "--version");

test("of the assembler's own images agree with addr2line", () => {
  if (!canAsk) return;
  const { addresses, differences } = compare("counter.elf", counter.elf());
  assert.ok(addresses > 100);
  // Padding between routines is of no line; addr2line takes it for the line before.
  assert.equal(
    differences.filter((text) => !text.includes("??:0")),
    [],
  );
});

for (const version of [2, 3, 4, 5])
  test(`of a C program with DWARF ${version} agree with addr2line`, () => {
    const source = join(folder, "program.c");
    writeFileSync(source, C_SOURCE);
    const object = join(folder, `c${version}.elf`);
    const words = [
      `-gdwarf-${version}`,
      "-m32",
      "-O1",
      "-ffreestanding",
      "-nostdlib",
      "-static",
      "-fno-pic",
      "-no-pie",
    ];
    if (!canAsk || !has("gcc", ...words, "-o", object, source)) return;
    const { addresses, differences } = compare(`c${version}.elf`, execFileSync("cat", [object]));
    assert.ok(addresses > 10);
    assert.equal(differences, []);
  });

test("of a NASM program agree with addr2line", () => {
  const source = join(folder, "program.asm");
  writeFileSync(source, NASM_SOURCE);
  const [object, linked] = [join(folder, "nasm.o"), join(folder, "nasm.elf")];
  if (!canAsk || !has("nasm", "-felf32", "-g", "-F", "dwarf", "-o", object, source)) return;
  if (!has("ld", "-m", "elf_i386", "-o", linked, object)) return;
  assert.equal(compare("nasm.elf", execFileSync("cat", [linked])).differences, []);
});

test("are told by file and line", () => {
  const image = counter;
  const line = readLines(image.elf()).lineOf(image.addressOf("main"));
  assert.equal([basename(line?.file ?? ""), line?.line], ["counter.ts", 10]);
});

test("of a file that is cut off or overwritten anywhere are read without an error", () => {
  const whole = counter.elf();
  for (let length = 0; length < whole.length; length += 97) readLines(whole.slice(0, length));
  for (let at = 0; at < whole.length; at += 13) {
    const changed = whole.slice();
    changed.fill(0xff, at, at + 5);
    readLines(changed);
  }
});

test.run();
