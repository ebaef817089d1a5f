// Rule HW-01: which I/O APIC input the timer is on, and that the kernel learns it from the tables and from nothing else.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { al, type Data, data, dword, dwords, eax, esi, esp, link, memory, proc, words } from "#asm";
import { Machine } from "#emulator";
import { firmwareRom } from "#firmware";
import { linkKernel } from "#kernel";

const test = suite("wiring");

const MP_POINTER_TABLE = 0x9f034;
const IO_APIC = 0xfec00000;
const TIMER_VECTOR = 0x40;
const CLOCK_VECTOR = 0xd1;
const TIMER_INPUT = 2;
const INPUTS = Array.from({ length: 24 }, (_, input) => input);

/** A guest that programs one input, starts the 8254 in mode 2, and counts what arrives while it spins for so many rounds. */
function countingGuest(input: number): { readonly image: ReturnType<typeof link>; readonly ticks: Data } {
  const ticks = data("ticks", 4);
  const handler = proc("handler", (a) => {
    a.inc(dword(ticks));
    a.push(esi);
    a.mov(esi, 0xfee00000);
    a.mov(dword(esi, 0xb0), 0);
    a.pop(esi);
    a.iretd();
  });
  const idt = data("idt", 0x800, { align: 8 });
  const gdt = data("gdt", dwords(0, 0, 0x0000ffff, 0x00cf9b00, 0x0000ffff, 0x00cf9300), { align: 8 });
  const idtr = data("idtr", [words(0x7ff), dwords(idt)], { align: 4 });
  const gdtr = data("gdtr", [words(gdt.size - 1), dwords(gdt)], { align: 4 });
  const main = proc("main", (a) => {
    a.mov(esp, 0x80000);
    a.lgdt(memory(gdtr));
    a.mov(eax, handler);
    a.and(eax, 0xffff);
    a.or(eax, 0x00080000);
    a.mov(dword(idt, 8 * TIMER_VECTOR), eax);
    a.mov(eax, handler);
    a.and(eax, 0xffff0000 | 0);
    a.or(eax, 0x8e00);
    a.mov(dword(idt, 8 * TIMER_VECTOR + 4), eax);
    a.lidt(memory(idtr));
    a.mov(esi, 0xfee00000);
    a.mov(dword(esi, 0xf0), 0x1ff);
    a.mov(esi, IO_APIC);
    a.mov(dword(esi), 0x10 + 2 * input);
    a.mov(dword(esi, 0x10), TIMER_VECTOR);
    for (const [port, value] of [
      [0x43, 0x34],
      [0x40, 0x00],
      [0x40, 0x10],
    ] as const) {
      a.mov(al, value);
      a.out(port, al);
    }
    a.sti();
    a.mov(eax, 10_000_000);
    a.label("spin");
    a.dec(eax);
    a.jnz("spin");
    a.cli();
    a.hlt();
  });
  return { image: link(main), ticks };
}

function ticksAt(input: number): number {
  const { image, ticks } = countingGuest(input);
  const machine = Machine.boot(image, { memory: 4 << 20 });
  assert.is(machine.run({ maxInstructions: 25_000_000 }).reason, "halted");
  return machine.memory.dword(image.addressOf(ticks));
}

test("HW-01: the timer arrives at input 2 and at no other", () => {
  // 20 ms and a bit, in periods of 4096 clocks of 1.193182 MHz.
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
