// System instructions, CPUID and MSRs, BOUND and CMPXCHG8B, and the state after reset (SDM vol. 2; vol. 3A, ch. 2, table 9-1).
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { G_LEFT, G_MODE_CHANGED, IF, IOPL, ZF } from "../../../emulator/cpu/core.ts";
import { resetProcessor, startFromSipi } from "../../../emulator/cpu/index.ts";
import * as L from "../../../emulator/memory/layout.ts";
import * as P from "./processor.ts";
import { Processor } from "./processor.ts";

const CS = 1;
const hex = (value: number): string => (value >>> 0).toString(16);

const privilege = suite("privilege");

/** Instructions of ring 0; what they do there. */
for (const [name, bytes, outcome] of [
  ["HLT", "F4", "next"],
  ["CLTS", "0F 06", "next"],
  ["LGDT", "0F 01 13", "next"],
  ["LIDT", "0F 01 1B", "next"],
  ["LLDT", "0F 00 D0", "next"],
  ["LTR", "0F 00 D9", "next"],
  ["LMSW", "0F 01 F0", "next"],
  ["MOV EAX, CR0", "0F 20 C0", "next"],
  ["MOV CR3, EAX", "0F 22 D8", "next"],
  ["MOV EAX, DR7", "0F 21 F8", "next"],
  ["MOV DR7, EAX", "0F 23 F8", "next"],
  ["INVLPG", "0F 01 3B", "next"],
  ["INVD", "0F 08", "next"],
  ["WBINVD", "0F 09", "next"],
  ["RDMSR", "0F 32", "next"],
  ["WRMSR", "0F 30", "next"],
  ["RDPMC", "0F 33", "#GP(0)"],
] as const)
  privilege(`${name} needs ring 0`, () => {
    const at = (cpl: 0 | 1 | 3): Processor =>
      Processor.flat(cpl)
        .set(L.R_EBX, P.DATA)
        .set(L.R_EAX, 0)
        .set(L.R_ECX, name.includes("MSR") ? 0x174 : P.TSS_AVAILABLE);
    assert.is(at(0).run(bytes), outcome);
    assert.is(at(1).run(bytes), "#GP(0)");
    assert.is(at(3).run(bytes), "#GP(0)");
  });

privilege("CLI and STI need CPL <= IOPL", () => {
  assert.is(Processor.flat(3).run("FA"), "#GP(0)");
  assert.is(Processor.flat(3).run("FB"), "#GP(0)");
  assert.is(
    Processor.flat(3)
      .set(L.R_EFLAGS, IOPL | 2)
      .run("FB"),
    "next",
  );
  assert.is(Processor.flat(1).set(L.R_EFLAGS, 0x1002).run("FA"), "next");
});

privilege("SGDT, SIDT, SLDT, STR and SMSW are for everybody", () => {
  const p = Processor.flat(3).set(L.R_EBX, P.DATA);
  assert.is(p.run("0F 01 03"), "next");
  assert.is(hex(p.peek32(P.DATA)), hex((P.GDT << 16) | p.get(L.R_GDTR_LIMIT)));
  assert.is(p.run("0F 01 0B"), "next");
  for (const [bytes, value] of [
    ["0F 00 C0", 0x30],
    ["0F 00 C8", 0x28],
    ["0F 01 E0", p.get(L.R_CR0)],
  ] as const) {
    assert.is(p.run(bytes), "next");
    assert.is(p.get(L.R_EAX), value);
  }
});

const control = suite("control registers");

/** CR0 before, value, outcome, CR0 after. */
for (const [before, value, outcome, after] of [
  [0x11, 0x80000011, "next", 0x80000011],
  [0x11, 0x80000000, "#GP(0)", 0x11],
  [0x11, 0x20000011, "#GP(0)", 0x11],
  [0x11, 0x60000011, "next", 0x60000011],
  [0x11, 1, "next", 0x11],
  [0x11, -1 >>> 0, "next", 0xe005003f],
  [0x11, 0, "next", 0x10],
] as const)
  control(`MOV CR0, ${hex(value)}: ${outcome}`, () => {
    const p = Processor.flat().set(L.R_CR0, before).set(L.R_EAX, value);
    p.core.g[G_MODE_CHANGED] = 0;
    assert.is(p.run("0F 22 C0"), outcome);
    assert.is(hex(p.get(L.R_CR0)), hex(after));
    if (((before ^ after) & 0x80000001) !== 0) assert.is(p.core.g[G_MODE_CHANGED], 1);
  });

/** CR4: TSD, PSE, PGE and PCE exist. */
for (const [value, outcome] of [
  [0x194, "next"],
  [0x20, "#GP(0)"],
  [0x200, "#GP(0)"],
  [1, "#GP(0)"],
] as const)
  control(`MOV CR4, ${hex(value)}: ${outcome}`, () =>
    assert.is(Processor.flat().set(L.R_EAX, value).run("0F 22 E0"), outcome),
  );

control("LMSW sets PE but does not clear it", () => {
  const p = Processor.real().set(L.R_EAX, 1);
  assert.is(p.run("0F 01 F0"), "next");
  assert.is(p.get(L.R_CR0) & 1, 1);
  p.set(L.R_EAX, 0xe).run("0F 01 F0");
  assert.is(p.get(L.R_CR0) & 0xf, 0xf);
});

control("a store after MOV CR3 or INVLPG goes by the new page table", () => {
  for (const bytes of ["0F 22 D8", "0F 01 3F"]) {
    const p = Processor.flat().paging().set(L.R_EDI, P.DATA);
    p.run("AA");
    p.poke32(0x81000 + (P.DATA >>> 10), 0)
      .set(L.R_EAX, p.get(L.R_CR3))
      .set(L.R_EDI, P.DATA);
    assert.is(p.run(bytes), "next");
    assert.is(p.run("AA"), "#PF(2)", bytes);
  }
});

control("debug registers read as after reset; arming one stops by name", () => {
  const p = Processor.flat();
  p.run("0F 21 F0");
  assert.is(hex(p.get(L.R_EAX)), "ffff0ff0");
  p.run("0F 21 E8");
  assert.is(hex(p.get(L.R_EAX)), "400");
  assert.is(p.set(L.R_EAX, 1).run("0F 23 F8"), "not implemented: debug registers");
});

control("a 16-bit LGDT loads 24 bits of base, SGDT stores 32", () => {
  const p = Processor.flat().poke32(P.DATA, 0x5678ffff, 0x1234).set(L.R_EBX, P.DATA);
  p.run("0F 01 13");
  assert.is(hex(p.get(L.R_GDTR_BASE)), "12345678");
  p.run("66 0F 01 13");
  assert.is(hex(p.get(L.R_GDTR_BASE)), "345678");
});

/** LTR and LLDT: bytes, selector, outcome. */
for (const [name, bytes, selector, outcome] of [
  ["LTR", "0F 00 D8", P.TSS_AVAILABLE, "next"],
  ["LTR", "0F 00 D8", 0, "#GP(0)"],
  ["LTR", "0F 00 D8", P.LOCAL, "#GP(4)"],
  ["LTR", "0F 00 D8", P.DATA0, "#GP(10)"],
  ["LTR", "0F 00 D8", P.BEYOND, "#GP(100)"],
  ["LLDT", "0F 00 D0", 0x30, "next"],
  ["LLDT", "0F 00 D0", 0, "next"],
  ["LLDT", "0F 00 D0", P.LOCAL, "#GP(4)"],
  ["LLDT", "0F 00 D0", P.TSS_AVAILABLE, "#GP(78)"],
] as const)
  control(`${name} ${hex(selector)}: ${outcome}`, () => {
    const p = Processor.flat().set(L.R_EAX, selector);
    assert.is(p.run(bytes), outcome);
  });

control("LTR marks its TSS busy, so that a second one refuses it", () => {
  const p = Processor.flat().set(L.R_EAX, P.TSS_AVAILABLE);
  p.run("0F 00 D8");
  assert.is(p.peek32(P.GDT + P.TSS_AVAILABLE + 4) & 0xf00, 0xb00);
  assert.is(p.run("0F 00 D8"), "#GP(78)");
});

control("no LDT, no selectors of it", () => {
  const p = Processor.flat().set(L.R_EAX, 0);
  p.run("0F 00 D0");
  assert.is(p.set(L.R_EAX, P.LOCAL).run("8E D8"), "#GP(4)");
});

const flags = suite("interrupt flag and HLT");

flags("STI holds interrupts off for one instruction, but not when IF was set", () => {
  const p = Processor.flat();
  p.run("FB");
  assert.is(p.get(L.R_SHADOW), L.SHADOW_STI);
  assert.is(p.get(L.R_EFLAGS) & IF, IF);
  assert.is(p.core.g[G_LEFT], 1);
  p.set(L.R_SHADOW, 0).run("FB");
  assert.is(p.get(L.R_SHADOW), 0);
});

flags("HLT halts behind itself; an interrupt wakes", () => {
  const p = Processor.flat();
  p.run("F4");
  assert.is(p.get(L.R_ACTIVITY), L.HALTED);
  p.deliver(0x30);
  assert.is(p.get(L.R_ACTIVITY), L.RUNNING);
  assert.is(p.stack(1), hex(P.CODE + 0x101));
});

const identity = suite("CPUID, time-stamp counter, MSRs");

identity("CPUID names the vendor and claims only what is there", () => {
  const p = Processor.flat(3).set(L.R_EAX, 0);
  p.run("0F A2");
  assert.equal(
    [L.R_EAX, L.R_EBX, L.R_EDX, L.R_ECX].map((at) => hex(p.get(at))),
    ["1", "756e6547", "49656e69", "6c65746e"],
  );
  p.set(L.R_EAX, 1).run("0F A2");
  assert.equal(
    [L.R_EAX, L.R_EBX, L.R_ECX, L.R_EDX].map((at) => hex(p.get(at))),
    ["619", "0", "0", "a338"],
  );
  p.set(L.R_EAX, 0x80000000).run("0F A2");
  assert.is(p.get(L.R_EAX), 0x619);
});

identity("RDTSC follows the clock; WRMSR writes the low half and clears the high one", () => {
  const p = Processor.flat();
  p.core.f64[L.CLOCK >> 3] = 0x1_0000_0005 + 1000;
  p.run("0F 31");
  assert.equal([p.get(L.R_EDX), p.get(L.R_EAX)], [1, 5]);
  p.set(L.R_ECX, 0x10).set(L.R_EAX, -2).set(L.R_EDX, 7).run("0F 30");
  p.core.f64[L.CLOCK >> 3]! += 3;
  p.run("0F 32");
  assert.equal([p.get(L.R_EDX), p.get(L.R_EAX)], [1, 1]);
});

identity("CR4.TSD keeps RDTSC for ring 0", () => {
  assert.is(Processor.flat(3).run("0F 31"), "next");
  assert.is(Processor.flat(3).set(L.R_CR4, 4).run("0F 31"), "#GP(0)");
  assert.is(Processor.flat().set(L.R_CR4, 4).run("0F 31"), "next");
});

/** WRMSR: register, EDX:EAX, outcome. */
for (const [register, high, low, outcome] of [
  [0x1b, 0, 0xfee00900, "next"],
  [0x1b, 0, 0xfee00901, "#GP(0)"],
  [0x1b, 1, 0xfee00900, "#GP(0)"],
  [0x1b, 0, 0x900, "not implemented: local APIC registers over RAM"],
  [0x174, 0, 8, "next"],
  [0x177, 0, 0, "#GP(0)"],
  [0x277, 0, 0, "#GP(0)"],
] as const)
  identity(`WRMSR ${hex(register)}, ${high}:${hex(low)}: ${outcome}`, () => {
    const p = Processor.flat().set(L.R_ECX, register).set(L.R_EDX, high).set(L.R_EAX, low);
    assert.is(p.run("0F 30"), outcome);
    if (outcome !== "next") return;
    p.run("0F 32");
    assert.is(hex(p.get(L.R_EAX)), hex(low));
  });

const checks = suite("BOUND, CMPXCHG8B, undefined and unbuilt opcodes");

/** Index, bounds, outcome; with 16-bit operands the upper halves do not count. */
for (const [index, lower, upper, bytes, outcome] of [
  [5, 5, 5, "62 03", "next"],
  [4, 5, 9, "62 03", "#BR"],
  [10, 5, 9, "62 03", "#BR"],
  [-1, -2, 0, "62 03", "next"],
  [7, 8, 6, "62 03", "#BR"],
  [0x18000, 0x7fff8000, 0, "66 62 03", "next"],
  [0x17fff, 0x7ffe8000, 0, "66 62 03", "#BR"],
] as const)
  checks(`BOUND ${bytes} ${index} in ${hex(lower)} ${hex(upper)}: ${outcome}`, () => {
    const p = Processor.flat(3).set(L.R_EAX, index).set(L.R_EBX, P.DATA).poke32(P.DATA, lower, upper);
    assert.is(p.run(bytes), outcome);
  });

checks("CMPXCHG8B stores on a match, else loads, and must be able to write either way", () => {
  const p = Processor.flat(3).set(L.R_EAX, 1).set(L.R_EDX, 2).set(L.R_EBX, 3).set(L.R_ECX, 4).set(L.R_ESI, P.DATA);
  p.poke32(P.DATA, 1, 2);
  assert.is(p.run("0F C7 0E"), "next");
  assert.equal([p.peek32(P.DATA), p.peek32(P.DATA + 4), p.get(L.R_EFLAGS) & ZF], [3, 4, ZF]);
  assert.is(p.run("0F C7 0E"), "next");
  assert.equal([p.get(L.R_EAX), p.get(L.R_EDX), p.get(L.R_EFLAGS) & ZF], [3, 4, 0]);
  const q = Processor.flat(3)
    .paging({ [P.DATA]: P.DATA | 5 })
    .set(L.R_ESI, P.DATA);
  assert.is(q.set(L.R_EAX, 9).run("0F C7 0E"), "#PF(7)");
  assert.is(q.set(L.R_ESI, P.DATA - 4).run("0F C7 0E"), "#PF(7)");
});

checks("ARPL writes memory only to change it", () => {
  const p = Processor.flat(3)
    .paging({ [P.DATA]: P.DATA | 5 })
    .poke32(P.DATA, 0x13, 0x10)
    .set(L.R_EAX, 3)
    .set(L.R_EBX, P.DATA);
  assert.is(p.run("63 03"), "next");
  assert.is(p.set(L.R_EBX, P.DATA + 4).run("63 03"), "#PF(7)");
});

checks("UD2, UD1 and RSM are undefined", () => {
  for (const bytes of ["0F 0B", "0F B9 C0", "0F AA"]) assert.is(Processor.flat().run(bytes), "#UD", bytes);
});

/** CR0, bytes, outcome of opcodes without a unit to run them. */
for (const [cr0, bytes, outcome] of [
  [0x11, "D9 EB", "not implemented: x87"],
  [0x15, "D9 EB", "#NM"],
  [0x19, "D9 EB", "#NM"],
  [0x15, "9B", "not implemented: x87"],
  [0x1b, "9B", "#NM"],
  [0x11, "0F 77", "not implemented: MMX"],
  [0x15, "0F 77", "#UD"],
  [0x15, "0F 10 C0", "#UD"],
] as const)
  checks(`${bytes} with CR0 ${hex(cr0)}: ${outcome}`, () =>
    assert.is(Processor.flat().set(L.R_CR0, cr0).run(bytes), outcome),
  );

const reset = suite("reset");

reset("the boot processor starts at FFFFFFF0 in real mode", () => {
  const p = new Processor();
  assert.is(hex(p.core.segment(CS, L.S_BASE) + p.get(L.R_EIP)), "fffffff0");
  assert.equal(
    [L.R_EFLAGS, L.R_CR0, L.R_EDX, L.R_ACTIVITY, L.R_APIC_BASE, L.R_DR + 5].map((at) => hex(p.get(at))),
    ["2", "60000010", "619", "0", "fee00900", "400"],
  );
});

reset("INIT keeps CD, NW, the APIC base and MSRs, and clears the rest", () => {
  const p = Processor.flat().paging();
  p.set(L.R_MSR, 8)
    .set(L.R_CR0, 0xc0010033 | 0)
    .set(L.R_CR4, 0x10)
    .set(L.R_SHADOW, 1)
    .set(L.R_APIC_BASE, 0xfed00800 | 0);
  resetProcessor(p.core, 0, "init", false);
  assert.equal(
    [L.R_MSR, L.R_CR0, L.R_CR3, L.R_CR4, L.R_SHADOW, L.R_APIC_BASE, L.R_CPL, L.R_ACTIVITY].map((at) => hex(p.get(at))),
    ["8", "40000010", "0", "0", "0", "fed00800", "0", hex(L.WAIT_FOR_SIPI)],
  );
});

reset("a SIPI starts a waiting processor at its page, and only such a one", () => {
  const p = new Processor();
  startFromSipi(p.core, 0, 0x9a);
  assert.is(p.get(L.R_EIP), 0xfff0);
  resetProcessor(p.core, 0, "init", false);
  startFromSipi(p.core, 0, 0x9a);
  assert.equal([p.selector(CS), p.core.segment(CS, L.S_BASE), p.get(L.R_EIP)], [0x9a00, 0x9a000, 0]);
  assert.is(p.get(L.R_ACTIVITY), L.RUNNING);
});

privilege.run();
control.run();
flags.run();
identity.run();
checks.run();
reset.run();
