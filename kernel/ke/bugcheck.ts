// The end: the others are stopped, the stop screen goes to the serial port, and the machine is left through its exit port.

import {
  type Assembler,
  al,
  byte,
  cl,
  data,
  dword,
  dwords,
  eax,
  ebp,
  ebx,
  ecx,
  edi,
  esi,
  esp,
  fs,
  type Imm,
  type MemoryOperand,
  proc,
  type Register32,
} from "#asm";
import { HalpSendShorthand } from "../hal/apic.ts";
import { display, text } from "../hal/serial.ts";
import { KeStallExecutionProcessor } from "../hal/time.ts";
import { setIrql } from "../hal/tpr.ts";
import { ICR_ALL_BUT_SELF, ICR_NMI } from "../inc/apic.ts";
import { bugCheckNames } from "../inc/bugcodes.ts";
import { HIGH_LEVEL } from "../inc/irql.ts";
import { IPI_FROZEN, KPCR, KPRCB, MAXIMUM_PROCESSORS, Prcb } from "../inc/pcr.ts";
import { KeActiveProcessors, KiProcessorBlock } from "./processor.ts";

/** Code, four parameters, processor and EIP of the bug check: seven dwords for whoever looks at the machine afterwards. */
export const KiBugCheckData = data("KiBugCheckData", 28);
/** The processor that bug checked first, plus one. */
export const KiBugCheckOwner = data("KiBugCheckOwner", 4);

const DEBUG_EXIT = 0xf4;
/** What the exit port is told: the guest crashed. */
const CRASHED = 6;
/** How long the others may take to stop, in steps of a microsecond. */
const FREEZE_STEPS = 10_000;

/** Codes and the addresses of their names. */
const KiBugCheckNames = data(
  "KiBugCheckNames",
  dwords(...bugCheckNames.flatMap(([code, name]) => [code, text(name)])),
  { section: ".rodata" },
);
const NAME_ENTRY = 8;
/** Bytes of a direct CALL. */
const CALL_LENGTH = 5;

/**
 * VOID stdcall (BugCheckCode, BugCheckParameter1, 2, 3, 4). Stop the machine. Does not return. At any level.
 */
export const KeBugCheckEx = proc("KeBugCheckEx", (a) => {
  a.cli();
  a.mov(ebx, dword(esp));
  a.sub(ebx, CALL_LENGTH); // where it happened: the CALL, not what follows it
  a.lea(esi, dword(esp, 4)); // the parameters
  a.mov(edi, esi); // the stack as it was
  a.jmp(KiBugCheck);
});

/** VOID stdcall (BugCheckCode). As KeBugCheckEx with zeros for parameters. */
export const KeBugCheck = proc("KeBugCheck", (a) => {
  a.mov(eax, dword(esp, 4));
  a.mov(ecx, dword(esp));
  for (let parameter = 1; parameter <= 4; parameter++) a.push(0);
  a.push(eax);
  a.push(ecx); // as if KeBugCheckEx had been called from there
  a.jmp(KeBugCheckEx);
});

const [CODE, P1, P2, P3, P4] = [0, 4, 8, 12, 16];

/**
 * Stop the machine. EBX = EIP of what went wrong, EDI = ESP there, ESI = the five parameters of KeBugCheckEx, interrupts off.
 */
export const KiBugCheck = proc("KiBugCheck", (a) => {
  a.push(edi);
  a.movzx(ecx, byte(fs, KPCR.Number));
  a.inc(ecx);
  a.xor(eax, eax);
  a.lock.cmpxchg(dword(KiBugCheckOwner), ecx);
  a.jz("first");
  a.cmp(eax, ecx);
  a.jne(KiFreezeProcessor); // another was first
  display(a, "\r\n*** STOP within a STOP: 0x", { hex: dword(esi, CODE) }, "\r\n");
  a.jmp("leave");

  a.label("first");
  a.movzx(ecx, byte(fs, KPCR.Irql));
  a.mov(byte(fs, Prcb.DebuggerSavedIRQL), cl);
  a.mov(ecx, HIGH_LEVEL);
  setIrql(a);
  a.call(KiFreezeOthers);

  for (const offset of [CODE, P1, P2, P3, P4]) {
    a.mov(eax, dword(esi, offset));
    a.mov(dword(KiBugCheckData, offset), eax);
  }
  a.movzx(eax, byte(fs, KPCR.Number));
  a.mov(dword(KiBugCheckData, 20), eax);
  a.mov(dword(KiBugCheckData, 24), ebx);

  display(a, "\r\n*** STOP: 0x", { hex: dword(esi, CODE) }, " (0x", { hex: dword(esi, P1) });
  for (const offset of [P2, P3, P4]) display(a, ", 0x", { hex: dword(esi, offset) });
  display(a, ")\r\n");
  a.mov(edi, KiBugCheckNames);
  a.label("name");
  a.mov(eax, dword(edi));
  a.cmp(eax, dword(esi, CODE));
  a.je("known");
  a.add(edi, NAME_ENTRY);
  a.cmp(edi, KiBugCheckNames.plus(KiBugCheckNames.size));
  a.jb("name");
  display(a, "BUGCODE");
  a.jmp("named");
  a.label("known");
  display(a, { string: dword(edi, 4) });
  a.label("named");
  a.movzx(edi, byte(fs, KPCR.Number));
  display(a, "\r\nCPU ", { decimal: edi });
  a.movzx(edi, byte(fs, Prcb.DebuggerSavedIRQL));
  a.pop(ebp);
  display(a, "  IRQL ", { hex: edi, digits: 2 }, "  EIP ", { hex: ebx }, "  ESP ", { hex: ebp });
  display(a, "  frozen: ");
  listOthers(a, "frozen", true);
  listOthers(a, "running", false);
  display(a, "\r\n");

  a.label("leave");
  a.mov(eax, CRASHED);
  a.out(DEBUG_EXIT, eax);
  a.label("stop"); // on a machine without that port
  a.cli();
  a.hlt();
  a.jmp("stop");
});

/** Name the other processors that have stopped, or those that have not. Uses EAX, ECX, EDX, EDI and EBP. */
function listOthers(a: Assembler, name: string, frozen: boolean): void {
  a.xor(edi, edi);
  a.xor(ebp, ebp); // how many so far
  a.label(name);
  a.mov(eax, dword(edi.times(4), KiProcessorBlock));
  a.cmp(eax, dword(fs, KPCR.Prcb));
  a.je(`${name}.next`);
  a.bt(dword(KeActiveProcessors), edi);
  a.jnc(`${name}.next`);
  a.cmp(dword(eax, KPRCB.IpiFrozen), IPI_FROZEN);
  if (frozen) a.jne(`${name}.next`);
  else a.je(`${name}.next`);
  a.test(ebp, ebp);
  a.jnz(`${name}.comma`);
  if (!frozen) display(a, "  not responding: ");
  a.jmp(`${name}.number`);
  a.label(`${name}.comma`);
  display(a, ",");
  a.label(`${name}.number`);
  display(a, { decimal: edi });
  a.inc(ebp);
  a.label(`${name}.next`);
  a.inc(edi);
  a.cmp(edi, MAXIMUM_PROCESSORS);
  a.jb(name);
  if (!frozen) return;
  a.test(ebp, ebp);
  a.jnz(`${name}.done`);
  display(a, "none");
  a.label(`${name}.done`);
}

/** VOID (). Stop every other processor by an NMI, also those that have interrupts off; wait until they have, or too long. */
export const KiFreezeOthers = proc("KiFreezeOthers", (a) => {
  a.push(ebx);
  a.push(edi);
  a.mov(eax, dword(fs, KPCR.SetMember));
  a.not(eax);
  a.and(eax, dword(KeActiveProcessors));
  a.jz("alone");
  a.mov(ecx, ICR_ALL_BUT_SELF | ICR_NMI);
  a.call(HalpSendShorthand);
  a.mov(ebx, FREEZE_STEPS);
  a.label("wait");
  a.push(1);
  a.call(KeStallExecutionProcessor);
  a.xor(edi, edi);
  a.label("processor");
  a.bt(dword(KeActiveProcessors), edi);
  a.jnc("next");
  a.mov(eax, dword(edi.times(4), KiProcessorBlock));
  a.cmp(eax, dword(fs, KPCR.Prcb));
  a.je("next");
  a.cmp(dword(eax, KPRCB.IpiFrozen), IPI_FROZEN);
  a.jne("late");
  a.label("next");
  a.inc(edi);
  a.cmp(edi, MAXIMUM_PROCESSORS);
  a.jb("processor");
  a.jmp("alone");
  a.label("late");
  a.dec(ebx);
  a.jnz("wait");
  a.label("alone");
  a.pop(edi);
  a.pop(ebx);
  a.ret();
});

/** Stop for another processor's bug check: jumped to, interrupts off. */
export const KiFreezeProcessor = proc("KiFreezeProcessor", (a) => {
  a.mov(al, byte(fs, KPCR.Irql));
  a.mov(byte(fs, Prcb.DebuggerSavedIRQL), al);
  a.mov(dword(fs, Prcb.IpiFrozen), IPI_FROZEN);
  a.label("frozen");
  a.cli();
  a.hlt();
  a.jmp("frozen");
});

/** What a parameter can be; a place on the stack is meant as it is before anything is pushed. */
type Parameter = Register32 | MemoryOperand<32> | Imm;

/**
 * Push the arguments of KeBugCheckEx, which the caller then calls from its own line. The last parameter is pushed first, and
 * so is the only one that may be on the stack by ESP.
 */
export function pushBugCheck(
  a: Assembler,
  code: number,
  ...parameters: [Parameter, Parameter, Parameter, Parameter]
): void {
  for (const parameter of parameters.toReversed()) push(a, parameter);
  a.push(code);
}

function push(a: Assembler, value: Parameter): void {
  if (typeof value === "object" && "kind" in value && (value.kind === "register" || value.kind === "memory operand"))
    a.push(value as Register32);
  else a.push(value as Imm);
}
