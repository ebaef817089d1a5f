// Rules HW-02 and HW-03: what kernels count on of the 8254's periodic mode, and of how a processor is started.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { al, ax, cs, data, dword, eax, ebx, ecx, edi, esi, proc, word } from "#asm";
import { APIC, EOI, enableApic, handle, ICR, snippet } from "../guests/snippet.ts";

const test = suite("hardware");

const IO_APIC = 0xfec00000 | 0;
const VECTOR = 0x40;
const PERIODS = 10;
const DIVISOR = 11932;
const PIT_HZ = 1193182;

const ticks = data("ticks", 4);
const times = data("times", 4 * (PERIODS + 2));

const note = proc("note", (a) => {
  a.rdtsc();
  a.mov(ebx, dword(ticks));
  a.mov(dword(ebx.times(4), times), eax);
  a.inc(dword(ticks));
  a.mov(eax, APIC);
  a.mov(dword(eax, EOI), 0);
  a.iretd();
});

test("HW-02: mode 2 gives one edge a count, 11932 input clocks apart", () => {
  const { image, boot } = snippet((a) => {
    handle(a, { [VECTOR]: note });
    enableApic(a);
    a.mov(esi, IO_APIC);
    a.mov(dword(esi), 0x14);
    a.mov(dword(esi, 0x10), VECTOR);
    for (const [port, value] of [
      [0x43, 0x34],
      [0x40, DIVISOR & 0xff],
      [0x40, DIVISOR >> 8],
    ] as const) {
      a.mov(al, value);
      a.out(port, al);
    }
    a.sti();
    a.label("wait");
    a.hlt();
    a.cmp(dword(ticks), PERIODS + 1);
    a.jb("wait");
  });
  const machine = boot();
  assert.is(machine.run({ maxInstructions: 100_000 }).reason, "halted");
  assert.is(machine.memory.dword(image.addressOf(ticks)), PERIODS + 1);
  const at = Array.from({ length: PERIODS + 1 }, (_, i) => machine.memory.dword(image.addressOf(times) + 4 * i));
  const clocks = at.slice(1).map((time, i) => Math.round(((time - (at[i] as number)) * PIT_HZ) / 1e9));
  assert.equal(clocks, new Array(PERIODS).fill(DIVISOR));
});

const TRAMPOLINE = 0x8000;
const RECORD = 0x9000;
/** To the processor with APIC ID 1. */
const [INIT, STARTUP] = [0x4500, 0x4600 | (TRAMPOLINE >> 12)];

/** Notes how it was entered, counts that, and stays. */
const trampoline = proc("trampoline", (a) => {
  a.bits(16);
  a.mov(word(RECORD), cs);
  a.pushfd();
  a.pop(eax);
  a.mov(dword(RECORD + 4), eax);
  a.call("here");
  a.label("here");
  a.pop(ax);
  a.mov(word(RECORD + 2), ax);
  a.inc(word(RECORD + 8));
  a.label("stay");
  a.pause();
  a.jmp("stay");
  a.label("end");
});

test("HW-03: a start-up message begins at its page in real mode with interrupts off, and a second one changes nothing", () => {
  const { image, boot } = snippet((a) => {
    a.mov(esi, trampoline);
    a.mov(edi, TRAMPOLINE);
    a.mov(ecx, trampoline.label("end").minus(trampoline));
    a.rep.movsb();
    enableApic(a);
    a.mov(dword(eax, ICR + 0x10), 1 << 24);
    for (const [index, message] of [INIT, STARTUP, STARTUP].entries()) {
      a.mov(dword(eax, ICR), message);
      a.mov(ecx, 1000); // long enough for several turns of both
      a.label(`settle${index}`);
      a.pause();
      a.loop(`settle${index}`);
    }
  });
  const machine = boot({ processors: 2 });
  assert.is(machine.run({ maxInstructions: 50_000 }).reason, "budget");
  const { memory: ram, processors } = machine;
  const here = image.addressOf(trampoline.label("here")) - image.addressOf(trampoline);
  assert.equal([ram.word(RECORD), ram.word(RECORD + 2)], [TRAMPOLINE >> 4, here]);
  assert.is(ram.dword(RECORD + 4) & 0x200, 0);
  assert.is(ram.word(RECORD + 8), 1);
  assert.is((processors[1]?.cr0 ?? 1) & 1, 0);
});

test.run();
