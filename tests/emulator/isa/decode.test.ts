// Prefixes, lengths and failures of the decoder.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { decode, encodeInstruction, format, forms, NONE } from "../../../emulator/isa/index.ts";

const test = suite("decode");

const bytesOf = (text: string): number[] => text.split(" ").map((byte) => Number.parseInt(byte, 16));

/** The text of an instruction, or why it is none. */
function outcome(text: string, bits: 16 | 32 = 32): string {
  const bytes = bytesOf(text);
  const result = decode(bytes, 0, bytes.length, bits);
  if (typeof result === "string") return result;
  assert.is(result.length, bytes.length, text);
  return format(result, 0, { bits });
}

const prefixed: readonly (readonly [bytes: string, text: string])[] = [
  ["66 66 89 c8", "mov ax, cx"],
  ["67 8b 40 05", "mov eax, [bx+si+0x5]"],
  ["64 2e 8b 03", "mov eax, [cs:ebx]"],
  ["2e 64 8b 03", "mov eax, [fs:ebx]"],
  ["f2 f3 a4", "rep movsb"],
  ["f3 f2 a6", "repne cmpsb"],
  ["f3 66 a5", "rep movsw"],
  ["f3 90", "pause"],
  ["66 f3 90", "pause"],
  ["f2 90", "nop"],
  ["f3 c3", "ret"],
  ["f0 0f c7 09", "lock cmpxchg8b qword [ecx]"],
  ["66 f0 01 08", "lock add [eax], cx"],
];
test("prefixes come in any order and number, and the last of a group wins", () => {
  for (const [bytes, text] of prefixed) assert.is(outcome(bytes), text, bytes);
});

const undefinedHere: readonly string[] = [
  "f0 90", // LOCK without a read-modify-write
  "f0 01 c8", // LOCK with a register for destination
  "f0 03 08", // LOCK with memory for source only
  "f0 a4",
  "f0 39 08",
  "f0 0f a3 08",
  "8d c0", // LEA of a register
  "62 c0",
  "c4 c0",
  "0f c7 c8",
  "0f 01 c0",
  "8e c8", // MOV CS
  "8e f0", // no such segment register
  "8c f8",
  "0f 20 c8", // CR1
  "8f c8",
  "c6 48 00 12",
  "c7 48 00 12 34 56 78",
  "fe d0",
  "ff f8",
  "ff d8",
  "0f 00 f0",
  "0f ba c0 00",
  "0f ff",
  "0f 38",
];
test("what the table does not have is #UD", () => {
  for (const bytes of undefinedHere) assert.is(outcome(bytes), "invalid", bytes);
});

test("#UD comes after the last byte has been fetched, so a missing byte or a sixteenth one comes first", () => {
  assert.is(outcome("f0 81 c1 01 02 03"), "truncated");
  assert.is(outcome("f0 81 c1 01 02 03 04"), "invalid");
  assert.is(outcome("8f 88 01 02 03"), "truncated");
  assert.is(outcome("66 c7 48 00 12"), "truncated");
  assert.is(outcome("66 c7 48 00 12 34"), "invalid");
  assert.is(outcome(`${"f0 ".repeat(14)}05 01`), "too long");
});

test("every proper beginning of an instruction is truncated", () => {
  for (const text of [
    "66 67 f0 81 84 78 56 34 12",
    "ea 01 02 03 04 05 06",
    "c8 10 00 01",
    "0f ba 2c 8d 00 00 00 00 07",
  ]) {
    const bytes = bytesOf(text);
    for (let available = 0; available < bytes.length; available++) {
      assert.is(decode(bytes, 0, available, 32), "truncated", `${text} cut to ${available}`);
    }
  }
});

test("fifteen bytes are an instruction and sixteen are #GP", () => {
  const padded = (prefixes: number): number[] => [...Array(prefixes).fill(0x66), 0x81, 0xc1, 0x34, 0x12];
  assert.is((decode(padded(11), 0, 15, 32) as { length: number }).length, 15);
  assert.is(decode([...Array(12).fill(0x3e), 0x81, 0xc1, 0x34, 0x12], 0, 16, 32), "too long");
  assert.is(decode(Array(20).fill(0x66), 0, 20, 32), "too long");
});

test("ESP and EBP address through SS, other registers through DS, and a prefix decides above all", () => {
  for (const [text, segment] of [
    ["8b 04 24", 2],
    ["8b 45 00", 2],
    ["8b 04 28", 3],
    ["8b 03", 3],
    ["65 8b 45 00", 5],
    ["67 8b 02", 2],
    ["67 8b 04", 3],
  ] as const) {
    const bytes = bytesOf(text);
    assert.is((decode(bytes, 0, bytes.length, 32) as { segment: number }).segment, segment, text);
  }
});

test("a control register's other operand is a register whatever mod says", () => {
  assert.is(outcome("0f 22 d8"), "mov cr3, eax");
  assert.is(outcome("0f 22 18"), "mov cr3, eax");
});

test("decoding, encoding and decoding random bytes keeps every field but the length", () => {
  let state = 1;
  const random = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 24;
  const reached = new Set<number>();
  for (let i = 0; i < 200_000; i++) {
    const bytes = Array.from({ length: 15 }, random);
    if (i % 3 === 0) bytes[0] = 0x0f;
    const bits = i % 2 === 0 ? 32 : 16;
    const first = decode(bytes, 0, 15, bits);
    if (typeof first === "string") continue;
    reached.add(first.form.id);
    const again = encodeInstruction(first, bits);
    // Dropped prefixes and shorter displacements may have shortened it; a REP without effect stays.
    const second = decode(again, 0, again.length, bits);
    assert.ok(typeof second !== "string" && second.length === again.length && again.length <= first.length, `${bytes}`);
    if (typeof second !== "string") {
      const { modrmByte } = first.form;
      // The fences ignore rm.
      assert.equal({ ...second, rm: modrmByte === NONE ? second.rm : first.rm }, { ...first, length: again.length });
    }
  }
  assert.ok(reached.size > forms.length * 0.9, `${reached.size} of ${forms.length} forms`);
});

test.run();
