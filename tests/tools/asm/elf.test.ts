// The file, as other people's tools read it: readelf, objdump, addr2line (GNU binutils).

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { data, dword, dwords, eax, ecx, link, proc } from "#asm";

const test = suite("ELF");

const counter = data("counter", dwords(5));
const space = data("space", 100);
const callee = proc("callee", (a) => {
  a.pause();
  a.label("spin");
  a.lock.inc(dword(counter));
  a.jnz("spin");
  a.ret();
});
const main = proc("main", (a) => {
  a.mov(ecx, space);
  a.call(callee);
  a.mov(eax, dword(counter));
  a.hlt();
});
const image = link(main);
const folder = mkdtempSync(join(tmpdir(), "ring0-elf-"));
const file = join(folder, "image.elf");
writeFileSync(file, image.elf());

/** What a tool prints; it must find nothing to complain about. */
function output(tool: string, ...options: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(tool, [...options, file], { encoding: "utf8" });
  assert.is(status, 0, stderr);
  assert.is(stderr, "");
  return stdout;
}

const toolsAreHere = ["readelf", "objdump", "addr2line"].every((tool) => spawnSync(tool, ["--version"]).status === 0);
if (!toolsAreHere) console.log("skipped: the GNU binutils are not on the PATH");
const needsTools = toolsAreHere ? test : test.skip;

test("the Multiboot header lies in the first 8 KiB of the file", () => {
  const words = new Uint32Array(image.elf().slice(0, 8192).buffer);
  assert.ok(words.includes(0x1badb002));
});

needsTools("readelf sees an executable for the 80386 with its entry and two segments", () => {
  const header = output("readelf", "--file-header", "--program-headers", "--wide");
  assert.match(header, /Type: +EXEC/);
  assert.match(header, /Machine: +Intel 80386/);
  assert.match(header, new RegExp(`Entry point address: +0x${image.entry.toString(16)}\\b`));
  assert.match(header, /LOAD +0x001000 0x00100000 0x00100000 .* R E 0x1000/);
  assert.match(header, /LOAD +0x002000 0x00101000 0x00101000 0x00004 0x0007[0-9a-f] RW +0x1000/);
});

needsTools("a physical address of its own goes into the program headers", () => {
  const high = link(main, { base: 0x80100000, load: 0x00100000 });
  writeFileSync(file, high.elf());
  const header = output("readelf", "--program-headers", "--wide");
  writeFileSync(file, image.elf());
  assert.match(header, /LOAD +0x001000 0x80100000 0x00100000 /);
});

test("segments lie at the same place within a page in the file and in memory", () => {
  for (const base of [0x7c00, 0x100010, 0x100ff0]) {
    const elf = link(main, { base }).elf();
    const [offset = 0, address = 0] = new Uint32Array(elf.slice(52 + 4, 52 + 12).buffer);
    assert.is(address, base);
    assert.is(offset % 4096, address % 4096);
    assert.ok(new Uint32Array(elf.slice(0, 8192).buffer).includes(0x1badb002), "the Multiboot header");
  }
});

needsTools("readelf sees every symbol with its kind and size", () => {
  const symbols = output("readelf", "--symbols", "--wide");
  for (const { name, kind, size, address } of image.symbols) {
    const type = { function: "FUNC", object: "OBJECT", label: "NOTYPE" }[kind];
    const value = address.toString(16).padStart(8, "0");
    assert.match(symbols, new RegExp(`${value} +${size} ${type} +GLOBAL DEFAULT +\\d+ ${name.replace(".", "\\.")}\\n`));
  }
});

needsTools("objdump disassembles what was written, with names and lines", () => {
  const text = output("objdump", "-d", "-l", "-M", "intel");
  assert.match(text, /<callee\.spin>/);
  assert.match(text, /lock inc DWORD PTR ds:0x101000\n/);
  assert.match(text, /elf\.test\.ts:\d+\n +[0-9a-f]+:\tf4 +\thlt/);
});

needsTools("addr2line gives the line of every instruction, and its routine", () => {
  const code = image.lines.filter((line) => line.code);
  const addresses = code.map(({ address }) => `0x${address.toString(16)}`);
  const { stdout } = spawnSync("addr2line", ["-f", "-e", file, ...addresses], { encoding: "utf8" });
  const expected = code.map(({ address, site }) => {
    const routine = image.symbolAt(address)?.symbol.name;
    return `${routine}\n${site.source.file}:${site.source.line}\n`;
  });
  assert.is(stdout, expected.join(""));
});

test.after(() => rmSync(folder, { recursive: true }));

test.run();
