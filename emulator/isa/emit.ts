// The bytes of one instruction whose form and fields are settled (Intel SDM vol. 2, ch. 2): the layout, and no choice.
import { type Form, type Instruction, NONE } from "./instruction.ts";
import { CS, DS, ES, FS, GS, SS } from "./operands.ts";

/** Where a field lies in the bytes: for relocations. Both in bytes. */
export interface Field {
  readonly offset: number;
  readonly size: 1 | 2 | 4;
}

/** An encoded instruction. A relative distance or a code pointer's offset counts as `immediate`, its selector as `immediate2`. */
export interface Encoded {
  readonly bytes: number[];
  readonly form: Form;
  readonly displacement?: Field;
  readonly immediate?: Field;
  readonly immediate2?: Field;
}

/** What `emit` needs, in the terms of Instruction; `displacementBits` asks for a width, undefined means the least. */
export interface Fields
  extends Pick<
    Instruction,
    | "form"
    | "operandSize"
    | "addressSize"
    | "lock"
    | "repeat"
    | "segmentOverride"
    | "reg"
    | "rm"
    | "memory"
    | "base"
    | "index"
    | "scale"
    | "displacement"
    | "immediate"
    | "immediate2"
  > {
  readonly displacementBits?: 0 | 8 | 16 | 32;
}

const segmentPrefixes: readonly number[] = (() => {
  const prefixes: number[] = [];
  prefixes[ES] = 0x26;
  prefixes[CS] = 0x2e;
  prefixes[SS] = 0x36;
  prefixes[DS] = 0x3e;
  prefixes[FS] = 0x64;
  prefixes[GS] = 0x65;
  return prefixes;
})();

/** Lay the fields down as the bytes of a segment whose default size is `bits`. */
export function emit(fields: Fields, bits: 16 | 32): Encoded {
  const { form } = fields;
  const bytes: number[] = [];
  if (fields.lock) bytes.push(0xf0);
  if (fields.repeat !== 0) bytes.push(fields.repeat);
  if (fields.segmentOverride !== NONE) bytes.push(segmentPrefixes[fields.segmentOverride]!);
  if (fields.addressSize !== bits) bytes.push(0x67);
  if (fields.operandSize !== bits) bytes.push(0x66);
  if (form.mandatory !== 0) bytes.push(form.mandatory);
  if (form.map === 2) bytes.push(0x0f);
  bytes.push(form.plusRegister ? form.opcode + fields.reg : form.opcode);

  let displacement: Field | undefined;
  if (form.modrmByte !== NONE) bytes.push(form.modrmByte);
  else if (form.modrm !== "none") {
    const reg = (form.modrm === "/r" ? Math.max(fields.reg, 0) : form.modrm) << 3;
    if (fields.memory) displacement = emitMemory(bytes, fields, reg);
    else bytes.push(0xc0 | reg | Math.max(fields.rm, 0));
  }
  const trailing: Field[] = [];
  for (const trailer of form.trailers) {
    const value = trailing.length === 0 ? fields.immediate : fields.immediate2;
    switch (trailer) {
      case "ib":
      case "cb":
        trailing.push(emitValue(bytes, value, 1));
        break;
      case "iw":
      case "cw":
        trailing.push(emitValue(bytes, value, 2));
        break;
      case "id":
      case "cd":
        trailing.push(emitValue(bytes, value, 4));
        break;
      case "cp16":
      case "cp32":
        trailing.push(emitValue(bytes, fields.immediate, trailer === "cp16" ? 2 : 4));
        trailing.push(emitValue(bytes, fields.immediate2, 2));
        break;
      case "moffs":
        displacement = emitValue(bytes, fields.displacement, fields.addressSize === 32 ? 4 : 2);
        break;
    }
  }
  const [immediate, immediate2] = trailing;
  return {
    bytes,
    form,
    ...(displacement && { displacement }),
    ...(immediate && { immediate }),
    ...(immediate2 && { immediate2 }),
  };
}

function emitValue(bytes: number[], value: number, size: 1 | 2 | 4): Field {
  const offset = bytes.length;
  for (let i = 0; i < size; i++) bytes.push((value >> (8 * i)) & 0xff);
  return { offset, size };
}

/** The rm codes of 16-bit addressing (table 2-1) by base and index register number, NONE being -1. */
const rm16 = new Map([
  ["3,6", 0],
  ["3,7", 1],
  ["5,6", 2],
  ["5,7", 3],
  ["-1,6", 4],
  ["-1,7", 5],
  ["5,-1", 6],
  ["3,-1", 7],
]);

/** ModR/M, SIB and displacement of a memory operand; tables 2-1 to 2-3. */
function emitMemory(bytes: number[], fields: Fields, reg: number): Field | undefined {
  const { base, index, displacement } = fields;
  const wide = fields.addressSize === 32 ? 4 : 2;
  if (base === NONE && (index === NONE || wide === 4)) {
    // No base: mod 0 with the code that would be EBP (or BP) as base, and a full displacement.
    if (index !== NONE) bytes.push(reg | 4, (fields.scale << 6) | (index << 3) | 5);
    else bytes.push(reg | (wide === 4 ? 5 : 6));
    return emitValue(bytes, displacement, wide);
  }
  // EBP, or BP alone, has no form without a displacement: its code with mod 0 means an address alone.
  const always = base === 5 && (wide === 4 || index === NONE);
  const needed = displacement === 0 && !always ? 0 : displacement >= -128 && displacement <= 127 ? 1 : wide;
  const size = fields.displacementBits === undefined ? needed : ((fields.displacementBits >> 3) as 0 | 1 | 2 | 4);
  if (size < needed) {
    throw new Error(`a displacement of ${displacement} needs ${needed * 8} bits here, and ${size * 8} were asked for`);
  }
  const mod = size === 0 ? 0 : size === 1 ? 0x40 : 0x80;
  if (wide === 2) bytes.push(mod | reg | rm16.get(`${base},${index}`)!);
  else if (index !== NONE || base === 4) {
    bytes.push(mod | reg | 4, (fields.scale << 6) | ((index === NONE ? 4 : index) << 3) | base);
  } else bytes.push(mod | reg | base);
  return size === 0 ? undefined : emitValue(bytes, displacement, size as 1 | 2 | 4);
}
