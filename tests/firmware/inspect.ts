// A guest that prints what a firmware left for it: the tables, and the Multiboot information, as bytes on the serial port.
import { type Assembler, al, byte, dword, dx, eax, ebx, ecx, esi, esp, link, type Procedure, proc } from "#asm";

const COM1 = 0x3f8;
const EXIT = 0xf4;
const STACK_TOP = 0x80000;
const EBDA = 0x9f000;
const EBDA_SHOWN = 0x800;
const [MEMORY_LOWER, COMMAND_LINE, MAP_LENGTH, MAP_ADDRESS] = [4, 16, 44, 48];
/** Between the parts: bytes that stand nowhere in them. */
export const MARK = "<>next part<>";

/** Writes ECX bytes at ESI. */
const write: Procedure = proc("write", (a) => {
  a.mov(dx, COM1);
  a.rep.outsb();
  a.ret();
});

function mark(a: Assembler): void {
  for (const character of MARK) {
    a.mov(dx, COM1);
    a.mov(al, character.charCodeAt(0));
    a.out(dx, al);
  }
}

/** The image: behind a mark each the area, mem_lower and mem_upper, the memory map, and the command line. */
export const inspect = link(
  proc("inspect", (a) => {
    a.mov(esp, STACK_TOP);
    a.cld();
    mark(a);
    a.mov(esi, EBDA);
    a.mov(ecx, EBDA_SHOWN);
    a.call(write);
    mark(a);
    a.lea(esi, dword(ebx, MEMORY_LOWER));
    a.mov(ecx, 8);
    a.call(write);
    mark(a);
    a.mov(esi, dword(ebx, MAP_ADDRESS));
    a.mov(ecx, dword(ebx, MAP_LENGTH));
    a.call(write);
    mark(a);
    a.mov(esi, dword(ebx, COMMAND_LINE));
    a.xor(ecx, ecx);
    a.label("measure");
    a.inc(ecx);
    a.cmp(byte(esi, ecx), 0);
    a.jne("measure");
    a.call(write);
    a.xor(eax, eax);
    a.out(EXIT, al);
    a.label("stay");
    a.jmp("stay");
  }),
);
