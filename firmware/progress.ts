// How the firmware says what it does: codes on port 80h, lines on the first serial port (National PC16550D, registers).
import { type Assembler, al, byte, bytes, cl, type Data, data, dx, eax, ebx, ecx, edx, esi, proc, strings } from "#asm";

const POST_PORT = 0x80;

/** What the code on port 80h means: how far the firmware has come. */
export const Post = {
  protectedMode: 0x10,
  firmwareConfiguration: 0x20,
  tables: 0x30,
  loading: 0x40,
  loaded: 0x50,
  entering: 0x60,
  nothingToBoot: 0xe0,
} as const;

/** Shows a code. Uses AL. */
export function post(a: Assembler, code: number): void {
  a.mov(al, code);
  a.out(POST_PORT, al);
}

const COM1 = 0x3f8;
const TRANSMIT = COM1;
const DIVISOR_LOW = COM1;
const DIVISOR_HIGH = COM1 + 1;
const INTERRUPT_ENABLE = COM1 + 1;
const INTERRUPT_IDENTIFICATION = COM1 + 2;
const LINE_CONTROL = COM1 + 3;
const LINE_STATUS = COM1 + 5;
const DIVISOR_ACCESS = 0x80;
const EIGHT_BITS_NO_PARITY = 0x03;
const TRANSMITTER_READY = 0x20;
const TRANSMITTER_EMPTY_INTERRUPT = 0x02;

/** 115,200 baud, eight bits, no parity. Uses EAX and EDX. */
export const serialOpen = proc("serialOpen", (a) => {
  for (const [port, value] of [
    [LINE_CONTROL, DIVISOR_ACCESS],
    [DIVISOR_LOW, 1],
    [DIVISOR_HIGH, 0],
    [LINE_CONTROL, EIGHT_BITS_NO_PARITY],
  ] as const) {
    a.mov(edx, port);
    a.mov(al, value);
    a.out(dx, al);
  }
  a.ret();
});

/** As if nothing had ever been written: the transmitter's interrupt is enabled, seen, and disabled. Uses EAX and EDX. */
export const serialClose = proc("serialClose", (a) => {
  a.mov(edx, INTERRUPT_ENABLE);
  a.mov(al, TRANSMITTER_EMPTY_INTERRUPT);
  a.out(dx, al);
  a.mov(edx, INTERRUPT_IDENTIFICATION);
  a.in(al, dx);
  a.mov(edx, INTERRUPT_ENABLE);
  a.xor(al, al);
  a.out(dx, al);
  a.ret();
});

/** Writes the character in CL. Uses EAX and EDX. */
const writeCharacter = proc("writeCharacter", (a) => {
  a.mov(edx, LINE_STATUS);
  a.label("full");
  a.in(al, dx);
  a.test(al, TRANSMITTER_READY);
  a.jz("full");
  a.mov(edx, TRANSMIT);
  a.mov(al, cl);
  a.out(dx, al);
  a.ret();
});

/** Writes the characters at EAX up to a zero. Uses EAX, ECX and EDX. */
const writeText = proc("writeText", (a) => {
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

/** Writes EAX in the base in ECX, with no fewer digits than EBX says. Uses EAX, EBX, ECX and EDX. */
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

const texts = new Map<string, Data>();

/** A text in the ROM, once however often it is said. */
function textOf(text: string): Data {
  const known = texts.get(text) ?? data(`"${text.trim()}"`, strings(text), { section: ".rodata" });
  texts.set(text, known);
  return known;
}

/** Writes text. Uses EAX, ECX and EDX. */
export function say(a: Assembler, text: string): void {
  a.mov(eax, textOf(text));
  a.call(writeText);
}

/** Writes EAX in decimal. Uses EAX, ECX and EDX. */
export function sayDecimal(a: Assembler): void {
  number(a, 10, 1);
}

/** Writes EAX as an address, 0x00100000. Uses EAX, ECX and EDX. */
export function sayAddress(a: Assembler): void {
  a.push(eax);
  say(a, "0x");
  a.pop(eax);
  number(a, 16, 8);
}

function number(a: Assembler, base: number, digits: number): void {
  a.push(ebx);
  a.mov(ecx, base);
  a.mov(ebx, digits);
  a.call(writeNumber);
  a.pop(ebx);
}
