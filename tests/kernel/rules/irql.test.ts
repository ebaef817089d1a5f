// Rules IRQL-01 to IRQL-18: levels, what they mask, and what interrupts leave behind.
// time limit: 300 s

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Assembler, ax, dword, ebx, ecx, edi, edx, esi, ss } from "#asm";
import { boot, type HarnessProcessor, type Nt, type When } from "#harness";
import {
  APIC_BASE,
  APIC_ICR_HIGH,
  APIC_TPR,
  IRQL_NOT_GREATER_OR_EQUAL,
  IRQL_NOT_LESS_OR_EQUAL,
  KeInsertQueueDpc,
  KeLowerIrql,
  KeRaiseIrql,
  KeRaiseIrqlToDpcLevel,
  KfLowerIrql,
  KfRaiseIrql,
  KPCR,
  KTRAP_FRAME,
} from "#kernel";
import { LEVELS, levelOf, lower, raise, SERVED, TASK_PRIORITY } from "./levels.ts";

const test = suite("rules of levels");

const EFLAGS_DF = 0x400;

for (const processors of [1, 2, 3, 4])
  test(`IRQL-01: a raise returns the level before and leaves level and task priority of the new one (${processors})`, () => {
    const nt = boot({ processors });
    for (const processor of nt.processors)
      for (const irql of LEVELS) {
        assert.is(processor.call(KfRaiseIrql, irql), 0);
        assert.equal(levelOf(processor), [irql, TASK_PRIORITY[irql]]);
        assert.is(processor.call(KfRaiseIrql, 31), irql);
        lower(processor, 0);
        assert.equal(levelOf(processor), [0, 0]);
      }
  });

for (const [raises, ask] of [
  ["KfRaiseIrql", (p: HarnessProcessor) => p.call(KfRaiseIrql, 2)],
  ["KeRaiseIrql", (p: HarnessProcessor, nt: Nt) => p.call(KeRaiseIrql, 2, nt.allocate(4))],
] as const)
  for (const checked of [false, true])
    test(`IRQL-02: ${raises} below the present level is bug check 9h (${checked ? "checked" : "free"})`, () => {
      const nt = boot({ checked });
      const [processor] = nt.processors as [HarnessProcessor];
      raise(processor, 5);
      const { code, parameters } = nt.bugCheckOf(() => ask(processor, nt));
      assert.equal([code, parameters[0], parameters[1]], [IRQL_NOT_GREATER_OR_EQUAL, 5, 2]);
    });

for (const routine of [KfLowerIrql, KeLowerIrql])
  test(`IRQL-03: ${routine.name} above the present level is bug check 0Ah`, () => {
    const nt = boot();
    const [processor] = nt.processors as [HarnessProcessor];
    raise(processor, 2);
    const { code, parameters } = nt.bugCheckOf(() => processor.call(routine, 5));
    assert.equal([code, parameters[0], parameters[1]], [IRQL_NOT_LESS_OR_EQUAL, 5, 2]);
  });

test("IRQL-04: a raise and a lower to the present level change nothing", () => {
  const [processor] = boot().processors as [HarnessProcessor];
  for (const irql of LEVELS) {
    raise(processor, irql);
    assert.is(processor.call(KfRaiseIrql, irql), irql);
    assert.equal(levelOf(processor), [irql, TASK_PRIORITY[irql]]);
    lower(processor, irql);
    assert.equal(levelOf(processor), [irql, TASK_PRIORITY[irql]]);
    lower(processor, 0);
  }
});

for (const irql of [0, 1, 2])
  test(`IRQL-05: KeRaiseIrqlToDpcLevel at ${irql} returns ${irql} and leaves level 2`, () => {
    const [processor] = boot().processors as [HarnessProcessor];
    raise(processor, irql);
    assert.is(processor.call(KeRaiseIrqlToDpcLevel), irql);
    assert.equal(levelOf(processor), [2, 0x41]);
  });

test("IRQL-05: KeRaiseIrqlToDpcLevel above level 2 is a bug check", () => {
  const nt = boot();
  const [processor] = nt.processors as [HarnessProcessor];
  raise(processor, 3);
  assert.is(nt.bugCheckOf(() => processor.call(KeRaiseIrqlToDpcLevel)).code, IRQL_NOT_GREATER_OR_EQUAL);
});

for (const number of [0, 1])
  test(`IRQL-06: at a level nothing of that level or below comes in, and IRQL-07: all above it at once (processor ${number})`, () => {
    for (const [vector, own] of SERVED) {
      const nt = boot({ processors: 2 });
      const processor = nt.processors[number]!;
      const nops = nt.assembled("nops", (a) => {
        for (let nop = 0; nop < 3; nop++) a.nop();
        a.ret();
      });
      nt.serve(vector);
      for (const irql of LEVELS) {
        raise(processor, irql);
        const before = nt.served.length;
        processor.begin(nops);
        processor.interrupt(vector);
        const trace = nt.trace(() => processor.finish());
        const isTaken = trace.instructions[0]!.eip !== nt.addressOf(nops);
        assert.equal([isTaken, nt.served.length - before], own > irql ? [true, 1] : [false, 0], `${vector} at ${irql}`);
        lower(processor, 0);
        assert.is(nt.served.length, before + 1, "what waited comes when the level falls");
      }
      assert.ok(nt.events.every((event) => event.irql === own && event.processor === number));
    }
  });

/** Where a vector that arrives before the first instruction of some code is taken: bytes from its start. */
function takenAt(body: (a: Assembler) => void, when: When = {}): number {
  const nt = boot();
  const [processor] = nt.processors as [HarnessProcessor];
  nt.serve(0x53);
  const code = nt.assembled("code", body);
  processor.begin(code);
  processor.interrupt(0x53, when);
  processor.finish();
  return nt.dword(nt.events[0]!.parameters[1]! + KTRAP_FRAME.Eip.offset) - nt.addressOf(code);
}

test("IRQL-07: with interrupts off nothing comes, and after STI one instruction later", () => {
  const CLI_NOP_STI_NOP = 4;
  const at = takenAt(
    (a) => {
      a.cli();
      a.nop();
      a.sti();
      a.nop();
      a.nop();
      a.ret();
    },
    { after: 1 },
  );
  assert.is(at, CLI_NOP_STI_NOP);
});

test("IRQL-07: nothing comes between a load of SS and the instruction after it", () => {
  const shadows = [
    takenAt(
      (a) => {
        a.mov(ax, ss);
        a.mov(ss, ax);
        a.nop();
        a.nop();
        a.ret();
      },
      { after: 2 },
    ),
    takenAt(
      (a) => {
        a.push(ss);
        a.pop(ss);
        a.nop();
        a.nop();
        a.ret();
      },
      { after: 2 },
    ),
  ];
  const [MOV_MOV_NOP, PUSH_POP_NOP] = [3 + 2 + 1, 1 + 1 + 1];
  assert.equal(shadows, [MOV_MOV_NOP, PUSH_POP_NOP]);
});

for (const processors of [2, 3, 4])
  test(`IRQL-08: a processor at HIGH_LEVEL masks nothing on the others (${processors})`, () => {
    const nt = boot({ processors });
    nt.serve(0x53);
    raise(nt.processors[0]!, 31);
    for (const processor of nt.processors) {
      processor.interrupt(0x53);
      processor.idle(200);
    }
    assert.equal(
      nt.events.map(({ processor }) => processor),
      nt.processors.slice(1).map(({ number }) => number),
    );
  });

/** Every change of level from `from` to `to`, with a vector before each of its instructions in turn. */
function interruptedChange(number: number, from: number, to: number, vector: number): void {
  for (let boundary = 0; ; boundary++) {
    const nt = boot({ processors: 2 });
    const processor = nt.processors[number]!;
    nt.serve(vector);
    raise(processor, from);
    processor.begin(from < to ? KfRaiseIrql : KfLowerIrql, to);
    processor.interrupt(vector, { after: boundary });
    processor.finish();
    if (processor.planned > 0) {
      assert.ok(boundary > 5); // the routine is shorter than that, and no shorter
      return;
    }
    const where = `${from} to ${to}, vector ${vector.toString(16)} before instruction ${boundary}`;
    assert.equal(levelOf(processor), [to, TASK_PRIORITY[to]], where);
    lower(processor, 0);
    assert.equal([levelOf(processor), nt.served], [[0, 0], [vector]], where);
  }
}

for (const [from, to] of [
  [0, 2],
  [0, 31],
  [2, 10],
  [4, 28],
  [2, 0],
  [31, 0],
  [10, 2],
  [28, 5],
] as const)
  test(`IRQL-09: an interrupt anywhere in a change from ${from} to ${to} leaves level and task priority in step`, () => {
    for (const number of [0, 1]) for (const [vector] of SERVED) interruptedChange(number, from, to, vector);
  });

test("IRQL-10: a lower lets in all that waits above the new level, the highest first, before its caller goes on", () => {
  const nt = boot();
  const [processor] = nt.processors as [HarnessProcessor];
  for (const [vector] of SERVED) nt.serve(vector);
  raise(processor, 31);
  for (const [vector] of SERVED) processor.interrupt(vector);
  lower(processor, 7);
  assert.equal(nt.served, [0xe1, 0xd1, 0xb3, 0xa3, 0x93]);
  lower(processor, 0);
  assert.equal(nt.served, [0xe1, 0xd1, 0xb3, 0xa3, 0x93, 0x83, 0x73, 0x63, 0x53]);
});

for (const irql of [2, 7, 28, 31])
  test(`IRQL-11: a DPC queued at level ${irql} runs when the level falls below 2, and not before`, () => {
    const nt = boot();
    const [processor] = nt.processors as [HarnessProcessor];
    const dpc = nt.dpc();
    raise(processor, irql);
    processor.queueDpc(dpc);
    processor.idle(100);
    lower(processor, 2);
    processor.idle(100);
    assert.is(dpc.runs, 0);
    lower(processor, 1);
    assert.is(dpc.runs, 1);
  });

test("IRQL-12: an interrupt leaves registers, flags, level and task priority as it found them, wherever it comes", () => {
  for (const [vector, own] of SERVED)
    for (const irql of [0, 1, 2, 4].filter((level) => level < own)) {
      const nt = boot();
      const [processor] = nt.processors as [HarnessProcessor];
      nt.serve(vector, (a) => {
        for (const register of [ecx, edx]) a.xor(register, register);
      });
      const code = nt.assembled("code", (a) => {
        a.stc();
        a.std();
        a.mov(ecx, 0x1234);
        a.sub(ecx, 0x7fffffff);
        a.push(ecx);
        a.pop(edx);
        a.cld();
        a.nop();
        a.ret();
      });
      raise(processor, irql);
      processor.begin(code);
      for (; !processor.returned; processor.step()) {
        const { eip } = processor.registers;
        const before = [processor.registers.describe(), ...levelOf(processor)];
        processor.interrupt(vector);
        processor.step();
        processor.stepUntil(() => processor.registers.eip === eip);
        assert.equal([processor.registers.describe(), ...levelOf(processor)], before, `${vector} at ${irql}`);
      }
      processor.finish();
      assert.is(nt.served.length, 9);
    }
});

test("IRQL-13: interrupts nest upwards only and end in reverse order", () => {
  const nt = boot();
  const [processor] = nt.processors as [HarnessProcessor];
  const ends = nt.allocate(64, 0);
  const vectors = [0x53, 0x73, 0xb3, 0xd1];
  for (const vector of vectors)
    nt.serve(vector, (a) => {
      for (let nop = 0; nop < 60; nop++) a.nop();
      a.mov(ecx, dword(ends - 0x100000000));
      a.mov(dword(ecx.times(4), ends + 4 - 0x100000000), vector);
      a.inc(dword(ends - 0x100000000));
    });
  for (const [depth, vector] of vectors.entries()) {
    processor.interrupt(vector);
    processor.stepUntil(() => nt.served.length > depth);
    for (const lowerOne of vectors.slice(0, depth)) processor.interrupt(lowerOne); // waits until the outer ones are over
    processor.steps(40); // it is noted, and in the middle of its NOPs
    assert.equal(nt.served, vectors.slice(0, depth + 1));
  }
  processor.idle(2000);
  const ended = Array.from({ length: nt.dword(ends) }, (_, index) => nt.dword(ends + 4 + 4 * index));
  assert.equal(ended, [0xd1, 0xb3, 0xb3, 0x73, 0x73, 0x53, 0x53]);
  assert.equal(levelOf(processor), [0, 0]);
});

test("IRQL-16: a handler finds the registers in its frame and runs with DF = 0, and DF comes back", () => {
  const nt = boot();
  const [processor] = nt.processors as [HarnessProcessor];
  nt.serve(0x53);
  const values = [
    [edi, 0x11111111],
    [esi, 0x22222222],
    [ebx, 0x33333333],
    [edx, 0x44444444],
    [ecx, 0x55555555],
  ] as const;
  const code = nt.assembled("code", (a) => {
    a.pushad();
    for (const [register, value] of values) a.mov(register, value);
    a.std();
    a.nop();
    a.cld();
    a.popad();
    a.ret();
  });
  processor.begin(code);
  processor.steps(7);
  const { esp: before, eip, eflags, ebp: frameBase } = processor.registers;
  processor.interrupt(0x53);
  processor.step();
  processor.stepUntil(() => nt.events.length > 0 && processor.registers.eip === eip);
  const [event] = nt.events;
  assert.is(event!.eflags & EFLAGS_DF, 0);
  assert.is(processor.registers.eflags, eflags);
  const frame = nt.view(KTRAP_FRAME, event!.parameters[1]);
  assert.equal(
    [frame.Edi, frame.Esi, frame.Ebx, frame.Edx, frame.Ecx],
    values.map(([, value]) => value),
  );
  assert.equal([frame.Ebp, frame.Vector, frame.ErrorCode, frame.Eip], [frameBase, 0x53, 0, eip]);
  assert.equal([frame.Cs, frame.EFlags & EFLAGS_DF, before - frame.address], [0x08, EFLAGS_DF, KTRAP_FRAME.size]);
  processor.finish();
});

for (const [title, vector, errorCode, fault] of [
  ["with an error code", 14, 0, (a: Assembler) => a.mov(ecx, dword(0x10))],
  ["without an error code", 6, 0, (a: Assembler) => a.ud2()],
] as const)
  test(`IRQL-16: an exception ${title} has the same frame, and is told with its place`, () => {
    const nt = boot();
    const code = nt.assembled("faults", (a) => {
      a.std();
      fault(a);
    });
    const { code: stop, parameters } = nt.bugCheckOf(() => nt.processors[0]!.call(code));
    const eip = nt.addressOf(code) + 1;
    if (vector === 14) assert.equal([stop, parameters[0], parameters[3]], [0x0a, 0x10, eip]);
    else assert.equal([stop, ...parameters], [0x7f, vector, errorCode, eip, 0]);
  });

test("IRQL-16: a breakpoint is over and done with", () => {
  const nt = boot();
  const code = nt.assembled("breaks", (a) => {
    a.mov(ecx, 5);
    a.int3();
    a.ret();
  });
  nt.processors[0]!.call(code);
  assert.ok(nt.processors[0]!.returned);
});

/** Everything that changes levels: raise, lower, interrupts, DPCs here and elsewhere. */
function busy(nt: Nt): void {
  const [first, second] = nt.processors as [HarnessProcessor, HarnessProcessor];
  for (const irql of LEVELS) {
    raise(first, irql);
    for (const [vector] of SERVED) first.interrupt(vector);
    first.queueDpc(nt.dpc({ target: 1, importance: 2 }));
    lower(first, 0);
  }
  first.call(KeInsertQueueDpc, nt.dpc(), 0, 0);
  second.idle(2000);
}

test("IRQL-17: bytes 25h to 27h of the KPCR are never written", () => {
  const nt = boot({ processors: 2 });
  const { accesses } = nt.trace(() => busy(nt));
  const pages = nt.processors.map(({ registers }) => registers.fs.base);
  const around = accesses.filter(({ kind, address, bytes }) =>
    pages.some((page) => kind === "write" && address + bytes > page + 0x25 && address < page + 0x28),
  );
  assert.equal(around, []);
  assert.ok(accesses.some(({ kind, address }) => kind === "write" && address === pages[0]! + KPCR.Irql.offset));
});

test("IRQL-18: the high half of the interrupt command is written with interrupts off", () => {
  const nt = boot({ processors: 2 });
  const { accesses } = nt.trace(() => busy(nt));
  const writes = accesses.filter(({ kind, physical }) => kind === "write" && physical === APIC_BASE + APIC_ICR_HIGH);
  assert.ok(writes.length > 0);
  assert.ok(writes.every(({ interruptible }) => !interruptible));
  assert.ok(accesses.some(({ physical }) => physical === APIC_BASE + APIC_TPR));
});

test.run();
