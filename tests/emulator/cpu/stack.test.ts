// PUSHA, POPA, ENTER, flags and segment registers on the stack; far calls and jumps (SDM vol. 1, ch. 6; vol. 3A, 5.8).
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Machine } from "#emulator";
import * as L from "../../../emulator/memory/layout.ts";
import * as P from "./processor.ts";
import { Processor } from "./processor.ts";

const CS = 1;
const SS = 2;
const DS = 3;
const EIP = P.CODE + 0x100;

const hex = (value: number): string => (value >>> 0).toString(16);
/** Ring 3 with the general registers 0x11111111, 0x22222222, ... in order, but for ESP. */
function numbered(p = Processor.flat(3)): Processor {
  for (let register = 0; register < 8; register++)
    if (register !== L.R_ESP) p.set(register, Math.imul(0x11111111, register + 1));
  return p;
}
const onStack16 = (): Processor =>
  numbered()
    .load(SS, P.DATA3_16)
    .set(L.R_ESP, 0x5a5a0000 | P.STACK);

const stack = suite("the stack");

stack("PUSHA pushes the ESP from before, POPA passes it over", () => {
  const p = numbered();
  assert.is(p.run("60"), "next");
  assert.is(p.stack(8), "88888888 77777777 66666666 a000 44444444 33333333 22222222 11111111");
  const q = Processor.flat(3).set(L.R_ESP, p.get(L.R_ESP)).poke32(p.get(L.R_ESP), 8, 7, 6, 5, 4, 3, 2, 1);
  assert.is(q.run("61"), "next");
  assert.equal(
    Array.from({ length: 8 }, (_, register) => q.get(register)),
    [1, 2, 3, 4, P.STACK, 6, 7, 8],
  );
});

stack("with 16-bit operands they move words and keep the upper halves", () => {
  const p = numbered().set(L.R_EBP, 0x12345678);
  assert.is(p.run("66 60"), "next");
  assert.is(p.get(L.R_ESP), P.STACK - 16);
  assert.is(p.stack(3, 16), "8888 7777 5678");
  assert.is(p.set(L.R_EBP, 0x1234ffff).run("66 61"), "next");
  assert.is(p.get(L.R_EBP), 0x12345678);
});

stack("a 16-bit stack wraps at 64 KiB and keeps the upper half of ESP", () => {
  const p = onStack16().set(L.R_ESP, 0x5a5a0000);
  assert.is(p.run("06"), "next");
  assert.is(hex(p.get(L.R_ESP)), "5a5afffc");
  assert.is(p.peek32(0xfffc), P.DATA3);
  assert.is(p.run("07"), "next");
  assert.is(hex(p.get(L.R_ESP)), "5a5a0000");
  assert.is(p.set(L.R_ESP, 2).run("06"), "#SS(0)");
});

/**
 * Bytes run in real mode on a 16-bit stack without a limit, the value they pop lying at SP: where it is found afterwards,
 * and ESP. POP is data flow, so a machine runs it.
 */
function popped(bytes: string, esp: number): string {
  const machine = new Machine({ memory: 0x100000 });
  const { core, memory } = machine;
  const set = (at: number, ...values: number[]): void => core.i32.set(values, (L.PROCESSOR_BASE >> 2) + at);
  for (let segment = 0; segment < 6; segment++) set(L.R_SEGMENTS + segment * L.SEGMENT_WORDS, 0, 0, -1, 0x9300);
  set(L.R_EIP, 0x7c00);
  set(L.R_ESP, esp);
  memory.set(0x7c00, Buffer.from(bytes.replaceAll(" ", ""), "hex"));
  memory.setDword(esp & 0xffff, VALUE);
  assert.is(machine.run({ maxInstructions: 1 }).reason, "budget");
  const found = [];
  for (let at = 0; at < 0x40000; at += 2) if (at !== (esp & 0xffff) && memory.word(at) === VALUE) found.push(hex(at));
  return `${found.join(" ")}, ESP ${hex(machine.processors[0].esp)}`;
}
const VALUE = 0xcafe;

for (const [bytes, esp, outcome] of [
  ["67 8f 44 24 10", 0x18000, "18012, ESP 18002"],
  ["67 8f 44 24 10", 0x1fffe, "10010, ESP 10000"],
  ["67 66 8f 44 24 10", 0x1fffc, "10010, ESP 10000"],
  ["67 66 8f 44 24 10", 0x1fff8, "2000c, ESP 1fffc"],
  ["67 8f 44 6c 10", 0x1fffe, "10010, ESP 10000"],
  ["67 8f 04 24", 0xfffe, "0, ESP 0"],
] as const)
  stack(`POP to memory at [ESP] goes by the 16-bit pointer as raised: ${bytes} with ESP ${hex(esp)}: ${outcome}`, () =>
    assert.is(popped(bytes, esp), outcome),
  );

/** ESP, bytes, outcome on a stack whose page above STACK and the two below STACK - 4 KiB are not mapped. */
for (const [esp, bytes, outcome] of [
  [P.STACK - 0x1000 + 8, "60", "#PF(6)"],
  [P.STACK - 0x1000 + 32, "60", "next"],
  [P.STACK - 28, "61", "#PF(4)"],
  [P.STACK - 32, "61", "next"],
  [P.STACK - 0x1000 + 2, "06", "#PF(6)"],
  [P.STACK - 2, "07", "#PF(4)"],
  [P.STACK - 2, "9D", "#PF(4)"],
  [P.STACK - 0x1000 + 2, "9C", "#PF(6)"],
  [P.STACK - 0x1000 + 4, "9A 00 00 00 00 1B 00", "#PF(6)"],
  [P.STACK - 4, "CB", "#PF(4)"],
  [P.STACK - 8, "CF", "#PF(4)"],
  [P.STACK - 0x1000 + 8, "C8 00 00 00", "next"],
  [P.STACK - 0x1000 + 8, "C8 05 00 00", "#PF(6)"],
  [P.STACK - 0x1000 + 8, "C8 00 00 02", "#PF(6)"],
] as const)
  stack(
    `${bytes} with ESP ${hex(esp)}, unmapped from ${hex(P.STACK)} and below ${hex(P.STACK - 0x1000)}: ${outcome}`,
    () => {
      const p = Processor.flat(3).paging({ [P.STACK]: 0, [P.STACK - 0x2000]: 0, [P.STACK - 0x3000]: 0 });
      p.poke32(P.STACK - 0x20, P.DATA3, P.DATA3, P.DATA3, P.DATA3, P.DATA3, P.DATA3, P.DATA3, P.DATA3);
      assert.is(
        p
          .set(L.R_ESP, esp)
          .set(L.R_EBP, P.STACK - 0x800)
          .run(bytes),
        outcome,
      );
    },
  );

/** ENTER: bytes, frame pointer before; values on the new stack, ESP and EBP after. */
for (const [title, bytes, ebp, values, esp, newEbp] of [
  ["level 0", "C8 10 00 00", 0x9000, "0 0 0 0 9000", P.STACK - 20, P.STACK - 4],
  ["level 1", "C8 00 00 01", 0x9000, "9ffc 9000", P.STACK - 8, P.STACK - 4],
  ["level 3", "C8 00 00 03", 0x9008, "9ffc 8888 7777 9008", P.STACK - 16, P.STACK - 4],
  ["level 35 is level 3", "C8 00 00 23", 0x9008, "9ffc 8888 7777 9008", P.STACK - 16, P.STACK - 4],
  ["level 3 copying what it pushes", "C8 00 00 03", P.STACK, "9ffc a000 a000 a000", P.STACK - 16, P.STACK - 4],
] as const)
  stack(`ENTER ${title}`, () => {
    const p = Processor.flat(3).poke32(0x9000, 0x8888, 0x7777).set(L.R_EBP, ebp);
    assert.is(p.run(bytes), "next");
    assert.is(p.stack(values.split(" ").length), values);
    assert.is(p.get(L.R_ESP), esp);
    assert.is(p.get(L.R_EBP), newEbp);
  });

stack("ENTER on a 16-bit stack takes over the upper half of ESP", () => {
  const p = onStack16();
  assert.is(p.run("C8 04 00 00"), "next");
  assert.is(hex(p.get(L.R_ESP)), hex(0x5a5a0000 | (P.STACK - 8)));
  assert.is(hex(p.get(L.R_EBP)), hex(0x5a5a0000 | (P.STACK - 4)));
});

stack("PUSHF hides VM and RF", () => {
  const p = Processor.flat(3).set(L.R_EFLAGS, 0x3f7ed7);
  p.run("9C");
  assert.is(p.stack(1), "3c7ed7");
});

stack("POPF makes room for an interrupt when it sets IF", () => {
  const p = Processor.flat()
    .set(L.R_ESP, P.STACK - 4)
    .poke32(P.STACK - 4, 0x202);
  p.core.g[8] = 100;
  assert.is(p.run("9D"), "next");
  assert.is(p.core.g[8], 1);
});

const transfers = suite("far jumps and calls");

/** Privilege level, selector, outcome of a far JMP to its EIP. */
const targets: readonly [0 | 1 | 3, number, string][] = [
  [0, P.CODE0, "jumped"],
  [3, P.CODE3, "jumped"],
  [3, P.CODE3 & ~3, "jumped"],
  [3, P.CONFORMING, "jumped"],
  [3, P.CONFORMING | 3, "jumped"],
  [0, 0, "#GP(0)"],
  [3, 3, "#GP(0)"],
  [3, P.CODE0, "#GP(8)"],
  [0, P.CODE3, "#GP(18)"],
  [0, P.CODE0 | 3, "#GP(8)"],
  [0, P.DATA0, "#GP(10)"],
  [0, P.BEYOND, "#GP(100)"],
  [0, P.ABSENT_CODE, "#NP(80)"],
  [0, P.SMALL_CODE, "#GP(0)"],
  [3, P.CALL_GATE, "not implemented: call gate"],
  [0, P.TSS_AVAILABLE, "not implemented: task switch"],
  [3, P.TSS_AVAILABLE, "#GP(78)"],
  [0, 0x30, "#GP(30)"],
];
for (const [cpl, selector, outcome] of targets)
  transfers(`JMP and CALL from ring ${cpl} to ${hex(selector)}: ${outcome}`, () => {
    const pointer = `00 00 01 00 ${hex(selector & 0xff).padStart(2, "0")} ${hex(selector >> 8).padStart(2, "0")}`;
    const p = Processor.flat(cpl);
    assert.is(p.run(`EA ${pointer}`), outcome);
    const q = Processor.flat(cpl);
    assert.is(q.run(`9A ${pointer}`), outcome);
    if (outcome !== "jumped") return;
    for (const it of [p, q]) {
      assert.is(it.selector(CS), (selector & ~3) | cpl);
      assert.is(it.get(L.R_EIP), 0x10000);
      assert.is(it.get(L.R_CPL), cpl);
    }
    assert.is(q.stack(2), `${hex(EIP + 7)} ${hex((cpl === 3 ? P.CODE3 : P.CODE0) & 0xffff)}`);
  });

transfers("through memory, with either operand size", () => {
  const p = Processor.flat().poke32(P.DATA, EIP, P.CODE0).set(L.R_EBX, P.DATA);
  assert.is(p.run("FF 1B"), "jumped");
  assert.is(p.stack(2), `${hex(EIP + 2)} 8`);
  assert.is(p.poke32(P.DATA, (P.CODE0_16 << 16) | 0x200).run("66 FF 2B"), "jumped");
  assert.is(p.get(L.R_EIP), 0x200);
  assert.is(p.selector(CS), P.CODE0_16);
});

transfers("16-bit code calls and returns within 64 KiB", () => {
  const p = Processor.flat().set(L.R_EIP, 0xfffb);
  p.core.setSegment(CS, P.CODE0_16, P.CODE, 0xffff, 0x9b00);
  assert.is(p.run("9A 34 12 38 00"), "jumped");
  assert.is(p.stack(2, 16), "0 38");
  assert.is(p.run("CB"), "jumped");
  assert.is(p.get(L.R_EIP), 0);
});

transfers("real mode keeps CS's limit and attributes, and checks the limit", () => {
  const p = Processor.real();
  assert.is(p.run("9A 78 56 34 12"), "jumped");
  assert.is(p.core.segment(CS, L.S_BASE), 0x12340);
  assert.is(p.get(L.R_EIP), 0x5678);
  assert.is(p.stack(2, 16), "105 1000");
  assert.is(Processor.real().run("66 EA 00 00 01 00 34 12"), "#GP(0)");
});

transfers("entering protected mode: LGDT, MOV CR0, far jump", () => {
  const p = Processor.real().poke32(0x500, (P.GDT << 16) | 0xff, P.GDT >>> 16);
  p.poke32(
    P.GDT,
    ...P.descriptor(0, 0, 0, 0),
    ...P.descriptor(0, 0xfffff, 0x9a, 0xc),
    ...P.descriptor(0, 0xfffff, 0x92, 0xc),
  );
  assert.is(p.run("0F 01 16 00 05"), "next");
  assert.is(p.get(L.R_GDTR_BASE), P.GDT);
  assert.is(p.set(L.R_EAX, 1).run("0F 22 C0"), "next");
  assert.is(p.run("66 EA 00 02 01 00 08 00"), "jumped");
  assert.is(p.core.segment(CS, L.S_ATTRIBUTES), 0xc09b00);
  assert.is(p.load(DS, 0x10).core.segment(DS, L.S_LIMIT), -1);
});

stack.run();
transfers.run();
