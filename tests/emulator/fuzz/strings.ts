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

const little = (value: number, bytes: number): number[] =>
  Array.from({ length: bytes }, (_, i) => (value >>> (8 * i)) & 0xff);

/** One instruction of a row of the table, with random prefixes and operands. */
function fromTable(random: Random, bits: 16 | 32): number[] {
  const form = random.oneIn(RARELY) ? random.pick(stopping) : random.pick(goesOn);
  const bytes: number[] = [];
  if (form.repeatable && !random.oneIn(3)) bytes.push(random.oneIn(2) ? 0xf2 : 0xf3);
  if (form.lockable && random.oneIn(4)) bytes.push(0xf0);
  while (random.oneIn(5)) bytes.push(random.pick(PREFIXES));
  if (form.mandatory !== 0) bytes.push(form.mandatory);
  if (form.map === 2) bytes.push(0x0f);
  bytes.push(form.opcode + (form.plusRegister ? random.below(8) : 0));
  const modrm = bytes.length;
  for (let i = 0; i < 11; i++) bytes.push(random.corner());
  if (form.modrmByte >= 0) bytes[modrm] = form.modrmByte;
  else if (typeof form.modrm === "number") bytes[modrm] = (bytes[modrm] & 0xc7) | (form.modrm << 3);
  // Most displacements of one byte, so that addresses stay near what the registers point at.
  if (form.modrm !== "none" && form.rmMemory && random.oneIn(2)) bytes[modrm] = (bytes[modrm] & 0x3f) | 0x40;
  const found = decode(bytes, 0, Math.min(bytes.length, 15), bits);
  return bytes.slice(0, typeof found === "string" ? 1 + random.below(6) : found.length);
}

/** Sets DX to a device's port and reads or writes it. */
function portAccess(random: Random, bits: 16 | 32): number[] {
  const port = random.pick(PORTS);
  const sizePrefix = random.oneIn(4) ? [0x66] : [];
  const opcode = random.pick([0xec, 0xed, 0xee, 0xee, 0xee, 0xef]);
  return [...(bits === 32 ? [0x66] : []), 0xba, ...little(port, 2), 0xb0, random.corner(), ...sizePrefix, opcode];
}

/** Writes or reads a register of the local APIC or of the I/O APIC through the addresses they are mapped at. */
function apicAccess(random: Random, bits: 16 | 32): number[] {
  const toIoApic = random.oneIn(4);
  const address = toIoApic ? 0xfec00000 + random.pick([0, 0x10]) : 0xfee00000 + random.pick(APIC_REGISTERS);
  const value = [
    random.corner(),
    random.pick([0, 0, 1, 0x40, 0x44, 0x45, 0x46, 0x85, 0xc5]),
    random.below(16),
    random.byte(),
  ];
  const sizes = bits === 16 ? [0x66, 0x67] : [];
  if (random.oneIn(4)) return [...sizes, 0x8b, 0x05, ...little(address, 4)];
  return [...sizes, 0xc7, 0x05, ...little(address, 4), ...value];
}

const rawBytes = (random: Random): number[] => Array.from({ length: 1 + random.below(6) }, () => random.byte());

/** `length` bytes of code. */
export function instructionString(random: Random, bits: 16 | 32, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  const put = (part: number[]): void => {
    for (const byte of part) if (at < length) bytes[at++] = byte;
  };
  const isRaw = random.oneIn(6);
  while (at < length) {
    const kind = random.below(16);
    if (isRaw || kind < 2) put(rawBytes(random));
    else if (kind === 2) put(portAccess(random, bits));
    else if (kind === 3) put(apicAccess(random, bits));
    else put(fromTable(random, bits));
  }
  return bytes;
}
