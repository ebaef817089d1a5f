// The disassembler's text.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { decode, type FormatOptions, format } from "../../../emulator/isa/index.ts";

const test = suite("format");

function text(bytes: string, options: FormatOptions = {}): string {
  const values = bytes.split(" ").map((byte) => Number.parseInt(byte, 16));
  const instruction = decode(values, 0, values.length, options.bits ?? 32);
  return typeof instruction === "string" ? instruction : format(instruction, 0x100000, options);
}

const lines: readonly (readonly [bytes: string, text: string])[] = [
  ["f0 0f b1 11", "lock cmpxchg [ecx], edx"],
  ["c7 41 04 00 00 00 00", "mov dword [ecx+0x4], 0x0"],
  ["83 c0 fc", "add eax, -0x4"],
  ["05 fc ff ff ff", "add eax, 0xfffffffc"],
  ["8b 04 85 00 00 10 c0", "mov eax, [eax*4+0xc0100000]"],
  ["8b 45 f8", "mov eax, [ebp-0x8]"],
  ["a1 78 56 34 12", "mov eax, [0x12345678]"],
  ["64 a1 00 00 00 00", "mov eax, [fs:0x0]"],
  ["67 8b 0e 34 12", "mov ecx, [word 0x1234]"],
  ["0f b6 01", "movzx eax, byte [ecx]"],
  ["d1 20", "shl dword [eax], 1"],
  ["c0 20 01", "shl byte [eax], 0x1"],
  ["8c 18", "mov word [eax], ds"],
  ["75 fe", "jnz 0x100000"],
  ["72 00", "jc 0x100002"],
  ["66 75 fd", "o16 jnz 0x0"],
  ["ea 00 00 10 80 08 00", "jmp 0x8:0x80100000"],
  ["ff 2d 00 00 00 80", "jmp far [0x80000000]"],
  ["6a ff", "push -0x1"],
  ["66 6a 05", "o16 push 0x5"],
  ["66 68 05 00", "push word 0x5"],
  ["66 e9 fc 7f", "jmp near word 0x8000"],
  ["66 ea 00 10 08 00", "jmp word 0x8:0x1000"],
  ["66 c2 04 00", "o16 ret 0x4"],
  ["66 0f b7 01", "movzx ax, word [ecx]"],
  ["66 cf", "iretw"],
  ["cf", "iretd"],
  ["d4 0a", "aam"],
  ["d4 10", "aam 0x10"],
  ["f3 64 a4", "rep fs movsb"],
  ["f2 67 ae", "repne a16 scasb"],
  ["67 e2 fd", "a16 loop 0x100000"],
  ["67 e3 fd", "jcxz 0x100000"],
  ["ed", "in eax, dx"],
  ["0f 22 d8", "mov cr3, eax"],
  ["0f 01 10", "lgdt [eax]"],
  ["c8 10 00 01", "enter 0x10, 0x1"],
];
test("instructions read as NASM writes them, sizes only where no register tells", () => {
  for (const [bytes, expected] of lines) assert.is(text(bytes), expected, bytes);
});

test("in 16-bit code the 32-bit forms are the ones that are marked", () => {
  assert.is(text("66 c3", { bits: 16 }), "o32 ret");
  assert.is(text("c3", { bits: 16 }), "ret");
  assert.is(text("eb fe", { bits: 16 }), "jmp 0x0");
});

test("addresses are named where a name is known", () => {
  const symbol = (address: number): string | undefined => (address === 0x100010 ? "spin+0x10" : undefined);
  assert.is(text("eb 0e", { symbol }), "jmp spin+0x10");
  assert.is(text("ff 05 10 00 10 00", { symbol }), "inc dword [spin+0x10]");
  assert.is(text("eb 0f", { symbol }), "jmp 0x100011");
});

test.run();
