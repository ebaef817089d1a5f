// Flags that a loop brings back to its head: read there, and at every place where a budget ends.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  type Assembler,
  al,
  bl,
  bx,
  cl,
  cx,
  data,
  dh,
  dl,
  dword,
  dx,
  eax,
  ebx,
  ecx,
  edi,
  edx,
  type Image,
  type ImageSection,
  link,
  proc,
} from "#asm";
import { type Engine, Machine } from "#emulator";
import { emitRegion } from "../../../../emulator/engine/compiler/emit.ts";
import { formRegion } from "../../../../emulator/engine/compiler/region.ts";
import { ROUND } from "../../../../emulator/engine/compiler/values.ts";
import { OP } from "../../../../emulator/engine/compiler/wasm.ts";
import { decode } from "../../../../emulator/isa/index.ts";
import { hintsOf } from "./hints.ts";

const test = suite("flags round loops");

const word = data("word", 4);
const ROUNDS = 20_000;
/** Instructions to the first comparison; each further one is as much later than the one before was. */
const STEP = 997;

/** How a round ends; EBX, ECX and EDX are other in each. */
// biome-ignore format: columns
const ends: Record<string, (a: Assembler) => void> = {
  "cmp r, r": (a) => a.cmp(ebx, ecx),
  "cmp r, imm": (a) => a.cmp(edx, 0x12345678),
  "cmp r16": (a) => a.cmp(bx, cx),
  "cmp r8": (a) => a.cmp(bl, cl),
  "cmp memory": (a) => a.cmp(dword(word), ebx),
  "cmp, operand changed": (a) => { a.cmp(edx, ebx); a.mov(edx, ecx); },
  "cmp, low byte changed": (a) => { a.cmp(edx, ebx); a.mov(dl, cl); },
  "cmp, high byte changed": (a) => { a.mov(ebx, edx); a.cmp(edx, ebx); a.mov(dh, cl); },
  "cmp, operands exchanged": (a) => { a.cmp(edx, ebx); a.xchg(edx, ebx); },
  "cmp r, itself": (a) => a.cmp(edx, edx),
  "cmp, stc": (a) => { a.cmp(edx, ebx); a.stc(); },
  "cmp, cmc": (a) => { a.cmp(edx, ebx); a.cmc(); },
  "cmp, inc": (a) => { a.cmp(edx, ebx); a.inc(ebx); },
  "cmp, bt": (a) => { a.cmp(edx, ebx); a.bt(edx, ecx); },
  "sub": (a) => a.sub(edx, ebx),
  "sub r8": (a) => a.sub(dl, bl),
  "sub, result copied": (a) => { a.sub(edx, ebx); a.mov(ebx, edx); },
  "sub from memory": (a) => a.sub(dword(word), ebx),
  "neg": (a) => a.neg(edx),
  "sbb": (a) => a.sbb(edx, ebx),
  "bt, sbb r, itself": (a) => { a.bt(ecx, 0); a.sbb(edx, edx); },
  "add": (a) => a.add(edx, ebx),
  "add r16": (a) => a.add(dx, bx),
  "add r, itself": (a) => a.add(edx, edx),
  "adc": (a) => a.adc(edx, ebx),
  "adc r, -1": (a) => a.adc(edx, -1),
  "xadd": (a) => a.xadd(edx, ebx),
  "inc": (a) => a.inc(edx),
  "dec": (a) => a.dec(edx),
  "dec r8": (a) => a.dec(dl),
  "add, dec": (a) => { a.add(edx, ebx); a.dec(ebx); },
  "and": (a) => a.and(edx, 0x55aa),
  "or r8": (a) => a.or(dl, 3),
  "test": (a) => a.test(ecx, ecx),
  "xor r, itself": (a) => a.xor(ebx, ebx),
  "shl": (a) => a.shl(edx, 3),
  "shl by CL": (a) => a.shl(edx, cl),
  "shl, another by CL": (a) => { a.shl(edx, 3); a.shl(ebx, cl); },
  "ror": (a) => a.ror(edx, 5),
  "imul": (a) => a.imul(edx, ebx),
  "bsf": (a) => a.bsf(edx, ebx),
  "sahf": (a) => a.sahf(),
  "nothing": () => {},
  "cmp, then two ways that meet": (a) => { a.cmp(edx, ebx); a.jc("more"); a.mov(edi, ecx); a.label("more"); },
};

/** Two ways back that differ in where the flags come from, the one that says most of it first. */
// biome-ignore format: columns
const pairs: readonly (readonly [string, (a: Assembler) => void, (a: Assembler) => void])[] = [
  ["cmp, add", (a) => a.cmp(edx, ebx), (a) => a.add(edx, ebx)],
  ["cmp, another register", (a) => a.cmp(edx, ebx), (a) => a.cmp(edi, ebx)],
  ["cmp, operand changed", (a) => a.cmp(edx, ebx), (a) => { a.cmp(edx, ebx); a.mov(edx, edi); }],
  ["sub, another constant", (a) => a.sub(edx, 1), (a) => a.sub(edx, 3)],
  ["sub, dec", (a) => a.sub(edx, 1), (a) => a.dec(edx)],
  ["dec, sbb", (a) => a.dec(edx), (a) => a.sbb(edx, 1)],
  ["add, another result", (a) => a.add(edx, ebx), (a) => a.add(edi, ebx)],
  ["cmp, bsf", (a) => a.cmp(edx, edx), (a) => { a.cmp(edx, edx); a.bsf(edi, ecx); }],
  ["add, nothing", (a) => a.add(edx, ebx), () => {}],
];
for (const [name, first, second] of pairs) {
  ends[`two ways: ${name}`] = (a) => {
    a.cmp(edx, ebx);
    a.jnc("first");
    second(a);
    a.loop("again");
    a.jmp("over");
    a.label("first");
    first(a);
  };
}

/** Each round begins with the flags as the one before left them. */
const loopOf = (end: (a: Assembler) => void) =>
  link(
    proc("main", (a) => {
      a.mov(ecx, ROUNDS);
      a.mov(ebx, 0x80000001);
      a.label("again");
      a.lahf();
      a.seto(al);
      a.lea(edi, dword(eax, edi, 4));
      a.lea(edx, dword(edx, ebx, 2, 7));
      a.lea(ebx, dword(ebx, ecx, 8, 1));
      end(a);
      a.loop("again");
      a.label("over");
      a.hlt();
    }),
    { include: [word] },
  );

for (const [name, end] of Object.entries(ends))
  test(`after ${name}, flags are the same whoever runs the loop`, () => {
    const image = loopOf(end);
    const [one, other] = (["interpreter", "auto"] satisfies Engine[]).map((engine) =>
      Machine.boot(image, { memory: 2 << 20, engine }),
    );
    for (let step = STEP; ; step += STEP) {
      const [{ reason }] = [one, other].map((machine) => machine.run({ maxInstructions: step }));
      assert.is(other.hash(), one.hash(), `at the end of ${step} instructions`);
      if (reason === "halted") break;
    }
    const { instructions = 0 } = other.statistics ?? {};
    assert.ok(instructions > 4 * ROUNDS, `${instructions} instructions in compiled code`);
  });

/** The module of the loop that begins so many instructions after the image's first one. */
function moduleOf(image: Image, first: number): Uint8Array {
  const { bytes, address } = image.sections.find(({ name }) => name === ".text") as ImageSection;
  const instructionAt = (eip: number) => {
    const found = decode(bytes, eip - address, bytes.length, 32);
    return typeof found === "string" ? null : found;
  };
  let entry = image.entry;
  for (let i = 0; i < first; i++) entry += instructionAt(entry)?.length ?? 0;
  const options = { key: 0xff, pages: 64, slot: 1, refilled: new Set<number>(), exact: true };
  return emitRegion(formRegion(entry, instructionAt, [], false), options).bytes;
}

test("a loop's head makes the flags again where the way back says how, and nowhere else", () => {
  const goesRound = [OP.i32_const, 0x7f, OP.local_set, ROUND];
  const says = (module: Uint8Array): boolean => Buffer.from(module).includes(Buffer.from(goesRound));
  assert.ok(says(moduleOf(loopOf(ends["cmp r, r"]), 2)));
  assert.not(says(moduleOf(loopOf(ends.nothing), 2)));
});

test("the hints of a region lie at branches, behind what was put in at a loop's head too", () => {
  const module = moduleOf(loopOf(ends["sub from memory"]), 2);
  const hints = hintsOf(module, 0);
  assert.ok(hints.length > 1, "the budget, and a missing translation");
  for (const { at } of hints) assert.is(module[at], OP.if);
});

test.run();
