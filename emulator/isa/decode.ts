// Bytes to instruction (Intel SDM vol. 2, ch. 2 and appendix A): prefixes, opcode maps, ModR/M, SIB, and what follows.
import { type DecodeFailure, type Form, type Instruction, NONE, type Trailer } from "./instruction.ts";
import { CS, DS, ES, FS, GS, SS } from "./operands.ts";
import { formCount, formOf, opcodesOf } from "./rows.ts";

/** Architectural limit on an instruction's bytes, prefixes included; one more is #GP. */
const maximumLength = 15;

// What the first look at an opcode byte says.
const unknownOpcode = 0;
const undefinedOpcode = 1;
const withoutModRM = 2;
const withModRM = 3;
/** MOV to and from CR and DR: ModR/M is there, `mod` is ignored. */
const withRegisters = 4;

/** By map and opcode: nobody has asked yet, no such opcode, one without ModR/M, or one with. */
const opcodeKind = new Uint8Array(512);

/** Form ids by map, opcode, operand size, address size, F2/F3, and (mod = 3, reg) of ModR/M; -1 where there is none. */
const formIds = new Int16Array(512 * 2 * 2 * 3 * 16).fill(-1);

/** What follows ModR/M, as one number a form, for a dense switch. */
const trailerCodes: Readonly<Record<Trailer, number>> = {
  ib: 1,
  iw: 2,
  id: 3,
  cb: 1,
  cw: 2,
  cd: 3,
  cp16: 4,
  cp32: 5,
  moffs: 6,
};
const enterTrailers = 7;
const trailerOf = new Uint8Array(formCount);

/** The trailers of an opcode's group by opcode and operand size, for the members that do not exist. */
const groupTrailer = new Uint8Array(512 * 2);

/** Forms whose register operands ignore `mod`: MOV to and from CR and DR. */
const ignoresMod = (form: Form): boolean => form.operands.includes("CR") || form.operands.includes("DR");

/** Lower ranks are laid down first and give way: NOP takes 90 from XCHG, a digit its place from `/r`, PAUSE F3 90. */
const rank = (form: Form): number =>
  (form.mandatory !== 0 ? 8 : 0) + (form.alias ? 0 : 4) + (form.plusRegister ? 0 : 2) + (form.modrm === "/r" ? 0 : 1);

/** By map and opcode: ids of the forms that it may be. */
const idsOf: number[][] = Array.from({ length: 512 }, () => []);
for (let id = 0; id < formCount; id++) for (const at of opcodesOf(id)) idsOf[at].push(id);

/** Lays an opcode's forms down when it is met first: programs have a tenth of them. */
function layDown(at: number): number {
  opcodeKind[at] = undefinedOpcode;
  const candidates = idsOf[at].map(formOf).sort((a, b) => rank(a) - rank(b));
  for (const form of candidates) place(form, at);
  return opcodeKind[at];
}

function place(form: Form, at: number): void {
  const codes = form.trailers.map((name) => trailerCodes[name]);
  const trailer = codes.length === 2 ? enterTrailers : (codes[0] ?? 0);
  trailerOf[form.id] = trailer;
  opcodeKind[at] = form.modrm === "none" ? withoutModRM : ignoresMod(form) ? withRegisters : withModRM;
  for (const operand32 of sizesOf(form.operandSize)) {
    groupTrailer[at * 2 + operand32] = trailer;
    for (const address32 of sizesOf(form.addressSize))
      for (const prefix of prefixesOf(form))
        placeModRM(form, (((at * 2 + operand32) * 2 + address32) * 3 + prefix) * 16);
  }
}

/** Under one opcode, one pair of sizes and one of F2/F3: the values of (mod = 3, reg) that a form answers to. */
function placeModRM(form: Form, at: number): void {
  const { modrm, id } = form;
  const all = modrm === "none" || ignoresMod(form);
  const first = all || form.rmMemory ? 0 : 8;
  const end = all || form.rmRegister ? 16 : 8;
  if (modrm === "none" || (modrm === "/r" && !isChoosy(form))) {
    formIds.fill(id, at + first, at + end);
    return;
  }
  for (let reg = 0; reg < 8; reg++) {
    if (modrm === "/r" ? !registerExists(form, reg) : reg !== modrm) continue;
    for (let mod = first; mod < end; mod += 8) formIds[at + mod + reg] = id;
  }
}

const [none, either] = [[0], [0, 1]] as const;
const anyPrefix = [0, 1, 2] as const;

/** Sizes a form is for, as 0 (16 bits) and 1 (32 bits). */
const sizesOf = (size: 0 | 16 | 32): readonly number[] => (size === 0 ? either : size === 32 ? [1] : none);

/** What of F2 and F3 a form is for: 0 for neither. */
function prefixesOf({ mandatory, modrmByte }: Form): readonly number[] {
  if (mandatory !== 0) return [mandatory === 0xf2 ? 1 : 2];
  return modrmByte !== NONE ? none : anyPrefix;
}

/** Not every register of the kind exists. */
const isChoosy = ({ operands }: Form): boolean => operands.includes("Sreg") || operands.includes("CR");

/** Six segment registers, CS never a destination; control registers 0, 2, 3, 4; all eight debug registers (DR4 is DR6). */
function registerExists({ operands }: Form, reg: number): boolean {
  if (operands.includes("Sreg")) return reg <= GS && !(reg === CS && operands[0] === "Sreg");
  if (operands.includes("CR")) return reg === 0 || (reg >= 2 && reg <= 4);
  return true;
}

/** 16-bit addressing (table 2-1): base and index by rm. */
const base16 = Int8Array.of(3, 3, 5, 5, NONE, NONE, 5, 3);
const index16 = Int8Array.of(6, 7, 6, 7, 6, 7, NONE, NONE);

/**
 * Decode the instruction at `bytes[start]`, of which `available` bytes may be looked at.
 *
 * `bits` is the code segment's default size. The failures: "invalid" is #UD, known when all bytes of the instruction have
 * been looked at, or at an opcode that nobody has; "too long" is #GP, the sixteenth byte being needed; "truncated" means
 * that a byte at or beyond `available` is needed.
 */
export function decode(
  bytes: { readonly [index: number]: number },
  start: number,
  available: number,
  bits: 16 | 32,
): Instruction | DecodeFailure {
  const limit = start + (available < maximumLength ? available : maximumLength);
  const short = available < maximumLength ? "truncated" : "too long";
  let at = start;

  // Prefixes, in any order and number: the last segment and the last of F2 and F3 win.
  let operand32 = bits === 32 ? 1 : 0;
  let address32 = operand32;
  const otherSize = 1 - operand32;
  let lock = false;
  let repeat: 0 | 0xf2 | 0xf3 = 0;
  let override = NONE;
  let opcode = 0;
  prefixes: for (;;) {
    if (at >= limit) return short;
    opcode = bytes[at++]!;
    switch (opcode) {
      case 0x26:
        override = ES;
        break;
      case 0x2e:
        override = CS;
        break;
      case 0x36:
        override = SS;
        break;
      case 0x3e:
        override = DS;
        break;
      case 0x64:
        override = FS;
        break;
      case 0x65:
        override = GS;
        break;
      case 0x66:
        operand32 = otherSize;
        break;
      case 0x67:
        address32 = otherSize;
        break;
      case 0xf0:
        lock = true;
        break;
      case 0xf2:
      case 0xf3:
        repeat = opcode;
        break;
      default:
        break prefixes;
    }
  }
  if (opcode === 0x0f) {
    if (at >= limit) return short;
    opcode = 256 + bytes[at++]!;
  }
  let kind = opcodeKind[opcode]!;
  if (kind === unknownOpcode) kind = layDown(opcode);
  if (kind === undefinedOpcode) return "invalid";

  const mandatory = repeat === 0 ? 0 : repeat - 0xf1;
  let key = ((opcode * 2 + operand32) * 2 + address32) * 3 + mandatory;
  key *= 16;
  let modrm = 0;
  let reg = NONE;
  if (kind >= withModRM) {
    if (at >= limit) return short;
    modrm = bytes[at++]!;
    reg = (modrm >> 3) & 7;
    key += (modrm >= 0xc0 ? 8 : 0) + reg;
  }
  // A member of a group that does not exist, or a wrong LOCK, is #UD only when the whole instruction has been fetched.
  const id = formIds[key]!;

  let rm = NONE;
  let memory = false;
  let base = NONE;
  let index = NONE;
  let scale = 0;
  let displacement = 0;
  if (kind >= withModRM) {
    if (modrm >= 0xc0 || kind === withRegisters) rm = modrm & 7;
    else memory = true;
  }

  if (memory) {
    const mod = modrm >> 6;
    let size = mod === 1 ? 1 : 0;
    if (address32 === 1) {
      base = modrm & 7;
      if (base === 4) {
        if (at >= limit) return short;
        const sib = bytes[at++]!;
        base = sib & 7;
        index = (sib >> 3) & 7;
        if (index === 4) index = NONE;
        else scale = sib >> 6;
      }
      if (mod === 2) size = 4;
      else if (mod === 0 && base === 5) {
        base = NONE;
        size = 4;
      }
    } else {
      base = base16[modrm & 7]!;
      index = index16[modrm & 7]!;
      if (mod === 2) size = 2;
      else if (mod === 0 && (modrm & 7) === 6) {
        base = NONE;
        size = 2;
      }
    }
    if (at + size > limit) return short;
    if (size === 1) displacement = (bytes[at]! << 24) >> 24;
    else if (size === 2) displacement = read16(bytes, at);
    else if (size === 4) displacement = read32(bytes, at);
    at += size;
  }

  let immediate = 0;
  let immediate2 = 0;
  switch (id < 0 ? groupTrailer[opcode * 2 + operand32]! : trailerOf[id]!) {
    case 1: // ib, cb
      if (at >= limit) return short;
      immediate = (bytes[at++]! << 24) >> 24;
      break;
    case 2: // iw, cw
      if (at + 2 > limit) return short;
      immediate = read16(bytes, at);
      at += 2;
      break;
    case 3: // id, cd
      if (at + 4 > limit) return short;
      immediate = read32(bytes, at);
      at += 4;
      break;
    case 4: // ptr16:16
      if (at + 4 > limit) return short;
      immediate = read16(bytes, at) & 0xffff;
      immediate2 = read16(bytes, at + 2) & 0xffff;
      at += 4;
      break;
    case 5: // ptr16:32
      if (at + 6 > limit) return short;
      immediate = read32(bytes, at);
      immediate2 = read16(bytes, at + 4) & 0xffff;
      at += 6;
      break;
    case 6: // moffs
      if (at + (address32 === 1 ? 4 : 2) > limit) return short;
      displacement = address32 === 1 ? read32(bytes, at) : read16(bytes, at);
      at += address32 === 1 ? 4 : 2;
      memory = true;
      break;
    case enterTrailers:
      if (at + 3 > limit) return short;
      immediate = read16(bytes, at);
      immediate2 = bytes[at + 2]!;
      at += 3;
      break;
  }

  if (id < 0) return "invalid";
  const form = formOf(id);
  if (lock && !(form.lockable && memory)) return "invalid";
  if (form.plusRegister) reg = opcode & 7;
  return {
    form,
    length: at - start,
    operandSize: operand32 === 1 ? 32 : 16,
    addressSize: address32 === 1 ? 32 : 16,
    lock,
    repeat: form.mandatory === 0 ? repeat : 0,
    segmentOverride: override,
    segment: override !== NONE ? override : base === 5 || (base === 4 && address32 === 1) ? SS : DS,
    reg,
    rm,
    memory,
    base,
    index,
    scale,
    displacement,
    immediate,
    immediate2,
  };
}

/** A 16-bit little-endian value, sign-extended. */
function read16(bytes: { readonly [index: number]: number }, at: number): number {
  return ((bytes[at]! | (bytes[at + 1]! << 8)) << 16) >> 16;
}

/** A 32-bit little-endian value, signed. */
function read32(bytes: { readonly [index: number]: number }, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}
