// What the harness has in the guest's memory: where its processors wait between calls, and routines that note when they ran.

import { type Assembler, byte, cl, data, dword, eax, ebp, ebx, ecx, edx, esp, fs, type Procedure, proc } from "#asm";
import { KPCR } from "#kernel";

/** Where a processor is between calls: a thread with nothing to do. A called routine returns here. */
export const HarnessThread = proc("HarnessThread", (a) => {
  a.label("loop");
  a.pause();
  a.jmp("loop");
});

/** What ran, in its order: an entry for each run of a DPC or service routine that the harness made. */
export const EVENTS = 512;
export const EVENT_BYTES = 32;
export const HarnessEvents = data("HarnessEvents", EVENTS * EVENT_BYTES);
/** How many there have been. */
export const HarnessEventCount = data("HarnessEventCount", 4);

export const DPC_EVENT = 1;
export const INTERRUPT_EVENT = 2;
/** Places in an event: what, processor, level, four arguments, EFLAGS. */
export const EVENT = { kind: 0, processor: 4, irql: 8, parameters: 12, eflags: 28 } as const;

/** A service routine of a DPC or an interrupt, both stdcall: notes that it ran, then does what `body` writes. */
export function noting(name: string, kind: number, parameters: number, body?: (a: Assembler) => void): Procedure {
  return proc(name, (a) => {
    a.push(ebp);
    a.mov(ebp, esp);
    note(a, kind, parameters);
    body?.(a);
    a.mov(eax, 1); // TRUE, for whoever asks
    a.mov(esp, ebp);
    a.pop(ebp);
    a.ret(4 * parameters);
  });
}

/** Arguments are above the saved EBP and the return address. */
const FIRST_PARAMETER = 8;

function note(a: Assembler, kind: number, parameters: number): void {
  a.push(ebx);
  a.pushfd();
  a.mov(eax, 1);
  a.lock.xadd(dword(HarnessEventCount), eax);
  a.and(eax, EVENTS - 1);
  a.imul(eax, eax, EVENT_BYTES);
  a.mov(dword(eax, HarnessEvents, EVENT.kind), kind);
  a.movzx(ecx, byte(fs, KPCR.Number));
  a.mov(dword(eax, HarnessEvents, EVENT.processor), ecx);
  a.mov(cl, byte(fs, KPCR.Irql));
  a.movzx(ecx, cl);
  a.mov(dword(eax, HarnessEvents, EVENT.irql), ecx);
  for (let parameter = 0; parameter < parameters; parameter++) {
    a.mov(edx, dword(ebp, FIRST_PARAMETER + 4 * parameter));
    a.mov(dword(eax, HarnessEvents, EVENT.parameters + 4 * parameter), edx);
  }
  a.pop(ebx);
  a.mov(dword(eax, HarnessEvents, EVENT.eflags), ebx);
  a.pop(ebx);
}
