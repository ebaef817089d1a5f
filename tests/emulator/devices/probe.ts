// A guest program made of probes: each drives the board's devices and prints what they answer, a line a probe, at port E9h.

import {
  type Assembler,
  al,
  bl,
  byte,
  data,
  dword,
  dwords,
  dx,
  eax,
  ebx,
  ecx,
  edi,
  esp,
  type Image,
  imm32,
  link,
  memory,
  type Procedure,
  proc,
  words,
} from "#asm";

/**
 * Steps of a probe, separated by semicolons, numbers in hexadecimal:
 *
 *     out PORT VALUE    in PORT           a byte at a port; what is read is printed
 *     skip PORT                           reads a port and prints nothing
 *     set REG VALUE     get REG           a register of the local APIC
 *     route REG VALUE   routed REG        a register of the I/O APIC
 *     take              opens a window for interrupts and prints the vectors taken
 *     await             opens windows until an interrupt has been taken, and prints its vector
 *     until PORT MASK   reads a port until one of the bits is set
 *     wait              lets two milliseconds pass
 *
 * What takes time elsewhere is polled for, so that a busy host that is late with a timer changes no answer.
 */
export type Probe = string;

const DEBUG_CONSOLE = 0xe9;
const DEBUG_EXIT = 0xf4;
const LOCAL_APIC = 0xfee00000;
const IO_APIC = 0xfec00000;
const WAIT_LOOPS = 1_000_000;
/** Polls before a step gives up. */
const PATIENCE = 20_000_000;
const VECTORS = 256;

const idt = data("idt", VECTORS * 8, { align: 8 });
const idtr = data("idtr", [words(VECTORS * 8 - 1), dwords(idt)]);
const taken = data("taken", 4);
const vectors = data("vectors", 256);

/** Handlers of equal size, one a vector: each notes its vector. */
const handlers = proc("handlers", (a) => {
  for (let vector = 0; vector < VECTORS; vector++) {
    a.push(imm32(vector));
    a.long.jmp("note");
  }
  a.label("note");
  a.push(eax);
  a.push(ecx);
  a.mov(ecx, dword(taken));
  a.mov(eax, dword(esp, 8));
  a.mov(byte(ecx, vectors), al);
  a.inc(dword(taken));
  a.pop(ecx);
  a.pop(eax);
  a.add(esp, 4);
  a.iretd();
});
const HANDLER_SIZE = 10;

/** Points every gate of the IDT to its handler. */
const fillIdt = proc("fillIdt", (a) => {
  a.mov(ebx, handlers);
  a.mov(edi, idt);
  a.mov(ecx, VECTORS);
  a.label("gate");
  a.mov(eax, ebx);
  a.and(eax, 0xffff);
  a.or(eax, 0x80000);
  a.mov(dword(edi), eax);
  a.mov(eax, ebx);
  a.and(eax, imm32(0xffff0000));
  a.or(eax, 0x8e00);
  a.mov(dword(edi, 4), eax);
  a.add(ebx, HANDLER_SIZE);
  a.add(edi, 8);
  a.dec(ecx);
  a.jnz("gate");
  a.lidt(memory(idtr));
  a.ret();
});

/** Prints EAX as eight digits and a space. Uses EAX to EDX. */
const print = proc("print", (a) => {
  a.mov(dx, DEBUG_CONSOLE);
  a.mov(ebx, eax);
  a.mov(ecx, 8);
  a.label("digit");
  a.rol(ebx, 4);
  a.mov(al, 0xf);
  a.and(al, bl);
  a.add(al, 0x30);
  a.cmp(al, 0x3a);
  a.jb("decimal");
  a.add(al, 0x27);
  a.label("decimal");
  a.out(dx, al);
  a.dec(ecx);
  a.jnz("digit");
  a.mov(al, 0x20);
  a.out(dx, al);
  a.ret();
});

/** Prints the vectors taken since the last time. Uses EAX to EDX and EDI. */
const printTaken = proc("printTaken", (a) => {
  a.xor(edi, edi);
  a.label("next");
  a.cmp(edi, dword(taken));
  a.jae("done");
  a.movzx(eax, byte(edi, vectors));
  a.call(print);
  a.inc(edi);
  a.jmp("next");
  a.label("done");
  a.mov(dword(taken), 0);
  a.ret();
});

const wait = proc("wait", (a) => {
  a.mov(ecx, WAIT_LOOPS);
  a.label("again");
  a.dec(ecx);
  a.jnz("again");
  a.ret();
});

/** Ends what firmware left the timer doing. */
const FIRST: Probe = "out 43 30; out 40 1; out 40 0; wait";

/** Opens windows until an interrupt has been taken. */
const awaitInterrupt = proc("awaitInterrupt", (a) => {
  a.mov(ecx, PATIENCE);
  a.label("again");
  openWindow(a);
  a.cmp(dword(taken), 0);
  a.jne("done");
  a.dec(ecx);
  a.jnz("again");
  a.label("done");
  a.ret();
});

/** Reads the port in DX until one of the bits in BL is set. */
const poll = proc("poll", (a) => {
  a.mov(ecx, PATIENCE);
  a.label("again");
  a.in(al, dx);
  a.test(al, bl);
  a.jnz("done");
  a.dec(ecx);
  a.jnz("again");
  a.label("done");
  a.ret();
});

/** What every probe begins with: ports quiet, everything masked, the 8259s at vectors 20h and 28h, nothing in service. */
const BEFORE: Probe = [
  "out 43 30; out 61 0; out 3fb 3; out 3f9 0; out 3fc 0; out 3fa 7; out 3fa 0",
  "skip 3f8; skip 3fa; skip 3fd; skip 3fe",
  "out 20 11; out 21 20; out 21 4; out 21 1; out a0 11; out a1 28; out a1 2; out a1 1; out 21 ff; out a1 ff",
  "out 4d0 0; out 4d1 0",
  "set f0 1ff; set 350 700; set 320 10000; set 380 0; set 80 0; set d0 1000000; set 280 0; set 280 0",
  "route 14 10000; route 15 0; route 18 10000; route 19 0",
].join("; ");

function openWindow(a: Assembler): void {
  a.sti();
  for (let i = 0; i < 4; i++) a.nop();
  a.cli();
}

/** A step as instructions. EAX to EDX and EDI are its to use. */
function assembleStep(a: Assembler, step: string): void {
  const [name, ...texts] = step.trim().split(" ");
  const [first = 0, second = 0] = texts.map((text) => Number.parseInt(text, 16));
  switch (name) {
    case "out":
      a.mov(dx, first);
      a.mov(al, second);
      a.out(dx, al);
      break;
    case "in":
    case "skip":
      a.mov(dx, first);
      a.xor(eax, eax);
      a.in(al, dx);
      if (name === "in") a.call(print);
      break;
    case "set":
    case "get":
      a.mov(edi, imm32(LOCAL_APIC));
      if (name === "set") a.mov(dword(edi, first), imm32(second));
      else {
        a.mov(eax, dword(edi, first));
        a.call(print);
      }
      break;
    case "route":
    case "routed":
      a.mov(edi, imm32(IO_APIC));
      a.mov(dword(edi), first);
      if (name === "route") a.mov(dword(edi, 0x10), imm32(second));
      else {
        a.mov(eax, dword(edi, 0x10));
        a.call(print);
      }
      break;
    case "take":
      openWindow(a);
      a.call(printTaken);
      break;
    case "await":
      a.call(awaitInterrupt);
      a.call(printTaken);
      break;
    case "until":
      a.mov(dx, first);
      a.mov(bl, second);
      a.call(poll);
      break;
    case "wait":
      a.call(wait);
      break;
    default:
      throw new Error(
        `probe: no step "${name}"; there are out, in, skip, set, get, route, routed, take, await, until, wait`,
      );
  }
}

/** An image that runs the probes in turn and exits through port F4h. */
export function probeImage(probes: readonly Probe[]): Image {
  const assembleSteps = (a: Assembler, probe: Probe) => {
    for (const step of probe.split(";")) assembleStep(a, step);
  };
  const before = proc("before", (a) => {
    assembleSteps(a, BEFORE);
    for (let leftover = 0; leftover < 8; leftover++) {
      assembleStep(a, "set b0 0");
      openWindow(a);
    }
    assembleStep(a, "set b0 0");
    a.mov(dword(taken), 0);
    a.ret();
  });
  const routines: Procedure[] = probes.map((probe, i) =>
    proc(`probe${i}`, (a) => {
      a.call(before);
      assembleSteps(a, probe);
      a.mov(dx, DEBUG_CONSOLE);
      a.mov(al, 0x0a);
      a.out(dx, al);
      a.ret();
    }),
  );
  const main = proc("main", (a) => {
    a.call(fillIdt);
    assembleSteps(a, FIRST);
    for (const routine of routines) a.call(routine);
    a.mov(dx, DEBUG_EXIT);
    a.mov(al, 0);
    a.out(dx, al);
    a.hlt();
  });
  return link(main, { start: "boot" });
}
