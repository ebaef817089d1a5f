// Random hand-written instructions over random tables, selectors and stacks: whatever happens, a fault leaves no trace.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { plainOf } from "../../../emulator/cpu/index.ts";
import { decode } from "../../../emulator/isa/decode.ts";
import { forms } from "../../../emulator/isa/forms.ts";
import * as L from "../../../emulator/memory/layout.ts";
import * as P from "./processor.ts";
import { Processor } from "./processor.ts";

/** A small generator of numbers (xorshift32), so that every run is the same. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const plainForms = forms.filter((form) => plainOf(form) !== undefined && form.unimplemented === "");
const addresses = [
  0,
  4,
  P.GDT,
  P.IDT + 4,
  P.TSS,
  P.DATA,
  P.DATA + 0xffe,
  P.DATA + 0x1000,
  P.STACK - 2,
  0x7fff,
  0xffff,
  -1,
  -4,
];

/** A random instruction's bytes: prefixes, a plain form's opcode, then anything. */
function bytesOf(random: (below: number) => number): number[] {
  const form = plainForms[random(plainForms.length)]!;
  const prefixes = [0x66, 0x67, 0xf3, 0x36, 0x2e].filter(() => random(6) === 0);
  if (form.mandatory !== 0) prefixes.push(form.mandatory);
  const bytes = form.map === 2 ? [...prefixes, 0x0f, form.opcode] : [...prefixes, form.opcode];
  if (form.modrmByte >= 0) bytes.push(form.modrmByte);
  else if (form.modrm !== "none") {
    const reg = form.modrm === "/r" ? random(8) : form.modrm;
    bytes.push((random(4) << 6) | (reg << 3) | random(8));
  }
  while (bytes.length < 20) bytes.push(random(3) === 0 ? random(256) : [0, 3, 8, 0x10, 0x1b, 0x23][random(6)]!);
  return bytes;
}

function processor(random: (below: number) => number): Processor {
  const kind = random(8);
  const p = kind === 0 ? Processor.real() : Processor.flat(([0, 1, 3, 3] as const)[random(4)]);
  for (let i = 0; i < 24; i++) p.poke32(P.DATA + 0xff0 + 4 * i, selector(random) | (random(2) << 16));
  for (let i = 0; i < 8; i++) p.poke32(P.STACK - 16 + 4 * i, selector(random));
  for (let register = 0; register < 8; register++) {
    const address = addresses[random(addresses.length)]!;
    p.set(register, random(3) === 0 ? selector(random) : address + random(8));
  }
  p.set(L.R_ESP, random(4) === 0 ? addresses[random(addresses.length)]! : P.STACK - 4 * random(5));
  if (kind === 0) return p;
  for (const segment of [0, 3, 4, 5])
    if (random(3) === 0) p.core.setSegment(segment, 0, 0, random(0x10000), random(2) ? 0x40f300 : 0);
  if (random(3) === 0) p.core.setSegment(2, p.selector(2), 0, 0xffff, 0x9300 | (p.get(L.R_CPL) << 13));
  // Gates and descriptors of any kind.
  for (let i = 0; i < 6; i++) p.poke32(P.GDT + 4 + 8 * (1 + random(23)), random(0x1000000) | (random(2) << 15));
  for (let i = 0; i < 20; i++)
    p.poke32(P.IDT + 8 * random(64), (selector(random) << 16) | random(0x10000), random(0x10000));
  if (random(3) === 0) p.poke32(P.TSS + 4, addresses[random(addresses.length)]!, selector(random));
  if (random(2) === 0)
    p.paging(
      Object.fromEntries([P.DATA + 0x1000, P.STACK - 0x1000, P.GDT, P.IDT].map((page) => [page, page | random(8)])),
    );
  return p;
}

const selector = (random: (below: number) => number): number =>
  [random(0xc0), random(0xc0), 0, random(0x10000)][random(4)]!;

const test = suite("random instructions");

test("a fault leaves no trace, and so does a delivery that faults", () => {
  const random = generator(0x2f6e2b1);
  const outcomes = new Map<string, number>();
  for (let i = 0; i < 1500; i++) {
    const p = processor(random);
    const bytes = bytesOf(random);
    const bits = (p.core.segment(1, L.S_ATTRIBUTES) & 0x400000) !== 0 ? 32 : 16;
    const instruction = decode(bytes, 0, bytes.length, bits);
    if (typeof instruction === "string" || plainOf(instruction.form) === undefined) continue;
    const text = bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    // A REP keeps its finished iterations; those have tests of their own.
    const outcome = instruction.repeat !== 0 ? p.runPartly(text) : p.run(text);
    outcomes.set(outcome.slice(0, 4), (outcomes.get(outcome.slice(0, 4)) ?? 0) + 1);
    p.deliver(random(70), (["exception", "software", "external"] as const)[random(3)], random(2) ? 0 : undefined);
    p.raise([0, 6, 10, 11, 12, 13, 14][random(7)]!, 0);
  }
  for (const outcome of ["next", "jump", "#GP(", "#PF(", "#SS(", "#UD"])
    assert.ok((outcomes.get(outcome) ?? 0) > 5, `${outcome} ${outcomes.get(outcome)}`);
});

test("split into single accesses, an instruction comes to the same", () => {
  for (let i = 1; i <= 500; i++) {
    const at = (): [Processor, number[]] => {
      const random = generator(i * 0x9e3779b1);
      return [processor(random), bytesOf(random)];
    };
    const [whole, bytes] = at();
    const [split] = at();
    const bits = (whole.core.segment(1, L.S_ATTRIBUTES) & 0x400000) !== 0 ? 32 : 16;
    const instruction = decode(bytes, 0, bytes.length, bits);
    if (typeof instruction === "string" || plainOf(instruction.form) === undefined || instruction.repeat !== 0)
      continue;
    const text = bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const outcome = whole.run(text);
    assert.is(split.runSplit(text), outcome, text);
    if (outcome[0] !== "#") assert.equal(Buffer.compare(split.state(), whole.state()), 0, text);
  }
});

test.run();
