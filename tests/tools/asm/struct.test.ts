// Structures: the offsets that natural alignment gives.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { array, at, dword, ecx, link, proc, ptr, struct, u8, u16, u32, u64 } from "#asm";

const test = suite("structures");

test("fields are naturally aligned, and the size is a multiple of the alignment", () => {
  const s = struct({ A: u8, B: u32, C: u16, D: u8 });
  assert.equal([s.A.offset, s.B.offset, s.C.offset, s.D.offset, s.size, s.align], [0, 4, 8, 10, 12, 4]);
});

test("a structure within a structure has offsets from the outermost", () => {
  const inner = struct({ Next: ptr, Lock: ptr });
  const outer = struct({ Head: u8, Queue: inner, Tail: u8 });
  assert.equal([outer.Queue.offset, outer.Queue.Next.offset, outer.Queue.Lock.offset], [4, 4, 8]);
  assert.is(outer.Queue.Lock.name, "Queue.Lock");
  assert.is(outer.size, 16);
});

test("elements of an array lie one after the other", () => {
  const s = struct({ A: u8, B: array(struct({ X: u32, Y: u8 }), 3), C: u8 });
  assert.equal([s.B.offset, s.B.size, s.B.element(2).Y.offset, s.C.offset, s.size], [4, 24, 24, 28, 32]);
  assert.throws(() => s.B.element(3), /struct\.test\.ts:\d+: B has 3 elements; 3 was asked for/);
});

test("a field with an offset of its own leaves a hole, and may not go back", () => {
  const s = struct({ Irql: at(0x24, u8), Idt: at(0x38, ptr), End: u64 });
  assert.equal([s.Irql.offset, s.Idt.offset, s.End.offset, s.size], [0x24, 0x38, 0x40, 0x48]);
  assert.throws(() => struct({ A: u32, B: at(2, u8) }), /field B at 2 overlaps the one before, which ends at 4/);
});

test("a field in an address is its offset, and as an immediate too", () => {
  const { B } = struct({ A: u32, B: u32 });
  const [section] = link(
    proc("main", (a) => void [a.mov(dword(ecx, B), 0), a.add(ecx, B)]),
    { multiboot: false },
  ).sections;
  assert.is(Buffer.from(section?.bytes ?? []).toString("hex"), "c741040000000083c104");
});

test.run();
