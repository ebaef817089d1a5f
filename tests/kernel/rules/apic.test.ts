// Rules APIC-01 to APIC-03 and APIC-06 to APIC-08: the local APIC as the kernel counts on it.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { dword, ecx } from "#asm";
import { Machine } from "#emulator";
import { boot, type HarnessProcessor } from "#harness";
import {
  APIC_BASE,
  APIC_EOI,
  APIC_ESR,
  APIC_ICR_HIGH,
  APIC_ICR_LOW,
  APIC_SVR,
  APIC_TPR,
  ICR_FIXED,
  ICR_INIT,
  ICR_NMI,
  ICR_SELF,
  ICR_STARTUP,
  KfLowerIrql,
  SVR_ENABLE,
} from "#kernel";
import { lower, raise } from "./levels.ts";

const test = suite("rules of the local APIC");

const APIC_PPR = 0xa0;
const MIB = 0x100000;

/** Local APICs of a machine that has no program: registers by offset, and vectors that arrive. */
function apics(processors = 1) {
  const { board, clock, processors: all } = new Machine({ processors, memory: MIB });
  const { lapics } = board;
  return {
    read: (offset: number, processor = 0) => lapics.read(processor, offset, clock) >>> 0,
    write: (offset: number, value: number, processor = 0) => lapics.write(processor, offset, value, clock),
    arrive: (vector: number) => lapics.accept(0, vector, false),
    deliverable: (processor = 0) => lapics.deliverable(processor),
    acknowledge: () => lapics.acknowledge(0),
    nmi: (processor: number) => board.nmiPending(processor),
    activity: (processor: number) => all[processor]!.activity,
  };
}

const FIRST_VECTOR = 16;
const VECTORS = 256;
const IN_SERVICE = [0, 0x30, 0x7f, 0xf0];

for (const inService of IN_SERVICE)
  test(`APIC-01: a vector is delivered when its class is above the task's and ${inService.toString(16)}h's in service`, () => {
    const { write, arrive, deliverable, acknowledge } = apics();
    write(APIC_SVR, SVR_ENABLE | 0xff);
    if (inService > 0) {
      arrive(inService);
      acknowledge();
    }
    for (let vector = FIRST_VECTOR; vector < VECTORS; vector++) {
      write(APIC_TPR, 0);
      if (vector >> 4 <= inService >> 4) {
        arrive(vector);
        assert.is(deliverable(), -1, `${vector} with ${inService} in service`);
        continue;
      }
      arrive(vector);
      for (let task = 0; task < VECTORS; task++) {
        write(APIC_TPR, task);
        assert.is(deliverable(), vector >> 4 > task >> 4 ? vector : -1, `${vector} at ${task}`);
      }
      write(APIC_TPR, 0);
      acknowledge();
      write(APIC_EOI, 0);
    }
  });

test("APIC-02: of a vector that comes five times while in service, exactly one more is served", () => {
  const nt = boot();
  const [processor] = nt.processors as [HarnessProcessor];
  nt.serve(0x53, (a) => {
    for (let nop = 0; nop < 40; nop++) a.nop();
  });
  processor.interrupt(0x53);
  processor.stepUntil(() => nt.served.length === 1);
  for (let time = 0; time < 5; time++) processor.interrupt(0x53);
  processor.idle(1000);
  assert.equal(nt.served, [0x53, 0x53]);
});

test("APIC-03: what a write of the task priority lets in comes before the next instruction, older stores before it", () => {
  const nt = boot({ processors: 2 });
  const [processor] = nt.processors as [HarnessProcessor];
  const word = nt.allocate(4, 0);
  const seen = nt.allocate(4, 0);
  nt.serve(0x53, (a) => {
    a.mov(ecx, word);
    a.push(dword(ecx));
    a.mov(ecx, seen);
    a.pop(dword(ecx));
  });
  raise(processor, 31);
  processor.interrupt(0x53);
  processor.program((a) => {
    a.mov(ecx, word);
    a.mov(dword(ecx), 5);
    a.call(KfLowerIrql, 0);
  });
  const { instructions, accesses } = nt.trace(() => processor.finish());
  const write = accesses.find(({ kind, physical }) => kind === "write" && physical === APIC_BASE + APIC_TPR)!;
  const after = instructions[instructions.findIndex(({ eip }) => eip === write.eip) + 1]!;
  assert.match(nt.nameOf(after.eip), /^KiVector53/);
  assert.equal([nt.dword(seen), nt.dword(word)], [5, 5]);
  lower(processor, 0);
});

test("APIC-06: the processor's priority is the task's, or the class in service where that is higher", () => {
  for (const inService of IN_SERVICE) {
    const { read, write, arrive, acknowledge } = apics();
    write(APIC_SVR, SVR_ENABLE | 0xff);
    if (inService > 0) {
      arrive(inService);
      acknowledge();
    }
    for (let task = 0; task < VECTORS; task++) {
      write(APIC_TPR, task);
      const expected = task >> 4 >= inService >> 4 ? task : inService & 0xf0;
      const isOpen = task >> 4 === inService >> 4; // the manuals leave the low half open there
      assert.is(isOpen ? read(APIC_PPR) & 0xf0 : read(APIC_PPR), isOpen ? expected & 0xf0 : expected);
    }
  }
});

const SEND_ILLEGAL_VECTOR = 0x20;
const RECEIVE_ILLEGAL_VECTOR = 0x40;

for (const target of [0, 1])
  test(`APIC-07: a vector below 16 never arrives, and both sides' error registers tell (to ${target})`, () => {
    for (let vector = 0; vector < FIRST_VECTOR; vector++) {
      const { read, write, deliverable } = apics(2);
      for (const processor of [0, 1]) write(APIC_SVR, SVR_ENABLE | 0xff, processor);
      write(APIC_ICR_HIGH, target << 24);
      write(APIC_ICR_LOW, (target === 0 ? ICR_SELF : 0) | ICR_FIXED | vector);
      assert.is(deliverable(target), -1);
      for (const processor of [0, 1]) write(APIC_ESR, 0, processor);
      const [sent, received] = [read(APIC_ESR, 0), read(APIC_ESR, target)];
      assert.ok((sent & SEND_ILLEGAL_VECTOR) !== 0, `${vector}: ${sent}`);
      assert.is(target === 0 || (received & ~RECEIVE_ILLEGAL_VECTOR) === 0, true);
    }
  });

test("APIC-08: a software-disabled local APIC drops fixed interrupts and takes NMI, INIT and STARTUP", () => {
  const { write, deliverable, nmi, activity } = apics(2);
  write(APIC_SVR, SVR_ENABLE | 0xff);
  const send = (command: number): void => {
    write(APIC_ICR_HIGH, 1 << 24);
    write(APIC_ICR_LOW, command);
  };
  send(ICR_FIXED | 0x53);
  write(APIC_SVR, SVR_ENABLE | 0xff, 1);
  assert.is(deliverable(1), -1);
  send(ICR_FIXED | 0x53);
  assert.is(deliverable(1), 0x53);
  write(APIC_SVR, 0xff, 1);
  send(ICR_INIT);
  assert.is(activity(1), "waiting");
  send(ICR_STARTUP | 8);
  assert.is(activity(1), "running");
  send(ICR_NMI);
  assert.is(nmi(1), true);
});

test.run();
