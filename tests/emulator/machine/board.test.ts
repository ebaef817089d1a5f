// The board: who answers where, and what reaches which processor over its wires.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Core } from "../../../emulator/cpu/core.ts";
import { Board, type BoardOptions } from "../../../emulator/machine/board.ts";
import * as L from "../../../emulator/memory/layout.ts";
import { Random } from "../fuzz/random.ts";

const test = suite("the board");

const LAPIC = 0xfee00000;
const IOAPIC = 0xfec00000;
const [ID, TPR, SVR, ICR_LOW, ICR_HIGH] = [0x20, 0x80, 0xf0, 0x300, 0x310];
const [LVT_TIMER, TIMER_INITIAL, TIMER_DIVIDE] = [0x320, 0x380, 0x3e0];

/** A board of some processors, reset; `events` is what it asked of the machine around it. */
function makeBoard(processors = 2, options: BoardOptions = {}) {
  const core = new Core(L.layoutOf(processors, 0x100000));
  const events: string[] = [];
  const state = { now: 0, current: 0 };
  const note = (name: string) => (value: number | string) => events.push(`${name} ${value}`);
  const board = new Board(
    core,
    {
      now: () => state.now,
      currentProcessor: () => state.current,
      stopSoon: () => {},
      guestExit: note("exit"),
      reset: note("reset"),
      init: note("init"),
      sipi: (processor, vector) => events.push(`sipi ${processor} ${vector}`),
      notImplemented: note("not implemented"),
      serial: note("serial"),
      serialRoom: () => {},
      debug: note("debug"),
    },
    options,
  );
  const setWord = (processor: number, offset: number, value: number) => {
    core.i32[core.blockOf(processor) / 4 + offset] = value;
  };
  for (let processor = 0; processor < processors; processor++) {
    setWord(processor, L.R_APIC_BASE, LAPIC | 0x800);
    if (processor > 0) setWord(processor, L.R_ACTIVITY, L.WAIT_FOR_SIPI);
  }
  board.reset();
  const out = (...writes: [number, number][]) => {
    for (const [port, value] of writes) board.writePort(port, 1, value);
  };
  const apic = (offset: number, value: number) => board.writePhysical(LAPIC + offset, 4, value);
  /** The 8259s as a PC sets them up, at vectors 20h and 28h, nothing masked. */
  const startPics = () => {
    out([0x20, 0x11], [0x21, 0x20], [0x21, 4], [0x21, 1], [0xa0, 0x11], [0xa1, 0x28], [0xa1, 2], [0xa1, 1]);
    out([0x21, 0], [0xa1, 0]);
  };
  /** An input of the I/O APIC at a vector of processor 0. */
  const redirect = (gsi: number, vector: number) => {
    board.writePhysical(IOAPIC, 4, 0x10 + 2 * gsi);
    board.writePhysical(IOAPIC + 0x10, 4, vector);
  };
  return { board, core, events, state, setWord, out, apic, startPics, redirect };
}

test("addresses and ports of nobody read as ones and take any write", () => {
  const { board, events } = makeBoard();
  for (const [width, ones] of [
    [1, 0xff],
    [2, 0xffff],
    [4, -1],
  ] as const) {
    for (const address of [0xfed00000, 0xfffffff0, 0xfee01000]) {
      board.writePhysical(address, width, 0);
      assert.is(board.readPhysical(address, width), ones);
    }
    for (const port of [0x1f0, 0xc00, 0xffff]) {
      board.writePort(port, width, 0);
      assert.is(board.readPort(port, width), ones);
    }
  }
  assert.equal(events, []);
});

test("each processor sees its own local APIC, wherever it has moved it", () => {
  const { board, state, setWord } = makeBoard();
  assert.is(board.readPhysical(LAPIC + ID, 4), 0);
  state.current = 1;
  assert.is(board.readPhysical(LAPIC + ID, 4), 0x1000000);
  setWord(1, L.R_APIC_BASE, 0xd0000000 | 0x800);
  assert.equal([board.readPhysical(0xd0000000 + ID, 4), board.readPhysical(LAPIC + ID, 4)], [0x1000000, -1]);
});

test("a narrow read of an APIC gives the register's bytes; other writes than of whole registers are dropped", () => {
  const { board } = makeBoard();
  const version = LAPIC + 0x30;
  assert.equal([board.readPhysical(version, 1), board.readPhysical(version + 2, 1)], [0x14, 5]);
  assert.equal([board.readPhysical(version, 2), board.readPhysical(version + 2, 2)], [0x14, 5]);
  assert.equal([board.readPhysical(version + 1, 4), board.readPhysical(version + 4, 4)], [0x500, 0]);
  board.writePhysical(LAPIC + TPR, 1, 0x20);
  board.writePhysical(LAPIC + TPR + 4, 4, 0x20);
  assert.is(board.readPhysical(LAPIC + TPR, 4), 0);
});

test("the I/O APIC's selector takes a byte", () => {
  const { board } = makeBoard();
  board.writePhysical(IOAPIC, 1, 1);
  assert.equal([board.readPhysical(IOAPIC + 0x10, 4), board.readPhysical(IOAPIC + 0x12, 1)], [0x170011, 0x17]);
});

test("ports that talk to the host do", () => {
  for (const [port, width, value, expected] of [
    [0xf4, 1, 0x106, "exit 6"],
    [0xf4, 4, -1, "exit 4294967295"],
    [0xe9, 1, 0x41, "debug 65"],
    [0x3f8, 1, 0x42, "serial 66"],
    [0x64, 1, 0xfe, "reset the keyboard controller"],
    [0x92, 1, 3, "reset port 92h"],
    [0xcf9, 1, 6, "reset port CF9h"],
  ] as const) {
    const { board, events } = makeBoard();
    board.writePort(port, width, value);
    assert.equal(events, [expected]);
  }
});

test("the reset ports do nothing short of a reset", () => {
  const { board, events, out } = makeBoard();
  out([0xcf9, 2], [0x92, 2], [0x64, 0xd1], [0x60, 0xdf], [0x80, 0x55]);
  assert.equal(events, []);
  assert.equal([board.readPort(0xcf9, 1), board.readPort(0x92, 1), board.readPort(0x64, 1)], [2, 2, 0]);
  out([0xcf9, 6], [0xcf9, 6]);
  assert.is(events.length, 1);
});

test("a wide access to narrow ports goes to each in turn", () => {
  const { board, out } = makeBoard();
  board.writePort(0x3fb, 1, 0x80);
  board.writePort(0x3f8, 2, 0x1234);
  assert.equal([board.readPort(0x3f8, 1), board.readPort(0x3f8, 2), board.readPort(0xe9, 2)], [0x34, 0x1234, 0xffe9]);
  out([0x3fb, 0]);
  assert.is(board.readPort(0x3fd, 4), 0xff00b060 | 0);
});

test("the timer reaches 8259 input 0 and I/O APIC input 2", () => {
  const { board, apic, startPics, redirect, out, state } = makeBoard();
  startPics();
  apic(SVR, 0x1ff);
  redirect(2, 0x50);
  out([0x43, 0x34], [0x40, 100], [0x40, 0]);
  assert.is(board.interruptPending(0), false);
  state.now = board.nextDue();
  board.fireDue(state.now);
  assert.equal([board.acknowledge(0), board.acknowledge(0)], [0x50, 0x20]);
});

test("the serial port reaches input 4 of both, and OUT2 gates it only as an option", () => {
  for (const [options, expected] of [
    [{}, true],
    [{ out2GatesInterrupt: true }, false],
  ] as const) {
    const { board, apic, startPics, redirect, out } = makeBoard(1, options);
    startPics();
    apic(SVR, 0x1ff);
    redirect(4, 0x60);
    out([0x3f9, 2]);
    assert.is(board.interruptPending(0), expected);
    if (expected) assert.equal([board.acknowledge(0), board.acknowledge(0)], [0x60, 0x24]);
  }
});

test("the 8259s reach the boot processor only, APIC enabled or not", () => {
  const { board, startPics, out } = makeBoard();
  startPics();
  out([0x3f9, 2]);
  assert.equal([board.interruptPending(0), board.interruptPending(1)], [true, false]);
  assert.is(board.acknowledge(0), 0x24);
});

test("a start-up message starts only a processor that waits for one", () => {
  const { apic, events, setWord } = makeBoard(3);
  setWord(2, L.R_ACTIVITY, L.RUNNING);
  apic(ICR_LOW, 0xc4609);
  assert.equal(events, ["sipi 1 9"]);
});

test("an INIT resets the target's APIC before the machine hears of it", () => {
  const { board, apic, events, state } = makeBoard();
  state.current = 1;
  apic(TPR, 0x50);
  state.current = 0;
  apic(ICR_HIGH, 1 << 24);
  apic(ICR_LOW, 0x4500);
  state.current = 1;
  assert.equal([events, board.readPhysical(LAPIC + TPR, 4)], [["init 1"], 0]);
});

test("an NMI waits in its word, and once taken masks the next", () => {
  const { board, apic } = makeBoard();
  apic(ICR_HIGH, 1 << 24);
  apic(ICR_LOW, 0x4400);
  assert.equal([board.nmiPending(0), board.nmiPending(1)], [false, true]);
  board.acknowledgeNmi(1);
  apic(ICR_LOW, 0x4400);
  assert.is(board.nmiPending(1), false);
});

test("the next due time is the earliest of all devices, and firing leaves none overdue", () => {
  const { board, apic, state, out } = makeBoard();
  assert.is(board.nextDue(), Number.POSITIVE_INFINITY);
  for (const [processor, count] of [
    [0, 5000],
    [1, 3000],
  ]) {
    state.current = processor;
    apic(SVR, 0x1ff);
    apic(TIMER_DIVIDE, 0xb);
    apic(LVT_TIMER, 0x20070);
    apic(TIMER_INITIAL, count);
  }
  assert.is(board.nextDue(), 3000);
  out([0x43, 0x34], [0x40, 1], [0x40, 0]);
  assert.ok(board.nextDue() < 3000);
  board.fireDue(3000);
  assert.equal([board.interruptPending(0), board.interruptPending(1)], [false, true]);
  assert.ok(board.nextDue() > 3000);
  board.fireDue(100_000);
  assert.ok(board.nextDue() > 100_000);
});

test("time passes to the due time that wakes a processor, over those that cannot", () => {
  const { board, core, apic, state, out } = makeBoard();
  out([0x43, 0x36], [0x40, 100], [0x40, 0]); // masked at the 8259
  for (const [processor, count] of [
    [0, 10],
    [1, 1e9],
  ]) {
    state.current = processor;
    apic(SVR, 0x1ff);
    apic(TIMER_DIVIDE, 0xb);
    apic(LVT_TIMER, 0x20070);
    apic(TIMER_INITIAL, count);
  }
  assert.is(
    board.passTime(() => board.interruptPending(1)),
    true,
  );
  assert.is(core.f64[L.CLOCK / 8], 1e9);
  assert.is(
    board.passTime(() => false),
    false,
  );
});

test("disabling the local APIC through its base register stops by name", () => {
  const { board, events, setWord } = makeBoard();
  board.apicBaseChanged(0);
  assert.equal(events, []);
  setWord(0, L.R_APIC_BASE, LAPIC);
  board.apicBaseChanged(0);
  assert.equal(events, ["not implemented disabling the local APIC through IA32_APIC_BASE"]);
});

test("all state of all devices lies in the memory: copied words make the same board", () => {
  const first = makeBoard();
  first.startPics();
  first.redirect(2, 0x51);
  first.apic(SVR, 0x1ff);
  first.apic(LVT_TIMER, 0x20070);
  first.apic(TIMER_INITIAL, 777);
  first.out([0x43, 0x36], [0x40, 99], [0x40, 0], [0x3f9, 3], [0x3fa, 1], [0x61, 3], [0xcf9, 2]);
  first.board.uart.receive(Uint8Array.from([1, 2, 3]));
  const second = makeBoard();
  second.core.u8.set(first.core.u8);
  const trace = ({ board, state }: ReturnType<typeof makeBoard>) => {
    const seen: number[] = [];
    for (let i = 0; i < 50; i++) {
      state.now = board.nextDue();
      board.fireDue(state.now);
      while (board.interruptPending(0)) {
        seen.push(board.acknowledge(0));
        board.writePhysical(LAPIC + 0xb0, 4, 0);
        board.writePort(0x20, 1, 0x20);
      }
      for (const port of [0x20, 0x21, 0x40, 0x61, 0x3f8, 0x3fa, 0xcf9]) seen.push(board.readPort(port, 1));
      seen.push(state.now, board.readPhysical(LAPIC + 0x390, 4));
    }
    return seen;
  };
  assert.equal(trace(second), trace(first));
  assert.equal(second.core.u8, first.core.u8);
});

test("whatever a guest does to it, the board answers, goes on in time, and does the same again from copied words", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = new Random(seed);
    const first = makeBoard(3);
    for (let burst = 0; burst < 10; burst++) {
      const second = makeBoard(3);
      second.core.u8.set(first.core.u8);
      Object.assign(second.state, first.state);
      const steps = Array.from({ length: 100 }, () => randomStep(random));
      const [once, again] = [first, second].map((board) => steps.map((step) => step(board)));
      assert.equal(again, once, `seed ${seed}`);
    }
    assert.ok(first.board.nextDue() > first.state.now, `seed ${seed}`);
  }
});

const PORTS = [
  0x20, 0x21, 0xa0, 0xa1, 0x40, 0x41, 0x42, 0x43, 0x61, 0x64, 0x92, 0x3f8, 0x3f9, 0x3fa, 0x3fb, 0x3fc, 0x3fd, 0x4d0,
];
const WIDTHS = [1, 2, 4] as const;

/** One access, interrupt acknowledgement or passing of time, as a function of the board it is done to. */
function randomStep(random: Random): (on: ReturnType<typeof makeBoard>) => number {
  const [kind, value, width] = [
    random.below(8),
    random.oneIn(2) ? random.word() : random.below(256),
    random.pick(WIDTHS),
  ];
  const port = random.pick(PORTS);
  const address = random.oneIn(4) ? IOAPIC + random.pick([0, 0x10]) : LAPIC + random.below(64) * 16;
  const processor = random.below(3);
  const ticks = 2 ** random.below(30);
  return ({ board, state }) => {
    state.current = processor;
    switch (kind) {
      case 0:
      case 1:
        board.writePort(port, width, value);
        return 0;
      case 2:
        return board.readPort(port, width);
      case 3:
      case 4:
        board.writePhysical(address, 4, value);
        return 0;
      case 5:
        return board.readPhysical(address, width);
      case 6:
        return board.interruptPending(processor) ? board.acknowledge(processor) : -1;
      default:
        state.now += ticks;
        board.fireDue(state.now);
        return state.now;
    }
  };
}

test.run();
