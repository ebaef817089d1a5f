// The main job: every processor takes one queued lock many times, and the program checks who was inside, when, and after whom.

import {
  type Assembler,
  array,
  data,
  dword,
  dwords,
  eax,
  ebp,
  ebx,
  ecx,
  edi,
  edx,
  esi,
  esp,
  type Image,
  link,
  type Procedure,
  proc,
  startup,
  struct,
  u32,
} from "#asm";
import {
  KeAcquireInStackQueuedSpinLockAtDpcLevel,
  KeReleaseInStackQueuedSpinLockFromDpcLevel,
  KLOCK_QUEUE_HANDLE,
} from "#kernel";
import { option } from "./options.ts";
import { print, serialInitialize } from "./serial.ts";

export interface QueuedLockOptions {
  /** Acquisitions of each processor, unless the command line says `rounds=N`: 10,000. */
  readonly rounds?: number;
  /** The lock's routines, FASTCALL (lock, handle) and (handle), where it is not the kernel's that shall be tried. */
  readonly acquire?: Procedure;
  readonly release?: Procedure;
}

const { maximumProcessors } = startup;
const NOBODY = maximumProcessors;
const { Next } = KLOCK_QUEUE_HANDLE.LockQueue;

/** What each processor counts of itself. */
const TALLY = struct({ acquisitions: u32, waited: u32 });

export const spinLock = data("spinLock", 4, { align: 64 });

/** Written inside the lock only, with plain instructions: two processors inside together would show. */
export const total = data("total", 4, { align: 64 });
/** Who was inside last. */
const previous = data("previous", dwords(NOBODY));
/** The handle that its predecessor saw linked behind it when it left, and so the one to enter next; zero: it saw none. */
const expected = data("expected", 4);
/** Entries of another handle than the expected one. */
export const violations = data("violations", 4);
/** A hash (FNV-1) of who was inside, in order. */
export const sequence = data("sequence", dwords(0x811c9dc5));
const FNV_PRIME = 0x01000193;
/** How often each was followed by each: a row for who left (the last one for nobody), a column for who came. */
const FOLLOWED = array(array(u32, maximumProcessors), maximumProcessors + 1);
export const followed = data("followed", FOLLOWED.size);
export const tallies = data("tallies", array(TALLY, maximumProcessors).size);

const processors = data("processors", 4);
const rounds = data("rounds", 4);
const go = data("go", 4);
const finished = data("finished", 4);
/** How many have come to their last round. */
const lastRound = data("lastRound", 4);

/** How often the number of processors must be seen unchanged until the boot processor believes it. */
const SETTLED = 1000;
const DEBUG_EXIT = 0xf4;

/** The program, for one pair of routines. */
export function queuedLock(options: QueuedLockOptions = {}): Image {
  const acquire = options.acquire ?? KeAcquireInStackQueuedSpinLockAtDpcLevel;
  const release = options.release ?? KeReleaseInStackQueuedSpinLockFromDpcLevel;

  /** Acquire, work inside, release, do something else for a while; `rounds` times. ESI = the processor's index. */
  const work = proc("work", (a) => {
    const remaining = edi;
    const random = ebx;
    const tally = ebp;
    a.sub(esp, KLOCK_QUEUE_HANDLE.size);
    a.lea(tally, dword(esi.times(8), tallies));
    a.imul(random, esi, 0x9e3779b9);
    a.mov(remaining, dword(rounds));
    a.label("round");
    a.cmp(remaining, 1);
    a.jne("acquire");
    a.lock.inc(dword(lastRound)); // all begin the last round together, so that a run ends in contention too
    a.mov(eax, dword(processors));
    a.label("together");
    a.pause();
    a.cmp(dword(lastRound), eax);
    a.jb("together");
    a.label("acquire");
    a.mov(ecx, spinLock);
    a.mov(edx, esp);
    a.call(acquire);
    criticalSection(a);
    a.mov(ecx, esp);
    a.call(release);
    a.inc(dword(tally, TALLY.acquisitions));

    a.imul(random, random, 1664525);
    a.add(random, 1013904223);
    a.mov(ecx, random);
    a.shr(ecx, 25);
    a.inc(ecx);
    a.label("elsewhere"); // 1 to 128 times
    a.loop("elsewhere");
    a.mov(ecx, random);
    a.shr(ecx, 29);
    a.jz("again");
    a.label("idle"); // up to 7 times, so that they come back in another order
    a.pause();
    a.loop("idle");
    a.label("again");
    a.dec(remaining);
    a.jnz("round");
    a.add(esp, KLOCK_QUEUE_HANDLE.size);
    a.ret();
  });

  const main = proc("main", (a) => {
    a.mov(esi, eax);
    a.test(esi, esi);
    a.jz("boot");
    a.label("wait");
    a.pause();
    a.cmp(dword(go), 0);
    a.jz("wait");
    a.call(work);
    a.lock.inc(dword(finished));
    a.ret();

    a.label("boot");
    a.call(serialInitialize);
    option(a, "rounds", options.rounds ?? 10_000);
    a.mov(dword(rounds), eax);
    a.call(countProcessors);
    print(a, "title", "QUEUED LOCK processors ", { decimal: dword(processors) });
    print(a, "titleRounds", " rounds ", { decimal: dword(rounds) }, "\r\n");
    a.mov(dword(go), 1);
    a.call(work);
    a.lock.inc(dword(finished));
    a.label("others");
    a.pause();
    a.mov(eax, dword(processors));
    a.cmp(dword(finished), eax);
    a.jne("others");
    a.call(report);
    a.out(DEBUG_EXIT, eax);
    a.ret();
  });

  return link(main, { start: "all" });
}

/** What is done inside the lock: the checks, and an addition in two steps between which others come and find it held. */
function criticalSection(a: Assembler): void {
  a.mov(eax, dword(expected));
  a.test(eax, eax);
  a.jz("unexpected");
  a.inc(dword(ebp, TALLY.waited));
  a.cmp(eax, esp);
  a.je("unexpected");
  a.inc(dword(violations));
  a.label("unexpected");

  a.mov(eax, dword(previous));
  a.mov(dword(previous), esi);
  a.shl(eax, Math.log2(maximumProcessors));
  a.add(eax, esi);
  a.inc(dword(eax.times(4), followed));

  a.imul(eax, dword(sequence), FNV_PRIME);
  a.xor(eax, esi);
  a.mov(dword(sequence), eax);

  a.label("load");
  a.mov(eax, dword(total));
  a.pause();
  a.inc(eax);
  a.label("store");
  a.mov(dword(total), eax);

  a.mov(eax, dword(esp, Next));
  a.mov(dword(expected), eax);
}

/** Wait until `cpus=N` of the command line are here, or, without it, until no more come. Uses EAX, ECX and EDX. */
const countProcessors = proc("countProcessors", (a) => {
  option(a, "cpus", 0);
  a.test(eax, eax);
  a.jz("unknown");
  a.label("missing");
  a.pause();
  a.cmp(dword(startup.processors), eax);
  a.jb("missing");
  a.jmp("complete");

  a.label("unknown");
  a.mov(eax, dword(startup.processors));
  a.mov(ecx, SETTLED);
  a.label("settling");
  a.pause();
  a.cmp(dword(startup.processors), eax);
  a.jne("unknown");
  a.loop("settling");
  a.label("complete");
  a.mov(dword(processors), eax);
  a.ret();
});

/** Print what was counted. EAX = 0 if all is well, 1 if not. Uses every register but ESP. */
const report = proc("report", (a) => {
  a.xor(esi, esi);
  a.xor(edi, edi); // acquisitions that waited
  a.label("processor");
  const tally = (field: typeof TALLY.waited) => dword(esi.times(8), tallies, field);
  print(a, "each", "PROCESSOR ", { decimal: esi }, " acquisitions ", { decimal: tally(TALLY.acquisitions) });
  print(a, "each2", " waited ", { decimal: tally(TALLY.waited) }, "\r\n");
  a.add(edi, tally(TALLY.waited));
  a.inc(esi);
  a.cmp(esi, dword(processors));
  a.jb("processor");

  a.imul(esi, dword(rounds)); // ESI = the number of processors
  a.mov(ebp, 0);
  print(a, "total", "TOTAL ", { decimal: dword(total) }, " expected ", { decimal: esi }, "\r\n");
  a.cmp(dword(total), esi);
  a.je("totalRight");
  a.mov(ebp, 1);
  a.label("totalRight");

  a.cmp(dword(violations), 0);
  a.jne("fifoWrong");
  print(a, "fifo", "FIFO ok\r\n");
  a.jmp("fifoSaid");
  a.label("fifoWrong");
  a.mov(ebp, 1);
  print(a, "fifoWrong", "FIFO broken ", { decimal: dword(violations) }, " times\r\n");
  a.label("fifoSaid");

  a.push(esi);
  a.push(edi);
  a.call(countHandOvers);
  print(a, "handovers", "HANDOVERS ", { decimal: edi }, " pairs ", { decimal: esi }, "/");
  a.mov(esi, dword(processors));
  a.lea(edi, dword(esi, -1));
  a.imul(esi, edi);
  print(a, "pairs", { decimal: esi }, "\r\n");
  a.pop(edi);
  a.pop(esi);
  print(a, "contended", "CONTENDED ", { decimal: edi }, " of ", { decimal: esi }, "\r\n");
  print(a, "sequence", "SEQUENCE ", { hex: dword(sequence) }, "\r\n");

  a.test(ebp, ebp);
  a.jnz("broken");
  print(a, "good", "VERDICT ok\r\n");
  a.jmp("said");
  a.label("broken");
  print(a, "broken", "VERDICT broken\r\n");
  a.label("said");
  a.mov(eax, ebp);
  a.ret();
});

/** EDI = how often one processor was followed by another one, ESI = how many pairs of processors were. Uses EAX to EDX. */
const countHandOvers = proc("countHandOvers", (a) => {
  a.xor(esi, esi);
  a.xor(edi, edi);
  a.xor(ecx, ecx); // who left, times the length of a row
  a.label("from");
  a.xor(edx, edx); // who came
  a.label("to");
  a.mov(ebx, edx);
  a.shl(ebx, Math.log2(maximumProcessors));
  a.cmp(ebx, ecx);
  a.je("same");
  a.lea(eax, dword(ecx, edx));
  a.mov(eax, dword(eax.times(4), followed));
  a.add(edi, eax);
  a.cmp(eax, 1);
  a.sbb(esi, -1); // plus one, minus one if there was none
  a.label("same");
  a.inc(edx);
  a.cmp(edx, maximumProcessors);
  a.jb("to");
  a.add(ecx, maximumProcessors);
  a.cmp(ecx, maximumProcessors * maximumProcessors);
  a.jb("from");
  a.ret();
});

export default queuedLock();
