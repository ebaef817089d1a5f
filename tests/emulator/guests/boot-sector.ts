// A guest in real mode, loaded as a boot sector: its own interrupt vectors, the 8254 through the 8259, string instructions,
// far calls, ENTER and LEAVE, the serial port, HLT; it ends through port F4h.
import { al, ax, bp, bx, cs, cx, di, ds, dx, es, imm16, link, proc, si, sp, ss, word } from "#asm";

const BASE = 0x7c00;
const ROUNDS = 24;
const VECTOR = 0x40;
const TIMER_VECTOR = 8;

const main = proc("main", (a) => {
  a.bits(16);
  a.cli();
  a.xor(ax, ax);
  for (const segment of [ds, es, ss]) a.mov(segment, ax);
  a.mov(sp, imm16(BASE));
  for (const [vector, handler] of [
    [VECTOR, "handler"],
    [TIMER_VECTOR, "timer"],
  ] as const) {
    a.mov(bx, vector * 4);
    a.mov(ax, imm16(a.addressOf(handler)));
    a.mov(word(bx), ax);
    a.mov(word(bx, 2), cs);
  }
  for (const [port, value] of [
    [0x20, 0x11],
    [0x21, TIMER_VECTOR],
    [0x21, 4],
    [0x21, 1],
    [0x21, 0xfe],
    [0x43, 0x34],
    [0x40, 0x20],
    [0x40, 0],
  ] as const) {
    a.mov(al, value);
    a.out(port, al);
  }
  a.sti();
  a.mov(bx, ROUNDS);
  a.label("round");
  a.push(bx);
  a.int(VECTOR);
  a.mov(si, imm16(BASE));
  a.mov(di, imm16(0x3000));
  a.mov(cx, 128);
  a.cld();
  a.rep.movsw();
  a.mov(si, imm16(0x3000));
  a.mov(di, imm16(BASE));
  a.mov(cx, 256);
  a.repe.cmpsb();
  a.enter(8, 1);
  a.mov(word(bp, -4), ax);
  a.leave();
  a.mov(dx, imm16(0x3f8));
  a.mov(al, 0x2e);
  a.out(dx, al);
  a.mov(ax, imm16(1234));
  a.cwd();
  a.mov(cx, 7);
  a.idiv(cx);
  a.push(cs);
  a.call("far");
  a.hlt();
  a.pop(bx);
  a.dec(bx);
  a.jnz("round");
  a.xor(ax, ax);
  a.out(0xf4, al);
  a.label("far");
  a.retf();
  a.label("handler");
  a.push(bp);
  a.mov(bp, sp);
  a.inc(word(0x2f00));
  a.pop(bp);
  a.iret();
  a.label("timer");
  a.push(ax);
  a.inc(word(0x2f02));
  a.mov(al, 0x20);
  a.out(0x20, al);
  a.pop(ax);
  a.iret();
});

export const bootSector: Uint8Array = link(main, { base: BASE, multiboot: false }).flat();
