// The assembler as tests use it: calls with arguments, and local variables in a frame.

import {
  type AddressLike,
  type Assembler,
  dword,
  eax,
  ebp,
  ecx,
  edx,
  esp,
  type Field,
  type MemoryOperand,
  memory,
  type Procedure,
  type Register32,
  type Type,
} from "#asm";
import { signatureOf } from "./conventions.ts";

/** A variable in the frame of a program. */
export interface Local {
  readonly kind: "local";
  readonly bytes: number;
  /** A field of it, or its first doubleword. */
  at(field?: Field | number): MemoryOperand<32>;
  /** Bytes below EBP at which it begins. */
  readonly below: number;
}

/** An argument of a call: a number, a register but ESP, something of the harness with an address, an address, a local's. */
export type WriterArgument = number | Register32 | { readonly address: number } | AddressLike | Local;

/** What a program's body is handed. */
export interface Writer extends Omit<Assembler, "call"> {
  /**
   * Calls a routine with arguments by its convention. ECX and EDX are loaded in this order, so an argument in ECX can be
   * anything's first alone.
   */
  call(target: Procedure, ...args: readonly WriterArgument[]): void;
  /** A variable of a type or of so many bytes, in the frame at EBP. It holds what the stack held. */
  local(type: Type | number): Local;
}

/** Room for locals in a program's frame. */
const FRAME_BYTES = 256;

/** Writes a program with a frame around it. Leaves by RET. */
export function writeFramed(a: Assembler, body: (a: Writer) => void): void {
  a.push(ebp);
  a.mov(ebp, esp);
  a.sub(esp, FRAME_BYTES);
  body(writerOn(a));
  a.mov(esp, ebp);
  a.pop(ebp);
  a.ret();
}

/** A writer on an assembler whose EBP holds a frame of FRAME_BYTES. */
export function writerOn(a: Assembler): Writer {
  let used = 0;
  const local = (type: Type | number): Local => {
    const bytes = typeof type === "number" ? type : type.size;
    used += Math.ceil(bytes / 4) * 4;
    if (used > FRAME_BYTES)
      throw new RangeError(`harness: locals of ${used} bytes in one program; ${FRAME_BYTES} can be had`);
    const below = used;
    return { kind: "local", bytes, below, at: (field = 0) => dword(ebp, -below + offsetOf(field)) };
  };
  const call = (target: Procedure, ...args: readonly WriterArgument[]): void => {
    const { convention, parameters } = signatureOf(target);
    if (args.length !== parameters && args.length > 0)
      throw new RangeError(`harness: ${target.name} is called with ${args.length} arguments; it takes ${parameters}`);
    const inRegisters = convention === "fastcall" ? 2 : 0;
    for (const argument of args.slice(inRegisters).reverse()) push(a, argument);
    args.slice(0, inRegisters).forEach((argument, index) => {
      load(a, index === 0 ? ecx : edx, argument);
    });
    a.call(target);
  };
  return Object.assign(Object.create(a), { call, local }) as Writer;
}

function offsetOf(field: Field | number): number {
  return typeof field === "number" ? field : field.offset;
}

function load(a: Assembler, register: typeof ecx | typeof edx, argument: WriterArgument): void {
  if (typeof argument === "number") a.mov(register, argument);
  else if ("kind" in argument && argument.kind === "local") a.lea(register, memory(ebp, -argument.below));
  else if ("kind" in argument && argument.kind === "register") a.mov(register, argument);
  else if ("kind" in argument) a.mov(register, argument);
  else a.mov(register, argument.address);
}

function push(a: Assembler, argument: WriterArgument): void {
  if (typeof argument === "number") a.push(argument);
  else if ("kind" in argument && argument.kind === "local") {
    a.lea(eax, memory(ebp, -argument.below));
    a.push(eax);
  } else if ("kind" in argument && argument.kind === "register") a.push(argument);
  else if ("kind" in argument) a.push(argument);
  else a.push(argument.address);
}
