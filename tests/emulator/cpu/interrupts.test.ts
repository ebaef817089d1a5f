// Delivery of interrupts and exceptions, and IRET back (SDM vol. 3A, ch. 6): frames, rings, error codes, double faults.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { BP, CR0_WP, DF, GP, IF, IOPL, NT, PF, RF, TF, UD, VM } from "../../../emulator/cpu/core.ts";
import * as L from "../../../emulator/memory/layout.ts";
import * as P from "./processor.ts";
import { descriptor, gate, Processor } from "./processor.ts";

const CS = 1;
const SS = 2;
const DS = 3;
const FS = 4;
const VECTOR = 0x30;
const EIP = P.CODE + 0x100;
const setGate = (p: Processor, vector: number, words: [number, number]): Processor =>
  p.poke32(P.IDT + 8 * vector, ...words);

const frames = suite("frames");

frames("an interrupt in ring 0 pushes EFLAGS, CS, EIP on the current stack", () => {
  const p = Processor.flat().set(L.R_EFLAGS, IF | 3);
  assert.is(p.deliver(VECTOR), "");
  assert.is(p.stack(3), `${EIP.toString(16)} 8 203`);
  assert.is(p.get(L.R_ESP), P.STACK - 12);
  assert.is(p.get(L.R_EIP), P.CODE + VECTOR);
  assert.is(p.get(L.R_EFLAGS), 3);
});

frames("an interrupt in ring 3 changes to the stack of the TSS and pushes SS and ESP first", () => {
  const p = Processor.flat(3).set(L.R_EFLAGS, IF | 2);
  assert.is(p.deliver(VECTOR), "");
  assert.is(p.stack(5), `${EIP.toString(16)} 1b 202 ${P.STACK.toString(16)} 23`);
  assert.is(p.get(L.R_ESP), P.INNER_STACK - 20);
  assert.is(p.get(L.R_CPL), 0);
  assert.is(p.selector(CS), P.CODE0);
  assert.is(p.selector(SS), P.DATA0);
  assert.is(p.selector(DS), P.DATA3);
});

frames("a conforming handler keeps the ring and its stack", () => {
  const p = setGate(Processor.flat(3), VECTOR, gate(P.CONFORMING, P.CODE, 0x8e));
  assert.is(p.deliver(VECTOR), "");
  assert.is(p.get(L.R_CPL), 3);
  assert.is(p.selector(CS), P.CONFORMING | 3);
  assert.is(p.get(L.R_ESP), P.STACK - 12);
});

frames("a trap gate leaves IF alone; both clear TF and NT", () => {
  const p = setGate(Processor.flat(), VECTOR, gate(P.CODE0, P.CODE, 0x8f)).set(L.R_EFLAGS, IF | TF | NT | 2);
  assert.is(p.deliver(VECTOR), "");
  assert.is(p.get(L.R_EFLAGS), IF | 2);
});

frames("a 16-bit gate pushes words and ignores the upper half of its offset", () => {
  const p = setGate(Processor.flat(), VECTOR, gate(P.CODE0_16, 0x7fff0040, 0x86));
  assert.is(p.deliver(VECTOR), "");
  assert.is(p.stack(3, 16), "100 8 2");
  assert.is(p.get(L.R_EIP), 0x40);
});

frames("a 16-bit TSS gives the inner stack", () => {
  const p = Processor.flat(3).poke32(P.TSS, (0x8000 << 16) | 0, P.DATA0);
  p.setSystem(L.R_TR, P.TSS_AVAILABLE, P.TSS, 0x2b, 0x8300);
  assert.is(p.deliver(VECTOR), "");
  assert.is(p.get(L.R_ESP), 0x8000 - 20);
  assert.is(p.selector(SS), P.DATA0);
});

frames("a 16-bit inner stack leaves the upper half of ESP", () => {
  const p = Processor.flat(3)
    .poke32(P.TSS + 4, INNER, P.DATA0_16)
    .set(L.R_ESP, 0x5a5a0000 | P.STACK);
  assert.is(p.deliver(VECTOR), "");
  assert.is(p.get(L.R_ESP), (0x5a5a0000 | INNER) - 20);
});
const INNER = 0x9000;

frames("an exception's error code comes last, and its EFLAGS have RF set", () => {
  const p = Processor.flat(3);
  assert.is(p.raise(GP, 0x1234), "delivered");
  assert.is(p.stack(4), `1234 ${EIP.toString(16)} 1b ${(RF | 2).toString(16)}`);
});

frames("a page fault loads CR2", () => {
  const p = Processor.flat()
    .paging({ [P.DATA]: 0 })
    .set(L.R_ESI, P.DATA + 5);
  assert.is(p.run("AC"), "#PF(0)");
  assert.is(p.get(L.R_CR2), 0);
  assert.is(p.raise(PF, 0), "delivered");
  assert.is(p.get(L.R_CR2), P.DATA + 5);
});

frames("real mode pushes three words and goes by the table of four-byte pointers", () => {
  const p = Processor.real()
    .poke32(4 * 0x21, 0x20003000)
    .set(L.R_EFLAGS, IF | TF | 2);
  assert.is(p.run("CD 21"), "jumped");
  assert.is(p.stack(3, 16), "102 1000 302");
  assert.is(p.selector(CS), 0x2000);
  assert.is(p.core.segment(CS, L.S_BASE), 0x20000);
  assert.is(p.get(L.R_EIP), 0x3000);
  assert.is(p.get(L.R_EFLAGS), 2);
  p.core.setSegment(CS, 0x1000, 0x10000, 0xffff, 0x9300);
});

frames("real mode beyond the table's limit is #GP, and none of it at all a shutdown", () => {
  const p = Processor.real().set(L.R_IDTR_LIMIT, 0x7f);
  assert.is(p.run("CD 20"), "#GP(102)");
  assert.is(p.set(L.R_IDTR_LIMIT, 0).raise(UD), "shutdown");
});

frames("INT3, INT n, INTO and INT1 come back to the next instruction", () => {
  const after = (bytes: string): string => {
    const p = setGate(Processor.flat().set(L.R_EFLAGS, 0x802), BP, gate(P.CODE0, P.CODE, 0xef));
    assert.is(p.run(bytes), "jumped");
    return p.stack(1);
  };
  assert.is(after("CC"), (EIP + 1).toString(16));
  assert.is(after("CD 30"), (EIP + 2).toString(16));
  assert.is(after("CE"), (EIP + 1).toString(16));
  assert.is(after("F1"), (EIP + 1).toString(16));
  assert.is(Processor.flat().run("CE"), "next");
});

const refusals = suite("refused gates and stacks");

const inner =
  (selector: number): ((p: Processor) => void) =>
  (p) =>
    p.poke32(P.TSS + 8, selector);
const target =
  (selector: number, access = 0x8e, offset = P.CODE): ((p: Processor) => void) =>
  (p) =>
    setGate(p, VECTOR, gate(selector, offset, access));
/** What is wrong; the outcome for an interrupt from outside, and for INT 30h; the privilege level. */
const wrong: readonly [string, (p: Processor) => void, string, string, 0 | 1 | 3][] = [
  ["vector beyond the limit", (p) => p.set(L.R_IDTR_LIMIT, 0x186), "#GP(183)", "#GP(182)", 0],
  ["gate not present", target(P.CODE0, 0x6e), "#NP(183)", "#NP(182)", 3],
  ["gate more privileged than INT", target(P.CODE0, 0x8e), "", "#GP(182)", 3],
  ["gate that is none", target(P.CODE0, 0xe9), "#GP(183)", "#GP(182)", 0],
  ["gate that is a segment", target(P.CODE0, 0xfe), "#GP(183)", "#GP(182)", 0],
  ["call gate", target(P.CODE0, 0xec), "#GP(183)", "#GP(182)", 0],
  ["task gate", target(P.CODE0, 0xe5), "not implemented: task gate", "not implemented: task gate", 0],
  ["null selector", target(0, 0xee), "#GP(1)", "#GP(0)", 0],
  ["selector beyond the table", target(P.BEYOND, 0xee), "#GP(101)", "#GP(100)", 0],
  ["data segment as handler", target(P.DATA0, 0xee), "#GP(11)", "#GP(10)", 0],
  ["less privileged handler", target(P.CODE3, 0xee), "#GP(19)", "#GP(18)", 0],
  ["absent handler segment", target(P.ABSENT_CODE, 0xee), "#NP(81)", "#NP(80)", 0],
  ["offset beyond the segment", target(P.SMALL_CODE, 0xee, 0x100), "#GP(1)", "#GP(0)", 0],
  ["TSS too small", (p) => p.set(L.R_TR + L.S_LIMIT, 8), "#TS(29)", "#GP(182)", 3],
  ["null inner stack", inner(0), "#TS(1)", "#GP(182)", 3],
  ["inner stack beyond the table", inner(P.BEYOND), "#TS(101)", "#GP(182)", 3],
  ["inner stack of another ring", inner(P.DATA3), "#TS(21)", "#GP(182)", 3],
  ["inner stack by a selector of another ring", inner(P.DATA0 | 1), "#TS(11)", "#GP(182)", 3],
  ["inner stack that is code", inner(P.CODE0), "#TS(9)", "#GP(182)", 3],
];
for (const [what, spoil, external, software, cpl] of wrong)
  refusals(`${what}: ${external || "delivered"}, by INT ${software}`, () => {
    const p = Processor.flat(cpl);
    spoil(p);
    assert.is(p.deliver(VECTOR), external);
    const q = Processor.flat(cpl);
    spoil(q);
    assert.is(q.run("CD 30"), software);
  });

refusals("an absent inner stack is #SS with its selector", () => {
  const p = Processor.flat(3).poke32(P.TSS + 8, 0xc0);
  p.set(L.R_GDTR_LIMIT, 0xc7).poke32(P.GDT + 0xc0, ...descriptor(0, 0xfffff, 0x12, 0xc));
  assert.is(p.deliver(VECTOR), "#SS(c1)");
});

refusals("no room on the current stack is #SS(EXT), on an inner one #SS(selector)", () => {
  const p = Processor.flat();
  p.core.setSegment(SS, P.DATA0, 0, 0xfff, 0x409300);
  assert.is(p.set(L.R_ESP, 8).deliver(VECTOR), "#SS(1)");
  assert.is(p.set(L.R_ESP, 12).deliver(VECTOR), "");
  const q = Processor.flat(3).poke32(P.TSS + 4, 4, 0xc0);
  q.set(L.R_GDTR_LIMIT, 0xc7).poke32(P.GDT + 0xc0, ...descriptor(0, 0xff, 0x92, 4));
  assert.is(q.deliver(VECTOR), "#SS(c1)");
});

refusals("an inner stack that is not mapped is a page fault of the supervisor, CS and SS unmarked", () => {
  const p = Processor.flat(3).paging({ [P.INNER_STACK - 0x1000]: 0 });
  assert.is(p.deliver(VECTOR), "#PF(2)");
});

refusals("an inner stack on a read-only page faults with WP", () => {
  const entries = { [P.INNER_STACK - 0x1000]: (P.INNER_STACK - 0x1000) | 0x61 };
  assert.is(Processor.flat(3).paging(entries).deliver(VECTOR), "");
  const p = Processor.flat(3).paging(entries);
  p.set(L.R_CR0, p.get(L.R_CR0) | CR0_WP);
  assert.is(p.deliver(VECTOR), "#PF(3)");
});

const serial = suite("exceptions during exceptions");

/** First exception, what spoils its gate, vector that is entered in the end (its error code on the stack). */
const chains: readonly [string, number, (p: Processor) => void, string][] = [
  ["#UD whose gate is absent: #NP", UD, (p) => setGate(p, UD, gate(P.CODE0, 0, 0x6e)), "b: 33"],
  ["#GP whose gate is absent: #DF", GP, (p) => setGate(p, GP, gate(P.CODE0, 0, 0x6e)), "8: 0"],
  ["#PF whose gate is absent: #DF", PF, (p) => setGate(p, PF, gate(P.CODE0, 0, 0x6e)), "8: 0"],
  ["#DE whose handler is data: #DF", 0, (p) => setGate(p, 0, gate(P.DATA0, 0, 0x8e)), "8: 0"],
  ["#UD with a null handler: #GP(EXT)", UD, (p) => setGate(p, UD, gate(0, 0, 0x8e)), "d: 1"],
];
for (const [what, vector, spoil, result] of chains)
  serial(what, () => {
    const p = Processor.flat();
    spoil(p);
    assert.is(p.raise(vector, 0x10), "delivered");
    assert.is(`${(p.get(L.R_EIP) - P.CODE).toString(16)}: ${p.stack(1)}`, result);
  });

serial("a page fault on the way to #GP is served first, with CR2", () => {
  const p = Processor.flat()
    .paging({ [P.IDT + 0x1000]: 0 })
    .set(L.R_IDTR_BASE, P.IDT + 0x1000 - 8 * GP);
  for (const vector of [DF, PF]) p.poke32(P.IDT + 0x1000 + 8 * (vector - GP), 0, 0);
  p.poke32(P.IDT + 0x1000 - 8, ...gate(0, 0, 0x8e));
  assert.is(p.raise(GP, 0), "shutdown");
  assert.is(p.get(L.R_CR2), P.IDT + 0x1000 + 8);
});

serial("a page fault on the stack of #PF is a double fault, and that one's a shutdown", () => {
  const p = Processor.flat(3).paging({ [P.INNER_STACK - 0x1000]: 0 });
  assert.is(p.raise(PF, 4), "shutdown");
  assert.is(p.get(L.R_ACTIVITY), L.SHUTDOWN);
});

serial("an external interrupt that cannot be delivered is no double fault", () => {
  const p = setGate(Processor.flat(), VECTOR, gate(0, 0, 0x8e));
  assert.is(p.deliver(VECTOR), "#GP(1)");
  assert.is(p.raise(GP, 1), "delivered");
  assert.is(p.get(L.R_EIP), P.CODE + GP);
});

const returns = suite("IRET and RETF");

const frame = (p: Processor, ...words: number[]): Processor =>
  p.set(L.R_ESP, P.STACK - 4 * words.length).poke32(P.STACK - 4 * words.length, ...words);

returns("IRET undoes an interrupt from ring 3", () => {
  const p = Processor.flat(3).set(L.R_EFLAGS, IF | 0xd7);
  p.deliver(VECTOR);
  assert.is(p.run("CF"), "jumped");
  assert.is(p.get(L.R_EIP), EIP);
  assert.is(p.get(L.R_ESP), P.STACK);
  assert.is(p.get(L.R_CPL), 3);
  assert.is(p.get(L.R_EFLAGS), IF | 0xd7);
  assert.is(p.selector(SS), P.DATA3);
});

returns("a return to an outer ring drops data segments that it may not use", () => {
  const p = Processor.flat().load(DS, P.DATA0).load(FS, P.DATA3).load(0, P.CONFORMING).load(5, 2);
  assert.is(frame(p, EIP, P.CODE3, 2, 0x1000, P.DATA3).run("CF"), "jumped");
  assert.is(p.selector(DS), 0);
  assert.is(p.core.segment(DS, L.S_ATTRIBUTES), 0);
  assert.is(p.selector(FS), P.DATA3);
  assert.is(p.selector(0), P.CONFORMING);
  assert.is(p.selector(5), 0);
});

returns("RETF imm16 to an outer ring releases the arguments on both stacks", () => {
  const p = frame(Processor.flat(), EIP, P.CODE3, 0xaaaa, 0xbbbb, 0x5000, P.DATA3);
  assert.is(p.run("CA 08 00"), "jumped");
  assert.is(p.get(L.R_ESP), 0x5008);
});

returns("a return to a 16-bit stack leaves the upper half of ESP", () => {
  const p = frame(Processor.flat(), EIP, P.CODE3, 2, 0x12345678, P.DATA3_16);
  assert.is(p.run("CF"), "jumped");
  assert.is(p.get(L.R_ESP), (P.STACK & ~0xffff) | 0x5678);
});

/** Privilege level, CS on the stack, outcome of RETF there. */
const returnTargets: readonly [0 | 1 | 3, number, string][] = [
  [0, P.CODE0, "jumped"],
  [3, P.CODE3, "jumped"],
  [3, P.CONFORMING | 3, "jumped"],
  [0, 0, "#GP(0)"],
  [3, P.CODE3 & ~3, "#GP(18)"],
  [3, P.CODE0, "#GP(8)"],
  [3, P.CODE0 | 3, "#GP(8)"],
  [0, P.DATA0, "#GP(10)"],
  [0, P.ABSENT_CODE, "#NP(80)"],
  [0, P.BEYOND, "#GP(100)"],
  [0, P.CALL_GATE & ~3, "#GP(70)"],
  [0, P.SMALL_CODE, "#GP(0)"],
];
for (const [cpl, selector, outcome] of returnTargets)
  returns(`RETF in ring ${cpl} to ${selector.toString(16)}: ${outcome}`, () => {
    assert.is(frame(Processor.flat(cpl), EIP, selector).run("CB"), outcome);
  });

/** SS on the stack of a return to ring 3, outcome. */
for (const [selector, outcome] of [
  [P.DATA3, "jumped"],
  [0, "#GP(0)"],
  [3, "#GP(0)"],
  [P.DATA0, "#GP(10)"],
  [P.DATA0 | 3, "#GP(10)"],
  [P.READ_ONLY, "#GP(58)"],
  [P.ABSENT | 3, "#SS(50)"],
] as const)
  returns(`a return to ring 3 with SS ${selector.toString(16)}: ${outcome}`, () => {
    assert.is(frame(Processor.flat(), EIP, P.CODE3, 2, P.STACK, selector).run("CF"), outcome);
  });

/** Privilege level, EFLAGS before, image popped, EFLAGS after IRETD (and after POPFD where that differs). */
const flagCases: readonly [string, 0 | 3, number, number, number, number?][] = [
  ["ring 0 loads all but VM and RF", 0, 2, 0x3f7fd7 & ~VM & ~RF & ~TF, 0x3c7ed7, 0x247ed7],
  ["ring 3 keeps IOPL and IF", 3, IF | 2, IOPL | 0x8d7, IF | 0x8d7],
  ["ring 3 may load IF when IOPL is 3", 3, IOPL | IF | 2, 2, IOPL | 2],
  ["ring 3 loads AC, ID, NT", 3, 2, 0x244002, 0x244002],
];
for (const [title, cpl, before, image, after, afterPopf = after] of flagCases)
  returns(`IRETD and POPFD: ${title}`, () => {
    const p = frame(Processor.flat(cpl).set(L.R_EFLAGS, before), EIP, cpl === 3 ? P.CODE3 : P.CODE0, image);
    assert.is(p.run("CF"), "jumped");
    assert.is(p.get(L.R_EFLAGS).toString(16), after.toString(16));
    const q = frame(Processor.flat(cpl).set(L.R_EFLAGS, before), image);
    assert.is(q.run("9D"), "next");
    assert.is(q.get(L.R_EFLAGS).toString(16), afterPopf.toString(16));
  });

returns("a 16-bit IRET leaves the upper half of EFLAGS and zero-extends IP", () => {
  const p = Processor.flat().set(L.R_EFLAGS, 0x240002).set(L.R_ESP, P.STACK);
  p.poke32(P.STACK, (P.CODE0 << 16) | 0x1234, 0x8d7);
  assert.is(p.run("66 CF"), "jumped");
  assert.is(p.get(L.R_EFLAGS), 0x2408d7);
  assert.is(p.get(L.R_EIP), 0x1234);
});

returns("IRET lets the next NMI in", () => {
  const p = frame(Processor.flat().set(L.R_NMI_MASKED, 1), EIP, P.CODE0, 2);
  p.run("CF");
  assert.is(p.get(L.R_NMI_MASKED), 0);
});

returns("ring 3 with AC and CR0.AM stops by name, by IRET, RETF or POPF", () => {
  const am = (p: Processor): Processor => p.set(L.R_CR0, p.get(L.R_CR0) | 0x40000);
  const stop = "not implemented: alignment check";
  assert.is(am(frame(Processor.flat(), EIP, P.CODE3, 0x40002, P.STACK, P.DATA3)).run("CF"), stop);
  assert.is(am(frame(Processor.flat().set(L.R_EFLAGS, 0x40002), EIP, P.CODE3, P.STACK, P.DATA3)).run("CB"), stop);
  assert.is(am(frame(Processor.flat(3), 0x40002)).run("9D"), stop);
  assert.is(am(frame(Processor.flat(), 0x40002)).run("9D"), "next");
});

returns("a nested task and virtual-8086 code stop by name", () => {
  assert.is(frame(Processor.flat().set(L.R_EFLAGS, NT | 2), EIP, P.CODE0, 2).run("CF"), "not implemented: task switch");
  assert.is(frame(Processor.flat(), EIP, P.CODE0, VM | 2).run("CF"), "not implemented: virtual-8086");
  assert.is(frame(Processor.flat(3), EIP, P.CODE3, VM | 2).run("CF"), "jumped");
});

returns("real mode returns by 64 KiB offsets", () => {
  const p = Processor.real().poke32(P.STACK, 0x30001234, 0x202);
  assert.is(p.run("CF"), "jumped");
  assert.is(p.core.segment(CS, L.S_BASE), 0x30000);
  assert.is(p.get(L.R_EIP), 0x1234);
  assert.is(p.get(L.R_ESP), P.STACK + 6);
  const q = Processor.real().poke32(P.STACK, 0x12345, 0x3000);
  assert.is(q.run("66 CB"), "#GP(0)");
});

frames.run();
refusals.run();
serial.run();
returns.run();
