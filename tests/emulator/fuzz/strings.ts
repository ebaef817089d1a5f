// Strings of instructions made at random: from the table with random operands, plain random bytes, and talk to devices.
import { decode, type Form, forms } from "../../../emulator/isa/index.ts";
import type { Random } from "./random.ts";

/** Forms that stop a run at once, by name or for want of an interrupt, are drawn this much less often. */
const RARELY = 300;
const stops = (form: Form): boolean => form.unimplemented !== "" || form.mnemonic === "HLT";
const goesOn = forms.filter((form) => !stops(form));
const stopping = forms.filter(stops);

const PREFIXES = [0x66, 0x66, 0x66, 0x67, 0x67, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0xf0, 0xf2, 0xf3] as const;

/** Ports somebody answers at, and one where nobody does. */
const PORTS = [
  0x20, 0x21, 0xa0, 0xa1, 0x40, 0x41, 0x42, 0x43, 0x60, 0x61, 0x64, 0x80, 0x92, 0xe9, 0xf4, 0x3f8, 0x3f9, 0x3fa, 0x3fb,
  0x3fc, 0x3fd, 0x4d0, 0x4d1, 0xcf9, 0x1234,
] as const;

/** Registers of a local APIC by their offsets, those that cause something twice. */
const APIC_REGISTERS = [
  0x20, 0x80, 0x80, 0xb0, 0xb0, 0xd0, 0xe0, 0xf0, 0xf0, 0x280, 0x300, 0x300, 0x300, 0x310, 0x320, 0x320, 0x350, 0x370,
  0x380, 0x380, 0x390, 0x3e0,
] as const;

/** Code as it is made; an instruction may run over what will be kept of it. */
class Code {
  readonly bytes: Uint8Array;
  at = 0;

  constructor(length: number) {
    this.bytes = new Uint8Array(length + LONGEST);
  }

  put(byte: number): void {
    this.bytes[this.at++] = byte;
  }

  little(value: number, bytes: number): void {
    for (let i = 0; i < bytes; i++) this.put(value >>> (8 * i));
  }
}

/** More bytes than the longest part of a string has. */
const LONGEST = 64;

/** One instruction of a row of the table, with random prefixes and operands. */
function fromTable(code: Code, random: Random, bits: 16 | 32): void {
  const { bytes, at: start } = code;
  const form = random.oneIn(RARELY) ? random.pick(stopping) : random.pick(goesOn);
  if (form.repeatable && !random.oneIn(3)) code.put(random.oneIn(2) ? 0xf2 : 0xf3);
  if (form.lockable && random.oneIn(4)) code.put(0xf0);
  for (let i = 0; i < MOST_PREFIXES && random.oneIn(5); i++) code.put(random.pick(PREFIXES));
  if (form.mandatory !== 0) code.put(form.mandatory);
  if (form.map === 2) code.put(0x0f);
  code.put(form.opcode + (form.plusRegister ? random.below(8) : 0));
  const modrm = code.at;
  for (let i = 0; i < 11; i++) code.put(random.corner());
  if (form.modrmByte >= 0) bytes[modrm] = form.modrmByte;
  else if (typeof form.modrm === "number") bytes[modrm] = (bytes[modrm] & 0xc7) | (form.modrm << 3);
  // Most displacements of one byte, so that addresses stay near what the registers point at.
  if (form.modrm !== "none" && form.rmMemory && random.oneIn(2)) bytes[modrm] = (bytes[modrm] & 0x3f) | 0x40;
  const found = decode(bytes, start, Math.min(code.at - start, 15), bits);
  code.at = start + (typeof found === "string" ? 1 + random.below(6) : found.length);
}

/** As many as make an instruction too long by themselves. */
const MOST_PREFIXES = 20;

/** Sets DX to a device's port and reads or writes it. */
function portAccess(code: Code, random: Random, bits: 16 | 32): void {
  const port = random.pick(PORTS);
  const isOtherSize = random.oneIn(4);
  const opcode = random.pick([0xec, 0xed, 0xee, 0xee, 0xee, 0xef]);
  if (bits === 32) code.put(0x66);
  code.put(0xba);
  code.little(port, 2);
  code.put(0xb0);
  code.put(random.corner());
  if (isOtherSize) code.put(0x66);
  code.put(opcode);
}

/** Writes or reads a register of the local APIC or of the I/O APIC through the addresses they are mapped at. */
function apicAccess(code: Code, random: Random, bits: 16 | 32): void {
  const toIoApic = random.oneIn(4);
  const address = toIoApic ? 0xfec00000 + random.pick([0, 0x10]) : 0xfee00000 + random.pick(APIC_REGISTERS);
  if (bits === 16) code.little(0x6766, 2);
  if (random.oneIn(4)) {
    code.little(0x058b, 2);
    code.little(address, 4);
    return;
  }
  code.little(0x05c7, 2);
  code.little(address, 4);
  code.put(random.corner());
  code.put(random.pick([0, 0, 1, 0x40, 0x44, 0x45, 0x46, 0x85, 0xc5]));
  code.put(random.below(16));
  code.put(random.byte());
}

function rawBytes(code: Code, random: Random): void {
  for (let i = 1 + random.below(6); i > 0; i--) code.put(random.byte());
}

/** `length` bytes of code. */
export function instructionString(random: Random, bits: 16 | 32, length: number): Uint8Array {
  const code = new Code(length);
  const isRaw = random.oneIn(6);
  while (code.at < length) {
    const kind = random.below(16);
    if (isRaw || kind < 2) rawBytes(code, random);
    else if (kind === 2) portAccess(code, random, bits);
    else if (kind === 3) apicAccess(code, random, bits);
    else fromTable(code, random, bits);
  }
  return code.bytes.subarray(0, length);
}
