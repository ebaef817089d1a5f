// What a random program does about faults, interrupts and system calls: count, and go on where the program said.
import type { Random } from "../fuzz/random.ts";
import type { Label } from "./code.ts";
import { exchange, type Piece, straight } from "./pieces.ts";
import * as P from "./places.ts";
import { apicAccess, paging, time } from "./system-pieces.ts";
import { DS, EAX, ES, ESP, SS, type Writer } from "./writer.ts";

/** An entry of the interrupt table. */
export interface Gate {
  readonly vector: number;
  readonly handler: Label;
  readonly selector: number;
  /** Type, DPL and P, as in the gate's second byte from the top. */
  readonly access: number;
}

const INTERRUPT = 0x8e;
const INTERRUPT_FOR_ALL = 0xee;
const TRAP_FOR_ALL = 0xef;
const INTERRUPT_286_FOR_ALL = 0xe6;
const EXCEPTIONS = 32;
const PAGE_FAULT = 14;
const withErrorCode = new Set([8, 10, 11, 12, 13, 14, 17]);
const EOI = 0xb0;

/** Selectors that the program itself runs with. */
export function selectorsOf({ bits, ring }: P.Shape): { code: number; stack: number } {
  if (bits === 16)
    return ring === 3 ? { code: P.S.code16user, stack: P.S.stack16user } : { code: P.S.code16, stack: P.S.stack16 };
  return ring === 3 ? { code: P.S.code3, stack: P.S.data3 } : { code: P.S.code0, stack: P.S.data0 };
}

/** Top of the stack that the program itself runs with, as an offset. */
export function stackOf(w: Writer): number {
  return w.data(w.own + (w.shape.ring === 3 ? P.USER_STACK : P.MAIN_STACK));
}

/** Writes all handlers of a program and names their gates. `random` draws the system calls. */
export function writeHandlers(w: Writer, random: Random): Gate[] {
  const { code } = w;
  code.bits = 32;
  w.ring = 0;
  w.forget();
  const gates: Gate[] = [];
  const gate = (vector: number, access: number, handler: Label, selector: number = P.S.code0): void => {
    gates.push({ vector, handler, selector, access });
  };
  const begin = (): Label => {
    const label = code.label();
    code.align(4, 0xcc);
    code.place(label);
    return label;
  };

  const common = code.label();
  for (let vector = 0; vector < EXCEPTIONS; vector++) {
    gate(vector, vector === 3 || vector === 4 ? INTERRUPT_FOR_ALL : INTERRUPT, begin());
    if (!withErrorCode.has(vector)) code.op("PUSH imm8", { operandSize: 32, immediate: 0 });
    code.op("PUSH r32", { reg: EAX });
    if (vector === PAGE_FAULT) pageFault(w);
    code.op("MOV r32, imm32", { reg: EAX, immediate: vector });
    code.jump("JMP", common);
  }
  goOn(w, common);

  for (const vector of [P.TIMER_VECTOR, P.SELF_VECTOR, P.OTHERS_VECTOR]) {
    gate(vector, INTERRUPT, begin());
    code.op("INC r/m32", w.variable(P.V.interrupts, SS));
    code.op("MOV r/m32, imm32", { ...w.at(P.APIC + EOI, SS), immediate: 0 });
    code.op("IRETD");
  }
  gate(P.PIT_VECTOR, INTERRUPT, begin());
  code.op("PUSH r32", { reg: EAX });
  code.op("INC r/m32", w.variable(P.V.interrupts, SS));
  code.op("MOV r8, imm8", { reg: 0, immediate: 0x20 });
  code.op("OUT imm8, AL", { immediate: 0x20 });
  code.op("POP r32", { reg: EAX });
  code.op("IRETD");
  gate(P.SPURIOUS_VECTOR, INTERRUPT, begin());
  code.op("IRETD");

  gate(P.CALL_VECTOR, INTERRUPT_FOR_ALL, begin());
  systemCalls(w, random);
  gate(P.END_VECTOR, INTERRUPT_FOR_ALL, begin());
  const end = code.label();
  code.place(end);
  code.op("CLI");
  code.op("HLT");
  code.jump("JMP", end);
  gate(P.TRAP_VECTOR, TRAP_FOR_ALL, begin());
  code.op("INC r/m32", w.variable(P.V.interrupts, SS));
  code.op("IRETD");
  gate(P.NARROW_VECTOR, INTERRUPT_286_FOR_ALL, begin(), P.S.code16);
  code.bits = 16;
  code.op("INC r/m32", w.variable(P.V.interrupts, SS));
  code.op("IRET");
  code.bits = 32;
  return gates;
}

/** A page that is missing because somebody took it is put back, and the instruction runs again. EAX is on the stack. */
function pageFault(w: Writer): void {
  const { code, shape } = w;
  code.op("MOV r32, CR", { reg: 2, rm: EAX });
  code.op("MOV r/m32, r32", { ...w.variable(P.V.cr2, SS), reg: EAX });
  if (!shape.paged) return;
  const other = code.label();
  code.op("XOR r/m32, imm32", { rm: EAX, immediate: w.own + P.DEMAND });
  code.op("TEST r/m32, imm32", { rm: EAX, immediate: ~(P.PAGE - 1) });
  code.jump("JNE", other);
  code.op("BTS r/m32, imm8", { ...w.at(P.TABLE_WINDOW + 4 * ((w.own + P.DEMAND) >>> 12), SS), immediate: 0 });
  code.jump("JB", other);
  code.op("INC r/m32", w.variable(P.V.faults + 4 * (EXCEPTIONS - 1), SS));
  code.op("POP r32", { reg: EAX });
  code.op("ADD r/m32, imm8", { rm: ESP, immediate: 4 });
  code.op("IRETD");
  code.place(other);
}

/** Counts the exception in EAX and leaves for where the program said, whatever the stack and the segments are now. */
function goOn(w: Writer, common: Label): void {
  const { code, shape } = w;
  const { code: codeSelector, stack } = selectorsOf(shape);
  code.place(common);
  code.op("INC r/m32", { ...w.variable(P.V.faults, SS), index: EAX, scale: 2 });
  code.op("POP r/m32", w.variable(P.V.savedEax, SS));
  code.op("MOV r32, r/m32", { memory: true, addressSize: 32, base: ESP, displacement: 12, reg: EAX });
  code.op("AND r/m32, imm32", { rm: EAX, immediate: 0x3ed7 });
  code.op("MOV r/m32, r32", { ...w.variable(P.V.savedFlags, SS), reg: EAX });
  if (shape.ring === 3) {
    code.op("MOV r32, imm32", { reg: ESP, immediate: w.data(w.own + P.INNER_STACK) });
    code.op("PUSH imm32", { immediate: stack });
    code.op("PUSH r/m32", w.variable(P.V.resumeEsp, SS));
  } else {
    code.op("MOV r32, imm32", { reg: EAX, immediate: stack });
    code.op("MOV Sreg, r/m16", { reg: SS, rm: EAX });
    code.op("MOV r32, r/m32", { ...w.variable(P.V.resumeEsp, SS), reg: ESP });
  }
  code.op("PUSH r/m32", w.variable(P.V.savedFlags, SS));
  code.op("PUSH imm32", { immediate: codeSelector });
  code.op("PUSH r/m32", w.variable(P.V.resume, SS));
  code.op("MOV r32, imm32", { reg: EAX, immediate: P.S.data3 });
  code.op("MOV Sreg, r/m16", { reg: DS, rm: EAX });
  code.op("MOV Sreg, r/m16", { reg: ES, rm: EAX });
  code.op("MOV r32, r/m32", { ...w.variable(P.V.savedEax, SS), reg: EAX });
  code.op("CLD");
  code.op("IRETD");
}

const calls: readonly Piece[] = [paging, paging, apicAccess, apicAccess, time, exchange, straight];

/** Four bodies, one of which EAX chooses. */
function systemCalls(w: Writer, random: Random): void {
  const { code } = w;
  const outer = w.random;
  w.random = random;
  const out = code.label();
  code.op("PUSHAD");
  code.op("PUSH DS", { operandSize: 32 });
  code.op("PUSH ES", { operandSize: 32 });
  for (let number = 3; number >= 0; number--) {
    const next = code.label();
    code.op("CMP r/m32, imm8", { rm: EAX, immediate: number });
    code.jump("JNE", next);
    for (const segment of [DS, ES]) {
      code.op("MOV r32, imm32", { reg: EAX, immediate: P.S.data3 });
      code.op("MOV Sreg, r/m16", { reg: segment, rm: EAX });
    }
    w.forget();
    random.pick(calls)(w);
    code.jump("JMP", out);
    code.place(next);
  }
  code.place(out);
  code.op("POP ES", { operandSize: 32 });
  code.op("POP DS", { operandSize: 32 });
  code.op("POPAD");
  code.op("IRETD");
  w.random = outer;
}
