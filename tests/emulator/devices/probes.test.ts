// What the devices answer to a guest, beside what QEMU's answer; where they differ, the data sheet's word decides and is told.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Machine } from "#emulator";
import { type Probe, probeImage } from "./probe.ts";

const test = suite("devices seen by a guest");

/** The timer asks once; the IRR shows it although masked. */
const TIMER = "out 43 30; out 40 9; out 40 0; out 20 a; until 20 1";
const TIMER_AND_SERIAL = `out 3f9 2; ${TIMER}`;
const READ_ISR = "out 20 b; in 20";

/** Title, steps, what they print (hexadecimal), and QEMU's answer where it is another. */
const PROBES: readonly [title: string, steps: Probe, expected: string, qemu?: string][] = [
  // 8259
  ["PIC: masks read back", "in 21; in a1; out 21 5a; in 21", "ff ff 5a"],
  ["PIC: the ELCR leaves out what is an edge on every board", "out 4d0 ff; out 4d1 ff; in 4d0; in 4d1", "f8 de"],
  [
    "PIC: a request shows in the IRR, then in the ISR",
    "out 3f9 2; in 20; out 21 ef; take; in 20; out 20 b; in 20",
    "10 24 0 10",
  ],
  ["PIC: the lower input first", `${TIMER_AND_SERIAL}; in 20; out 21 0; take`, "11 20"],
  ["PIC: the other after its EOI", `${TIMER_AND_SERIAL}; out 21 0; take; out 20 20; take`, "20 24"],
  ["PIC: a higher one does not hold off a lower", `out 3f9 2; out 21 0; take; ${TIMER}; take`, "24 20"],
  [
    "PIC: a specific EOI ends its input",
    `out 3f9 2; out 21 ef; take; out 20 60; ${READ_ISR}; out 20 64; in 20`,
    "24 10 0",
  ],
  ["PIC: an edge is one request", "out 3f9 2; out 21 0; take; out 20 20; take", "24"],
  ["PIC: polling", `out 3f9 2; out 21 ef; out 20 c; in 20; ${READ_ISR}`, "84 10"],
  [
    "PIC: rotation on an EOI",
    `${TIMER}; out 21 0; take; out 20 a0; out 3f9 2; take; ${TIMER}; take; ${READ_ISR}`,
    "20 24 10",
  ],
  ["PIC: initialising again clears the mask", "out 20 11; out 21 30; out 21 4; out 21 1; in 21", "0"],
  ["PIC: vectors follow ICW2", "out 20 11; out 21 40; out 21 4; out 21 1; out 3f9 2; take", "44"],
  [
    "PIC: automatic EOI leaves nothing in service",
    `out 20 11; out 21 20; out 21 4; out 21 3; out 3f9 2; take; ${READ_ISR}`,
    "24 0",
  ],
  // 8254
  ["PIT: low byte only", "out 43 90; out 42 77; out 43 80; in 42", "77"],
  ["PIT: high byte only", "out 43 a0; out 42 77; out 43 80; in 42", "77"],
  ["PIT: a low gate holds channel 2", "out 43 b0; out 42 10; out 42 0; wait; out 43 e8; in 42", "30", "b0"],
  ["PIT: mode 0 ends with its output high", "out 61 1; out 43 b0; out 42 10; out 42 0; wait; out 43 e8; in 42", "b0"],
  ["PIT: channel 0 interrupts once in mode 0", `${TIMER}; out 21 0; take; out 20 20; wait; take`, "20"],
  ["PIT: channel 0 goes on in mode 3", "out 21 0; out 43 36; out 40 0; out 40 2; await; out 20 20; await", "20 20"],
  ["PIT: status before the count", "out 43 34; out 43 e2; in 40", "f4", "34"],
  // 16550
  ["UART: reset values", "in 3f9; in 3fa; in 3fb; in 3fc; in 3fd; in 3fe", "0 1 3 0 60 b0"],
  ["UART: divisor latch", "out 3fb 83; out 3f8 12; out 3f9 34; in 3f8; in 3f9; out 3fb 3; in 3f9", "12 34 0"],
  ["UART: scratch", "out 3ff a5; in 3ff", "a5"],
  ["UART: writable bits", "out 3f9 ff; in 3f9; out 3f9 0; out 3fc ff; in 3fc", "f 1f"],
  ["UART: the empty transmitter interrupts until told", "out 3f9 2; in 3fa; in 3fa", "2 1"],
  ["UART: FIFOs show in the IIR", "out 3fa 1; in 3fa", "c1"],
  ["UART: modem outputs are inputs in loopback", "out 3fc 1a; in 3fe; in 3fe", "92 90", "90 90"],
  ["UART: a byte loops back", "out 3fc 10; out 3f8 41; until 3fd 1; in 3fd; in 3f8; in 3fd", "61 41 60"],
  [
    "UART: a received byte interrupts",
    "out 3fc 10; out 3f9 1; out 3f8 41; until 3fd 1; in 3fa; in 3f8; in 3fa",
    "4 41 1",
  ],
  [
    "UART: an overrun is told once",
    "out 3fc 10; out 3f8 41; until 3fd 1; out 3f8 42; wait; in 3fd; in 3fd; in 3f8",
    "63 61 42",
  ],
  // local APIC
  ["APIC: reset values", "get 20; get 30; get 80; get a0; get e0", "0 50014 0 0 ffffffff"],
  ["APIC: interrupts wait in the IRR", "set 300 40051; set 300 40061; get 220; get 230", "20000 2"],
  [
    "APIC: the higher class first, the other after its EOI",
    "set 300 40051; set 300 40061; take; set b0 0; take",
    "61 51",
  ],
  ["APIC: within a class one waits for the other", "set 300 40051; take; set 300 40052; take; set b0 0; take", "51 52"],
  [
    "APIC: what is in service shows in ISR and PPR",
    "set 300 40061; take; get 130; get a0; set b0 0; get a0",
    "61 2 60 0",
  ],
  ["APIC: the task priority holds its class back", "set 80 55; set 300 40051; take; get a0; set 80 4f; take", "55 51"],
  [
    "APIC: an illegal vector is an error",
    "set 300 40003; get 280; set 280 0; get 280; set 280 0; get 280",
    "0 20 0",
    "0 0 0",
  ],
  ["APIC: logical destinations", "set 310 3000000; set 300 871; take; set 310 2000000; set 300 872; take", "71"],
  ["APIC: physical broadcast", "set 310 ff000000; set 300 72; take", "72"],
  ["APIC: all including self", "set 300 80073; take", "73"],
  ["APIC: all but self", "set 300 c0074; take", ""],
  [
    "APIC: a one-shot timer interrupts once",
    "set 320 81; set 3e0 b; set 380 64; await; get 390; set b0 0; wait; take",
    "81 0",
  ],
  ["APIC: a periodic one goes on", "set 320 20082; set 3e0 b; set 380 2710; await; set b0 0; await", "82 82"],
  ["APIC: a masked timer does not interrupt", "set 320 10082; set 3e0 b; set 380 64; wait; get 390; take", "0"],
  ["APIC: the timer's entry has its bits only", "set 320 ffffffff; get 320; set 320 10000", "300ff", "ffffffff"],
  // I/O APIC
  ["I/O APIC: ID and arbitration", "routed 0; routed 2", "0 0"],
  ["I/O APIC: the entries are masked", "routed 10; routed 11; routed 3e", "10000 0 10000"],
  ["I/O APIC: the serial port at input 4", "route 18 91; out 3f9 2; take; get a0", "91 90"],
  ["I/O APIC: the timer at input 2", `route 14 94; ${TIMER}; await`, "94"],
  ["I/O APIC: a level waits for its EOI", "route 18 8092; out 3f9 2; routed 18; take; set b0 0; take", "c092 92 92"],
  [
    "I/O APIC: a level that has gone is not sent",
    "route 18 8092; out 3f9 2; take; in 3fa; set b0 0; take; routed 18",
    "92 2 8092",
  ],
  ["I/O APIC: a level is sent when its mask goes", "route 18 18093; out 3f9 2; take; route 18 8093; take", "93"],
  ["I/O APIC: an edge at a masked input is lost", "out 3f9 2; route 18 93; take", ""],
];

/** A transcript as lines of hexadecimal numbers without leading zeros. */
const linesOf = (transcript: string) =>
  transcript
    .split("\n")
    .slice(0, -1)
    .map((line) => line.trim().replaceAll(/\b0+(?=[0-9a-f])/g, ""));

const image = probeImage(PROBES.map(([, steps]) => steps));

test("they answer as the data sheets say", () => {
  let transcript = "";
  const machine = Machine.boot(image, { debug: (byte) => (transcript += String.fromCharCode(byte)) });
  assert.is(machine.run({ maxInstructions: 100_000_000 }).reason, "guest exit");
  const answers = linesOf(transcript);
  assert.equal(
    answers.map((answer, i) => `${PROBES[i]?.[0]}: ${answer}`),
    PROBES.map(([title, , expected]) => `${title}: ${expected}`),
  );
});

const qemuIsHere = spawnSync("qemu-system-i386", ["--version"]).status === 0;
if (!qemuIsHere) console.log("skipped: QEMU is not on the PATH");

(qemuIsHere ? test : test.skip)("QEMU answers the same, but where its answer is told", () => {
  const folder = mkdtempSync(join(tmpdir(), "ring0-qemu-"));
  const [file, log] = [join(folder, "probes.elf"), join(folder, "log")];
  writeFileSync(file, image.elf());
  try {
    const machine = [
      "-accel",
      "tcg,thread=single",
      "-display",
      "none",
      "-no-reboot",
      "-serial",
      "null",
      "-monitor",
      "none",
    ];
    const ports = ["-debugcon", `file:${log}`, "-device", "isa-debug-exit,iobase=0xf4"];
    spawnSync("qemu-system-i386", [...machine, ...ports, "-kernel", file], { timeout: 30_000 });
    const answers = linesOf(readFileSync(log, "utf8"));
    assert.equal(
      answers.map((answer, i) => `${PROBES[i]?.[0]}: ${answer}`),
      PROBES.map(([title, , expected, qemu]) => `${title}: ${qemu ?? expected}`),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
