// Interrupts, IRETD and changes of IF within a ring: the quick way does what the general one does, and steps aside where it must.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  CF,
  CR0_PE,
  CR0_WP,
  G_OBSERVED,
  G_STATUS,
  G_TLB_READ,
  G_TLB_WRITE,
  ID,
  IF,
  IOPL,
  NT,
  OF_FLAG,
  STATUS_OK,
  TF,
  VIP,
  VM,
} from "../../../emulator/cpu/core.ts";
import { makeQuick, NO_ERROR_CODE, type Quick } from "../../../emulator/cpu/index.ts";
import * as L from "../../../emulator/memory/layout.ts";
import * as P from "./processor.ts";
import { gate, Processor } from "./processor.ts";

const VECTOR = 0x30;
const FRAME = P.STACK - 12;

/** Brings what a processor's own accesses touch into its TLBs, and marks code segments accessed. */
function warm(p: Processor): Processor {
  for (const selector of [P.CODE0, P.CODE1, P.CODE3, P.CONFORMING, P.SMALL_CODE]) {
    const high = P.GDT + (selector & 0xfff8) + 4;
    p.poke32(high, p.peek32(high) | 0x100);
  }
  const { linear, g } = p.core;
  for (const table of [P.GDT, P.IDT]) linear.systemRead32(table);
  const top = p.get(L.R_ESP);
  for (const at of [top - 16, top, top + 12]) {
    linear.probeRead(at, 4, p.get(L.R_CPL) !== 3);
    linear.probeWrite(at, 4, p.get(L.R_CPL) !== 3);
  }
  const isUser = p.get(L.R_CPL) === 3;
  g[G_TLB_READ] = linear.tlbs.of(0, false, isUser); // as the engine does
  g[G_TLB_WRITE] = linear.tlbs.of(0, true, isUser);
  g[G_STATUS] = STATUS_OK; // what is not mapped is for the test to find
  return p;
}

/** The general way is taken on one processor, the quick one on another, which must end alike, or stand aside untouched. */
function compare(
  make: () => Processor,
  isQuick: boolean,
  quick: (q: Quick) => boolean,
  general: (p: Processor) => string,
): void {
  const [a, b] = [warm(make()), warm(make())];
  const before = a.state();
  assert.is(quick(makeQuick(a.core)), isQuick);
  if (isQuick) assert.match(general(b), /^(?:next|jumped|)$/);
  assert.is(Buffer.compare(a.state(), isQuick ? b.state() : before), 0);
  if (!isQuick) return;
  const watched = warm(make());
  watched.core.g[G_OBSERVED] = 1;
  assert.not(quick(makeQuick(watched.core)));
}

type Change = (p: Processor) => unknown;

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
  ["a frame over the handler's own descriptor", true, set(L.R_ESP, P.GDT + P.CODE0 + 8)],
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
  ["a handler segment with a base", false, poke(P.GDT + P.CODE0, 0x1000_ffff, 0x00cf9b00)],
  ["a handler segment with a base beyond 16 MiB", false, poke(P.GDT + P.CODE0, 0x0000_ffff, 0x01cf9b00)],
  ["a handler segment of bytes", false, poke(P.GDT + P.CODE0, 0x0000_ffff, 0x004f9b00)],
  ["a handler segment a page short", false, poke(P.GDT + P.CODE0, 0x0000_fffe, 0x00cf9b00)],
  ["a handler segment with a limit below FFFFF", false, poke(P.GDT + P.CODE0, 0x0000_ffff, 0x00ce9b00)],
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
  delivery(`${what}: the ${isQuick ? "quick" : "general"} way, with the same outcome`, () => {
    const make = (): Processor => {
      const p = Processor.flat();
      change(p);
      return p;
    };
    const enter = ({ enter }: Quick): boolean => enter(VECTOR, false, NO_ERROR_CODE, P.CODE + 0x100);
    compare(make, isQuick, enter, (p) => p.deliver(VECTOR));
  });
}

delivery("an error code is pushed last", () => {
  const make = (): Processor => Processor.flat();
  const enter = ({ enter }: Quick): boolean => enter(VECTOR, false, 0x1234, P.CODE + 0x100);
  compare(make, true, enter, (p) => p.deliver(VECTOR, "external", 0x1234));
});

delivery("a handler segment that is not marked accessed goes the general way", () => {
  const p = warm(Processor.flat());
  const high = P.GDT + P.CODE0 + 4;
  p.poke32(high, p.peek32(high) & ~0x100);
  assert.not(makeQuick(p.core).enter(VECTOR, false, NO_ERROR_CODE, 0));
});

delivery("what no TLB knows goes the general way", () => {
  const p = warm(Processor.flat()).paging();
  assert.not(makeQuick(p.core).enter(VECTOR, false, NO_ERROR_CODE, 0));
});

delivery("INT n in ring 1 asks the gate for its DPL, an interrupt does not", () => {
  const ring1 = (access: number) => (): Processor =>
    Processor.flat(1).poke32(P.IDT + 8 * VECTOR, ...gate(P.CODE1, P.CODE, access));
  const software = ({ enter }: Quick): boolean => enter(VECTOR, true, NO_ERROR_CODE, P.CODE + 0x102);
  const hardware = ({ enter }: Quick): boolean => enter(VECTOR, false, NO_ERROR_CODE, P.CODE + 0x100);
  compare(ring1(0x8e), false, software, (p) => p.run("CD 30"));
  compare(ring1(0xae), true, software, (p) => p.run("CD 30"));
  compare(ring1(0x8e), true, hardware, (p) => p.deliver(VECTOR));
});

// The frame (EIP, CS, EFLAGS) that IRETD finds, and whether it goes the quick way.
const returns: readonly [string, boolean, readonly [number, number, number], Change?][] = [
  ["a plain return", true, [P.CODE, P.CODE0, IF | CF | 2]],
  ["every flag", true, [P.CODE, P.CODE0, ~VM]],
  ["a nested task", false, [P.CODE, P.CODE0, 2], set(L.R_EFLAGS, NT | 2)],
  ["real mode", false, [P.CODE, P.CODE0, 2], (p) => p.set(L.R_CR0, p.get(L.R_CR0) & ~CR0_PE)],
  ["a selector with rubbish above it", true, [P.CODE, (0xabcd << 16) | P.CODE0, 2]],
  ["held NMIs", false, [P.CODE, P.CODE0, 2], set(L.R_NMI_MASKED, 1)],
  ["paging", true, [P.CODE, P.CODE0, ID | IOPL | VIP | 2], (p) => p.paging()],
  ["an offset beyond the limit", false, [0x100, P.SMALL_CODE, 2]],
  ["an offset at the limit", false, [0xff, P.SMALL_CODE, 2]],
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
  returning(`${what}: the ${isQuick ? "quick" : "general"} way, with the same outcome`, () => {
    const make = (): Processor => {
      const p = Processor.flat().set(L.R_ESP, FRAME);
      p.poke32(FRAME, ...frame);
      change?.(p);
      return p;
    };
    compare(
      make,
      isQuick,
      ({ leave }) => leave(),
      (p) => p.run("CF"),
    );
  });
}

returning("ring 3 goes the general way", () => {
  const make = (): Processor => Processor.flat(3).set(L.R_ESP, FRAME).poke32(FRAME, P.CODE, P.CODE3, 2);
  compare(
    make,
    false,
    ({ leave }) => leave(),
    (p) => p.run("CF"),
  );
});

const flags = suite("PUSHFD and POPFD");

/** Runs an instruction and goes back to it: the quick way leaves EIP to its caller. */
const stays =
  (bytes: string) =>
  (p: Processor): string => {
    const how = p.run(bytes);
    p.set(L.R_EIP, P.CODE + 0x100);
    return how;
  };

// The ring, EFLAGS and the image on the stack.
for (const [ring, eflags, image] of [
  [0, 2, IF | 2],
  [0, IF | CF | 2, 0],
  [0, NT | OF_FLAG | 2, -1],
  [1, 2, -1],
  [1, IOPL | 2, -1],
  [1, (1 << 12) | IF | 2, TF],
] as const) {
  const make = (): Processor => Processor.flat(ring).set(L.R_EFLAGS, eflags).poke32(P.STACK, image);
  flags(
    `in ring ${ring} with ${eflags.toString(16)}, ${image.toString(16)} is loaded as the general way loads it`,
    () => compare(make, true, ({ popFlags }) => popFlags(), stays("9D")),
  );
  flags(`in ring ${ring}, ${eflags.toString(16)} is pushed as the general way pushes it`, () =>
    compare(make, true, ({ pushFlags }) => pushFlags(), stays("9C")),
  );
}

flags("in ring 3 POPFD goes the general way, PUSHFD the quick one", () => {
  compare(
    () => Processor.flat(3),
    false,
    ({ popFlags }) => popFlags(),
    stays("9D"),
  );
  compare(
    () => Processor.flat(3).paging(),
    true,
    ({ pushFlags }) => pushFlags(),
    stays("9C"),
  );
});

flags("16-bit stacks and their ends go the general way", () => {
  const small = (): Processor => {
    const p = Processor.flat();
    p.core.setSegment(2, P.DATA0, 0, 0xffff, 0x9300);
    return p;
  };
  for (const make of [small, () => Processor.flat().set(L.R_ESP, 0)])
    compare(make, false, ({ pushFlags }) => pushFlags(), stays("9C"));
  compare(
    () => Processor.flat().set(L.R_ESP, -2),
    false,
    ({ popFlags }) => popFlags(),
    stays("9D"),
  );
});

delivery.run();
returning.run();
flags.run();
