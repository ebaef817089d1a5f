// Rule HW-01: which I/O APIC input the timer is on, and that the kernel learns it from the tables and from nothing else.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { al, data, dword, eax, esi, proc } from "#asm";
import { Machine } from "#emulator";
import { firmwareRom } from "#firmware";
import { linkKernel } from "#kernel";
import { APIC, EOI, enableApic, handle, snippet } from "../emulator/guests/snippet.ts";

const test = suite("wiring");

const MP_POINTER_TABLE = 0x9f034;
const IO_APIC = 0xfec00000;
const TIMER_VECTOR = 0x40;
const CLOCK_VECTOR = 0xd1;
const TIMER_INPUT = 2;
const INPUTS = Array.from({ length: 24 }, (_, input) => input);

const ticks = data("ticks", 4);

const count = proc("count", (a) => {
  a.push(eax);
  a.inc(dword(ticks));
  a.mov(eax, APIC);
  a.mov(dword(eax, EOI), 0);
  a.pop(eax);
  a.iretd();
});

/** A guest that programs one input, starts the 8254 in mode 2 with a count of 256, and spins for 1.3 ms. */
const guestFor = (input: number) =>
  snippet((a) => {
    handle(a, { [TIMER_VECTOR]: count });
    enableApic(a);
    a.mov(esi, IO_APIC);
    a.mov(dword(esi), 0x10 + 2 * input);
    a.mov(dword(esi, 0x10), TIMER_VECTOR);
    for (const [port, value] of [
      [0x43, 0x34],
      [0x40, 0x00],
      [0x40, 0x01],
    ] as const) {
      a.mov(al, value);
      a.out(port, al);
    }
    a.sti();
    a.mov(eax, 650_000);
    a.label("spin");
    a.dec(eax);
    a.jnz("spin");
  });

function ticksAt(input: number): number {
  const { image, boot } = guestFor(input);
  const machine = boot();
  assert.is(machine.run({ maxInstructions: 2_500_000 }).reason, "halted");
  return machine.memory.dword(image.addressOf(ticks));
}

test("HW-01: the timer arrives at input 2 and at no other", () => {
  // A period is 256 clocks of 1.193182 MHz: 0.21 ms.
  const seen = [0, 1, TIMER_INPUT, 3].map(ticksAt);
  assert.equal([seen[0], seen[1], seen[3]], [0, 0, 0]);
  assert.ok((seen[TIMER_INPUT] as number) >= 5 && (seen[TIMER_INPUT] as number) <= 7, `${seen[TIMER_INPUT]} ticks`);
});

/** The MP table that the firmware makes, with IRQ 0 at another input. */
function mpTableWithTimerAt(input: number): Uint8Array {
  const machine = new Machine({ rom: firmwareRom(), memory: 4 << 20 });
  machine.run({ maxInstructions: 5_000_000 });
  const at = machine.memory.dword(MP_POINTER_TABLE);
  const table = machine.memory.bytes(at, machine.memory.word(at + 4));
  for (let entry = 44; entry < table.length; entry += table[entry] === 0 ? 20 : 8) {
    const [kind, type, , , , irq] = table.subarray(entry);
    if (kind === 3 && type === 0 && irq === 0) table[entry + 7] = input;
  }
  table[7] = 0;
  table[7] = -table.reduce((sum, byte) => sum + byte, 0);
  return table;
}

/** The inputs that send the clock's vector once the kernel has started. */
function clockInputs(rom: Uint8Array): number[] {
  const machine = Machine.boot(linkKernel(), { rom, memory: 8 << 20, commandLine: "workload" });
  machine.run({ maxInstructions: 3_000_000 });
  const { board } = machine;
  return INPUTS.filter((input) => {
    board.writePhysical(IO_APIC, 4, 0x10 + 2 * input);
    const entry = board.readPhysical(IO_APIC + 0x10, 4);
    return (entry & 0x100ff) === CLOCK_VECTOR;
  });
}

for (const [title, rom, inputs] of [
  ["the MADT's override", firmwareRom(), [TIMER_INPUT]],
  ["the MP table where there is no MADT", firmwareRom({ withoutMadt: true }), [TIMER_INPUT]],
  ["an MP table that says otherwise", firmwareRom({ withoutMadt: true, mpTable: mpTableWithTimerAt(5) }), [5]],
] as const)
  test(`HW-01: the kernel takes the clock's input from ${title}`, () => assert.equal(clockInputs(rom), inputs));

test.run();
