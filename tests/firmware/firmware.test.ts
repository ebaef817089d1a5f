// The ROM on our machine: what it boots, what it says, the tables it leaves, and where it goes after a warm reset.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { al, cs, dword, eax, ecx, esi, link, proc, word } from "#asm";
import { firmwareRom } from "#firmware";
import { type BootOptions, Machine } from "../../emulator/index.ts";
import counter from "../../tools/programs/counter.ts";
import { elfFile } from "../emulator/machine/elf-file.ts";

const test = suite("the firmware");

const MIB = 0x100000;
const ROM = firmwareRom();
const EBDA = 0x9f000;

interface Run {
  readonly machine: Machine;
  readonly reason: string;
  readonly serial: string;
}

/** Runs a machine with a ROM to its end; without an image there is nothing to boot. */
function run(image: Uint8Array | null, options: BootOptions & { rom?: Uint8Array } = {}): Run {
  let serial = "";
  const all = {
    rom: ROM,
    memory: 4 * MIB,
    ...options,
    serial: (byte: number) => {
      serial += String.fromCharCode(byte);
    },
  };
  const machine = image ? Machine.boot(image, all) : new Machine(all);
  const { reason } = machine.run({ maxInstructions: 5_000_000 });
  return { machine, reason, serial };
}

const halting = elfFile({ segments: [{ physical: MIB, bytes: [0xf4] }], entry: MIB });
const sum = (bytes: Uint8Array) => bytes.reduce((total, byte) => (total + byte) & 0xff, 0);
const textAt = (machine: Machine, address: number, length: number) =>
  String.fromCharCode(...machine.memory.bytes(address, length));

test("the ROM is 64 KiB with a far jump to its segment at the reset vector, the same bytes every time", () => {
  assert.is(ROM.length, 0x10000);
  assert.equal([ROM[0xfff0], ROM[0xfff3], ROM[0xfff4]], [0xea, 0x00, 0xf0]);
  assert.equal(firmwareRom(), ROM);
});

test("a program for all processors runs as if it had been loaded directly", () => {
  const { machine, reason, serial } = run(counter.elf(), { processors: 4 });
  assert.is(reason, "halted");
  assert.is(machine.memory.dword(counter.addressOf("total")), 4000);
  assert.is(serial, "ring0 firmware: processors 4, memory 4 MiB, loading 0x00100000, entering 0x00100010\r\n");
});

test("a boot sector runs in real mode at 0000:7C00 with its disk in DL", () => {
  const sector = proc("sector", (a) => {
    a.bits(16);
    a.mov(word(0x600), cs);
    a.hlt();
  });
  const bytes = link(sector, { base: 0x7c00, multiboot: false }).flat();
  const { machine, reason, serial } = run(bytes);
  assert.is(reason, "halted");
  const { cs: code, edx, cr0 } = machine.processors[0]!;
  assert.equal([code.selector, code.base, edx, cr0 & 1, machine.memory.word(0x600)], [0, 0, 0x80, 0, 0]);
  assert.match(serial, /loading 0x00007c00, a boot sector\r\n$/);
});

const REFUSED: [string, Uint8Array | null, RegExp][] = [
  ["no image", null, /nothing to boot: fw_cfg holds no kernel; -kernel FILE would do\r\n$/],
  [
    "an image over the firmware's memory",
    elfFile({ segments: [{ physical: 0x9f800, bytes: [0xf4] }], entry: 0x9f800 }),
    /the image claims 0x0009f000 to 0x000fffff, .* it begins at 0x0009f800\r\n$/,
  ],
  [
    "an image across the firmware's memory",
    elfFile({
      segments: [
        { physical: 0x80000, bytes: [0xf4] },
        { physical: MIB, bytes: [0xf4] },
      ],
      entry: MIB,
    }),
    /the image claims .* it begins at 0x00080000\r\n$/,
  ],
];

for (const [title, image, expected] of REFUSED)
  test(`${title}: one clear line, and the processor halts`, () => {
    const { reason, serial } = run(image);
    assert.is(reason, "halted");
    assert.match(serial, expected);
    assert.is(serial.split("\n").length, 2);
  });

test("the tables' checksums are right and their pointers lead to them", () => {
  const { memory } = run(halting, { processors: 8 }).machine;
  const rsdt = memory.dword(EBDA + 0x20);
  const madt = memory.dword(rsdt + 36);
  const mp = memory.dword(EBDA + 0x34);
  assert.is(memory.word(0x40e), EBDA >> 4);
  assert.is(memory.word(0x413), EBDA >> 10);
  for (const [address, length] of [
    [EBDA + 0x10, 20],
    [rsdt, memory.dword(rsdt + 4)],
    [madt, memory.dword(madt + 4)],
    [EBDA + 0x30, 16],
    [mp, memory.word(mp + 4)],
  ] as const)
    assert.is(sum(memory.bytes(address, length)), 0, `0x${address.toString(16)}`);
});

test("the MADT lists every processor, the I/O APIC, the timer's input and the NMI", () => {
  const { machine } = run(halting, { processors: 3 });
  const madt = machine.memory.dword(machine.memory.dword(EBDA + 0x20) + 36);
  assert.is(textAt(machine, madt, 4), "APIC");
  const end = madt + machine.memory.dword(madt + 4);
  const entries: number[][] = [];
  for (let at = madt + 44; at < end; at += machine.memory.byte(at + 1))
    entries.push([...machine.memory.bytes(at, machine.memory.byte(at + 1))]);
  assert.equal(entries, [
    [0, 8, 0, 0, 1, 0, 0, 0],
    [0, 8, 1, 1, 1, 0, 0, 0],
    [0, 8, 2, 2, 1, 0, 0, 0],
    [1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0],
    [2, 10, 0, 0, 2, 0, 0, 0, 0, 0],
    [4, 6, 0xff, 0, 0, 1],
  ]);
});

test("the MP table lists every processor, and IRQ 0 on input 2", () => {
  const { machine } = run(halting, { processors: 2 });
  const { memory } = machine;
  const mp = memory.dword(EBDA + 0x34);
  assert.is(textAt(machine, mp, 4), "PCMP");
  assert.is(memory.word(mp + 34), 2 + 20);
  assert.equal([...memory.bytes(mp + 44, 4)], [0, 0, 0x14, 3]);
  assert.equal([...memory.bytes(mp + 64, 4)], [0, 1, 0x14, 1]);
  const lines: number[][] = [];
  for (let at = mp + 44 + 2 * 20; at < mp + memory.word(mp + 4); at += 8) lines.push([...memory.bytes(at, 8)]);
  const timer = lines.filter(([kind, type, , , bus, irq]) => kind === 3 && type === 0 && bus === 0 && irq === 0);
  assert.equal(timer, [[3, 0, 0, 0, 0, 0, 0, 2]]);
  assert.is(lines.length, 20);
});

test("a ROM can leave the MADT out and take an MP table as it is", () => {
  const mpTable = Uint8Array.from({ length: 60 }, (_, index) => index + 1);
  const { machine } = run(halting, { rom: firmwareRom({ withoutMadt: true, mpTable }) });
  assert.equal([...machine.memory.bytes(EBDA + 0x10, 20)], new Array(20).fill(0));
  assert.equal(machine.memory.bytes(machine.memory.dword(EBDA + 0x34), 60), mpTable);
});

test("the ROM cannot be written, above or below 1 MiB, nor after a restore", () => {
  const writer = proc("writer", (a) => {
    a.mov(esi, 0xffff0);
    a.mov(dword(esi), 0x12345678);
    a.mov(eax, dword(esi));
    a.mov(esi, 0xfffffff0);
    a.mov(dword(esi), 0x12345678);
    a.mov(ecx, dword(esi));
    a.hlt();
  });
  const machine = Machine.boot(link(writer), { rom: ROM, memory: 4 * MIB });
  machine.restore(machine.snapshot());
  assert.is(machine.run().reason, "halted");
  const vector = new DataView(ROM.buffer).getUint32(0xfff0, true);
  assert.equal([machine.processors[0]!.eax, machine.processors[0]!.ecx], [vector, vector]);
});

for (const [title, code, port, value] of [
  ["the keyboard controller's pulse", 0x0a, 0x64, 0xfe],
  ["port 92h, with an EOI", 0x05, 0x92, 0x01],
] as const)
  test(`a warm reset by ${title} goes on at 40:67 in real mode`, () => {
    const resumed = proc("resumed", (a) => {
      a.bits(16);
      a.mov(word(0x600), cs);
      a.hlt();
    });
    const main = proc("main", (a) => {
      a.mov(esi, resumed);
      a.mov(eax, dword(esi)); // eight bytes of it, to where real mode reaches
      a.mov(dword(0x5000), eax);
      a.mov(eax, dword(esi, 4));
      a.mov(dword(0x5004), eax);
      a.mov(dword(0x467), 0x05000000);
      a.mov(al, 0x0f);
      a.out(0x70, al);
      a.mov(al, code);
      a.out(0x71, al);
      a.mov(al, value);
      a.out(port, al);
      a.label("stay");
      a.jmp("stay");
    });
    const { machine, reason } = run(link(main).elf(), { processors: 2 });
    assert.is(reason, "halted");
    assert.equal([machine.memory.word(0x600), machine.processors[0]!.cr0 & 1], [0x500, 0]);
    assert.is(machine.processors[1]!.activity, "waiting");
  });

test("a reset without a shutdown code ends the run", () => {
  const main = proc("main", (a) => {
    a.mov(al, 0xfe);
    a.out(0x64, al);
    a.hlt();
  });
  assert.is(run(link(main).elf()).reason, "reset");
});

test("an INIT to the boot processor starts the firmware anew", () => {
  const main = proc("main", (a) => {
    a.mov(esi, 0xfee00000);
    a.mov(eax, dword(0x604));
    a.inc(dword(0x604));
    a.test(eax, eax);
    a.jnz("again");
    a.mov(dword(esi, 0x310), 0);
    a.mov(dword(esi, 0x300), 0x4500);
    a.label("stay");
    a.jmp("stay");
    a.label("again");
    a.hlt();
  });
  const { machine, reason, serial } = run(link(main).elf());
  assert.is(reason, "halted");
  assert.is(machine.memory.dword(0x604), 2);
  assert.is(serial.match(/ring0 firmware/g)?.length, 2);
});

for (const length of [0, 0xffff, 17 * MIB])
  test(`a ROM of ${length} bytes is refused`, () => {
    assert.throws(() => new Machine({ rom: new Uint8Array(length) }), /a multiple of 64 KiB up to 16 MiB would do/);
  });

test.run();
