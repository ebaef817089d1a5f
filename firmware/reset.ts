// The boot processor's way from the reset vector to protected mode, and through it to the kernel (SDM vol. 3A, 9.1 and 9.9.1).
import {
  ah,
  al,
  ax,
  cr0,
  ds,
  eax,
  ebp,
  ecx,
  edi,
  edx,
  es,
  esp,
  far,
  fs,
  gs,
  imm16,
  memory,
  type Procedure,
  proc,
  sp,
  ss,
} from "#asm";
import { boot } from "./boot.ts";
import { Key, numberOf, readItem, SIGNATURE } from "./fwcfg.ts";
import { BDA_RESUME_OFFSET, BDA_RESUME_SEGMENT, EBDA, EBDA_END, MIB, ROM, ROM_SEGMENT } from "./memory.ts";
import { Post, post, say, sayDecimal, serialOpen } from "./progress.ts";
import { CODE, DATA, gdtr } from "./segments.ts";
import { connectVirtualWire, MOST_PROCESSORS, type TableOptions, tableMaker } from "./tables.ts";

const CR0_PE = 1;
const CR0_CD_NW = 0x60000000;
const CMOS_INDEX = 0x70;
const CMOS_DATA = 0x71;
const CMOS_SHUTDOWN = 0x0f;
const SYSTEM_PORT_A = 0x92;
const A20 = 2;
const FAST_RESET = 1;
const PIC_MASTER = 0x20;
const PIC_SLAVE = 0xa0;
const PIC_EOI = 0x20;
/** Where RAM below 4 GiB may end on the machines that fw_cfg is found on. */
const MOST_MEMORY = 0xc0000000;

/** What the CMOS memory tells a firmware to do after a reset, beside starting up. */
const RESUME_AFTER_EOI = 0x05;
const RESUME = 0x0a;

/** What stands at the reset vector: leave the top of memory for the ROM's place below 1 MiB. */
export function resetVector(offset: number): Procedure {
  return proc("resetVector", (a) => {
    a.bits(16);
    a.jmp(far(ROM_SEGMENT, offset));
  });
}

/** Real mode, from the reset vector on. */
export function reset(options: TableOptions): Procedure {
  const setUp = setUpAndBoot(options);
  return proc("reset", (a) => {
    a.bits(16);
    a.cli();
    a.cld();
    a.mov(al, CMOS_SHUTDOWN);
    a.out(CMOS_INDEX, al);
    a.in(al, CMOS_DATA);
    a.mov(ah, al);
    a.xor(al, al);
    a.out(CMOS_DATA, al); // this once only
    a.cmp(ah, RESUME);
    a.je("resume");
    a.cmp(ah, RESUME_AFTER_EOI);
    a.jne("startUp");
    a.mov(al, PIC_EOI);
    a.out(PIC_SLAVE, al);
    a.out(PIC_MASTER, al);
    a.label("resume");
    a.mov(ax, BDA_RESUME_SEGMENT); // the pointer at 40:67 is our stack: no memory is written
    a.mov(ss, ax);
    a.mov(sp, imm16(BDA_RESUME_OFFSET));
    a.retf();

    a.label("startUp");
    a.in(al, SYSTEM_PORT_A);
    a.and(al, ~FAST_RESET);
    a.or(al, A20);
    a.out(SYSTEM_PORT_A, al);
    a.mov(ax, ROM_SEGMENT);
    a.mov(ds, ax);
    a.o32.lgdt(memory(gdtr.minus(ROM)));
    a.mov(eax, cr0);
    a.and(eax, ~CR0_CD_NW);
    a.or(al, CR0_PE);
    a.mov(cr0, eax);
    a.jmp(far(CODE, setUp, 32));
  });
}

/** Protected mode: everything up to the kernel, or to the message that there is none. */
function setUpAndBoot(options: TableOptions): Procedure {
  const makeTables = tableMaker(options);
  return proc("setUp", (a) => {
    a.mov(ax, DATA);
    for (const segment of [ds, es, fs, gs, ss]) a.mov(segment, ax);
    post(a, Post.protectedMode);
    a.mov(edi, EBDA);
    a.mov(ecx, (EBDA_END - EBDA) / 4);
    a.xor(eax, eax);
    a.rep.stosd();
    a.mov(esp, EBDA_END);
    a.call(serialOpen);
    say(a, "ring0 firmware: ");

    post(a, Post.firmwareConfiguration);
    numberOf(a, Key.signature);
    a.cmp(eax, SIGNATURE);
    a.je("configured");
    say(a, "nothing to boot from: no fw_cfg device at port 0x510\r\n");
    a.jmp("stop");
    a.label("configured");

    numberOf(a, Key.processors);
    a.cmp(eax, 1);
    a.adc(eax, 0); // a machine that does not say has one
    a.mov(ebp, eax);
    say(a, "processors ");
    a.mov(eax, ebp);
    sayDecimal(a);
    a.cmp(ebp, MOST_PROCESSORS);
    a.jbe("countable");
    a.mov(ebp, MOST_PROCESSORS);
    a.label("countable");
    post(a, Post.tables);
    a.call(makeTables);
    connectVirtualWire(a);

    a.call(readMemorySize);
    say(a, ", memory ");
    a.mov(eax, ebp);
    a.shr(eax, Math.log2(MIB));
    sayDecimal(a);
    say(a, " MiB, ");
    a.call(boot);

    a.label("stop");
    post(a, Post.nothingToBoot);
    a.label("halt");
    a.cli();
    a.hlt();
    a.jmp("halt");
  });
}

/** EBP = bytes of RAM from 0 on. Uses EAX, ECX, EDX and EDI. */
const readMemorySize = proc("readMemorySize", (a) => {
  a.sub(esp, 8);
  a.mov(edi, esp);
  a.mov(ecx, 8);
  a.mov(eax, Key.ramSize);
  a.call(readItem);
  a.pop(ebp);
  a.pop(edx);
  a.test(edx, edx);
  a.jnz("beyond");
  a.cmp(ebp, MOST_MEMORY);
  a.jbe("known");
  a.label("beyond");
  a.mov(ebp, MOST_MEMORY);
  a.label("known");
  a.ret();
});
