// Text from a guest: the first serial port, written to character by character (National PC16550D, registers).

import { type Assembler, al, byte, bytes, cl, data, dx, eax, ebx, ecx, edx, esi, proc, type RM32, strings } from "#asm";

const COM1 = 0x3f8;
const TRANSMIT = COM1;
const DIVISOR_LOW = COM1;
const DIVISOR_HIGH = COM1 + 1;
const LINE_CONTROL = COM1 + 3;
const LINE_STATUS = COM1 + 5;
const DIVISOR_ACCESS = 0x80;
const EIGHT_BITS_NO_PARITY = 0x03;
const TRANSMITTER_EMPTY = 0x20;

/** 115,200 baud, eight bits, no parity. Uses EAX and EDX. */
export const serialInitialize = proc("serialInitialize", (a) => {
  for (const [port, value] of [
    [LINE_CONTROL, DIVISOR_ACCESS],
    [DIVISOR_LOW, 1],
    [DIVISOR_HIGH, 0],
    [LINE_CONTROL, EIGHT_BITS_NO_PARITY],
  ] as const) {
    a.mov(dx, port);
    a.mov(al, value);
    a.out(dx, al);
  }
  a.ret();
});

/** Write the character in CL. Uses EAX and EDX. */
const writeCharacter = proc("writeCharacter", (a) => {
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

/** Write the characters at EAX up to a zero. Uses EAX, ECX and EDX. */
const writeString = proc("writeString", (a) => {
  a.push(esi);
  a.mov(esi, eax);
  a.label("next");
  a.mov(cl, byte(esi));
  a.test(cl, cl);
  a.jz("done");
  a.call(writeCharacter);
  a.inc(esi);
  a.jmp("next");
  a.label("done");
  a.pop(esi);
  a.ret();
});

const digits = data("digits", bytes("0123456789abcdef"), { section: ".rodata" });

/** Write EAX in the base in ECX, with no fewer digits than EBX says. Uses EAX, EBX, ECX and EDX. */
const writeNumber = proc("writeNumber", (a) => {
  a.xor(edx, edx);
  a.div(ecx);
  a.push(edx); // the last digit waits for those before it
  a.dec(ebx);
  a.jg("more");
  a.test(eax, eax);
  a.jz("last");
  a.label("more");
  a.call(writeNumber);
  a.label("last");
  a.pop(edx);
  a.push(ecx);
  a.mov(cl, byte(edx, digits));
  a.call(writeCharacter);
  a.pop(ecx);
  a.ret();
});

/** Text as given, or the value of a register or variable as `{ decimal }` or `{ hex }`. */
export type Piece = string | { readonly decimal: RM32 } | { readonly hex: RM32 };

/** Write pieces to the serial port, one after the other. Uses EAX, EBX, ECX and EDX, so that no piece but the first can be one. */
export function print(a: Assembler, name: string, ...pieces: readonly Piece[]): void {
  pieces.forEach((piece, index) => {
    if (typeof piece === "string") {
      a.mov(eax, data(`${name}.${index}`, strings(piece), { section: ".rodata" }));
      a.call(writeString);
      return;
    }
    const [value, base, digits] = "decimal" in piece ? [piece.decimal, 10, 1] : [piece.hex, 16, 8];
    a.mov(eax, value);
    a.mov(ecx, base);
    a.mov(ebx, digits);
    a.call(writeNumber);
  });
}
