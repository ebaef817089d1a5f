// What the methods write, beside what NASM writes for the same instruction.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  type Assembler,
  al,
  ax,
  bx,
  byte,
  cl,
  cr0,
  cs,
  ds,
  dword,
  dx,
  eax,
  ebp,
  ebx,
  ecx,
  edi,
  edx,
  esi,
  esp,
  far,
  fs,
  imm8,
  imm32,
  link,
  memory,
  proc,
  qword,
  si,
  word,
} from "#asm";

const test = suite("instructions");

type Case = readonly [nasm: string, bytes: string, write: (a: Assembler) => void];

const CASES32: readonly Case[] = [
  ["mov dword [edx], 0", "c7 02 00 00 00 00", (a) => a.mov(dword(edx), 0)],
  ["mov [edx+4], ecx", "89 4a 04", (a) => a.mov(dword(edx, 4), ecx)],
  ["mov eax, [ebx+ecx*4-8]", "8b 44 8b f8", (a) => a.mov(eax, dword(ebx, ecx.times(4), -8))],
  ["mov eax, [ecx*4+0x1000]", "8b 04 8d 00 10 00 00", (a) => a.mov(eax, dword(ecx.times(4), 0x1000))],
  ["mov al, [esp]", "8a 04 24", (a) => a.mov(al, byte(esp))],
  ["mov eax, [ebp]", "8b 45 00", (a) => a.mov(eax, dword(ebp))],
  ["mov eax, [fs:0x1c]", "64 a1 1c 00 00 00", (a) => a.mov(eax, dword(fs, 0x1c))],
  ["mov ax, cs", "66 8c c8", (a) => a.mov(ax, cs)],
  ["mov eax, cr0", "0f 20 c0", (a) => a.mov(eax, cr0)],
  ["mov word [esi], 0x1234", "66 c7 06 34 12", (a) => a.mov(word(esi), 0x1234)],
  ["add eax, 1", "83 c0 01", (a) => a.add(eax, 1)],
  ["add eax, 0xffffffff", "83 c0 ff", (a) => a.add(eax, 0xffffffff)],
  ["add eax, strict dword 1", "05 01 00 00 00", (a) => a.add(eax, imm32(1))],
  ["add ecx, strict byte 1", "83 c1 01", (a) => a.add(ecx, imm8(1))],
  ["xchg [ecx], eax", "87 01", (a) => a.xchg(dword(ecx), eax)],
  ["xchg [ecx], eax", "87 01", (a) => a.xchg(eax, dword(ecx))],
  ["test [edx], eax", "85 02", (a) => a.test(eax, dword(edx))],
  ["lock cmpxchg [edx], ecx", "f0 0f b1 0a", (a) => a.lock.cmpxchg(dword(edx), ecx)],
  ["lock cmpxchg8b [edi]", "f0 0f c7 0f", (a) => a.lock.cmpxchg8b(qword(edi))],
  ["lock bts dword [ecx], 0", "f0 0f ba 29 00", (a) => a.lock.bts(dword(ecx), 0)],
  ["lock inc dword [eax]", "f0 ff 00", (a) => a.lock.inc(dword(eax))],
  ["rep movsd", "f3 a5", (a) => a.rep.movsd()],
  ["repne scasb", "f2 ae", (a) => a.repne.scasb()],
  ["pause", "f3 90", (a) => a.pause()],
  ["shl eax, cl", "d3 e0", (a) => a.shl(eax, cl)],
  ["shl eax, 1", "d1 e0", (a) => a.shl(eax, 1)],
  ["sar byte [eax], 3", "c0 38 03", (a) => a.sar(byte(eax), 3)],
  ["shld eax, edx, 4", "0f a4 d0 04", (a) => a.shld(eax, edx, 4)],
  ["imul eax, eax, 10", "6b c0 0a", (a) => a.imul(eax, 10)],
  ["imul ecx, [esi], 1000", "69 0e e8 03 00 00", (a) => a.imul(ecx, dword(esi), 1000)],
  ["movzx eax, byte [esi]", "0f b6 06", (a) => a.movzx(eax, byte(esi))],
  ["setnc al", "0f 93 c0", (a) => a.setnc(al)],
  ["cmovz eax, [edx]", "0f 44 02", (a) => a.cmovz(eax, dword(edx))],
  ["lea esp, [ecx+eax+4]", "8d 64 01 04", (a) => a.lea(esp, dword(ecx, eax, 4))],
  ["lea eax, [esi]", "8d 06", (a) => a.lea(eax, memory(esi))],
  ["push dword 1", "6a 01", (a) => a.push(1)],
  ["push ds", "1e", (a) => a.push(ds)],
  ["in al, dx", "ec", (a) => a.in(al, dx)],
  ["out 0x80, al", "e6 80", (a) => a.out(0x80, al)],
  ["out 0xf4, eax", "e7 f4", (a) => a.out(0xf4, eax)],
  ["ret 4", "c2 04 00", (a) => a.ret(4)],
  ["o16 ret", "66 c3", (a) => a.o16.ret()],
  ["iret", "cf", (a) => a.iret()],
  ["iretd", "cf", (a) => a.iretd()],
  ["jmp 0x08:0x12345678", "ea 78 56 34 12 08 00", (a) => a.jmp(far(8, 0x12345678))],
  ["jmp eax", "ff e0", (a) => a.jmp(eax)],
  ["call [eax+4]", "ff 50 04", (a) => a.call(dword(eax, 4))],
  ["lgdt [eax]", "0f 01 10", (a) => a.lgdt(memory(eax))],
  ["invlpg [edi]", "0f 01 3f", (a) => a.invlpg(byte(edi))],
  ["mov eax, [bx+si]", "67 8b 00", (a) => a.mov(eax, dword(bx, si))],
  ["aam", "d4 0a", (a) => a.aam()],
  ["enter 16, 1", "c8 10 00 01", (a) => a.enter(16, 1)],
];

const CASES16: readonly Case[] = [
  ["mov ax, cs", "8c c8", (a) => a.mov(ax, cs)],
  ["mov eax, cr0", "0f 20 c0", (a) => a.mov(eax, cr0)],
  ["or eax, 1", "66 83 c8 01", (a) => a.or(eax, 1)],
  ["o32 lgdt [0x24]", "66 0f 01 16 24 00", (a) => a.o32.lgdt(memory(0x24))],
  ["jmp dword 0x08:0x100000", "66 ea 00 00 10 00 08 00", (a) => a.jmp(far(8, 0x100000, 32))],
  ["jmp 0x08:0x1000", "ea 00 10 08 00", (a) => a.jmp(far(8, 0x1000))],
  ["mov ax, [bx+si+2]", "8b 40 02", (a) => a.mov(ax, word(bx, si, 2))],
  ["mov ax, [esi]", "67 8b 06", (a) => a.mov(ax, word(esi))],
  ["ret", "c3", (a) => a.ret()],
  ["o32 ret", "66 c3", (a) => a.o32.ret()],
  ["rep movsb", "f3 a4", (a) => a.rep.movsb()],
];

/** The bytes a body writes, in hexadecimal. */
function written(bits: 16 | 32, write: (a: Assembler) => void): string {
  const routine = proc("routine", (a) => {
    a.bits(bits);
    write(a);
  });
  const image = link(routine, { multiboot: false });
  return [...(image.sections[0]?.bytes ?? [])].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

for (const [bits, cases] of [
  [32, CASES32],
  [16, CASES16],
] as const) {
  test(`${bits}-bit code has the expected bytes`, () => {
    for (const [nasm, bytes, write] of cases) assert.is(written(bits, write), bytes, nasm);
  });

  const nasmIsHere = spawnSync("nasm", ["-v"]).status === 0;
  if (!nasmIsHere) console.log("skipped: NASM is not on the PATH");
  (nasmIsHere ? test : test.skip)(`NASM writes the same ${bits}-bit code`, () => {
    const folder = mkdtempSync(join(tmpdir(), "ring0-asm-"));
    try {
      const source = [`bits ${bits}`, ...cases.map(([nasm]) => nasm), ""].join("\n");
      writeFileSync(join(folder, "cases.asm"), source);
      const run = spawnSync("nasm", ["-fbin", "-o", "cases.bin", "cases.asm"], { cwd: folder, encoding: "utf8" });
      assert.is(run.status, 0, run.stderr);
      assert.is(
        readFileSync(join(folder, "cases.bin")).toString("hex"),
        cases.map(([, bytes]) => bytes.replaceAll(" ", "")).join(""),
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

test.run();
