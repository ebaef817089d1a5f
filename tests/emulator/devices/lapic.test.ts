// The local APICs, driven through their registers.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import * as apic from "../../../emulator/devices/lapic.ts";
import { PROCESSOR_TIME, PROCESSOR_TIME_SIZE, T_APIC_DUE } from "../../../emulator/memory/layout.ts";
import { makeWords } from "./words.ts";

const test = suite("local APICs");

const ENABLE = 0x1ff;
const MASKED = 0x10000;
const PERIODIC = 0x20000;
const DIVIDE_BY_1 = 0xb;
const SELF = 0x40000;
const ALL = 0x80000;
const OTHERS = 0xc0000;
const LOGICAL = 0x800;
const LEVEL_ASSERT = 0xc000;
const INIT = 0x4500;
const STARTUP = 0x4600;
const NMI = 0x4400;

/** A few APICs, enabled, with task priority 0 and logical ID 1 << processor; `events` is what they caused. */
function makeApics(processors = 1) {
  const words = makeWords();
  const events: string[] = [];
  const lapics = new apic.LocalApics(words, processors, {
    nmi: (processor) => events.push(`nmi ${processor}`),
    init: (processor) => events.push(`init ${processor}`),
    startup: (processor, vector) => events.push(`startup ${processor} ${vector}`),
    endOfInterrupt: (vector) => events.push(`eoi ${vector}`),
    changed: () => {},
    notImplemented: (name) => events.push(`not implemented: ${name}`),
  });
  for (let processor = 0; processor < processors; processor++) {
    lapics.reset(processor, "power-on");
    lapics.write(processor, apic.APIC_SVR, ENABLE, 0);
    lapics.write(processor, apic.APIC_LDR, (1 << processor) << 24, 0);
  }
  const read = (offset: number, now = 0, processor = 0) => lapics.read(processor, offset, now);
  const write = (offset: number, value: number, now = 0, processor = 0) => lapics.write(processor, offset, value, now);
  const due = (processor = 0) => words.f64[(PROCESSOR_TIME + processor * PROCESSOR_TIME_SIZE + T_APIC_DUE) / 8];
  /** Which processors have a vector waiting. */
  const waiting = () => Array.from({ length: processors }, (_, i) => lapics.deliverable(i));
  return { words, lapics, events, read, write, due, waiting };
}

test("a reset APIC is software-disabled with every entry masked but the boot processor's pins", () => {
  const { lapics, read } = makeApics(2);
  for (const processor of [0, 1]) lapics.reset(processor, "power-on");
  const expected: [number, number, number][] = [
    [apic.APIC_ID, 0, 0x1000000],
    [apic.APIC_VERSION, 0x50014, 0x50014],
    [apic.APIC_TPR, 0, 0],
    [apic.APIC_LDR, 0, 0],
    [apic.APIC_DFR, -1, -1],
    [apic.APIC_SVR, 0xff, 0xff],
    [apic.APIC_ICR_LOW, 0, 0],
    [apic.APIC_LVT_TIMER, MASKED, MASKED],
    [apic.APIC_LVT_LINT0, 0x700, MASKED],
    [apic.APIC_LVT_LINT1, 0x400, MASKED],
    [apic.APIC_LVT_ERROR, MASKED, MASKED],
    [apic.APIC_TIMER_CURRENT, 0, 0],
  ];
  for (const [offset, boot, other] of expected) {
    assert.equal([read(offset, 0, 0), read(offset, 0, 1)], [boot, other], `register ${offset.toString(16)}h`);
  }
});

test("INIT resets an APIC but keeps its ID", () => {
  const { lapics, read, write } = makeApics(2);
  write(apic.APIC_ID, 0x5000000, 0, 1);
  write(apic.APIC_TPR, 0x30, 0, 1);
  lapics.reset(1, "init");
  assert.equal([read(apic.APIC_ID, 0, 1), read(apic.APIC_TPR, 0, 1), read(apic.APIC_SVR, 0, 1)], [0x5000000, 0, 0xff]);
});

test("registers keep their writable bits only", () => {
  const cases: [number, number][] = [
    [apic.APIC_ID, 0xff000000 | 0],
    [apic.APIC_VERSION, 0x50014],
    [apic.APIC_TPR, 0xff],
    [apic.APIC_PPR, 0],
    [apic.APIC_LDR, 0xff000000 | 0],
    [apic.APIC_DFR, -1],
    [apic.APIC_SVR, 0x3ff],
    [apic.APIC_ISR, 0],
    [apic.APIC_IRR + 0x70, 0],
    [apic.APIC_ICR_HIGH, 0xff000000 | 0],
    [apic.APIC_LVT_TIMER, 0x300ff],
    [apic.APIC_LVT_THERMAL, 0x107ff],
    [apic.APIC_LVT_PERFORMANCE, 0x107ff],
    [apic.APIC_LVT_LINT0, 0x1a7ff],
    [apic.APIC_LVT_LINT1, 0x1a7ff],
    [apic.APIC_LVT_ERROR, 0x100ff],
    [apic.APIC_TIMER_INITIAL, -1],
    [apic.APIC_TIMER_DIVIDE, 0xb],
  ];
  for (const [offset, expected] of cases) {
    const { read, write } = makeApics();
    write(offset, -1);
    assert.is(read(offset), expected, `register ${offset.toString(16)}h`);
  }
});

test("the highest vector waits first, and is taken from the IRR to the ISR", () => {
  const { lapics, read } = makeApics();
  for (const vector of [0x31, 0xfe, 0x80]) lapics.accept(0, vector, false);
  assert.is(lapics.deliverable(0), 0xfe);
  assert.is(lapics.acknowledge(0), 0xfe);
  assert.is(read(apic.APIC_ISR + 0x70), 0x40000000);
  assert.is(read(apic.APIC_IRR + 0x70), 0);
  assert.is(read(apic.APIC_IRR + 0x10), 1 << 17);
  assert.is(lapics.deliverable(0), -1);
});

test("an interrupt of the class in service, or of the task's class, waits", () => {
  for (const [task, inService, vector, expected] of [
    [0, 0x41, 0x4f, -1],
    [0, 0x41, 0x50, 0x50],
    [0x40, 0, 0x4f, -1],
    [0x4f, 0, 0x50, 0x50],
    [0x5f, 0x41, 0x52, -1],
    [0xff, 0, 0xff, -1],
    [0, 0, 0x10, 0x10],
  ]) {
    const { lapics, write } = makeApics();
    if (inService > 0) {
      lapics.accept(0, inService, false);
      lapics.acknowledge(0);
    }
    write(apic.APIC_TPR, task);
    lapics.accept(0, vector, false);
    assert.is(lapics.deliverable(0), expected, `TPR ${task}, ISR ${inService}, vector ${vector}`);
  }
});

test("the PPR is the task's priority or the class in service, whichever class is higher", () => {
  for (const [task, inService, expected] of [
    [0x23, 0, 0x23],
    [0x23, 0x2f, 0x23],
    [0x23, 0x31, 0x30],
    [0x4f, 0x31, 0x4f],
  ]) {
    const { lapics, read, write } = makeApics();
    if (inService > 0) {
      lapics.accept(0, inService, false);
      lapics.acknowledge(0);
    }
    write(apic.APIC_TPR, task);
    assert.is(read(apic.APIC_PPR), expected);
  }
});

test("EOI ends the highest in service and lets the next of its class through", () => {
  const { lapics, write, events } = makeApics();
  for (const vector of [0x41, 0x81]) {
    lapics.accept(0, vector, false);
    lapics.acknowledge(0);
  }
  lapics.accept(0, 0x82, false);
  assert.is(lapics.deliverable(0), -1);
  write(apic.APIC_EOI, 0);
  assert.is(lapics.deliverable(0), 0x82);
  assert.equal(events, []);
});

test("EOI of a level-triggered vector is broadcast to the I/O APIC", () => {
  const { lapics, read, write, events } = makeApics();
  lapics.accept(0, 0x61, true);
  assert.is(read(apic.APIC_TMR + 0x30), 2);
  lapics.acknowledge(0);
  write(apic.APIC_EOI, 0);
  lapics.accept(0, 0x61, false);
  assert.is(read(apic.APIC_TMR + 0x30), 0);
  lapics.acknowledge(0);
  write(apic.APIC_EOI, 0);
  assert.equal(events, ["eoi 97"]);
});

test("an EOI with nothing in service does nothing", () => {
  const { write, events, waiting } = makeApics();
  write(apic.APIC_EOI, 0);
  assert.equal([events, waiting()], [[], [-1]]);
});

test("a software-disabled APIC drops fixed interrupts but keeps those it had", () => {
  const { lapics, write, waiting } = makeApics();
  lapics.accept(0, 0x50, false);
  write(apic.APIC_SVR, 0xff);
  lapics.accept(0, 0x60, false);
  assert.equal(waiting(), [0x50]);
});

test("disabling by software masks the local vector table but for the pins", () => {
  const { read, write } = makeApics();
  write(apic.APIC_LVT_TIMER, 0x40);
  write(apic.APIC_LVT_LINT0, 0x700);
  write(apic.APIC_SVR, 0xff);
  write(apic.APIC_LVT_ERROR, 0x41);
  assert.equal([read(apic.APIC_LVT_TIMER), read(apic.APIC_LVT_ERROR)], [0x40 | MASKED, 0x41 | MASKED]);
  assert.is(read(apic.APIC_LVT_LINT0), 0x700);
});

test("a fixed interprocessor interrupt reaches exactly its destinations", () => {
  const cases: [string, number, number, number[]][] = [
    ["self", SELF, 0, [0]],
    ["all including self", ALL, 0, [0, 1, 2]],
    ["all but self", OTHERS, 0, [1, 2]],
    ["physical 2", 0, 2, [2]],
    ["physical 0, the sender", 0, 0, [0]],
    ["physical broadcast", 0, 0xff, [0, 1, 2]],
    ["physical, nobody", 0, 9, []],
    ["logical set", LOGICAL, 0b101, [0, 2]],
    ["logical, nobody", LOGICAL, 0b1000, []],
  ];
  for (const [title, bits, destination, expected] of cases) {
    const { write, waiting } = makeApics(3);
    write(apic.APIC_ICR_HIGH, destination << 24);
    write(apic.APIC_ICR_LOW, bits | 0x77);
    const reached = waiting().flatMap((vector, processor) => (vector === 0x77 ? [processor] : []));
    assert.equal(reached, expected, title);
  }
});

test("NMI, INIT and start-up messages leave out the sender under every shorthand", () => {
  for (const [command, expected] of [
    [OTHERS | NMI, ["nmi 1", "nmi 2"]],
    [OTHERS | INIT, ["init 1", "init 2"]],
    [OTHERS | STARTUP | 0x9, ["startup 1 9", "startup 2 9"]],
    [ALL | NMI, ["nmi 1", "nmi 2"]],
    [SELF | NMI, []],
  ] as const) {
    const { write, events } = makeApics(3);
    write(apic.APIC_ICR_LOW, command);
    assert.equal(events, expected);
  }
});

test("an INIT that is de-asserted does nothing", () => {
  const { write, events } = makeApics(2);
  write(apic.APIC_ICR_LOW, ALL | 0x8500);
  assert.equal(events, []);
});

test("a software-disabled APIC still sends, and still receives NMI, INIT and start-up messages", () => {
  const { lapics, write, events } = makeApics(2);
  for (const processor of [0, 1]) lapics.reset(processor, "power-on");
  for (const command of [NMI, INIT, STARTUP]) {
    write(apic.APIC_ICR_HIGH, 1 << 24);
    write(apic.APIC_ICR_LOW, command);
  }
  assert.equal(events, ["nmi 1", "init 1", "startup 1 0"]);
});

test("the ICR reads back with an idle delivery status", () => {
  const { read, write } = makeApics();
  write(apic.APIC_ICR_LOW, -1 & ~0xc0700);
  assert.is(read(apic.APIC_ICR_LOW) & 0x1000, 0);
});

test("a level-triggered message sets the TMR", () => {
  const { write, read } = makeApics();
  write(apic.APIC_ICR_LOW, SELF | LEVEL_ASSERT | 0x45);
  assert.is(read(apic.APIC_TMR + 0x20), 1 << 5);
});

test("what is not built stops by name", () => {
  for (const [prepare, command, name] of [
    [0, OTHERS | 0x100 | 0x50, "lowest priority delivery"],
    [0, 0x100 | 0x50, "lowest priority delivery"],
    [0, OTHERS | 0x200, "SMI delivery"],
    [0, OTHERS | 0x300, "remote read"],
    [1, LOGICAL | 0x50, "cluster logical destinations"],
  ] as const) {
    const { write, events } = makeApics(2);
    if (prepare !== 0) for (const processor of [0, 1]) write(apic.APIC_DFR, 0x0fffffff, 0, processor);
    write(apic.APIC_ICR_LOW, command);
    assert.is(events[0], `not implemented: ${name}`);
  }
});

test("an error shows in the ESR after software has written it, and only until the next write", () => {
  const cases: [string, (write: (offset: number, value: number) => void) => void, number][] = [
    ["send illegal vector", (write) => write(apic.APIC_ICR_LOW, SELF | 0xf), 0x20],
    ["send accept error", (write) => write(apic.APIC_ICR_HIGH, 9 << 24), 4],
    ["illegal register", (write) => write(0x3f0, 0), 0x80],
  ];
  for (const [title, provoke, bit] of cases) {
    const { read, write } = makeApics();
    provoke(write);
    if (bit === 4) write(apic.APIC_ICR_LOW, 0x50);
    assert.is(read(apic.APIC_ESR), 0, title);
    write(apic.APIC_ESR, 0);
    assert.is(read(apic.APIC_ESR), bit, title);
    write(apic.APIC_ESR, 0);
    assert.is(read(apic.APIC_ESR), 0, title);
  }
});

test("an error interrupts through its own entry, and an illegal vector there is one more error, not a loop", () => {
  const { read, write, waiting } = makeApics();
  write(apic.APIC_LVT_ERROR, 0x99);
  write(apic.APIC_ICR_LOW, SELF | 3);
  assert.equal(waiting(), [0x99]);
  write(apic.APIC_LVT_ERROR, 5);
  read(0x40);
  write(apic.APIC_ESR, 0);
  assert.is(read(apic.APIC_ESR), 0x20 | 0x40 | 0x80);
});

test("a one-shot timer counts down by its divider, interrupts once and stays at zero", () => {
  const divides: [number, number][] = [
    [0, 2],
    [1, 4],
    [2, 8],
    [3, 16],
    [8, 32],
    [9, 64],
    [0xa, 128],
    [0xb, 1],
  ];
  for (const [divide, divider] of divides) {
    const { lapics, read, write, due, waiting } = makeApics();
    write(apic.APIC_TIMER_DIVIDE, divide);
    write(apic.APIC_LVT_TIMER, 0x70);
    write(apic.APIC_TIMER_INITIAL, 1000, 5);
    assert.is(due(), 5 + 1000 * divider);
    assert.is(read(apic.APIC_TIMER_CURRENT, 5), 1000);
    assert.is(read(apic.APIC_TIMER_CURRENT, 5 + 10 * divider), 990);
    assert.is(read(apic.APIC_TIMER_CURRENT, 5 + 11 * divider - 1), 990);
    lapics.fire(0, due());
    assert.equal([waiting(), due()], [[0x70], Number.POSITIVE_INFINITY]);
    assert.is(read(apic.APIC_TIMER_CURRENT, 1e9), 0);
  }
});

test("a periodic timer goes on from where it was due, however late it is served", () => {
  const { lapics, read, write, due } = makeApics();
  write(apic.APIC_TIMER_DIVIDE, DIVIDE_BY_1);
  write(apic.APIC_LVT_TIMER, PERIODIC | 0x70);
  write(apic.APIC_TIMER_INITIAL, 100, 7);
  for (const [now, expected] of [
    [107, 207],
    [207, 307],
    [555, 607],
  ]) {
    lapics.fire(0, now);
    assert.is(due(), expected);
  }
  assert.is(read(apic.APIC_TIMER_CURRENT, 607), 100);
  assert.is(read(apic.APIC_TIMER_CURRENT, 606), 1);
});

test("a masked timer counts without being due, and is due again when unmasked in time", () => {
  const { read, write, due } = makeApics();
  write(apic.APIC_TIMER_DIVIDE, DIVIDE_BY_1);
  write(apic.APIC_TIMER_INITIAL, 1000, 0);
  assert.is(due(), Number.POSITIVE_INFINITY);
  assert.is(read(apic.APIC_TIMER_CURRENT, 400), 600);
  write(apic.APIC_LVT_TIMER, 0x70, 400);
  assert.is(due(), 1000);
  write(apic.APIC_LVT_TIMER, 0x70 | MASKED, 500);
  write(apic.APIC_LVT_TIMER, 0x70, 1500);
  assert.is(due(), Number.POSITIVE_INFINITY);
});

test("an initial count of 0 stops the timer", () => {
  const { read, write, due } = makeApics();
  write(apic.APIC_LVT_TIMER, 0x70);
  write(apic.APIC_TIMER_INITIAL, 1000, 0);
  write(apic.APIC_TIMER_INITIAL, 0, 10);
  assert.equal([due(), read(apic.APIC_TIMER_CURRENT, 20)], [Number.POSITIVE_INFINITY, 0]);
});

test("a change of mode or divider goes on from the present count", () => {
  const { read, write, due } = makeApics();
  write(apic.APIC_TIMER_DIVIDE, DIVIDE_BY_1);
  write(apic.APIC_LVT_TIMER, PERIODIC | 0x70);
  write(apic.APIC_TIMER_INITIAL, 100, 0);
  write(apic.APIC_LVT_TIMER, 0x70, 60);
  assert.equal([read(apic.APIC_TIMER_CURRENT, 60), due()], [40, 100]);
  write(apic.APIC_TIMER_DIVIDE, 0, 60);
  assert.equal([read(apic.APIC_TIMER_CURRENT, 60), due()], [40, 140]);
});

test("a timer that is due at the very tick its registers change interrupts first", () => {
  const { write, waiting } = makeApics();
  write(apic.APIC_TIMER_DIVIDE, DIVIDE_BY_1);
  write(apic.APIC_LVT_TIMER, 0x70);
  write(apic.APIC_TIMER_INITIAL, 100, 0);
  write(apic.APIC_TIMER_INITIAL, 100, 100);
  assert.equal(waiting(), [0x70]);
});

test("counts stay exact at the largest count, the largest divider and late times", () => {
  const { read, write, due } = makeApics();
  const start = 2 ** 52;
  write(apic.APIC_TIMER_DIVIDE, 0xa);
  write(apic.APIC_LVT_TIMER, 0x70);
  write(apic.APIC_TIMER_INITIAL, -1, start);
  assert.is(due(), start + 0xffffffff * 128);
  assert.is(read(apic.APIC_TIMER_CURRENT, start + 127) >>> 0, 0xffffffff);
  assert.is(read(apic.APIC_TIMER_CURRENT, start + 128) >>> 0, 0xfffffffe);
  assert.is(read(apic.APIC_TIMER_CURRENT, due() - 1), 1);
});

test("the 8259s reach a processor only through an unmasked ExtINT entry while their line is up", () => {
  const { lapics, write } = makeApics(2);
  lapics.setLint0(0, true);
  assert.is(lapics.acceptsExternal(0), true);
  write(apic.APIC_LVT_LINT0, 0x700 | MASKED);
  assert.is(lapics.acceptsExternal(0), false);
  write(apic.APIC_LVT_LINT0, 0x700);
  lapics.setLint0(0, false);
  assert.is(lapics.acceptsExternal(0), false);
  lapics.setLint0(1, true);
  assert.is(lapics.acceptsExternal(1), false);
});

test("LINT0 in another mode sees the rising edge as one event", () => {
  const { lapics, write, events, waiting } = makeApics();
  write(apic.APIC_LVT_LINT0, 0x55);
  lapics.setLint0(0, true);
  assert.equal(waiting(), [0x55]);
  lapics.acknowledge(0);
  lapics.setLint0(0, true);
  assert.is(lapics.deliverable(0), -1);
  lapics.setLint0(0, false);
  write(apic.APIC_LVT_LINT0, 0x400);
  lapics.setLint0(0, true);
  assert.equal(events, ["nmi 0"]);
});

test.run();
