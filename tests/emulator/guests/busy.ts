// A guest that uses most of the machine at once: paging with pages mapped on demand, ring 3 and system calls, the 8254, APIC
// timers, interrupts between processors, HLT, string instructions, and code that changes itself.
import {
  type AddressLike,
  al,
  ax,
  bytes,
  cr0,
  cr2,
  cr3,
  cr4,
  cx,
  data,
  ds,
  dword,
  dwords,
  dx,
  eax,
  ebx,
  ecx,
  edi,
  edx,
  es,
  esi,
  esp,
  fs,
  gs,
  type Image,
  link,
  memory,
  proc,
  word,
  words,
} from "#asm";

/** Bytes of RAM it needs. */
export const BUSY_MEMORY = 2 * 0x100000;
const ROUNDS = 12;

const CODE0 = 0x08;
const DATA0 = 0x10;
const CODE3 = 0x1b;
const DATA3 = 0x23;
const TSS_SELECTOR = 0x28;
const APIC = 0xfee00000;
const EOI = 0xb0;
const ICR = 0x300;
const TIMER_VECTOR = 0x30;
const OTHERS_VECTOR = 0x41;
const SYSTEM_CALL = 0x80;
/** Pages that are absent until somebody touches them, one to one. */
const DEMAND = 0x1c0000;
const DEMAND_PAGES = 8;
const TSS_SIZE = 0x68;

const gdt = data(
  "gdt",
  dwords(0, 0, 0xffff, 0xcf9a00, 0xffff, 0xcf9200, 0xffff, 0xcffa00, 0xffff, 0xcff200, TSS_SIZE - 1, 0x8900),
  {
    align: 8,
  },
);
const gdtr = data("gdtr", [words(gdt.size - 1), dwords(gdt)]);
const idt = data("idt", 256 * 8, { align: 8 });
const idtr = data("idtr", [words(256 * 8 - 1), dwords(idt)]);
const tss = data("tss", TSS_SIZE, { align: 16 });
const innerStack = data("innerStack", 1024, { align: 16 });
const userStack = data("userStack", 256, { align: 16 });
const directory = data("directory", 4096, { align: 4096 });
const table = data("table", 4096, { align: 4096 });
const buffer = data("buffer", 4096);
const kernelStack = data("kernelStack", 4);
const ready = data("ready", 4);
const done = data("done", 4);

/** What it counts; tests look at these. */
export const counts = {
  total: data("total", 4),
  apicTicks: data("apicTicks", 4),
  pitTicks: data("pitTicks", 4),
  messages: data("messages", 4),
  faults: data("faults", 4),
  calls: data("calls", 4),
  sum: data("sum", 4),
};

const apicTimer = proc("apicTimer", (a) => {
  a.lock.inc(dword(counts.apicTicks));
  a.push(eax);
  a.mov(eax, APIC);
  a.mov(dword(eax, EOI), 0);
  a.pop(eax);
  a.iretd();
});

const message = proc("message", (a) => {
  a.lock.inc(dword(counts.messages));
  a.push(eax);
  a.mov(eax, APIC);
  a.mov(dword(eax, EOI), 0);
  a.pop(eax);
  a.iretd();
});

const pitTimer = proc("pitTimer", (a) => {
  a.inc(dword(counts.pitTicks));
  a.push(eax);
  a.mov(al, 0x20);
  a.out(0x20, al);
  a.pop(eax);
  a.iretd();
});

/** Maps the missing page one to one. */
const pageFault = proc("pageFault", (a) => {
  a.pushad();
  a.mov(eax, cr2);
  a.mov(ecx, eax);
  a.shr(ecx, 12);
  a.and(eax, ~0xfff);
  a.or(eax, 7);
  a.mov(dword(ecx.times(4), table), eax);
  a.inc(dword(counts.faults));
  a.popad();
  a.lea(esp, dword(esp, 4));
  a.iretd();
});

/** Ends the excursion to ring 3: goes back to whoever called `visitUser`. */
const systemCall = proc("systemCall", (a) => {
  a.inc(dword(counts.calls));
  a.mov(esp, dword(kernelStack));
  a.sti();
  a.ret();
});

const user = proc("user", (a) => {
  a.mov(ecx, DEMAND_PAGES);
  a.mov(esi, DEMAND);
  a.label("touch");
  a.inc(dword(esi));
  a.mov(eax, dword(esi));
  a.add(dword(counts.sum), eax);
  a.add(esi, 4096);
  a.loop("touch");
  a.push(esi);
  a.pop(edx);
  a.int(SYSTEM_CALL);
});

const visitUser = proc("visitUser", (a) => {
  a.cli();
  a.mov(dword(kernelStack), esp);
  a.push(DATA3);
  a.push(userStack.plus(256));
  a.pushfd();
  a.or(dword(esp), 0x200);
  a.push(CODE3);
  a.push(user);
  a.iretd();
});

/** EAX = vector, ECX = handler, EDX = access byte * 256. */
const setGate = proc("setGate", (a) => {
  a.lea(edi, dword(eax.times(8), idt));
  a.mov(word(edi), cx);
  a.mov(word(edi, 2), CODE0);
  a.mov(word(edi, 4), dx);
  a.shr(ecx, 16);
  a.mov(word(edi, 6), cx);
  a.ret();
});

const gates: readonly (readonly [vector: number, handler: AddressLike, access: number])[] = [
  [14, pageFault, 0x8e00],
  [0x20, pitTimer, 0x8e00],
  [TIMER_VECTOR, apicTimer, 0x8e00],
  [OTHERS_VECTOR, message, 0x8e00],
  [SYSTEM_CALL, systemCall, 0xee00],
];

/** On every processor: own descriptor tables, paging, interrupts on. */
const begin = proc("begin", (a) => {
  a.lgdt(memory(gdtr));
  a.lidt(memory(idtr));
  a.mov(ax, DATA3);
  for (const segment of [ds, es, fs, gs]) a.mov(segment, ax);
  a.mov(eax, cr4);
  a.or(eax, 0x10);
  a.mov(cr4, eax);
  a.mov(eax, directory);
  a.mov(cr3, eax);
  a.mov(eax, cr0);
  a.or(eax, 0x80010000);
  a.mov(cr0, eax);
  a.sti();
  a.ret();
});

/** Tables, timers and the 8259s, on the boot processor. */
const prepare = proc("prepare", (a) => {
  for (const [vector, handler, access] of gates) {
    a.mov(eax, vector);
    a.mov(ecx, handler);
    a.mov(edx, access);
    a.call(setGate);
  }
  a.mov(eax, tss);
  a.mov(word(gdt.plus(TSS_SELECTOR + 2)), ax);
  a.shr(eax, 16);
  a.or(dword(gdt.plus(TSS_SELECTOR + 4)), eax); // RAM ends far below 16 MiB
  a.mov(dword(tss.plus(4)), innerStack.plus(1024));
  a.mov(dword(tss.plus(8)), DATA0);
  a.xor(ecx, ecx);
  a.mov(eax, 7);
  a.label("map");
  a.mov(dword(ecx.times(4), table), eax);
  a.add(eax, 4096);
  a.inc(ecx);
  a.cmp(ecx, DEMAND >> 12);
  a.jb("map");
  a.mov(dword(directory), table.plus(7));
  a.mov(dword(directory.plus(4)), 0x87); // 4 MiB that show the first 4 MiB again
  a.mov(dword(directory.plus((APIC >>> 22) * 4)), 0xfec00083 | 0);
  for (const [port, value] of [
    [0x20, 0x11],
    [0x21, 0x20],
    [0x21, 4],
    [0x21, 1],
    [0x21, 0xfe],
    [0x43, 0x34],
    [0x40, 0x0c],
    [0x40, 0],
  ] as const) {
    a.mov(al, value);
    a.out(port, al);
  }
  a.mov(eax, APIC);
  a.mov(dword(eax, 0x3e0), 0xb);
  a.mov(dword(eax, 0x320), 0x20000 | TIMER_VECTOR);
  a.mov(dword(eax, 0x380), 3001);
  a.ret();
});

const strings = proc("strings", (a) => {
  a.mov(esi, table);
  a.mov(edi, buffer);
  a.mov(ecx, 1024);
  a.rep.movsd();
  a.mov(edi, buffer.plus(7));
  a.mov(ecx, 301);
  a.mov(al, 0x5a);
  a.rep.stosb();
  a.mov(edi, buffer);
  a.mov(ecx, 4096);
  a.mov(al, 0x5a);
  a.repne.scasb();
  a.ret();
});

/** Rewrites the immediate of its next instruction, through the second mapping of its page. */
const selfModifying = proc("selfModifying", (a) => {
  a.mov(eax, a.addressOf("patched"));
  a.mov(edx, dword(counts.total));
  a.mov(dword(eax, 0x400000 + 1), edx);
  a.label("patched");
  a.db(0xb9, 0, 0, 0, 0); // mov ecx, the total as of now
  a.sub(ecx, edx);
  a.add(dword(counts.sum), ecx);
  a.ret();
});

const main = proc("main", (a) => {
  a.test(eax, eax);
  a.jnz("other");
  a.call(prepare);
  a.call(begin);
  a.mov(ax, TSS_SELECTOR);
  a.ltr(ax);
  a.mov(dword(ready), 1);
  a.mov(ebx, ROUNDS);
  a.label("round");
  a.call(visitUser);
  a.call(strings);
  a.call(selfModifying);
  a.lock.add(dword(counts.total), 1);
  a.mov(eax, APIC);
  a.mov(dword(eax, ICR), 0xc4000 | OTHERS_VECTOR);
  a.hlt();
  a.test(ebx, 3);
  a.jnz("keep");
  a.mov(edi, table.plus((DEMAND >> 12) * 4)); // the pages of user data go, their contents stay
  a.xor(eax, eax);
  a.mov(ecx, DEMAND_PAGES);
  a.rep.stosd();
  a.mov(eax, cr3);
  a.mov(cr3, eax);
  a.label("keep");
  a.dec(ebx);
  a.jnz("round");
  a.mov(dword(done), 1);
  a.xor(eax, eax);
  a.out(0xf4, al);

  a.label("other");
  a.pause();
  a.cmp(dword(ready), 0);
  a.je("other");
  a.call(begin);
  a.label("work");
  a.lock.inc(dword(counts.total));
  a.pause();
  a.hlt();
  a.cmp(dword(done), 0);
  a.je("work");
  a.ret();
});

/** Exits with 0 through port F4h after a while. */
export const busy: Image = link(main, { start: "all", include: [data("mark", bytes("busy"))] });
