// The tables by which a kernel finds processors and interrupt wiring, made for the machine at hand: RSDP, RSDT and MADT (ACPI
// 1.0b, 5.2), the MP floating pointer and configuration table (MultiProcessor Specification 1.4, chapter 4).
//
// All lie in the extended BIOS data area, where neither needs the RAM below a ROM to be opened. Processors have the APIC IDs
// from 0 on.
import {
  type Assembler,
  al,
  ax,
  byte,
  bytes,
  cx,
  type Data,
  data,
  dl,
  dword,
  dwords,
  eax,
  ebp,
  ebx,
  ecx,
  edi,
  edx,
  esi,
  type Procedure,
  proc,
  type Values,
  word,
  words,
  zeros,
} from "#asm";
import {
  BDA_COM1,
  BDA_EBDA_SEGMENT,
  BDA_EQUIPMENT,
  BDA_MEMORY_KIB,
  EBDA,
  EBDA_KIB,
  MADT,
  MP_POINTER,
  MP_TABLE,
  RSDP,
  RSDT,
  SCRATCH,
} from "./memory.ts";

export interface TableOptions {
  /** Leave RSDP, RSDT and MADT out, so that a kernel has to use the MP tables. */
  readonly withoutMadt?: boolean;
  /** An MP configuration table to take as it is, instead of one for the processors present: 1024 bytes at most. */
  readonly mpTable?: Uint8Array;
}

/** The most processors that are told of. */
export const MOST_PROCESSORS = 32;

const LOCAL_APIC = 0xfee00000;
const LOCAL_APIC_VERSION = 0x30;
const LVT_LINT0 = 0x350;
const LVT_LINT1 = 0x360;
const LVT_EXTINT = 0x700;
const LVT_NMI = 0x400;
const IO_APIC = 0xfec00000;
const IO_APIC_WINDOW = 0x10;
const IO_APIC_VERSION = 1;
const IO_APIC_ID = 0;
const OEM = "RING0";
const EQUIPMENT_ONE_SERIAL_PORT = 1 << 9;
const COM1 = 0x3f8;

const ISA_BUS = 0;
const TIMER_INPUT = 2;
const CASCADE_IRQ = 2;
const ALL_PROCESSORS = 0xff;
const NMI_INPUT = 1;
const [INT, NMI, EXTINT] = [0, 1, 3];

const padded = (text: string, length: number) => bytes(text.padEnd(length));
const rom = (name: string, values: readonly Values[]) => data(name, values, { section: ".rodata" });

// --- ACPI ---

const ACPI_LENGTH = 4;
const ACPI_CHECKSUM = 9;
const RSDP_CHECKSUM = 8;

const acpiHeader = (signature: string, length: number) => [
  padded(signature, 4),
  dwords(length),
  bytes(1, 0), // revision, checksum
  padded(OEM, 6),
  padded(OEM, 8),
  dwords(1),
  padded(OEM.slice(0, 4), 4),
  dwords(1),
];

const rsdp = rom("rsdp", [bytes("RSD PTR ", 0), padded(OEM, 6), bytes(0), dwords(RSDT)]);
const rsdt = rom("rsdt", [...acpiHeader("RSDT", 40), dwords(MADT)]);
/** Up to the processors: the registers' address, and that the 8259s are there as well. */
const madtHead = rom("madtHead", [...acpiHeader("APIC", 0), dwords(LOCAL_APIC, 1)]);
/** The I/O APIC and its first input; the 8254's input; NMI at LINT1 of all. */
const madtTail = rom("madtTail", [
  ...[bytes(1, 12, IO_APIC_ID, 0), dwords(IO_APIC, 0)],
  ...[bytes(2, 10, ISA_BUS, 0), dwords(TIMER_INPUT), words(0)],
  ...[bytes(4, 6, ALL_PROCESSORS), words(0), bytes(NMI_INPUT)],
]);
/** Processor object, APIC and enabled: type 0, 8 bytes. */
const MADT_PROCESSOR = 0x0800;

const makeAcpiTables = proc("makeAcpiTables", (a) => {
  put(a, RSDP, rsdp);
  a.mov(ecx, rsdp.size);
  seal(a, RSDP, RSDP_CHECKSUM);
  put(a, RSDT, rsdt);
  a.mov(ecx, rsdt.size);
  seal(a, RSDT, ACPI_CHECKSUM);

  put(a, MADT, madtHead);
  a.xor(edx, edx);
  a.label("processor");
  a.imul(eax, edx, 0x01010000); // its number, and the APIC ID, which is the same
  a.or(eax, MADT_PROCESSOR);
  a.stosd();
  a.mov(eax, 1);
  a.stosd();
  a.inc(edx);
  a.cmp(edx, ebp);
  a.jb("processor");
  append(a, madtTail);
  a.mov(ecx, edi);
  a.sub(ecx, MADT);
  a.mov(dword(MADT + ACPI_LENGTH), ecx);
  seal(a, MADT, ACPI_CHECKSUM);
  a.ret();
});

// --- MultiProcessor Specification ---

const MP_LENGTH = 4;
const MP_CHECKSUM = 7;
const MP_ENTRIES = 34;
const MP_POINTER_CHECKSUM = 10;
const MP_PROCESSOR_VERSION = 16;
const MP_ENABLED = 1 << 24;
const MP_BOOT_PROCESSOR = 1 << 25;

const mpPointer = rom("mpPointer", [bytes("_MP_"), dwords(MP_TABLE), bytes(1, 4, 0), zeros(5)]);
const mpHead = rom("mpHead", [
  bytes("PCMP"),
  ...[words(0), bytes(4, 0)], // length, revision, checksum
  ...[padded(OEM, 8), padded("PC", 12), dwords(0), words(0)],
  ...[words(0), dwords(LOCAL_APIC, 0)], // entries
]);

const wire = (kind: number, type: number, irq: number, apic: number, input: number) =>
  bytes(kind, type, 0, 0, ISA_BUS, irq, apic, input);
const isaIrqs = Array.from({ length: 16 }, (_, irq) => irq).filter((irq) => irq !== CASCADE_IRQ);
/** What follows the processors. Polarity and trigger of all lines are those of their bus. */
const mpTailEntries = [
  [bytes(1, ISA_BUS), padded("ISA", 6)],
  [bytes(2, IO_APIC_ID, 0, 1), dwords(IO_APIC)],
  [wire(3, EXTINT, 0, IO_APIC_ID, 0)],
  ...isaIrqs.map((irq) => [wire(3, INT, irq, IO_APIC_ID, irq === 0 ? TIMER_INPUT : irq)]),
  [wire(4, EXTINT, 0, 0, 0)],
  [wire(4, NMI, 0, ALL_PROCESSORS, NMI_INPUT)],
];
const mpTail = rom("mpTail", mpTailEntries.flat());
/** From the start of the tail to the I/O APIC's version. */
const TAIL_IO_APIC_VERSION = 10;

const makeMpTable = proc("makeMpTable", (a) => {
  a.push(ebx);
  put(a, MP_TABLE, mpHead);
  a.mov(eax, 1);
  a.cpuid();
  a.mov(esi, eax); // signature; EDX has the features
  a.xor(ecx, ecx);
  a.label("processor");
  a.mov(eax, LOCAL_APIC);
  a.mov(eax, dword(eax, LOCAL_APIC_VERSION));
  a.movzx(eax, al);
  a.shl(eax, MP_PROCESSOR_VERSION);
  a.or(eax, MP_ENABLED);
  a.test(ecx, ecx);
  a.jnz("notFirst");
  a.or(eax, MP_BOOT_PROCESSOR);
  a.label("notFirst");
  a.mov(ebx, ecx);
  a.shl(ebx, 8);
  a.or(eax, ebx); // APIC ID
  a.stosd();
  a.mov(eax, esi);
  a.stosd();
  a.mov(eax, edx);
  a.stosd();
  a.xor(eax, eax);
  a.stosd();
  a.stosd();
  a.inc(ecx);
  a.cmp(ecx, ebp);
  a.jb("processor");

  a.mov(ebx, edi);
  append(a, mpTail);
  a.mov(eax, IO_APIC);
  a.mov(dword(eax), IO_APIC_VERSION);
  a.mov(edx, dword(eax, IO_APIC_WINDOW));
  a.mov(dword(eax), 0);
  a.mov(byte(ebx, TAIL_IO_APIC_VERSION), dl);
  a.lea(eax, dword(ebp, mpTailEntries.length));
  a.mov(word(MP_TABLE + MP_ENTRIES), ax);
  a.mov(ecx, edi);
  a.sub(ecx, MP_TABLE);
  a.mov(word(MP_TABLE + MP_LENGTH), cx);
  seal(a, MP_TABLE, MP_CHECKSUM);
  a.pop(ebx);
  a.ret();
});

// --- all of it ---

/** Makes the tables for EBP processors, with the BIOS data area's pointers to them. Uses EAX, ECX, EDX, ESI and EDI. */
export function tableMaker(options: TableOptions): Procedure {
  const length = options.mpTable?.length ?? 0;
  if (length > SCRATCH - MP_TABLE)
    throw new RangeError(`an MP table of ${length} bytes; there is room for ${SCRATCH - MP_TABLE} bytes`);
  const given = options.mpTable && rom("givenMpTable", [bytes(...options.mpTable)]);
  return proc("makeTables", (a) => {
    a.mov(dword(EBDA), EBDA_KIB);
    for (const [address, value] of [
      [BDA_COM1, COM1],
      [BDA_EBDA_SEGMENT, EBDA >> 4],
      [BDA_EQUIPMENT, EQUIPMENT_ONE_SERIAL_PORT],
      [BDA_MEMORY_KIB, EBDA >> 10],
    ] as const)
      a.mov(word(address), value);
    if (!options.withoutMadt) a.call(makeAcpiTables);
    if (given) put(a, MP_TABLE, given);
    else a.call(makeMpTable);
    put(a, MP_POINTER, mpPointer);
    a.mov(ecx, mpPointer.size);
    seal(a, MP_POINTER, MP_POINTER_CHECKSUM);
    a.ret();
  });
}

/** Virtual wire mode: the 8259s through LINT0 of this processor, NMI at LINT1 (MP specification, 3.6.2.2). Uses EAX. */
export function connectVirtualWire(a: Assembler): void {
  a.mov(eax, LOCAL_APIC);
  a.mov(dword(eax, LVT_LINT0), LVT_EXTINT);
  a.mov(dword(eax, LVT_LINT1), LVT_NMI);
}

/** Copies from the ROM to an address; EDI is behind it then. Uses ECX, ESI and EDI. */
function put(a: Assembler, address: number, values: Data): void {
  a.mov(edi, address);
  append(a, values);
}

/** Copies from the ROM to EDI. Uses ECX, ESI and EDI. */
function append(a: Assembler, values: Data): void {
  a.mov(esi, values);
  a.mov(ecx, values.size);
  a.rep.movsb();
}

/** Sets the checksum of a table of ECX bytes: their sum becomes 0. Uses EAX, ECX and ESI. */
function seal(a: Assembler, address: number, checksum: number): void {
  a.mov(esi, address);
  a.call(sumBytes);
  a.mov(byte(address + checksum), al);
}

/** AL = what makes the sum of the ECX bytes at ESI zero. Uses ECX and ESI. */
const sumBytes = proc("sumBytes", (a) => {
  a.xor(eax, eax);
  a.label("next");
  a.sub(al, byte(esi));
  a.inc(esi);
  a.loop("next");
  a.ret();
});
