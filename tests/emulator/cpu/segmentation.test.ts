// Segment loads, limit and type checks, and the instructions that ask about selectors (SDM vol. 3A, ch. 5).
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ZF } from "../../../emulator/cpu/core.ts";
import * as L from "../../../emulator/memory/layout.ts";
import * as P from "./processor.ts";
import { Processor } from "./processor.ts";

const ES = 0;
const SS = 2;
const DS = 3;

const loads = suite("loading a segment register");

/** Register, privilege level, selector, outcome. */
const cases: readonly [number, 0 | 1 | 3, number, string][] = [
  [DS, 0, P.DATA0, "next"],
  [DS, 0, P.DATA3, "next"],
  [DS, 0, P.CODE0, "next"],
  [DS, 0, 0, "next"],
  [DS, 3, 3, "next"],
  [DS, 3, P.DATA3, "next"],
  [DS, 3, P.DATA3 & ~3, "next"],
  [DS, 3, P.CONFORMING, "next"],
  [DS, 3, P.CONFORMING | 3, "next"],
  [DS, 3, P.LOCAL, "next"],
  [DS, 3, P.READ_ONLY, "next"],
  [DS, 1, P.DATA0, "#GP(10)"],
  [DS, 0, P.DATA0 | 1, "#GP(10)"],
  [DS, 3, P.DATA0, "#GP(10)"],
  [DS, 3, P.DATA0 | 3, "#GP(10)"],
  [DS, 3, P.EXECUTE_ONLY, "#GP(68)"],
  [DS, 0, P.CALL_GATE, "#GP(70)"],
  [DS, 0, P.TSS_AVAILABLE, "#GP(78)"],
  [DS, 0, P.ABSENT, "#NP(50)"],
  [DS, 0, P.BEYOND, "#GP(100)"],
  [DS, 0, 0xfffc, "#GP(fffc)"],
  [DS, 0, P.LOCAL + 8, "#GP(c)"],
  [DS, 0, P.LOCAL + 16, "#GP(14)"],
  [SS, 0, P.DATA0, "next"],
  [SS, 3, P.DATA3, "next"],
  [SS, 3, P.LOCAL, "next"],
  [SS, 3, P.EXPAND_DOWN, "next"],
  [SS, 0, 0, "#GP(0)"],
  [SS, 3, 3, "#GP(0)"],
  [SS, 0, P.DATA3, "#GP(20)"],
  [SS, 3, P.DATA3 & ~3, "#GP(20)"],
  [SS, 0, P.DATA0 | 3, "#GP(10)"],
  [SS, 3, P.READ_ONLY, "#GP(58)"],
  [SS, 0, P.CODE0, "#GP(8)"],
  [SS, 3, P.ABSENT | 3, "#SS(50)"],
  [SS, 0, P.BEYOND, "#GP(100)"],
];
for (const [segment, cpl, selector, outcome] of cases)
  loads(`${segment === SS ? "SS" : "DS"} with selector ${selector.toString(16)} in ring ${cpl}: ${outcome}`, () => {
    const p = Processor.flat(cpl).set(L.R_EAX, selector);
    assert.is(p.run(segment === SS ? "8E D0" : "8E D8"), outcome);
    if (outcome === "next") assert.is(p.selector(segment), selector);
  });

loads("a load sets the accessed bit in the table and in the register", () => {
  const p = Processor.flat().load(DS, P.DATA3);
  assert.is(p.peek32(P.GDT + P.DATA3 - 3 + 4) & 0xff00, 0xf300);
  assert.is(p.core.segment(DS, L.S_ATTRIBUTES), 0xc0f300);
});

loads("a limit in pages counts their last byte", () => {
  assert.is(Processor.flat().load(DS, P.DATA3).core.segment(DS, L.S_LIMIT), -1);
  assert.is(Processor.flat().load(DS, P.READ_ONLY).core.segment(DS, L.S_LIMIT), 0xfff);
});

loads("POP SS and MOV SS hold off interrupts, LSS and other segments do not", () => {
  const shadow = (bytes: string): number => {
    const p = Processor.flat()
      .poke32(P.STACK, P.DATA0)
      .poke32(P.DATA, 0, P.DATA0)
      .set(L.R_EAX, P.DATA0)
      .set(L.R_EBX, P.DATA);
    assert.is(p.run(bytes), "next");
    return p.get(L.R_SHADOW);
  };
  assert.is(shadow("8E D0"), L.SHADOW_SS);
  assert.is(shadow("17"), L.SHADOW_SS);
  assert.is(shadow("0F B2 33"), 0);
  assert.is(shadow("1F"), 0);
});

loads("LDS loads the offset only when the selector is good", () => {
  const p = Processor.flat(3).poke32(P.DATA, 0x12345678, P.DATA3).set(L.R_EBX, P.DATA);
  assert.is(p.run("C5 33"), "next");
  assert.is(p.get(L.R_ESI), 0x12345678);
  assert.is(p.poke32(P.DATA + 4, P.DATA0).run("C5 33"), "#GP(10)");
  assert.is(p.get(L.R_ESI), 0x12345678);
  assert.is(p.poke32(P.DATA, (P.DATA3 << 16) | 0x9abc).run("66 C5 33"), "next");
  assert.is(p.get(L.R_ESI), 0x12349abc);
});

loads("real mode loads the base and keeps limit and attributes", () => {
  const p = Processor.real().load(DS, 0x1234);
  assert.is(p.core.segment(DS, L.S_BASE), 0x12340);
  assert.is(p.core.segment(DS, L.S_LIMIT), 0xffff);
  p.core.setSegment(ES, 0, 0, -1, 0x9300);
  assert.is(p.load(ES, 0xffff).core.segment(ES, L.S_LIMIT), -1);
});

loads("MOV from a segment register clears the upper half of a register, and stores 16 bits", () => {
  const p = Processor.flat(3).set(L.R_EAX, -1).set(L.R_EBX, P.DATA).poke32(P.DATA, -1);
  p.run("8C D8");
  assert.is(p.get(L.R_EAX), P.DATA3);
  p.run("8C 1B");
  assert.is(p.peek32(P.DATA) >>> 0, 0xffff0000 + P.DATA3);
  p.set(L.R_EAX, -1).run("66 8C D8");
  assert.is(p.get(L.R_EAX) >>> 0, 0xffff0000 + P.DATA3);
});

const limits = suite("limits and types");

/** Selector in DS, EBX, access (LODSB, LODSD or STOS through ES), outcome. */
const accesses: readonly [number, number, string, string][] = [
  [P.SMALL, 0xf, "AC", "next"],
  [P.SMALL, 0x10, "AC", "#GP(0)"],
  [P.SMALL, 0xc, "AD", "next"],
  [P.SMALL, 0xd, "AD", "#GP(0)"],
  [P.SMALL, 0xc, "AB", "next"],
  [P.SMALL, 0xd, "AB", "#GP(0)"],
  [P.SMALL, -1, "AD", "#GP(0)"],
  [P.LOCAL, 0xf, "AC", "next"],
  [P.LOCAL, 0x10, "AC", "#GP(0)"],
  [P.EXPAND_DOWN, 0xfff, "AC", "#GP(0)"],
  [P.EXPAND_DOWN, 0x1000, "AC", "next"],
  [P.EXPAND_DOWN, 0xffc, "AD", "#GP(0)"],
  [P.EXPAND_DOWN, -1, "AC", "next"],
  [P.EXPAND_DOWN, -3, "AD", "#GP(0)"],
  [P.EXPAND_DOWN_16, 0xffff, "AC", "next"],
  [P.EXPAND_DOWN_16, 0x10000, "AC", "#GP(0)"],
  [P.EXPAND_DOWN_16, 0xfffd, "AD", "#GP(0)"],
  [P.READ_ONLY, 0, "AC", "next"],
  [P.READ_ONLY, 0, "AA", "#GP(0)"],
  [P.CONFORMING, 0, "AC", "next"],
  [P.CONFORMING, 0, "AA", "#GP(0)"],
  [3, 0, "AC", "#GP(0)"],
  [3, 0, "AA", "#GP(0)"],
];
for (const [selector, offset, bytes, outcome] of accesses)
  limits(`${bytes} at ${offset.toString(16)} through ${selector.toString(16)}: ${outcome}`, () => {
    const p = Processor.flat(3).load(DS, selector).load(ES, selector).set(L.R_ESI, offset).set(L.R_EDI, offset);
    assert.is(p.run(bytes), outcome);
  });

limits("the stack's violations are #SS(0)", () => {
  const p = Processor.flat(3).load(SS, P.LOCAL).set(L.R_ESP, 4);
  assert.is(p.run("1E"), "next");
  assert.is(p.run("1E"), "#SS(0)");
  assert.is(p.set(L.R_ESP, 0xe).run("1F"), "#SS(0)");
});

limits("in real mode they have no error code, and a word at FFFF faults", () => {
  const p = Processor.real().set(L.R_ESI, 0xffff);
  assert.is(p.run("AC"), "next");
  assert.is(p.set(L.R_ESI, 0xffff).run("AD"), "#GP(0)");
  assert.is(p.run("36 AD"), "#SS(0)");
  assert.is(p.set(L.R_ESI, 0xfffe).run("36 AD"), "next");
});

const questions = suite("LAR LSL VERR VERW ARPL");

/** Privilege level, selector: what LAR, LSL, VERR and VERW say ("-": ZF clear). */
const answers: readonly [0 | 3, number, string, string, boolean, boolean][] = [
  [3, P.DATA3, "cff200", "ffffffff", true, true],
  [3, P.CODE3, "cffa00", "ffffffff", true, false],
  [3, P.READ_ONLY, "40f000", "fff", true, false],
  [3, P.EXECUTE_ONLY, "cff800", "ffffffff", false, false],
  [3, P.CONFORMING, "cf9e00", "ffffffff", true, false],
  [3, P.CONFORMING | 3, "cf9e00", "ffffffff", true, false],
  [3, P.LOCAL, "40f200", "f", true, true],
  [3, P.DATA0, "-", "-", false, false],
  [0, P.DATA0, "cf9200", "ffffffff", true, true],
  [0, P.DATA0 | 3, "-", "-", false, false],
  [0, P.ABSENT, "cf7200", "ffffffff", true, true],
  [0, P.TSS_AVAILABLE, "8900", "67", false, false],
  [3, P.TSS_AVAILABLE, "-", "-", false, false],
  [3, P.CALL_GATE, "ec00", "-", false, false],
  [3, P.BEYOND, "-", "-", false, false],
  [0, 0, "-", "-", false, false],
  [3, 3, "-", "-", false, false],
];
for (const [cpl, selector, rights, limit, readable, writable] of answers)
  questions(`selector ${selector.toString(16)} asked about in ring ${cpl}`, () => {
    const p = Processor.flat(cpl).set(L.R_EBX, selector);
    const ask = (bytes: string): string => {
      assert.is(p.set(L.R_EAX, 0x55).run(bytes), "next");
      if ((p.core.eflags() & ZF) !== 0) return (p.get(L.R_EAX) >>> 0).toString(16);
      assert.is(p.get(L.R_EAX), 0x55);
      return "-";
    };
    assert.is(ask("0F 02 C3"), rights);
    assert.is(ask("0F 03 C3"), limit);
    assert.is(ask("0F 00 E3") !== "-", readable);
    assert.is(ask("0F 00 EB") !== "-", writable);
  });

questions("real mode has no selectors to ask about", () => {
  for (const bytes of ["0F 02 C3", "0F 03 C3", "0F 00 E3", "0F 00 EB", "63 D8", "0F 00 C0", "0F 00 D0", "0F 00 D8"])
    assert.is(Processor.real().run(bytes), "#UD", bytes);
});

/** ARPL: destination, source, destination after, ZF. */
for (const [old, least, result, zf] of [
  [0x10, 3, 0x13, ZF],
  [0x13, 0, 0x13, 0],
  [0x11, 1, 0x11, 0],
  [0x11, 0xfffe, 0x12, ZF],
] as const)
  questions(`ARPL ${old.toString(16)}, ${least.toString(16)} gives ${result.toString(16)}`, () => {
    const p = Processor.flat(3)
      .set(L.R_EAX, 0xabcd0000 | old)
      .set(L.R_EBX, least);
    p.run("63 D8");
    assert.is(p.get(L.R_EAX), 0xabcd0000 | result);
    assert.is(p.core.eflags() & ZF, zf);
  });

loads.run();
limits.run();
questions.run();
