// What an author's editor marks as wrong before anything runs: `tsc` fails if a line below that must be refused is not.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  type Assembler,
  AssemblyError,
  al,
  ax,
  byte,
  cl,
  data,
  ds,
  dword,
  dx,
  eax,
  ecx,
  link,
  memory,
  proc,
  struct,
  u32,
  word,
} from "#asm";

const test = suite("types");

const x = data("x", 4);
const y = data("y", 4);
const S = struct({ A: u32 });

const REFUSED: readonly ((a: Assembler) => void)[] = [
  // @ts-expect-error memory to memory
  (a) => a.mov(dword(x), dword(y)),
  // @ts-expect-error operands of two sizes
  (a) => a.mov(eax, ax),
  // @ts-expect-error a byte is not a doubleword
  (a) => a.add(byte(ecx), eax),
  // @ts-expect-error nothing tells the size
  (a) => a.inc(memory(ecx)),
  // @ts-expect-error shifts count by CL
  (a) => a.shl(eax, dx as typeof cl | typeof dx),
  // @ts-expect-error ports are read into the accumulator
  (a) => a.in(ecx, dx),
  // @ts-expect-error LOCK wants memory for its destination
  (a) => a.lock.add(eax, 1),
  // @ts-expect-error MOV cannot be LOCKed
  (a) => a.lock.mov(dword(x), eax),
  // @ts-expect-error only strings repeat
  (a) => a.rep.nop(),
  // @ts-expect-error segment registers take no numbers
  (a) => a.mov(ds, 0x10),
  // @ts-expect-error MOVZX widens
  (a) => a.movzx(ax, word(ecx)),
  // @ts-expect-error a structure has this field not
  (a) => a.mov(dword(ecx, S.B), 0),
  // @ts-expect-error variables are no targets
  (a) => a.jnz(x),
];

test("what the types refuse the assembler refuses, too", () => {
  for (const body of REFUSED) {
    assert.throws(
      () => link(proc("routine", body)),
      (error: unknown) => error instanceof AssemblyError,
      body.toString(),
    );
  }
});

test("every kind of operand that an instruction takes has a type", () => {
  const accepted = proc("accepted", (a) => {
    a.mov(dword(ecx, S.A), x);
    a.mov(al, byte(ecx));
    a.shl(dword(x), cl);
    a.in(al, dx);
    a.lock.xadd(dword(x), eax);
    a.push(x.plus(4));
    a.call(dword(x));
    a.ret();
  });
  assert.ok(link(accepted).addressOf(x) > 0);
});

test.run();
