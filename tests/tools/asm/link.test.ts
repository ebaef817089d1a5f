// Linking: what an image holds, where, and with which addresses filled in.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { bytes, data, dword, dwords, eax, type Image, link, proc, strings, words } from "#asm";

const test = suite("link");

const names = (image: Image) => image.symbols.map(({ name }) => name);
const dwordAt = (image: Image, address: number) =>
  new DataView(image.flat().buffer).getUint32(address - (image.sections[0]?.address ?? 0), true);

test("an image holds what its main routine reaches, and nothing else", () => {
  const leaf = proc("leaf", (a) => a.ret());
  const table = data("table", dwords(leaf));
  const unused = proc("unused", (a) => a.ret());
  const main = proc("main", (a) => a.call(dword(table)));
  assert.equal(names(link(main)), ["multiboot", "main", "leaf", "table"]);
  assert.equal(names(link(main, { multiboot: false, include: [unused] })), ["main", "unused", "leaf", "table"]);
});

test("routines may call each other in any order of declaration", () => {
  const even = proc("even", (a) => a.call(odd));
  const odd = proc("odd", (a) => a.jmp(even));
  const image = link(even);
  const call = image.addressOf(even);
  assert.is((dwordAt(image, call + 1) + call + 5) >>> 0, image.addressOf(odd));
  const jump = image.addressOf(odd);
  assert.is((dwordAt(image, jump + 1) + jump + 5) >>> 0, image.addressOf(even));
});

test("addresses in code and data are those of the symbols", () => {
  const text = data("text", strings("one", "two"), { section: ".rodata" });
  const distance = data("distance", [
    bytes("ab"),
    words(text.plus(4).minus(text)),
    dwords(text.plus(4), text.minus(4)),
  ]);
  const main = proc("main", (a) => a.mov(eax, dword(distance, 4)));
  const image = link(main);
  assert.is(dwordAt(image, image.addressOf(main) + 1), image.addressOf(distance) + 4);
  assert.is(dwordAt(image, image.addressOf(distance)), 0x0004_6261);
  assert.is(dwordAt(image, image.addressOf(distance) + 4), image.addressOf(text) + 4);
  assert.is(dwordAt(image, image.addressOf(distance) + 8), image.addressOf(text) - 4);
  assert.is(image.addressOf(text.plus(4)), image.addressOf(text) + 4);
});

test("sections follow each other, and what can be written begins on a page of its own", () => {
  const zero = data("zero", 8);
  const value = data("value", dwords(1));
  const constant = data("constant", dwords(2), { section: ".rodata" });
  const main = proc("main", (a) => {
    for (const variable of [zero, value, constant]) a.mov(eax, dword(variable));
  });
  const { sections } = link(main, { base: 0x200000 });
  assert.equal(
    sections.map(({ name, write, execute }) => [name, write, execute]),
    [
      [".multiboot", false, false],
      [".text", false, true],
      [".rodata", false, false],
      [".data", true, false],
      [".bss", true, false],
    ],
  );
  assert.is(sections[0]?.address, 0x200000);
  assert.is((sections[3]?.address ?? 1) % 4096, 0);
  assert.is(sections[4]?.bytes.length, 0);
});

test("alignments are kept", () => {
  const one = data("one", 1);
  const line = data("line", 4, { align: 64 });
  const routine = proc("routine", (a) => a.ret(), { align: 256 });
  const main = proc("main", (a) => void [a.mov(eax, one), a.mov(eax, line), a.call(routine)]);
  const image = link(main);
  assert.equal([image.addressOf(line) % 64, image.addressOf(routine) % 256, image.addressOf(main) % 16], [0, 0, 0]);
});

test("equal programs give equal files", () => {
  const make = () => {
    const variable = data("variable", 4);
    const callee = proc("callee", (a) => a.inc(dword(variable)));
    return link(
      proc("main", (a) => a.call(callee)),
      { start: "all" },
    ).elf();
  };
  assert.equal(make(), make());
});

test("the Multiboot header begins the image, and its sum is zero", () => {
  const image = link(proc("main", (a) => a.ret()));
  const [magic = 0, flags = 0, checksum = 0] = new Uint32Array(image.flat().buffer, 0, 3);
  assert.is(magic, 0x1badb002);
  assert.is((magic + flags + checksum) >>> 0, 0);
});

test("every instruction knows the line that wrote it, and every address its routine", () => {
  const main = proc("main", (a) => {
    a.nop();
    a.nop(); // one line further
  });
  const image = link(main);
  const [first, second] = [0, 1].map((offset) => image.lineOf(image.addressOf(main) + offset));
  assert.match(first?.file ?? "", /link\.test\.ts$/);
  assert.is(second?.line, (first?.line ?? 0) + 1);
  assert.is(image.nameAt(image.addressOf(main) + 1), "main+0x1");
  assert.is(image.lineOf(0), undefined);
  assert.is(image.symbolAt(image.addressOf(main) + 2), undefined);
});

test("the listing shows addresses, bytes, instructions with their names, and lines", () => {
  const total = data("total", 4);
  const main = proc("main", (a) => void [a.label("again"), a.lock.inc(dword(total)), a.jmp("again")]);
  const text = link(main).listing();
  assert.match(text, /00100010 {2}f0 ff 05 00 10 10 00 +lock inc dword \[total\] +link\.test\.ts:\d+/);
  assert.match(text, /\nmain:\nmain\.again:\n[^\n]*\n[^\n]* jmp main +link/);
});

test.run();
