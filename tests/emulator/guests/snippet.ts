// Guests of a few lines: a routine in ring 0 of flat protected mode, entered as a boot loader would, with handlers if it likes.
import {
  type AddressLike,
  type Assembler,
  cx,
  data,
  dword,
  dwords,
  dx,
  eax,
  ecx,
  edi,
  edx,
  esp,
  type Image,
  link,
  memory,
  type Procedure,
  proc,
  word,
  words,
} from "#asm";
import { Machine, type MachineOptions } from "#emulator";

/** Bytes of RAM of a machine for snippets. */
export const SNIPPET_MEMORY = 2 * 0x100000;
const STACK = 0x90000;
/** The local APIC, and registers of it that snippets use. */
export const APIC = 0xfee00000 | 0;
export const [TPR, EOI, SVR, ICR, LVT_TIMER, TIMER_INITIAL, TIMER_DIVIDE] = [
  0x80, 0xb0, 0xf0, 0x300, 0x320, 0x380, 0x3e0,
];
/** ICR: fixed, to the sender alone. */
export const TO_SELF = 0x44000;

export interface Snippet {
  readonly image: Image;
  readonly main: Procedure;
  /** Address of a label of the snippet. */
  at(label: string): number;
  boot(options?: MachineOptions): Machine;
}

/** A routine that begins with a stack, interrupts off; it ends with HLT, which ends the run. */
export function snippet(body: (a: Assembler) => void, include: readonly Procedure[] = []): Snippet {
  const main = proc("main", (a) => {
    a.mov(esp, STACK);
    body(a);
    a.label("end");
    a.cli();
    a.hlt();
  });
  const image = link(main, { include });
  return {
    image,
    main,
    at: (label) => image.addressOf(main.label(label)),
    boot: (options) => Machine.boot(image, { memory: SNIPPET_MEMORY, ...options }),
  };
}

const gdt = data("gdt", dwords(0, 0, 0xffff, 0xcf9b00, 0xffff, 0xcf9300), { align: 8 });
const gdtr = data("gdtr", [words(gdt.size - 1), dwords(gdt)]);
const idt = data("idt", 256 * 8, { align: 8 });
const idtr = data("idtr", [words(256 * 8 - 1), dwords(idt)]);

/** Writes code that sets up handlers by vector, as interrupt gates. Uses EAX, ECX, EDX and EDI. */
export function handle(a: Assembler, handlers: Readonly<Record<number, AddressLike>>): void {
  a.lgdt(memory(gdtr));
  a.lidt(memory(idtr));
  for (const [vector, handler] of Object.entries(handlers)) {
    a.mov(edi, idt.plus(Number(vector) * 8));
    a.mov(ecx, handler);
    a.mov(word(edi), cx);
    a.mov(word(edi, 2), 0x08);
    a.mov(edx, 0x8e00);
    a.mov(word(edi, 4), dx);
    a.shr(ecx, 16);
    a.mov(word(edi, 6), cx);
  }
  a.xor(eax, eax);
}

/** Writes code that turns the local APIC on. Uses EAX, which then holds its address. */
export function enableApic(a: Assembler): void {
  a.mov(eax, APIC);
  a.mov(dword(eax, SVR), 0x1ff);
}
