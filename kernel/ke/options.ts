// What the boot loader was told for the kernel: words of the command line (Multiboot specification 1, 3.3).

import { type Assembler, al, byte, cl, data, dword, eax, edi, esi, esp, proc } from "#asm";
import { text } from "../hal/serial.ts";
import { KSEG0_BASE } from "../inc/memory.ts";

/** The boot loader's information at its linear address; zero if no such loader was there. */
export const KiMultibootInformation = data("KiMultibootInformation", 4);

const FLAGS = 0;
const FLAG_COMMAND_LINE = 1 << 2;
const COMMAND_LINE = 16;
const SPACE = 0x20;

/** BOOLEAN stdcall (PUCHAR Word). TRUE: it is one of the words of the command line. */
export const KiHasOption = proc("KiHasOption", (a) => {
  a.push(esi);
  a.push(edi);
  a.mov(esi, dword(KiMultibootInformation));
  a.test(esi, esi);
  a.jz("no");
  a.test(dword(esi, FLAGS), FLAG_COMMAND_LINE);
  a.jz("no");
  a.mov(esi, dword(esi, COMMAND_LINE));
  a.add(esi, KSEG0_BASE);

  a.label("word");
  a.mov(edi, dword(esp, 12));
  a.label("compare");
  a.mov(al, byte(esi));
  a.mov(cl, byte(edi));
  a.test(cl, cl);
  a.jz("end");
  a.cmp(al, cl);
  a.jne("skip");
  a.inc(esi);
  a.inc(edi);
  a.jmp("compare");
  a.label("end"); // of the option: of the word as well?
  a.cmp(al, SPACE);
  a.jbe("yes");

  a.label("skip"); // to the next word
  a.mov(al, byte(esi));
  a.test(al, al);
  a.jz("no");
  a.inc(esi);
  a.cmp(al, SPACE);
  a.jne("skip");
  a.jmp("word");

  a.label("yes");
  a.mov(eax, 1);
  a.jmp("done");
  a.label("no");
  a.xor(eax, eax);
  a.label("done");
  a.pop(edi);
  a.pop(esi);
  a.ret(4);
});

/** Whether the command line has a word: EAX is zero and ZF set if not. Uses EAX, ECX and EDX. */
export function hasOption(a: Assembler, option: string): void {
  a.push(text(option));
  a.call(KiHasOption);
  a.test(eax, eax);
}
