// What a firmware leaves in memory for the kernel: the BIOS data area's pointers, and the tables that tell processors and
// interrupt wiring (ACPI 1.0b, 5.2; MultiProcessor Specification 1.4, chapter 4).
//
// A directly loaded kernel finds them here as if our own ROM had been there; that one makes them from the manuals by itself.
import { FEATURES_WITH_APIC, SIGNATURE } from "../cpu/identification.ts";

/** The extended BIOS data area: 4 KiB below 640 KiB. Kernels look for the tables' pointers in its first KiB. */
export const EBDA = 0x9f000;
const EBDA_KIB = 4;
const RSDP = EBDA + 0x10;
const MP_POINTER = EBDA + 0x30;
const RSDT = EBDA + 0x40;
const MADT = EBDA + 0x80;
const MP_TABLE = EBDA + 0x400;

// The BIOS data area at 40:0.
const BDA_COM1 = 0x400;
const BDA_EBDA_SEGMENT = 0x40e;
const BDA_EQUIPMENT = 0x410;
const BDA_MEMORY_KIB = 0x413;
const EQUIPMENT_ONE_SERIAL_PORT = 1 << 9;
const COM1 = 0x3f8;

const LOCAL_APIC = 0xfee00000;
const LOCAL_APIC_VERSION = 0x14;
const IO_APIC = 0xfec00000;
const IO_APIC_ID = 0;
const IO_APIC_VERSION = 0x11;
const OEM = "RING0";

const ISA_BUS = 0;
/** The 8254's line; input 0 is the 8259s'. */
const TIMER_INPUT = 2;
const CASCADE_IRQ = 2;
const ALL_PROCESSORS = 0xff;
const NMI_INPUT = 1;

/** Bytes at a physical address. */
export interface Placed {
  readonly physical: number;
  readonly bytes: Uint8Array;
}

/** All that a firmware leaves for `processors` processors whose APIC IDs count from 0. */
export function firmwareData(processors: number): readonly Placed[] {
  const at = (physical: number, ...bytes: number[]): Placed => ({ physical, bytes: Uint8Array.from(bytes) });
  return [
    at(BDA_COM1, ...word(COM1)),
    at(BDA_EBDA_SEGMENT, ...word(EBDA >> 4)),
    at(BDA_EQUIPMENT, ...word(EQUIPMENT_ONE_SERIAL_PORT)),
    at(BDA_MEMORY_KIB, ...word(EBDA >> 10)),
    at(EBDA, ...word(EBDA_KIB)),
    at(RSDP, ...withChecksum([...text("RSD PTR ", 8), 0, ...text(OEM, 6), 0, ...dword(RSDT)], 8)),
    at(RSDT, ...acpiTable("RSDT", dword(MADT))),
    at(MADT, ...acpiTable("APIC", madt(processors))),
    at(MP_POINTER, ...withChecksum([...text("_MP_", 4), ...dword(MP_TABLE), 1, 4, 0, ...zeros(5)], 10)),
    at(MP_TABLE, ...mpTable(processors)),
  ];
}

/** The MADT behind its header: the 8259s are there too; the timer's override; NMI at LINT1 of every processor. */
function madt(processors: number): number[] {
  const local = Array.from({ length: processors }, (_, id) => [0, 8, id, id, ...dword(1)]).flat();
  const ioApic = [1, 12, IO_APIC_ID, 0, ...dword(IO_APIC), ...dword(0)];
  const timer = [2, 10, ISA_BUS, 0, ...dword(TIMER_INPUT), ...word(0)];
  const nmi = [4, 6, ALL_PROCESSORS, ...word(0), NMI_INPUT];
  return [...dword(LOCAL_APIC), ...dword(1), ...local, ...ioApic, ...timer, ...nmi];
}

function acpiTable(signature: string, body: readonly number[]): number[] {
  const length = 36 + body.length;
  const header = [...text(signature, 4), ...dword(length), 1, 0, ...text(OEM, 6), ...text(OEM, 8), ...dword(1)];
  return withChecksum([...header, ...text(OEM, 4), ...dword(1), ...body], 9);
}

/** The MP configuration table: processors, the ISA bus, the I/O APIC, then what is wired to what. */
function mpTable(processors: number): number[] {
  const [INT, NMI, EXTINT] = [0, 1, 3];
  const wire = (kind: number, type: number, irq: number, apic: number, input: number) =>
    [kind, type, ...word(0), ISA_BUS, irq, apic, input] as const;
  const entries: (readonly number[])[] = [];
  for (let id = 0; id < processors; id++) {
    const flags = id === 0 ? 3 : 1;
    const what = [...dword(SIGNATURE), ...dword(FEATURES_WITH_APIC)];
    entries.push([0, id, LOCAL_APIC_VERSION, flags, ...what, ...zeros(8)]);
  }
  entries.push([1, ISA_BUS, ...text("ISA", 6)]);
  entries.push([2, IO_APIC_ID, IO_APIC_VERSION, 1, ...dword(IO_APIC)]);
  entries.push(wire(3, EXTINT, 0, IO_APIC_ID, 0));
  for (let irq = 0; irq < 16; irq++)
    if (irq !== CASCADE_IRQ) entries.push(wire(3, INT, irq, IO_APIC_ID, irq === 0 ? TIMER_INPUT : irq));
  entries.push(wire(4, EXTINT, 0, 0, 0), wire(4, NMI, 0, ALL_PROCESSORS, NMI_INPUT));

  const body = entries.flat();
  const header = [
    ...[...text("PCMP", 4), ...word(44 + body.length), 4, 0],
    ...[...text(OEM, 8), ...text("PC", 12), ...dword(0), ...word(0)],
    ...[...word(entries.length), ...dword(LOCAL_APIC), ...dword(0)],
  ];
  return withChecksum([...header, ...body], 7);
}

/** The bytes with the one at `at` such that their sum is 0 modulo 256. */
function withChecksum(bytes: number[], at: number): number[] {
  bytes[at] = 0;
  bytes[at] = -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
  return bytes;
}

/** Characters padded with spaces. */
function text(characters: string, length: number): number[] {
  return [...characters.padEnd(length).slice(0, length)].map((character) => character.charCodeAt(0));
}

const word = (value: number): number[] => [value & 0xff, (value >>> 8) & 0xff];
const dword = (value: number): number[] => [...word(value), ...word(value >>> 16)];
const zeros = (count: number): number[] => new Array<number>(count).fill(0);
