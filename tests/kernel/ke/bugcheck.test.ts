// Bug checks: the screen, what is left for whoever looks, the freeze of the others, and the way out.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Assembler, byte, cl, data, dword, dx, ecx, edx, fs, type Image } from "#asm";
import { Machine } from "#emulator";
import { boot } from "#harness";
import {
  DISPATCH_LEVEL,
  HIGH_LEVEL,
  IPI_FROZEN,
  KeBugCheckEx,
  KfAcquireSpinLock,
  KfRaiseIrql,
  KiBugCheckData,
  KiIdleLoop,
  KPCR,
  KPROCESSOR,
} from "#kernel";
import doubleRelease from "../../../tools/programs/double-release.ts";
import { qemuIsHere, runOnQemu } from "../qemu.ts";

const test = suite("KeBugCheckEx");

const PROCESSORS = 4;

/** What the booted kernel does when processor 0 runs `last`, once the others are where they shall be when it does. */
function run(name: string, last: (a: Assembler) => void, others: (a: Assembler) => void = waitForEver) {
  const nt = boot({ processors: PROCESSORS, checked: true });
  const arrived = data("arrived", 4);
  const thread = nt.assembled(name, (a) => {
    a.cmp(byte(fs, KPCR.Number), 0);
    a.jne("other");
    a.label("wait");
    a.pause();
    a.cmp(dword(arrived), PROCESSORS - 1);
    a.jne("wait");
    last(a);
    a.ret();
    a.label("other");
    a.lock.inc(dword(arrived));
    others(a);
    a.ret();
  });
  for (const processor of nt.processors) processor.begin(thread);
  const { code, parameters, processor, eip, screen } = nt.bugCheckOf(() => nt.run(() => false)); // the exit port said 6
  return { nt, data: [code, ...parameters, processor, eip], lines: linesOf(screen) };
}

function linesOf(screen: string): readonly string[] {
  return screen.split("\r\n").filter((line) => line !== "");
}

function waitForEver(a: Assembler): void {
  a.label("forever");
  a.pause();
  a.jmp("forever");
}

function stop(a: Assembler, code: number, ...parameters: number[]): void {
  for (const parameter of parameters.toReversed()) a.push(parameter);
  a.push(code);
  a.call(KeBugCheckEx);
}

/** What an image does from its boot to its end. */
function runImage(image: Image) {
  let serial = "";
  const machine = Machine.boot(image, {
    processors: PROCESSORS,
    serial: (byte) => {
      serial += String.fromCharCode(byte);
    },
  });
  const result = machine.run({ maxInstructions: 200_000_000 });
  const physical = image.addressOf(KiBugCheckData) + image.load;
  return {
    result,
    lines: linesOf(serial),
    data: Array.from({ length: 7 }, (_, i) => machine.memory.dword(physical + 4 * i)),
  };
}

test("the screen has three lines, and the record says the same", () => {
  const { nt, lines, data } = run("explicit", (a) => stop(a, 0xe2, 0x1, 0x23, 0x456, 0xabcdef01));
  assert.is(lines[0], "*** STOP: 0x000000E2 (0x00000001, 0x00000023, 0x00000456, 0xABCDEF01)");
  assert.is(lines[1], "BUGCODE");
  assert.match(lines[2] ?? "", /^CPU 0 {2}IRQL 00 {2}EIP [0-9A-F]{8} {2}ESP [0-9A-F]{8} {2}frozen: 1,2,3$/);
  assert.is(lines.length, 3);
  assert.equal(data.slice(0, 6), [0xe2, 0x1, 0x23, 0x456, 0xabcdef01, 0]);
  assert.is(data[6], Number.parseInt(/EIP (\w+)/.exec(lines[2] ?? "")?.[1] ?? "", 16));
  assert.match(nt.nameOf(data[6] ?? 0), /^explicit/);
});

/** How the others are when processor 0 stops. */
const situations: readonly [title: string, others: (a: Assembler) => void][] = [
  ["running", waitForEver],
  [
    "with interrupts off",
    (a) => {
      a.cli();
      waitForEver(a);
    },
  ],
  [
    "at HIGH_LEVEL",
    (a) => {
      a.mov(cl, HIGH_LEVEL);
      a.call(KfRaiseIrql);
      waitForEver(a);
    },
  ],
  ["idle", (a) => a.jmp(KiIdleLoop)],
  [
    "halted for good",
    (a) => {
      a.cli();
      a.hlt();
      waitForEver(a);
    },
  ],
];

for (const [index, [title, others]] of situations.entries())
  test(`BC-02: processors that are ${title} stop as well`, () => {
    const { lines, nt } = run(`others${index}`, (a) => stop(a, 1, 0, 0, 0, 0), others);
    assert.match(lines[2] ?? "", /frozen: 1,2,3$/);
    for (const processor of nt.processors.slice(1)) {
      assert.is(processor.pcr.PrcbData.IpiFrozen, IPI_FROZEN);
      assert.match(processor.place, /^KiFreezeProcessor/);
      assert.is(processor.registers.activity, "halted");
    }
  });

test("BC-01: when two processors stop at once, one screen is shown", () => {
  for (let delay = 0; delay < 60; delay += 7) {
    const { lines, data } = run(
      "both",
      (a) => stop(a, 0xe2, 0, 0, 0, 0),
      (a) => {
        for (let i = 0; i < delay; i++) a.pause();
        stop(a, 0xe3, 0, 0, 0, 0);
      },
    );
    assert.is(lines.filter((line) => line.startsWith("*** STOP")).length, 1);
    assert.match(
      lines[2] ?? "",
      new RegExp(`^CPU ${data[5]} .* frozen: ${[0, 1, 2, 3].filter((n) => n !== data[5])}$`),
    );
  }
});

test("the level shown is the one before the bug check", () => {
  for (const irql of [0, 1, DISPATCH_LEVEL, 7, 28, HIGH_LEVEL]) {
    const { lines } = run(`at${irql}`, (a) => {
      a.mov(cl, irql);
      a.call(KfRaiseIrql);
      stop(a, 1, 0, 0, 0, 0);
    });
    assert.match(lines[2] ?? "", new RegExp(`IRQL ${irql.toString(16).toUpperCase().padStart(2, "0")} `));
  }
});

const lock = data("lock", 4);

/** What is done wrong, the code and name it ends with, and the parameters that do not depend on the image. */
const faults: readonly [
  title: string,
  code: number,
  name: string,
  parameters: (number | undefined)[],
  wrong: (a: Assembler) => void,
][] = [
  [
    "raising downwards",
    0x09,
    "IRQL_NOT_GREATER_OR_EQUAL",
    [5, 2, 0],
    (a) => {
      a.mov(cl, 5);
      a.call(KfRaiseIrql);
      a.mov(cl, 2);
      a.call(KfRaiseIrql);
    },
  ],
  [
    "a lock acquired twice",
    0x0f,
    "SPIN_LOCK_ALREADY_OWNED",
    [undefined, undefined, undefined],
    (a) => {
      for (let i = 0; i < 2; i++) {
        a.mov(ecx, lock);
        a.call(KfAcquireSpinLock);
      }
    },
  ],
  [
    "a page that is not there",
    0x0a,
    "IRQL_NOT_LESS_OR_EQUAL",
    [0x10, 2, 1],
    (a) => {
      a.mov(cl, DISPATCH_LEVEL);
      a.call(KfRaiseIrql);
      a.mov(edx, 0x10);
      a.mov(dword(edx), 1);
    },
  ],
  [
    "a jump to a page that is not there",
    0x0a,
    "IRQL_NOT_LESS_OR_EQUAL",
    [0x10, 0, 8, 0x10],
    (a) => {
      a.mov(edx, 0x10);
      a.jmp(edx);
    },
  ],
  ["an undefined instruction", 0x7f, "UNEXPECTED_KERNEL_MODE_TRAP", [6, 0], (a) => a.ud2()],
  ["an interrupt nobody knows", 0x7f, "UNEXPECTED_KERNEL_MODE_TRAP", [0x77, 0], (a) => a.int(0x77)],
  [
    "a selector beyond the table",
    0x7f,
    "UNEXPECTED_KERNEL_MODE_TRAP",
    [13, 0x100],
    (a) => {
      a.mov(edx, 0x100);
      a.mov(fs, dx);
    },
  ],
];

for (const [index, [title, code, name, parameters, wrong]] of faults.entries())
  test(`${title} is ${name}`, () => {
    const { lines, data } = run(`fault${index}`, wrong);
    assert.is(data[0], code);
    assert.is(lines[1], name);
    for (const [i, parameter] of parameters.entries()) if (parameter !== undefined) assert.is(data[1 + i], parameter);
  });

const addressOf = (name: string): number => doubleRelease.symbols.find((symbol) => symbol.name === name)!.address;
/** As the screen has it. */
const shown = (value: number): string => `0x${value.toString(16).toUpperCase().padStart(8, "0")}`;

test("a lock released twice stops the checked kernel at the routine and the line that found it", () => {
  const { result, lines, data } = runImage(doubleRelease);
  assert.is(result.guestExit, 6);
  const thread = addressOf("KiProcessors") + KPROCESSOR.IdleThread.offset;
  assert.equal(data.slice(0, 4), [0x10, addressOf("spinLock"), 0, thread]);
  assert.is(lines[0], `*** STOP: 0x00000010 (${data.slice(1, 5).map(shown).join(", ")})`);
  assert.is(lines[1], "SPIN_LOCK_NOT_OWNED");
  assert.match(doubleRelease.nameAt(data[6] ?? 0) ?? "", /^KefReleaseSpinLockFromDpcLevel\+/);
  assert.match(doubleRelease.lineOf(data[6] ?? 0)?.file ?? "", /spinlock\.ts$/);
  assert.match(doubleRelease.nameAt((data[4] ?? 0) - 1) ?? "", /^DriverThread\+/);
});

(qemuIsHere ? test : test.skip)("QEMU shows the same screen and leaves with 13", () => {
  const { status, serial } = runOnQemu(doubleRelease, { processors: PROCESSORS });
  assert.is(status, 13);
  assert.equal(linesOf(serial), runImage(doubleRelease).lines);
});

test.run();
