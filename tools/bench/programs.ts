// The measured programs for one processor: arithmetic, memory, calls, strings, interrupts, locks that nobody else wants.
import {
  type Assembler,
  al,
  byte,
  cr0,
  cr3,
  cx,
  data,
  dword,
  dwords,
  dx,
  eax,
  ebx,
  ecx,
  edi,
  edx,
  esi,
  esp,
  memory,
  type Procedure,
  proc,
  word,
  words,
} from "#asm";
import {
  KeAcquireInStackQueuedSpinLockAtDpcLevel,
  KeReleaseInStackQueuedSpinLockFromDpcLevel,
  KLOCK_QUEUE_HANDLE,
} from "#kernel";
import { enableBigPages, type Row, single } from "./frame.ts";

const result = data("result", 4);
const buffer = data("buffer", 0x10000, { align: 4096 });
const other = data("other", 0x10000, { align: 4096 });
const fromResult = (a: Assembler): void => {
  a.mov(eax, dword(result));
};

/** A generator of Marsaglia's: a chain of shifts that nothing can overlap. */
const arithmetic = single({
  name: "arithmetic",
  what: "1000 steps of a shift-register generator",
  rounds: 2000,
  prepare: (a) => a.mov(dword(result), 1),
  round(a) {
    a.mov(eax, dword(result));
    a.mov(ecx, 1000);
    a.label("step");
    a.mov(edx, eax);
    a.shl(edx, 13);
    a.xor(eax, edx);
    a.mov(edx, eax);
    a.shr(edx, 17);
    a.xor(eax, edx);
    a.mov(edx, eax);
    a.shl(edx, 5);
    a.xor(eax, edx);
    a.dec(ecx);
    a.jnz("step");
    a.mov(dword(result), eax);
  },
  checksum: fromResult,
});

const sums = (a: Assembler): void => {
  a.mov(ebx, buffer);
  a.mov(ecx, 4096);
  a.mov(eax, dword(result));
  a.label("word");
  a.add(eax, dword(ebx));
  a.mov(dword(ebx), eax);
  a.add(ebx, 4);
  a.dec(ecx);
  a.jnz("word");
  a.mov(dword(result), eax);
};

const memoryLoop = single({
  name: "memory",
  what: "running sums over 16 KiB, dword by dword",
  rounds: 500,
  prepare: (a) => a.mov(dword(result), 1),
  round: sums,
  checksum: fromResult,
});

const directory = data("directory", 4096, { align: 4096 });
const table = data("table", 4096, { align: 4096 });
const CR0_PG_WP = 0x80010000 | 0;
const APIC = 0xfee00000;
const PAGE_RIGHTS = 3;

/** The first 4 MiB in small pages, the local APIC's 4 MiB in a big one. */
function turnPagingOn(a: Assembler): void {
  a.xor(ecx, ecx);
  a.mov(eax, PAGE_RIGHTS);
  a.label("map");
  a.mov(dword(ecx.times(4), table), eax);
  a.add(eax, 4096);
  a.inc(ecx);
  a.cmp(ecx, 1024);
  a.jb("map");
  a.mov(dword(directory), table.plus(PAGE_RIGHTS));
  a.mov(dword(directory.plus((APIC >>> 22) * 4)), 0xfec00083 | 0);
  enableBigPages(a);
  a.mov(eax, directory);
  a.mov(cr3, eax);
  a.mov(eax, cr0);
  a.or(eax, CR0_PG_WP);
  a.mov(cr0, eax);
}

const paged = single({
  name: "memory, paged",
  what: "the same with paging on",
  rounds: 500,
  prepare(a) {
    turnPagingOn(a);
    a.mov(dword(result), 1);
  },
  round: sums,
  checksum: fromResult,
});

const pages = single({
  name: "pages",
  what: "a dword in each of 512 pages, paging on",
  rounds: 3000,
  prepare(a) {
    turnPagingOn(a);
    a.mov(dword(result), 1);
  },
  round(a) {
    a.mov(ebx, 0x200000);
    a.mov(ecx, 512);
    a.mov(eax, dword(result));
    a.label("page");
    a.add(eax, dword(ebx, 64));
    a.mov(dword(ebx, 64), eax);
    a.add(ebx, 4096);
    a.dec(ecx);
    a.jnz("page");
    a.mov(dword(result), eax);
  },
  checksum: fromResult,
});

const bytesLoop = single({
  name: "bytes",
  what: "a checksum bit by bit over 256 bytes",
  rounds: 1000,
  prepare(a) {
    a.mov(dword(result), -1);
    a.mov(al, 0x5a);
    a.mov(ecx, 256);
    a.label("fill");
    a.mov(byte(ecx, buffer.plus(-1)), al);
    a.add(al, 7);
    a.loop("fill");
  },
  round(a) {
    a.mov(eax, dword(result));
    a.xor(ebx, ebx);
    a.label("byte");
    a.movzx(edx, byte(ebx, buffer));
    a.xor(eax, edx);
    a.mov(ecx, 8);
    a.label("bit");
    a.shr(eax, 1);
    a.jnc("even");
    a.xor(eax, 0xedb88320 | 0);
    a.label("even");
    a.dec(ecx);
    a.jnz("bit");
    a.inc(ebx);
    a.cmp(ebx, 256);
    a.jb("byte");
    a.mov(dword(result), eax);
  },
  checksum: fromResult,
});

/** EAX = the Fibonacci number of EAX, in the way that costs most. */
const fibonacci: Procedure = proc("fibonacci", (a) => {
  a.cmp(eax, 2);
  a.jb("known");
  a.push(ebx);
  a.mov(ebx, eax);
  a.dec(eax);
  a.call(fibonacci);
  a.xchg(eax, ebx);
  a.sub(eax, 2);
  a.call(fibonacci);
  a.add(eax, ebx);
  a.pop(ebx);
  a.label("known");
  a.ret();
});

const calls = single({
  name: "calls",
  what: "the 15th Fibonacci number by recursion",
  rounds: 500,
  round(a) {
    a.mov(eax, 15);
    a.call(fibonacci);
    a.add(dword(result), eax);
  },
  checksum: fromResult,
});

const dispatch = single({
  name: "dispatch",
  what: "1024 jumps through a table of eight",
  rounds: 1000,
  round(a) {
    const ways = ["w0", "w1", "w2", "w3", "w4", "w5", "w6", "w7"];
    a.mov(ecx, 1024);
    a.mov(ebx, dword(result));
    a.label("next");
    a.imul(ebx, ebx, 1664525);
    a.add(ebx, 1013904223);
    a.mov(eax, ebx);
    a.shr(eax, 29);
    a.mov(edx, a.addressOf("table"));
    a.jmp(dword(edx, eax.times(4)));
    a.align(4);
    a.label("table");
    a.dd(...ways.map((way) => a.addressOf(way)));
    ways.forEach((way, i) => {
      a.label(way);
      a.add(ebx, i);
      if (i % 2 === 1) a.rol(ebx, i);
      a.jmp("join");
    });
    a.label("join");
    a.dec(ecx);
    a.jnz("next");
    a.mov(dword(result), ebx);
  },
  checksum: fromResult,
});

const strings = single({
  name: "rep movsd",
  what: "64 KiB copied by one instruction",
  rounds: 500,
  round(a) {
    a.mov(esi, buffer);
    a.mov(edi, other);
    a.mov(ecx, 0x4000);
    a.rep.movsd();
    a.inc(dword(buffer));
  },
  checksum: (a) => a.mov(eax, dword(other)),
});

// --- interrupts ---

const gdt = data("gdt", dwords(0, 0, 0xffff, 0xcf9b00, 0xffff, 0xcf9300), { align: 8 });
const gdtr = data("gdtr", [words(gdt.size - 1), dwords(gdt)]);
const idt = data("idt", 256 * 8, { align: 8 });
const idtr = data("idtr", [words(256 * 8 - 1), dwords(idt)]);
const SELF_VECTOR = 0x61;
const CALL_VECTOR = 0x80;
const [EOI, ICR] = [0xb0, 0x300];
const TO_SELF = 0x44000;

const message = proc("message", (a) => {
  a.inc(dword(result));
  a.push(eax);
  a.mov(eax, APIC);
  a.mov(dword(eax, EOI), 0);
  a.pop(eax);
  a.iretd();
});

const systemCall = proc("systemCall", (a) => {
  a.inc(dword(result));
  a.iretd();
});

function handle(a: Assembler, vector: number, handler: Procedure): void {
  a.lgdt(memory(gdtr));
  a.lidt(memory(idtr));
  a.mov(edi, idt.plus(vector * 8));
  a.mov(ecx, handler);
  a.mov(word(edi), cx);
  a.mov(word(edi, 2), 0x08);
  a.mov(edx, 0x8e00);
  a.mov(word(edi, 4), dx);
  a.shr(ecx, 16);
  a.mov(word(edi, 6), cx);
}

const software = single({
  name: "int n",
  what: "100 software interrupts and their returns",
  rounds: 5000,
  prepare: (a) => handle(a, CALL_VECTOR, systemCall),
  round(a) {
    a.mov(ecx, 100);
    a.label("call");
    a.int(CALL_VECTOR);
    a.dec(ecx);
    a.jnz("call");
  },
  checksum: fromResult,
});

const selfIpi = single({
  name: "self IPI",
  what: "100 interrupts sent to itself through the local APIC",
  rounds: 2000,
  prepare(a) {
    handle(a, SELF_VECTOR, message);
    a.mov(al, 0xff); // no interrupts of the 8259s that a BIOS may have set up
    a.out(0x21, al);
    a.out(0xa1, al);
    a.sti();
  },
  round(a) {
    a.mov(ebx, APIC);
    a.mov(ecx, 100);
    a.label("send");
    a.mov(edx, dword(result));
    a.mov(dword(ebx, ICR), TO_SELF | SELF_VECTOR);
    a.label("wait"); // there are emulators on which it does not come at once
    a.cmp(dword(result), edx);
    a.je("wait");
    a.dec(ecx);
    a.jnz("send");
  },
  checksum: fromResult,
});

// --- locks that nobody else wants ---

const lock = data("lock", 4, { align: 64 });

const testAndSet = single({
  name: "test-and-set, alone",
  what: "1000 acquisitions of a free lock",
  rounds: 1000,
  round(a) {
    a.mov(ecx, 1000);
    a.label("acquire");
    a.lock.bts(dword(lock), 0);
    a.jc("acquire");
    a.inc(dword(result));
    a.mov(dword(lock), 0);
    a.dec(ecx);
    a.jnz("acquire");
  },
  checksum: fromResult,
});

const left = data("left", 4);

const queued = single({
  name: "queued lock, alone",
  what: "100 acquisitions of the kernel's queued lock",
  rounds: 3000,
  round(a) {
    a.mov(dword(left), 100);
    a.sub(esp, KLOCK_QUEUE_HANDLE.size);
    a.label("acquire");
    a.mov(ecx, lock);
    a.mov(edx, esp);
    a.call(KeAcquireInStackQueuedSpinLockAtDpcLevel);
    a.inc(dword(result));
    a.mov(ecx, esp);
    a.call(KeReleaseInStackQueuedSpinLockFromDpcLevel);
    a.dec(dword(left));
    a.jnz("acquire");
    a.add(esp, KLOCK_QUEUE_HANDLE.size);
  },
  checksum: fromResult,
});

/** Programs for one processor. */
export const singles: readonly Row[] = [
  arithmetic,
  memoryLoop,
  paged,
  pages,
  bytesLoop,
  calls,
  dispatch,
  strings,
  software,
  selfIpi,
  testAndSet,
  queued,
];
