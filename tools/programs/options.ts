// What a boot loader was told for the program: numbers by name in its command line (Multiboot specification 1, 3.3).

import { type Assembler, byte, cl, data, dword, eax, ebx, ecx, edi, edx, esi, proc, startup, strings } from "#asm";

const FLAGS = 0;
const FLAG_COMMAND_LINE = 1 << 2;
const COMMAND_LINE = 16;

/**
 * The decimal number that follows the text at EDX in the command line; EAX is what it is otherwise. Uses EAX, ECX, EDX.
 */
const readOption = proc("readOption", (a) => {
  a.push(ebx);
  a.push(esi);
  a.push(edi);
  a.mov(ebx, dword(startup.multiboot));
  a.test(ebx, ebx);
  a.jz("done");
  a.test(dword(ebx, FLAGS), FLAG_COMMAND_LINE);
  a.jz("done");
  a.mov(ebx, dword(ebx, COMMAND_LINE));

  a.label("here"); // does the name stand here?
  a.cmp(byte(ebx), 0);
  a.jz("done");
  a.mov(esi, ebx);
  a.mov(edi, edx);
  a.label("compare");
  a.mov(cl, byte(edi));
  a.test(cl, cl);
  a.jz("found");
  a.cmp(cl, byte(esi));
  a.jne("further");
  a.inc(esi);
  a.inc(edi);
  a.jmp("compare");
  a.label("further");
  a.inc(ebx);
  a.jmp("here");

  a.label("found");
  a.xor(eax, eax);
  a.label("digit");
  a.movzx(ecx, byte(esi));
  a.sub(ecx, "0".charCodeAt(0));
  a.cmp(ecx, 9);
  a.ja("done"); // the end of the string, too
  a.imul(eax, eax, 10);
  a.add(eax, ecx);
  a.inc(esi);
  a.jmp("digit");

  a.label("done");
  a.pop(edi);
  a.pop(esi);
  a.pop(ebx);
  a.ret();
});

/** EAX = the number after `name=` in the command line, or `otherwise`. Uses ECX and EDX. */
export function option(a: Assembler, name: string, otherwise: number): void {
  a.mov(edx, data(`option.${name}`, strings(`${name}=`), { section: ".rodata" }));
  a.mov(eax, otherwise);
  a.call(readOption);
}
