// What the assembler refuses, and that it says where, what was found and what would do.

import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  type Assembler,
  AssemblyError,
  al,
  ax,
  data,
  dword,
  eax,
  ecx,
  edx,
  esp,
  link,
  memory,
  proc,
  struct,
  u8,
} from "#asm";

const test = suite("errors");

const x = data("x", 4);
const y = data("y", 4);

/** The error of a body; a body may write what the types would refuse. */
// biome-ignore lint/suspicious/noExplicitAny: what these bodies write has no types
function refusal(body: (a: any) => void): string {
  try {
    link(proc("routine", body as (a: Assembler) => void), { multiboot: false });
  } catch (error) {
    assert.instance(error, AssemblyError);
    return (error as Error).message;
  }
  return "nothing was refused";
}

test("an error begins with the author's file and line", () => {
  const message = refusal((a) => {
    a.mov(dword(x), dword(y)); // THIS LINE
  });
  const lines = readFileSync(new URL(import.meta.url), "utf8").split("\n");
  const here = lines.findIndex((line) => line.endsWith("// THIS LINE")) + 1;
  assert.match(message, new RegExp(`^errors\\.test\\.ts:${here}: `));
});

test("operands that no form takes are named beside those that one does", () => {
  assert.match(
    refusal((a) => a.mov(dword(x), dword(y))),
    /no form of MOV takes \(m32, m32\); it takes .*\(r32, r\/m32\)/,
  );
  assert.match(
    refusal((a) => a.call(5)),
    /no form of CALL takes \(5\); it takes \(rel16\)/,
  );
});

test("every refusal says what was found", () => {
  const cases: readonly (readonly [RegExp, (a: Assembler) => void])[] = [
    [/300 does not fit 8 bits/, (a) => a.mov(al, 300)],
    [/x is 0x[0-9a-f]+, which does not fit 16 bits/, (a) => a.mov(ax, x)],
    [/an address holds one symbol; x and y are two/, (a) => a.mov(eax, dword(x, y))],
    [/one index, and at most two registers/, (a) => a.mov(eax, dword(eax, ecx, edx))],
    [/ESP cannot be an index/, (a) => a.mov(eax, dword(ecx, esp.times(2)))],
    [/1, 2, 4 or 8 times, not 3/, (a) => a.mov(eax, dword(ecx.times(3 as 4)))],
    [/256 does not fit 8 bits/, (a) => a.db(256)],
    [/an alignment of 3 was asked for; powers of two will do/, (a) => a.align(3)],
    [/code is of 16 or 32 bits, not 64/, (a) => a.bits(64 as 32)],
    [/no label "nowhere" in routine; its labels: here/, (a) => void [a.label("here"), a.jnz("nowhere")]],
    [/label "here" is placed here and at errors\.test\.ts:\d+/, (a) => void [a.label("here"), a.label("here")]],
  ];
  for (const [message, body] of cases) assert.match(refusal(body), message);
});

test("what the types refuse is refused without types, too", () => {
  assert.match(
    refusal((a) => a.lock.mov(dword(x), 1)),
    /LOCK is allowed only where/,
  );
  assert.match(
    refusal((a) => a.mov(memory(eax), 1)),
    /size of the memory operand is not known/,
  );
  assert.match(
    refusal((a) => a.mov(eax, undefined)),
    /operand 2 of MOV is undefined/,
  );
  assert.match(
    refusal((a) => a.mov(eax, "x")),
    /operand 2 of MOV is "x"/,
  );
});

test("a branch without a near form says how far its label is", () => {
  const tooFar = (a: Assembler) => {
    a.label("back");
    for (let i = 0; i < 130; i++) a.nop();
    a.loop("back");
  };
  assert.match(refusal(tooFar), /label "back" is -132 bytes away, and LOOP reaches -128 to 127 bytes/);
});

test("declarations that make no sense are refused where they stand", () => {
  assert.throws(() => data("q", -1), /errors\.test\.ts:\d+: data "q" has a size of -1/);
  assert.throws(() => proc("q", () => {}, { align: 5 }), /errors\.test\.ts:\d+: an alignment of 5/);
  assert.throws(() => struct({ size: u8 }), /errors\.test\.ts:\d+: "size" is no name for a field/);
});

test("an image that has no place is refused", () => {
  const main = proc("main", (a) => a.ret());
  assert.throws(() => link(main, { base: -1 }), /errors\.test\.ts:\d+: base is -1; an address is/);
  assert.throws(() => link(main, { base: 0xfffffff0 }), /errors\.test\.ts:\d+: the image ends \d+ bytes beyond 4 GiB/);
  assert.throws(() => link(main, { start: "all", stackSize: 10 }), /a stack of 10 bytes was asked for/);
});

test("two symbols of one name do not come into one image", () => {
  const twice = refusal((a) => void [a.mov(eax, x), a.mov(eax, data("x", 4))]);
  assert.match(twice, /"x" is declared here and at errors\.test\.ts:\d+/);
});

test("asking for what is not in the image names it", () => {
  const image = link(proc("main", (a) => a.ret()));
  assert.throws(() => image.addressOf(x), /errors\.test\.ts:\d+: x is not in the image/);
  assert.throws(() => image.addressOf("x"), /no symbol "x" in the image; it has multiboot, main/);
});

test.run();
