// Interrupts and IRET within a ring: the quick way does what the general one does, and steps aside where it must.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  CF,
  CR0_WP,
  G_OBSERVED,
  G_STATUS,
  ID,
  IF,
  IOPL,
  NT,
  OF_FLAG,
  STATUS_OK,
  VIP,
  VM,
} from "../../../emulator/cpu/core.ts";
import { enterInRing, returnInRing } from "../../../emulator/cpu/samering.ts";
import * as L from "../../../emulator/memory/layout.ts";
import * as P from "./processor.ts";
import { gate, Processor } from "./processor.ts";

const VECTOR = 0x30;
const TABLES = [P.GDT, P.IDT];
const FRAME = P.STACK - 12;

/** Brings what a processor's own accesses touch into its TLBs. */
function warm(p: Processor): Processor {
  for (const page of TABLES) p.core.linear.systemRead32(page);
  const top = p.get(L.R_ESP);
  for (const at of [top - 16, top, top + 12]) {
    p.core.linear.probeRead(at, 4, p.get(L.R_CPL) !== 3);
    p.core.linear.probeWrite(at, 4, p.get(L.R_CPL) !== 3);
  }
  p.core.g[G_STATUS] = STATUS_OK; // what is not mapped is for the test to find
  return p;
}

type Change = (p: Processor) => unknown;

/** Does it on two processors, one of them observed, which takes the general way: both must end alike. */
function compare(make: () => Processor, act: (p: Processor) => string): void {
  const [quick, general] = [warm(make()), warm(make())];
  general.core.g[G_OBSERVED] = 1;
  assert.is(act(quick), act(general));
  assert.is(Buffer.compare(quick.state(), general.state()), 0);
}

const poke =
  (at: number, ...values: number[]): Change =>
  (p) =>
    p.poke32(at, ...values);
const set =
  (register: number, value: number): Change =>
  (p) =>
    p.set(register, value);
const stackSegment =
  (limit: number, attributes: number): Change =>
  (p) =>
    p.core.setSegment(2, P.DATA0, 0, limit, attributes);

// What is changed about a flat ring 0 processor, and whether delivery then goes the quick way.
const deliveries: readonly [string, boolean, Change][] = [
  ["an interrupt gate", true, set(L.R_EFLAGS, IF | CF | 2)],
  ["a trap gate", true, poke(P.IDT + 8 * VECTOR, ...gate(P.CODE0, P.CODE, 0x8f))],
  ["lazy flags", true, (p) => p.set(L.R_LAZY, 0x8d5).set(L.R_FA, 5).set(L.R_FB, -7).set(L.R_FRES, -2)],
  ["nested task", true, set(L.R_EFLAGS, NT | OF_FLAG | 2)],
  ["paging", true, (p) => p.paging()],
  ["a stack in its last bytes", true, (p) => p.set(L.R_ESP, 12)],
  ["a conforming handler", true, poke(P.IDT + 8 * VECTOR, ...gate(P.CONFORMING, P.CODE, 0x8e))],
  ["a stack pointer of zero", false, set(L.R_ESP, 0)],
  ["a stack with no room", false, set(L.R_ESP, 8)],
  ["an odd stack pointer", false, set(L.R_ESP, P.STACK - 3)],
  ["a stack across pages", false, set(L.R_ESP, P.STACK + 8)],
  ["a stack beyond its limit", false, stackSegment(P.STACK - 2, 0xc09300)],
  ["a stack to its limit", true, stackSegment(P.STACK - 1, 0xc09300)],
  ["a 16-bit stack", false, stackSegment(0xffff, 0x9300)],
  ["an expand-down stack", false, stackSegment(0xfff, 0xc09700)],
  ["a 16-bit gate", false, poke(P.IDT + 8 * VECTOR, ...gate(P.CODE0_16, 0x40, 0x86))],
  ["a task gate", false, poke(P.IDT + 8 * VECTOR, ...gate(P.CODE0, P.CODE, 0x85))],
  ["an absent gate", false, poke(P.IDT + 8 * VECTOR, ...gate(P.CODE0, P.CODE, 0x0e))],
  ["a null handler segment", false, poke(P.IDT + 8 * VECTOR, ...gate(0, P.CODE, 0x8e))],
  ["a handler in the LDT", false, poke(P.IDT + 8 * VECTOR, ...gate(P.LOCAL, P.CODE, 0x8e))],
  ["a handler segment beyond the GDT", false, poke(P.IDT + 8 * VECTOR, ...gate(P.BEYOND, P.CODE, 0x8e))],
  ["data for a handler", false, poke(P.IDT + 8 * VECTOR, ...gate(P.DATA0, P.CODE, 0x8e))],
  ["an absent handler segment", false, poke(P.IDT + 8 * VECTOR, ...gate(P.ABSENT_CODE, P.CODE, 0x8e))],
  ["a handler of an outer ring", false, poke(P.IDT + 8 * VECTOR, ...gate(P.CODE3, P.CODE, 0x8e))],
  ["a handler beyond its limit", false, poke(P.IDT + 8 * VECTOR, ...gate(P.SMALL_CODE, 0x100, 0x8e))],
  ["a short IDT", false, set(L.R_IDTR_LIMIT, 8 * VECTOR + 6)],
  ["an unmapped IDT", false, (p) => p.paging({ [P.IDT]: 0 })],
  [
    "a read-only stack",
    false,
    (p) => p.paging({ [P.STACK - L.PAGE]: (P.STACK - L.PAGE) | 5 }).set(L.R_CR0, p.get(L.R_CR0) | CR0_WP),
  ],
];

const delivery = suite("delivery within a ring");

for (const [what, isQuick, change] of deliveries) {
  const make = (): Processor => {
    const p = Processor.flat();
    // The other descriptors are marked accessed too, so that they alone decide.
    for (const selector of [P.CONFORMING, P.SMALL_CODE]) {
      const high = P.GDT + (selector & 0xfff8) + 4;
      p.poke32(high, p.peek32(high) | 0x100);
    }
    p.poke32(P.GDT + P.CODE0 + 4, p.peek32(P.GDT + P.CODE0 + 4) | 0x100);
    change(p);
    return p;
  };
  delivery(`${what}: the ${isQuick ? "quick" : "general"} way, with the same outcome`, () => {
    compare(make, (p) => p.deliver(VECTOR));
    const p = warm(make());
    const before = p.state();
    assert.is(enterInRing(p.core, VECTOR, false, undefined, 0, 2), isQuick);
    if (!isQuick) assert.is(Buffer.compare(p.state(), before), 0);
  });
}

delivery("error codes and software interrupts go the quick way too", () => {
  const make = (): Processor => poked(Processor.flat());
  compare(make, (p) => p.deliver(VECTOR, "exception", 0x1234));
  compare(make, (p) => p.run("CD 30"));
  assert.ok(enterInRing(warm(make()).core, VECTOR, true, 0x1234, 0, 2));
});

delivery("a handler segment that is not marked accessed goes the general way, and is marked", () => {
  const p = warm(Processor.flat());
  assert.not(enterInRing(p.core, VECTOR, false, undefined, 0, 2));
  assert.is(p.deliver(VECTOR), "");
  assert.ok(enterInRing(p.core, VECTOR, false, undefined, 0, 2));
});

delivery("what no TLB knows goes the general way", () => {
  const p = poked(Processor.flat()).paging();
  assert.not(enterInRing(p.core, VECTOR, false, undefined, 0, 2));
  assert.is(p.deliver(VECTOR), "");
  assert.is(p.get(L.R_EIP), P.CODE + VECTOR);
});

delivery("ring 1 code that a gate refuses gets #GP, and with a gate for it goes the quick way", () => {
  const ring1 = (access: number): Processor => {
    const p = Processor.flat(1).poke32(P.IDT + 8 * VECTOR, ...gate(P.CODE1, P.CODE, access));
    return poked(p, P.CODE1);
  };
  compare(
    () => ring1(0x8e),
    (p) => p.run("CD 30"),
  );
  compare(
    () => ring1(0xae),
    (p) => p.run("CD 30"),
  );
  assert.is(warm(ring1(0x8e)).run("CD 30"), "#GP(182)");
  assert.ok(enterInRing(warm(ring1(0xae)).core, VECTOR, true, undefined, 0, 2));
});

/** Marks a code segment accessed. */
function poked(p: Processor, selector: number = P.CODE0): Processor {
  const high = P.GDT + (selector & 0xfff8) + 4;
  return p.poke32(high, p.peek32(high) | 0x100);
}

// The frame (EIP, CS, EFLAGS) that IRETD finds, and whether it goes the quick way.
const returns: readonly [string, boolean, readonly [number, number, number], Change?][] = [
  ["a plain return", true, [P.CODE, P.CODE0, IF | CF | 2]],
  ["every flag", true, [P.CODE, P.CODE0, ~VM]],
  ["a selector with rubbish above it", true, [P.CODE, (0xabcd << 16) | P.CODE0, 2]],
  ["waiting NMIs", true, [P.CODE, P.CODE0, 2], set(L.R_NMI_MASKED, 1)],
  ["paging", true, [P.CODE, P.CODE0, ID | IOPL | VIP | 2], (p) => p.paging()],
  ["an offset beyond the limit", false, [0x100, P.SMALL_CODE, 2]],
  ["an offset at the limit", true, [0xff, P.SMALL_CODE, 2]],
  ["a null selector", false, [P.CODE, 0, 2]],
  ["an outer ring", false, [P.CODE, P.CODE3, 2]],
  ["a selector in the LDT", false, [P.CODE, P.LOCAL & ~3, 2]],
  ["a selector beyond the GDT", false, [P.CODE, P.BEYOND, 2]],
  ["a data segment", false, [P.CODE, P.DATA0, 2]],
  ["an absent segment", false, [P.CODE, P.ABSENT_CODE, 2]],
  ["virtual-8086 code", false, [P.CODE, P.CODE0, VM | 2]],
  ["a 16-bit stack", false, [P.CODE, P.CODE0, 2], stackSegment(0xffff, 0x9300)],
  ["a frame beyond the limit", false, [P.CODE, P.CODE0, 2], stackSegment(P.STACK - 2, 0xc09300)],
  ["an unmapped stack", false, [P.CODE, P.CODE0, 2], (p) => p.paging({ [FRAME & -L.PAGE]: 0 })],
];

const returning = suite("IRETD within a ring");

for (const [what, isQuick, frame, change] of returns) {
  const make = (): Processor => {
    const p = poked(poked(Processor.flat()), P.SMALL_CODE).set(L.R_ESP, FRAME);
    p.poke32(FRAME, ...frame);
    change?.(p);
    return p;
  };
  returning(`${what}: the ${isQuick ? "quick" : "general"} way, with the same outcome`, () => {
    compare(make, (p) => p.run("CF"));
    const p = warm(make());
    const before = p.state();
    assert.is(returnInRing(p.core), isQuick);
    if (!isQuick) assert.is(Buffer.compare(p.state(), before), 0);
  });
}

returning("IRETD in ring 3 and with 16-bit operands goes the general way", () => {
  const make = (): Processor => poked(Processor.flat(3), P.CODE3).set(L.R_ESP, FRAME).poke32(FRAME, P.CODE, P.CODE3, 2);
  assert.not(returnInRing(warm(make()).core));
  compare(make, (p) => p.run("CF"));
  compare(make, (p) => p.run("66 CF"));
});

delivery.run();
returning.run();
