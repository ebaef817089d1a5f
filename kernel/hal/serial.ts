// Text on the first serial port, character by character and without interrupts or locks (16550; National PC16550D data sheet).

import {
  type Assembler,
  al,
  byte,
  bytes,
  cl,
  type Data,
  data,
  dword,
  dx,
  eax,
  ebp,
  ebx,
  ecx,
  edx,
  esi,
  esp,
  proc,
  type RM32,
  strings,
} from "#asm";

const COM1 = 0x3f8;
const TRANSMIT = COM1;
const INTERRUPT_ENABLE = COM1 + 1;
const LINE_CONTROL = COM1 + 3;
const LINE_STATUS = COM1 + 5;
const DIVISOR_ACCESS = 0x80;
const EIGHT_BITS_NO_PARITY = 0x03;
const TRANSMITTER_EMPTY = 0x20;

/** VOID (). 115,200 baud, eight bits, no parity, no interrupts. */
export const HalpInitializeSerial = proc("HalpInitializeSerial", (a) => {
  for (const [port, value] of [
    [INTERRUPT_ENABLE, 0],
    [LINE_CONTROL, DIVISOR_ACCESS],
    [COM1, 1],
    [COM1 + 1, 0],
    [LINE_CONTROL, EIGHT_BITS_NO_PARITY],
  ] as const) {
    a.mov(dx, port);
    a.mov(al, value);
    a.out(dx, al);
  }
  a.ret();
});

/** VOID FASTCALL (Character: cl). */
const HalpDisplayCharacter = proc("HalpDisplayCharacter", (a) => {
  a.mov(dx, LINE_STATUS);
  a.label("full");
  a.in(al, dx);
  a.test(al, TRANSMITTER_EMPTY);
  a.jz("full");
  a.mov(dx, TRANSMIT);
  a.mov(al, cl);
  a.out(dx, al);
  a.ret();
});

/** VOID stdcall (PUCHAR String). Write the characters up to a zero. */
export const HalDisplayString = proc("HalDisplayString", (a) => {
  a.push(esi);
  a.mov(esi, dword(esp, 8));
  a.label("next");
  a.mov(cl, byte(esi));
  a.test(cl, cl);
  a.jz("done");
  a.call(HalpDisplayCharacter);
  a.inc(esi);
  a.jmp("next");
  a.label("done");
  a.pop(esi);
  a.ret(4);
});

const HalpDigits = data("HalpDigits", bytes("0123456789ABCDEF"), { section: ".rodata" });

/** VOID stdcall (Value, Base, Digits). Write a number with no fewer digits than asked for. */
const HalpDisplayNumber = proc("HalpDisplayNumber", (a) => {
  a.push(ebp);
  a.push(ebx);
  a.mov(ebp, esp);
  a.mov(eax, dword(esp, 12));
  a.mov(ecx, dword(esp, 16));
  a.mov(ebx, dword(esp, 20));
  a.label("digit"); // from the last one on
  a.xor(edx, edx);
  a.div(ecx);
  a.push(edx);
  a.dec(ebx);
  a.jg("digit");
  a.test(eax, eax);
  a.jnz("digit");
  a.label("write");
  a.pop(eax);
  a.mov(cl, byte(eax, HalpDigits));
  a.call(HalpDisplayCharacter);
  a.cmp(esp, ebp);
  a.jne("write");
  a.pop(ebx);
  a.pop(ebp);
  a.ret(12);
});

/** A text is one variable, however many routines say it. */
const texts = new Map<string, Data>();

/** The zero-terminated text as a variable. */
export function text(characters: string): Data {
  const known = texts.get(characters);
  if (known) return known;
  const made = data(JSON.stringify(characters), strings(characters), { section: ".rodata" });
  texts.set(characters, made);
  return made;
}

/** Text as given; a zero-terminated string whose address is given; a number, in decimal or as hexadecimal digits. */
export type Piece =
  | string
  | { readonly string: RM32 }
  | { readonly decimal: RM32 }
  | { readonly hex: RM32; readonly digits?: number };

/** Write pieces, one after the other. Uses EAX, ECX and EDX, so that none but the first piece can be one of them. */
export function display(a: Assembler, ...pieces: readonly Piece[]): void {
  for (const piece of pieces) {
    if (typeof piece === "string" || "string" in piece) {
      if (typeof piece === "string") a.push(text(piece));
      else a.push(piece.string);
      a.call(HalDisplayString);
      continue;
    }
    const [value, base, digits] = "decimal" in piece ? [piece.decimal, 10, 1] : [piece.hex, 16, piece.digits ?? 8];
    a.mov(eax, value);
    a.push(digits);
    a.push(base);
    a.push(eax);
    a.call(HalpDisplayNumber);
  }
}
