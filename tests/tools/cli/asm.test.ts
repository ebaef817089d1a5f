// time limit: 300 s
// `ring0 asm` and `ring0 disasm`: programs to files, files to text; and the report of a crash.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { expect, file, json, program, ROOT, read } from "./command.ts";

const test = suite("ring0 asm, disasm, crashes");

const COUNTER = `${ROOT}tools/programs/counter.ts`;

test("the file that asm writes runs as its program does", () => {
  expect(0, "asm", COUNTER, "-o", "counter.elf");
  const [written, direct] = ["counter.elf", COUNTER].map((image) => json(0, "run", image, "--smp", "2"));
  assert.is(written?.["hash"], direct?.["hash"]);
});

test("a flat file is memory without headers", () => {
  expect(0, "asm", COUNTER, "-o", "counter.bin", "--flat");
  assert.not.match(read("counter.bin"), /ELF/);
  assert.match(expect(0, "disasm", "counter.bin", "--base", "0x100000").stdout, /lock bts dword \[0x[\da-f]+\], 0x0/);
});

test("a listing shows address, bytes, instruction and source line", () => {
  assert.match(
    expect(0, "asm", COUNTER, "--listing").stdout,
    /^ +00100\w{3} +b9 e8 03 00 00 +mov ecx, 0x3e8 +counter.ts:10$/m,
  );
});

test("disasm names symbols and lines of an image", () => {
  const { stdout } = expect(0, "disasm", COUNTER, "--symbol", "main");
  assert.match(stdout, /^main\.acquire:\n +00100\w{3} .*lock bts dword \[lock\], 0x0 +counter\.ts:12$/m);
  assert.not.match(stdout, /^start:/m);
});

test("disasm and asm tell the same as JSON", () => {
  const lines = expect(0, "disasm", COUNTER, "--symbol", "main", "--json").stdout.trimEnd().split("\n");
  const [, acquire] = lines.map((line) => JSON.parse(line));
  const address = acquire.address.slice(2);
  assert.equal(acquire, {
    address: `0x${address}`,
    symbol: "main+0x5",
    bytes: acquire.bytes,
    text: "lock bts dword [lock], 0x0",
    source: "counter.ts:12",
  });
  assert.match(acquire.bytes, /^f0 0f ba 2d( [\da-f]{2}){4} 00$/);
  const { listing, ...about } = json(0, "asm", COUNTER, "-o", "told.elf", "--listing");
  const bytes = read("told.elf").length;
  assert.equal(about, { program: COUNTER, output: "told.elf", format: "elf", bytes, entry: 0x100010 });
  assert.is(listing, expect(0, "asm", COUNTER, "--listing").stdout);
});

test("disasm takes raw bytes, of 16 and of 32 bits", () => {
  const bytes = file("raw.bin", Uint8Array.of(0xb8, 0x34, 0x12, 0xcd, 0x10, 0x0f, 0xff));
  assert.match(
    expect(0, "disasm", bytes).stdout,
    /00007c00 {2}b8 34 12 +mov ax, 0x1234\n +00007c03 {2}cd 10 +int 0x10\n/,
  );
  assert.match(
    expect(0, "disasm", bytes, "--base", "0", "--bits", "32").stdout,
    /00000000 {2}b8 34 12 cd 10 +mov eax, 0x10cd1234/,
  );
  assert.match(expect(0, "disasm", bytes).stdout, /db 0x0f/);
});

test("a crash shows registers of every processor, the code with its line, and the last instructions", () => {
  const body = "a.mov(ecx, 0x77); a.xor(eax, eax); a.lidt(memory(eax)); a.ud2();";
  const { stderr, stdout } = expect(6, "run", program("crash.ts", body), "--smp", "2");
  assert.is(stdout, "");
  assert.match(stderr, /^ring0: triple fault: processor 0, after \d+ instructions/);
  assert.match(stderr, /^processor 0, shutdown, at main\+0x\w, .*crash\.ts:4\n +eax=00000000 ecx=00000077/m);
  assert.match(stderr, /^ +0010\w{4} {2}0f 0b +ud2 +crash\.ts:4$/m);
  assert.match(stderr, /^processor 1, waiting/m);
  assert.match(
    stderr,
    /^last instructions\n(?:.*\n)*.*mov ecx, 0x77 .*ecx=00000077(?:.*\n)*.*#UD, vector 0x06 {2}-> triple fault/m,
  );
});

test("what is not implemented is told by name and address", () => {
  const { stderr } = expect(70, "run", program("x87.ts", "a.db(0xd9, 0xee);"));
  assert.match(stderr, /^ring0: not implemented: x87 at 0x0010\w{4}/);
  assert.match(stderr, /^processor 0, running, at main, .*x87\.ts:4$/m);
});

test.run();
