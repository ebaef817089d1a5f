// String instructions and their REP prefixes: MOVS CMPS SCAS LODS STOS INS OUTS. Intel SDM vol. 1, 7.3.9; vol. 2, REP.
import type { Instruction } from "../isa/instruction.ts";
import { DS, ES } from "../isa/operands.ts";
import {
  R_EAX,
  R_ECX,
  R_EDI,
  R_EDX,
  R_EFLAGS,
  R_ESI,
  R_FA,
  R_FB,
  R_FRES,
  R_LAZY,
  S_ATTRIBUTES,
  S_LIMIT,
} from "../memory/layout.ts";
import { AGAIN, type Core, DF_FLAG, G_CODE_PAGE, G_LEFT, LAZY_SUB, NEXT, NO_CODE_PAGE, STATUS_FLAGS } from "./core.ts";
import { portAllowed, writePort } from "./io.ts";
import {
  checkedForWrite,
  operandWidth,
  readMemory,
  readRegister,
  type Width,
  wrap,
  writeLinear,
  writeMemory,
  writeRegister,
} from "./operands.ts";
import { CODE, DATA_EXPAND_DOWN, DATA_WRITABLE, faulted, linearBase, PRESENT } from "./segmentation.ts";

/** One iteration but for the count: accesses, then registers. False: faulted, with nothing changed. */
type Iteration = (core: Core, instruction: Instruction, width: Width) => boolean;

/** Does as many whole iterations as lie in RAM in a row, at most `count`, quickly; 0 where the slow way has to look. */
type Burst = (core: Core, instruction: Instruction, width: Width, count: number) => number;

const widthOf = (instruction: Instruction): Width =>
  instruction.form.mnemonic.endsWith("B") ? 1 : operandWidth(instruction);

const sourceSegment = (instruction: Instruction): number =>
  instruction.segmentOverride >= 0 ? instruction.segmentOverride : DS;

/** The offset that ESI or EDI holds for this address size. */
const offsetIn = (core: Core, register: number, instruction: Instruction): number =>
  wrap(instruction, core.word(register));

/** Moves ESI or EDI on by one element, or ECX by -1: as much of it as the address size uses. */
function move(core: Core, register: number, instruction: Instruction, distance: number): void {
  const sum = core.word(register) + distance;
  if (instruction.addressSize === 32) core.setWord(register, sum);
  else writeRegister(core, register, 2, sum);
}

const step = (core: Core, width: Width): number => ((core.word(R_EFLAGS) & DF_FLAG) !== 0 ? -width : width);

/** The flags of `a` - `b`, kept lazily. */
function compare(core: Core, a: number, b: number, width: Width): void {
  const unused = 32 - 8 * width;
  const [left, right] = [(a << unused) >> unused, (b << unused) >> unused];
  core.setWord(R_FA, left);
  core.setWord(R_FB, right);
  core.setWord(R_FRES, ((left - right) << unused) >> unused);
  core.setWord(R_LAZY, STATUS_FLAGS | LAZY_SUB);
}

const moveOne: Iteration = (core, instruction, width) => {
  const value = readMemory(core, sourceSegment(instruction), offsetIn(core, R_ESI, instruction), width);
  if (faulted(core)) return false;
  writeMemory(core, ES, offsetIn(core, R_EDI, instruction), width, value);
  if (faulted(core)) return false;
  move(core, R_ESI, instruction, step(core, width));
  move(core, R_EDI, instruction, step(core, width));
  return true;
};

/** CMPS reads its second operand first, which shows in which of two page faults comes. */
const compareOne: Iteration = (core, instruction, width) => {
  const b = readMemory(core, ES, offsetIn(core, R_EDI, instruction), width);
  if (faulted(core)) return false;
  const a = readMemory(core, sourceSegment(instruction), offsetIn(core, R_ESI, instruction), width);
  if (faulted(core)) return false;
  move(core, R_ESI, instruction, step(core, width));
  move(core, R_EDI, instruction, step(core, width));
  compare(core, a, b, width);
  return true;
};

const scanOne: Iteration = (core, instruction, width) => {
  const b = readMemory(core, ES, offsetIn(core, R_EDI, instruction), width);
  if (faulted(core)) return false;
  move(core, R_EDI, instruction, step(core, width));
  compare(core, readRegister(core, R_EAX, width), b, width);
  return true;
};

const loadOne: Iteration = (core, instruction, width) => {
  const value = readMemory(core, sourceSegment(instruction), offsetIn(core, R_ESI, instruction), width);
  if (faulted(core)) return false;
  move(core, R_ESI, instruction, step(core, width));
  writeRegister(core, R_EAX, width, value);
  return true;
};

const storeOne: Iteration = (core, instruction, width) => {
  const value = readRegister(core, R_EAX, width);
  writeMemory(core, ES, offsetIn(core, R_EDI, instruction), width, value);
  if (faulted(core)) return false;
  move(core, R_EDI, instruction, step(core, width));
  return true;
};

/** INS: the store must be sure to succeed before the port is read, for that may change the device. */
const inputOne: Iteration = (core, instruction, width) => {
  const port = core.word(R_EDX) & 0xffff;
  if (!portAllowed(core, port, width)) return false;
  const linear = checkedForWrite(core, ES, offsetIn(core, R_EDI, instruction), width);
  if (linear === undefined) return false;
  writeLinear(core, linear, width, core.bus.readPort(port, width));
  if (faulted(core)) return false;
  move(core, R_EDI, instruction, step(core, width));
  return true;
};

const outputOne: Iteration = (core, instruction, width) => {
  const port = core.word(R_EDX) & 0xffff;
  if (!portAllowed(core, port, width)) return false;
  const value = readMemory(core, sourceSegment(instruction), offsetIn(core, R_ESI, instruction), width);
  if (faulted(core)) return false;
  writePort(core, port, width, value);
  move(core, R_ESI, instruction, step(core, width));
  return true;
};

/**
 * How many elements from an offset upwards are sure to pass the checks of a data segment; 0 where one has to look at each.
 */
function roomFor(core: Core, segment: number, offset: number, instruction: Instruction, width: Width): number {
  const attributes = core.segment(segment, S_ATTRIBUTES);
  if ((attributes & (PRESENT | CODE | DATA_EXPAND_DOWN | DATA_WRITABLE)) !== (PRESENT | DATA_WRITABLE)) return 0;
  const first = offset >>> 0;
  const last = Math.min(core.segment(segment, S_LIMIT) >>> 0, instruction.addressSize === 32 ? 0xffffffff : 0xffff);
  return Math.max(0, Math.floor((last - first + 1) / width));
}

const moveBurst: Burst = (core, instruction, width, count) => {
  if (step(core, width) < 0) return 0;
  const segment = sourceSegment(instruction);
  const [source, destination] = [offsetIn(core, R_ESI, instruction), offsetIn(core, R_EDI, instruction)];
  count = Math.min(count, roomFor(core, segment, source, instruction, width));
  count = Math.min(count, roomFor(core, ES, destination, instruction, width));
  if (count < 2) return 0;
  const { linear } = core;
  const [sourceLinear, destinationLinear] = [linearBase(core, segment, source), linearBase(core, ES, destination)];
  const from = linear.readPointer(sourceLinear);
  const to = linear.writePointer(destinationLinear);
  if (from < 0 || to < 0) return 0;
  const room = Math.min(
    linear.readSpan(sourceLinear, count * width),
    linear.writeSpan(destinationLinear, count * width),
  );
  count = Math.min(count, Math.floor(room / width));
  // What lies over the source's end repeats what was moved before: no more at a time than lies between the two.
  if (to > from) count = Math.min(count, Math.floor((to - from) / width));
  if (count === 0) return 0;
  const bytes = count * width;
  core.u8.copyWithin(to, from, from + bytes);
  move(core, R_ESI, instruction, bytes);
  move(core, R_EDI, instruction, bytes);
  return count;
};

const storeBurst: Burst = (core, instruction, width, count) => {
  if (step(core, width) < 0) return 0;
  const destination = offsetIn(core, R_EDI, instruction);
  count = Math.min(count, roomFor(core, ES, destination, instruction, width));
  if (count < 2) return 0;
  const to = core.linear.writePointer(linearBase(core, ES, destination));
  if (to < 0) return 0;
  count = Math.floor(core.linear.writeSpan(linearBase(core, ES, destination), count * width) / width);
  if (count === 0) return 0;
  const bytes = count * width;
  const value = readRegister(core, R_EAX, width);
  if (width === 1) core.u8.fill(value, to, to + bytes);
  else if (width === 4 && (to & 3) === 0) core.i32.fill(value, to >> 2, (to + bytes) >> 2);
  else for (let i = 0; i < bytes; i++) core.u8[to + i] = value >>> (8 * (i % width));
  move(core, R_EDI, instruction, bytes);
  return count;
};

/** An element of plain RAM, zero-extended or int32. */
function elementAt({ u8, i32 }: Core, at: number, width: Width): number {
  if (width === 1) return u8[at];
  if (width === 2) return u8[at] | (u8[at + 1] << 8);
  return (at & 3) === 0 ? i32[at >> 2] : u8[at] | (u8[at + 1] << 8) | (u8[at + 2] << 16) | (u8[at + 3] << 24);
}

/** Compares upwards until REPE or REPNE ends, the last element included. */
const compareBurst: Burst = (core, instruction, width, count) => {
  if (step(core, width) < 0) return 0;
  const segment = sourceSegment(instruction);
  const [source, destination] = [offsetIn(core, R_ESI, instruction), offsetIn(core, R_EDI, instruction)];
  count = Math.min(count, roomFor(core, segment, source, instruction, width));
  count = Math.min(count, roomFor(core, ES, destination, instruction, width));
  if (count < 2) return 0;
  const right = core.linear.readPointer(linearBase(core, ES, destination));
  if (right < 0) return 0;
  const left = core.linear.readPointer(linearBase(core, segment, source));
  if (left < 0) return 0;
  const room = Math.min(
    core.linear.readSpan(linearBase(core, ES, destination), count * width),
    core.linear.readSpan(linearBase(core, segment, source), count * width),
  );
  count = Math.floor(room / width);
  if (count === 0) return 0;
  const whileEqual = instruction.repeat === 0xf3;
  let done = 0;
  let a = 0;
  let b = 0;
  do {
    a = elementAt(core, left + done * width, width);
    b = elementAt(core, right + done * width, width);
    done++;
  } while (done < count && (a === b) === whileEqual);
  move(core, R_ESI, instruction, done * width);
  move(core, R_EDI, instruction, done * width);
  compare(core, a, b, width);
  return done;
};

const scanBurst: Burst = (core, instruction, width, count) => {
  if (step(core, width) < 0) return 0;
  const destination = offsetIn(core, R_EDI, instruction);
  count = Math.min(count, roomFor(core, ES, destination, instruction, width));
  if (count < 2) return 0;
  const right = core.linear.readPointer(linearBase(core, ES, destination));
  if (right < 0) return 0;
  count = Math.floor(core.linear.readSpan(linearBase(core, ES, destination), count * width) / width);
  if (count === 0) return 0;
  const a = readRegister(core, R_EAX, width);
  const whileEqual = instruction.repeat === 0xf3;
  let done = 0;
  let b = 0;
  do {
    b = elementAt(core, right + done * width, width);
    done++;
  } while (done < count && (a === b) === whileEqual);
  move(core, R_EDI, instruction, done * width);
  compare(core, a, b, width);
  return done;
};

interface Repetition {
  /** CMPS and SCAS: REPE goes on while ZF is set, REPNE while it is clear. */
  readonly compares?: boolean;
  /** INS and OUTS: the port is asked for once before the count is looked at. */
  readonly port?: boolean;
  readonly burst?: Burst;
}

/**
 * The instruction made of an iteration. Every iteration is one tick: the last one is the caller's to count, those before
 * are taken from G_LEFT here. A fault leaves registers and flags as the last whole iteration did.
 */
function stringInstruction(one: Iteration, { compares = false, port = false, burst }: Repetition = {}) {
  return (core: Core, instruction: Instruction): number => {
    const width = widthOf(instruction);
    if (instruction.repeat === 0) {
      one(core, instruction, width);
      return NEXT;
    }
    if (port && !portAllowed(core, core.word(R_EDX) & 0xffff, width)) return NEXT;
    const { g } = core;
    let left = offsetIn(core, R_ECX, instruction) >>> 0;
    while (left !== 0) {
      let done = 0;
      if (burst !== undefined) done = burst(core, instruction, width, Math.min(left, g[G_LEFT]));
      if (done === 0) {
        if (!one(core, instruction, width)) return NEXT;
        done = 1;
      }
      move(core, R_ECX, instruction, -done);
      left -= done;
      const isEqual = core.word(R_FRES) === 0;
      if (left === 0 || (compares && isEqual !== (instruction.repeat === 0xf3))) {
        g[G_LEFT] -= done - 1;
        return NEXT;
      }
      // The budget is used up, or the instruction may have written over itself and has to be fetched again.
      if (g[G_LEFT] <= done || g[G_CODE_PAGE] === NO_CODE_PAGE) {
        g[G_LEFT] -= done - 1;
        return AGAIN;
      }
      g[G_LEFT] -= done;
    }
    return NEXT;
  };
}

export const moveString = stringInstruction(moveOne, { burst: moveBurst });
export const compareString = stringInstruction(compareOne, { compares: true, burst: compareBurst });
export const scanString = stringInstruction(scanOne, { compares: true, burst: scanBurst });
export const loadString = stringInstruction(loadOne);
export const storeString = stringInstruction(storeOne, { burst: storeBurst });
export const inputString = stringInstruction(inputOne, { port: true });
export const outputString = stringInstruction(outputOne, { port: true });
