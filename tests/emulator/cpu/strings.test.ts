// String instructions: elements, directions, REP and its budget, restarts after faults, ports (SDM vol. 2, REP).
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { G_LEFT, G_OBSERVED, IOPL, ZF } from "../../../emulator/cpu/core.ts";
import * as L from "../../../emulator/memory/layout.ts";
import * as P from "./processor.ts";
import { Processor } from "./processor.ts";

const ES = 0;
const DS = 3;
const DF = 0x400;
const SOURCE = P.DATA;
const TARGET = P.DATA + 0x800;

const start = (p: Processor, ecx = 0, esi = SOURCE, edi = TARGET): Processor =>
  p.set(L.R_ECX, ecx).set(L.R_ESI, esi).set(L.R_EDI, edi);
/** ESI, EDI and ECX as distances from where they started. */
const moved = (p: Processor, esi = SOURCE, edi = TARGET): string =>
  `${p.get(L.R_ESI) - esi} ${p.get(L.R_EDI) - edi} ${p.get(L.R_ECX)}`;

const once = suite("one element");

/** Bytes, EFLAGS before, how far ESI and EDI go. */
for (const [bytes, flags, distances] of [
  ["A4", 2, "1 1 0"],
  ["66 A5", 2, "2 2 0"],
  ["A5", 2, "4 4 0"],
  ["A5", DF | 2, "-4 -4 0"],
  ["A6", 2, "1 1 0"],
  ["A7", DF | 2, "-4 -4 0"],
  ["AA", 2, "0 1 0"],
  ["AB", DF | 2, "0 -4 0"],
  ["AC", 2, "1 0 0"],
  ["66 AD", DF | 2, "-2 0 0"],
  ["AE", 2, "0 1 0"],
  ["6C", 2, "0 1 0"],
  ["6F", 2, "4 0 0"],
] as const)
  once(`${bytes} with EFLAGS ${flags.toString(16)} moves by ${distances}`, () => {
    const p = start(Processor.flat().set(L.R_EFLAGS, flags));
    assert.is(p.run(bytes), "next");
    assert.is(moved(p), distances);
  });

once("a segment override is for the source only", () => {
  const p = start(Processor.flat(3).load(DS, 3)).poke32(SOURCE, 0x1234);
  assert.is(p.run("A5"), "#GP(0)");
  assert.is(p.run("36 A5"), "next");
  assert.is(p.peek32(TARGET), 0x1234);
  assert.is(start(p.load(ES, 3)).run("36 A5"), "#GP(0)");
});

once("with 16-bit addresses only SI and DI count and change", () => {
  const p = start(Processor.flat(3), 0x10002, 0xabcdffff, 0x12340000 | TARGET).poke32(0xfffc, 0x55aaaaaa);
  assert.is(p.run("67 F3 A4"), "next");
  assert.is(p.get(L.R_ESI) >>> 0, 0xabcd0001);
  assert.is(p.get(L.R_EDI), 0x12340000 | (TARGET + 2));
  assert.is(p.get(L.R_ECX), 0x10000);
  assert.is(p.peek32(TARGET), 0x55);
});

const repeated = suite("REP");

/** The same with and without the quick way: an observed run takes every element by itself. */
for (const observed of [0, 1]) {
  const name = observed === 1 ? "element by element" : "in bursts";
  const flat = (): Processor => {
    const p = Processor.flat();
    p.core.g[G_OBSERVED] = observed;
    return p;
  };

  repeated(`MOVS copies across pages, ${name}`, () => {
    const p = start(flat(), 0x700, SOURCE + 2, TARGET + 0x3001);
    p.core.g[G_LEFT] = 0x700;
    for (let i = 0; i < 0x710; i++) p.poke32(SOURCE + 2 + 4 * i, i * 0x01010101);
    assert.is(p.run("F3 A5"), "next");
    for (let i = 0; i < 0x700; i++) assert.is(p.peek32(TARGET + 0x3001 + 4 * i), (i * 0x01010101) | 0);
    assert.is(moved(p, SOURCE + 2, TARGET + 0x3001), "7168 7168 0");
    assert.is(p.core.g[G_LEFT], 1);
  });

  for (const distance of [-4, -1, 0, 1, 2, 3, 4, 7])
    repeated(`MOVSD onto itself at a distance of ${distance} goes element by element upwards, ${name}`, () => {
      const expected = new Uint8Array(64).map((_, i) => i);
      for (let at = 8; at < 40; at += 4) expected.copyWithin(at + distance, at, at + 4);
      const p = start(flat(), 8, SOURCE + 8, SOURCE + 8 + distance);
      const bytes = p.core.u8.subarray(p.core.layout.ramBase + SOURCE, p.core.layout.ramBase + SOURCE + 64);
      bytes.set(expected.map((_, i) => i));
      assert.is(p.run("F3 A5"), "next");
      assert.equal(bytes, expected);
    });

  repeated(`STOS fills bytes, words and dwords at odd addresses, ${name}`, () => {
    for (const [bytes, first, second] of [
      ["F3 AA", 0x78787878, 0x78],
      ["66 F3 AB", 0x56785678, 0x56785678],
      ["F3 AB", 0x12345678, 0x12345678],
    ] as const) {
      const p = start(flat().set(L.R_EAX, 0x12345678), 5, SOURCE, TARGET + 1);
      assert.is(p.run(bytes), "next");
      assert.is(p.peek32(TARGET + 1), first);
      assert.is(p.peek32(TARGET + 5), second);
      assert.is(p.get(L.R_ECX), 0);
    }
  });

  repeated(`a fault stops at its element, ${name}`, () => {
    const p = start(Processor.flat(3).paging({ [P.DATA + 0x1000]: 0 }), 8, SOURCE, SOURCE + 0xff4);
    p.core.g[G_OBSERVED] = observed;
    assert.is(p.runPartly("F3 A5"), "#PF(6)");
    assert.is(moved(p, SOURCE, SOURCE + 0xff4), "12 12 5");
    assert.is(p.core.g[G_LEFT], 997);
    assert.is(start(p, 8, SOURCE + 0xff6).runPartly("F3 AD"), "#PF(4)");
    assert.is(moved(p, SOURCE + 0xff6), "8 0 6");
  });

  repeated(`a segment's limit stops at its element, ${name}`, () => {
    const p = start(Processor.flat(3).load(ES, P.SMALL), 8, SOURCE, 0);
    p.core.g[G_OBSERVED] = observed;
    assert.is(p.runPartly("F3 AB"), "#GP(0)");
    assert.is(moved(p, SOURCE, 0), "0 16 4");
  });

  repeated(`the budget stops between elements and counts them, ${name}`, () => {
    const p = start(flat(), 10);
    p.core.g[G_LEFT] = 4;
    assert.is(p.run("F3 A5"), "again");
    assert.is(moved(p), "16 16 6");
    assert.is(p.core.g[G_LEFT], 1);
    p.core.g[G_LEFT] = 100;
    assert.is(p.run("F3 A5"), "next");
    assert.is(p.core.g[G_LEFT], 95);
  });
}

repeated("a count of zero does nothing and touches nothing", () => {
  const p = start(Processor.flat(3).load(ES, 3), 0);
  for (const bytes of ["F3 A4", "F3 A6", "F2 AE", "F3 AA", "F3 AC"]) assert.is(p.run(bytes), "next", bytes);
  assert.is(moved(p), "0 0 0");
  assert.is(p.core.g[G_LEFT], 1000);
});

/** Instruction, where the two strings first differ or AL is found, ECX left of 3,000 elements, ZF. */
for (const observed of [0, 1])
  for (const [title, bytes, at, ecx, zf] of [
    ["REPE CMPSB stops behind the first difference", "F3 A6", 2500, 499, 0],
    ["REPE CMPSB of equal strings goes to the end", "F3 A6", 5000, 0, ZF],
    ["REPE CMPSW", "66 F3 A7", 1001, 2499, 0],
    ["REPE CMPSD at odd addresses", "F3 A7", 9001, 749, 0],
    ["REPNE SCASB finds AL", "F2 AE", 2500, 499, ZF],
    ["REPNE SCASB without one goes to the end", "F2 AE", 5000, 0, 0],
    ["REPE SCASB stops behind the first other byte", "F3 AE", 0, 2998, 0],
  ] as const)
    repeated(`${title}, ${observed === 1 ? "element by element" : "in bursts"}`, () => {
      const [source, target] = [0x20001, 0x30003];
      const p = start(Processor.flat(), 3000, source, target).set(L.R_EAX, 0x80);
      p.core.g[G_OBSERVED] = observed;
      p.core.g[G_LEFT] = 5000;
      p.core.u8[p.core.layout.ramBase + target + at] = 0x80;
      if (at === 0) p.core.u8[p.core.layout.ramBase + target + 1] = 0x81;
      assert.is(p.run(bytes), "next");
      assert.is(p.get(L.R_ECX), ecx);
      assert.is(p.core.eflags() & ZF, zf);
      assert.is(p.core.g[G_LEFT], 5000 - (3000 - ecx) + 1);
    });

repeated("REPE CMPS to the end leaves the flags of the last element", () => {
  const p = start(Processor.flat(), 2).poke32(SOURCE, 1, 2).poke32(TARGET, 1, 3);
  assert.is(p.run("F3 A7"), "next");
  assert.is(p.core.eflags() & 0x8d5, 0x95);
});

repeated("REPNE CMPS stops behind the first match", () => {
  const p = start(Processor.flat(), 9).poke32(SOURCE, 1, 2, 3).poke32(TARGET, 3, 2, 1);
  assert.is(p.run("F2 A7"), "next");
  assert.is(p.get(L.R_ECX), 7);
  assert.is(p.core.eflags() & ZF, ZF);
});

const ports = suite("IN, OUT, INS, OUTS");

ports("widths and ports", () => {
  const p = start(Processor.flat().set(L.R_EAX, 0x12345678).set(L.R_EDX, 0x10060), 2).poke32(SOURCE, 0x0201);
  for (const bytes of ["E6 80", "66 EF", "EF", "E5 40", "F3 6E"]) assert.ok(/next|again/.test(p.run(bytes)), bytes);
  assert.is(p.ports.join(", "), "out1 80 78, out2 60 5678, out4 60 12345678, in4 40, out1 60 1");
  assert.is(p.get(L.R_EAX), 0xa5a5a5a5 | 0);
});

ports("a write gives devices a chance to interrupt: REP OUTS pauses after each", () => {
  const p = start(Processor.flat(), 3);
  assert.is(p.run("F3 6E"), "again");
  assert.is(p.get(L.R_ECX), 2);
});

ports("INS does not read the port when its store would fault", () => {
  const p = start(Processor.flat().paging({ [P.DATA]: 0 }), 0, 0, P.DATA);
  assert.is(p.run("6C"), "#PF(2)");
  assert.is(p.ports.length, 0);
});

/** Port, width as an IN, bitmap dword from port 60h on, its pointer, TSS limit; outcome in ring 3 with IOPL 0. */
for (const [title, port, bytes, bits, pointer, limit, outcome] of [
  ["clear bits", 0x60, "ED", ~0xf, 0x68, 0xff, "next"],
  ["one set bit of four", 0x60, "ED", 8, 0x68, 0xff, "#GP(0)"],
  ["a byte port beside a set bit", 0x61, "EC", ~2, 0x68, 0xff, "next"],
  ["bits across two bytes", 0x66, "ED", 0x200, 0x68, 0xff, "#GP(0)"],
  ["a bitmap that ends before", 0x60, "EC", 0, 0x68, 0x74, "#GP(0)"],
  ["a bitmap that ends just behind", 0x60, "EC", 0, 0x68, 0x75, "next"],
  ["no bitmap", 0x60, "EC", 0, 0xffff, 0xff, "#GP(0)"],
  ["a TSS without room for the pointer", 0x60, "EC", 0, 0x68, 0x66, "#GP(0)"],
] as const)
  ports(`the permission bitmap: ${title}`, () => {
    const p = Processor.flat(3)
      .poke32(P.TSS + 0x64, pointer << 16)
      .poke32(P.TSS + 0x68 + 0xc, bits);
    assert.is(
      p
        .set(L.R_TR + L.S_LIMIT, limit)
        .set(L.R_EDX, port)
        .run(bytes),
      outcome,
    );
    assert.is(p.ports.length, outcome === "next" ? 1 : 0);
  });

ports("IOPL opens all ports, a 16-bit TSS none", () => {
  assert.is(
    Processor.flat(3)
      .set(L.R_EFLAGS, IOPL | 2)
      .run("EC"),
    "next",
  );
  assert.is(
    Processor.flat(3)
      .set(L.R_TR + L.S_ATTRIBUTES, 0x8300)
      .run("EC"),
    "#GP(0)",
  );
  assert.is(Processor.flat(3).run("F3 6C"), "#GP(0)");
});

once.run();
repeated.run();
ports.run();
