// From a machine that is set up to the kernel's entry: takes the kernel from fw_cfg, completes the Multiboot information
// (Multiboot Specification 0.6.96, chapter 3), and leaves no trace of the firmware behind.
//
// A kernel with "initrd" items is a Multiboot image, flattened, with its information there; one without is a boot sector.
import {
  type Assembler,
  al,
  ax,
  cr0,
  cs,
  ds,
  dword,
  eax,
  ebp,
  ebx,
  ecx,
  edi,
  edx,
  es,
  esi,
  esp,
  far,
  fs,
  gs,
  type Label,
  MULTIBOOT_BOOTLOADER_MAGIC,
  memory,
  type Procedure,
  proc,
  ss,
} from "#asm";
import { Key, numberOf, readItem } from "./fwcfg.ts";
import { BOOT_SECTOR, EBDA, EBDA_END, MIB, ROM, ROM_SEGMENT, SCRATCH } from "./memory.ts";
import { Post, post, say, sayAddress, serialClose } from "./progress.ts";
import { CODE_16, DATA_16, noGdtr, resetGdtr } from "./segments.ts";

const FIRST_DISK = 0x80;
const CR0_PE = 1;

// The information structure.
const INFORMATION_SIZE = 88;
const FLAGS = 0;
const MEMORY_LOWER = 4;
const MEMORY_UPPER = 8;
const MAP_LENGTH = 44;
const MAP_ADDRESS = 48;
const FLAG_MEMORY = 1 << 0;
const FLAG_MAP = 1 << 6;
const MAP_ENTRY_SIZE = 24;
const TYPE_RAM = 1;
const TYPE_RESERVED = 2;

/** Boots what fw_cfg holds, with EBP bytes of RAM. Comes back if there is nothing that can be booted, and has said why. */
export const boot: Procedure = proc("boot", (a) => {
  numberOf(a, Key.kernelSize);
  a.test(eax, eax);
  a.jnz("given");
  say(a, "nothing to boot: fw_cfg holds no kernel; -kernel FILE would do\r\n");
  a.ret();

  a.label("given");
  a.mov(ebx, eax);
  numberOf(a, Key.setupSize);
  a.test(eax, eax);
  a.jz("plain");
  say(a, "cannot boot a Linux kernel; a Multiboot image or a boot sector would do\r\n");
  a.ret();

  a.label("plain");
  post(a, Post.loading);
  numberOf(a, Key.kernelAddress);
  a.mov(edi, eax);
  a.mov(ecx, ebx);
  a.call(checkPlace);
  a.jc("refused");
  say(a, "loading ");
  a.mov(eax, edi);
  sayAddress(a);
  a.mov(ecx, ebx);
  a.mov(eax, Key.kernelData);
  a.call(readItem);
  post(a, Post.loaded);

  numberOf(a, Key.initrdSize);
  a.test(eax, eax);
  a.jz("flat");
  a.cmp(eax, INFORMATION_SIZE);
  a.jb("truncated");
  a.mov(esi, eax);
  numberOf(a, Key.initrdAddress);
  a.mov(ebx, eax);
  a.mov(edi, eax);
  a.mov(ecx, esi);
  a.call(checkPlace);
  a.jc("refused");
  a.mov(ecx, esi);
  a.mov(eax, Key.initrdData);
  a.call(readItem);
  a.call(completeInformation);
  numberOf(a, Key.kernelEntry);
  a.push(eax);
  say(a, ", entering ");
  a.mov(eax, dword(esp));
  sayAddress(a);
  say(a, "\r\n");
  a.pop(eax);
  a.jmp(enterKernel);

  a.label("flat");
  numberOf(a, Key.kernelAddress);
  a.cmp(eax, BOOT_SECTOR);
  a.jne("noSector");
  say(a, ", a boot sector\r\n");
  a.jmp(enterBootSector);

  a.label("truncated");
  say(a, "\r\ncannot boot: the Multiboot information has fewer than 88 bytes\r\n");
  a.ret();
  a.label("noSector");
  say(a, "\r\ncannot boot: neither Multiboot nor a boot sector, whose place is 0x00007c00\r\n");
  a.label("refused");
  a.ret();
});

/** CF = 1, and a line that says so, if ECX bytes at EDI do not lie in RAM that is free. Uses EAX, ECX and EDX. */
const checkPlace = proc("checkPlace", (a) => {
  a.mov(eax, edi);
  a.add(eax, ecx);
  a.jc("outside");
  a.cmp(eax, ebp);
  a.ja("outside");
  a.cmp(eax, EBDA);
  a.jbe("free");
  a.cmp(edi, MIB);
  a.jb("taken");
  a.label("free");
  a.clc();
  a.ret();
  a.label("outside");
  say(a, "cannot boot: the image does not fit into memory; it begins at ");
  a.jmp("where");
  a.label("taken");
  say(a, "cannot boot: the image claims 0x0009f000 to 0x000fffff, which are the firmware's; it begins at ");
  a.label("where");
  a.mov(eax, edi);
  sayAddress(a);
  say(a, "\r\n");
  a.stc();
  a.ret();
});

/** The information at EBX gets the sizes of memory and its map, for EBP bytes of RAM. Uses EAX, ECX and EDI. */
const completeInformation = proc("completeInformation", (a) => {
  a.mov(dword(ebx, MEMORY_LOWER), EBDA / 1024);
  a.mov(eax, ebp);
  a.sub(eax, MIB);
  a.mov(ecx, eax);
  a.shr(eax, 10);
  a.mov(dword(ebx, MEMORY_UPPER), eax);
  a.or(dword(ebx, FLAGS), FLAG_MEMORY | FLAG_MAP);

  a.mov(edi, dword(ebx, MAP_ADDRESS));
  region(a, 0, EBDA, TYPE_RAM);
  region(a, EBDA, EBDA_END - EBDA, TYPE_RESERVED);
  region(a, ROM, MIB - ROM, TYPE_RESERVED);
  a.jecxz("described"); // no more than 1 MiB
  region(a, MIB, ecx, TYPE_RAM);
  a.label("described");
  a.sub(edi, dword(ebx, MAP_ADDRESS));
  a.mov(dword(ebx, MAP_LENGTH), edi);
  a.ret();
});

/** An entry of the map at EDI, which moves on: its size without this field, then start and size of 64 bits, and type. Uses EAX. */
function region(a: Assembler, start: number, size: number | typeof ecx, type: number): void {
  for (const [index, value] of [MAP_ENTRY_SIZE - 4, start, 0, size, 0, type].entries()) {
    if (typeof value === "number") a.mov(dword(edi, 4 * index), value);
    else a.mov(dword(edi, 4 * index), value);
  }
  a.add(edi, MAP_ENTRY_SIZE);
}

/**
 * Enters the kernel at EAX with the information at EBX: flat segments, no interrupts, no paging, nothing of ours in memory or
 * registers but the entry in ECX. The descriptor table goes too, so that no kernel comes to rely on it.
 */
const enterKernel = proc("enterKernel", (a) => {
  leave(a);
  a.mov(ecx, edx);
  a.lgdt(memory(noGdtr));
  for (const register of [edx, esi, edi, ebp, esp]) a.xor(register, register);
  a.xor(eax, eax);
  a.sahf(); // no status flag either
  a.mov(eax, MULTIBOOT_BOOTLOADER_MAGIC);
  a.jmp(ecx);
});

/** Enters the boot sector: real mode, every segment at 0, DL the disk it would have come from. */
const enterBootSector = proc("enterBootSector", (a) => {
  leave(a);
  a.jmp(far(CODE_16, inRomSegment(a.addressOf("narrow"))));
  a.label("narrow");
  a.bits(16);
  a.mov(ax, DATA_16);
  for (const segment of [ds, es, fs, gs, ss]) a.mov(segment, ax);
  a.mov(eax, cr0);
  a.and(al, ~CR0_PE);
  a.mov(cr0, eax);
  a.jmp(far(ROM_SEGMENT, inRomSegment(a.addressOf("real"))));
  a.label("real");
  a.o32.lgdt(memory(cs, resetGdtr.minus(ROM)));
  a.xor(ax, ax);
  for (const segment of [ds, es, fs, gs, ss]) a.mov(segment, ax);
  for (const register of [ebx, ecx, esi, edi, ebp, esp]) a.xor(register, register);
  a.mov(edx, FIRST_DISK);
  a.xor(eax, eax);
  a.sahf();
  a.jmp(far(0, BOOT_SECTOR));
});

/** The last words, then no scratch memory any more, and no stack. EDX keeps EAX. Uses EAX, ECX and EDI. */
function leave(a: Assembler): void {
  a.push(eax);
  a.call(serialClose);
  post(a, Post.entering);
  a.pop(edx);
  a.mov(edi, SCRATCH);
  a.mov(ecx, (EBDA_END - SCRATCH) / 4);
  a.xor(eax, eax);
  a.rep.stosd();
}

/** A place in the ROM as an offset in its segment. */
const inRomSegment = (label: Label) => label.minus(ROM);
