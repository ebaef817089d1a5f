// time limit: 300 s
// Images that are not right: each gets one clear line and exit code 2, whatever its bytes.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import counter from "../../../tools/programs/counter.ts";
import { expect, file } from "./command.ts";

const test = suite("malformed images");

const ELF = counter.elf();
const view = new DataView(ELF.buffer, ELF.byteOffset, ELF.byteLength);
const HEADERS = view.getUint32(28, true);
const [OFFSET, PHYSICAL, FILE_SIZE, SIZE] = [4, 12, 16, 20];

/** A copy of a good image with a few of its words replaced. */
function changed(...changes: [at: number, value: number][]): Uint8Array {
  const copy = ELF.slice();
  for (const [at, value] of changes) new DataView(copy.buffer).setUint32(at, value, true);
  return copy;
}

/** A field of a program header. */
const field = (header: number, at: number): number => HEADERS + header * 32 + at;

/** What is wrong, the file, and what the line must say. */
const wrong: [what: string, bytes: Uint8Array, answer: RegExp][] = [
  ["an empty file", new Uint8Array(0), /empty/],
  ["a header cut off", ELF.slice(0, 40), /truncated/],
  ["program headers cut off", ELF.slice(0, HEADERS + 8), /truncated/],
  ["a segment cut off", ELF.slice(0, view.getUint32(field(0, OFFSET), true) + 16), /truncated|Multiboot/],
  ["a segment beyond the file", changed([field(0, OFFSET), 0x7fff_0000]), /truncated|end/],
  [
    "more bytes in the file than in memory",
    changed([field(0, FILE_SIZE), 0x7000], [field(0, SIZE), 16]),
    /in the file but only/,
  ],
  ["segments that overlap", changed([field(1, PHYSICAL), view.getUint32(field(0, PHYSICAL), true)]), /overlap/],
  ["a segment that wraps around", changed([field(1, PHYSICAL), 0xffff_f000], [field(1, SIZE), 0x10000]), /wrap/],
  ["a segment beyond memory", changed([field(1, PHYSICAL), 0x4000_0000]), /too large for memory/],
  ["no entry", changed([24, 0]), /no entry/],
  ["an entry outside", changed([24, 0x8000_0000]), /no entry/],
  ["a file too large for a boot sector", new Uint8Array(700_000).fill(0x90), /too large/],
  [
    "another machine's file",
    (() => {
      const copy = ELF.slice();
      copy[18] = 62;
      return copy;
    })(),
    /machine 62/,
  ],
];

for (const [what, bytes, answer] of wrong)
  test(`${what} is told in one line`, () => {
    const { stdout, stderr } = expect(2, "run", file("wrong.elf", bytes), "-m", "16");
    assert.is(stdout, "");
    assert.match(stderr, answer);
    assert.match(stderr, /^ring0: wrong\.elf: [^\n]*\n$/);
  });

test("a module that does not fit is told in one line", () => {
  const module = file("module.bin", new Uint8Array(1 << 20));
  const { stderr } = expect(2, "run", file("good.elf", ELF), "-m", "1", "--initrd", `${module} argument`);
  assert.match(stderr, /^ring0: good\.elf: too large for memory[^\n]*\n$/);
});

test("info tells what a good image is", () => {
  assert.match(expect(0, "info", file("good.elf", ELF)).stdout, /good.elf: Multiboot ELF, .* entry 0x/);
  const about = JSON.parse(expect(0, "info", "good.elf", "--json").stdout);
  assert.is(about.segments[0].physical, 0x100000);
  assert.ok(about.symbols > 3 && about.lines > 10);
});

test.run();
