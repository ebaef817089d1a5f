// Names of the words of a machine's memory, for people who are told that two of them differ.
import * as L from "../../../emulator/memory/layout.ts";

const hex = (value: number, digits = 8): string => `0x${(value >>> 0).toString(16).padStart(digits, "0")}`;

const registers: readonly string[] = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"];
const segments: readonly string[] = ["es", "cs", "ss", "ds", "fs", "gs"];
const parts: readonly string[] = ["selector", "base", "limit", "attributes"];
const others: Readonly<Record<number, string>> = {
  [L.R_ZERO]: "zero",
  [L.R_EIP]: "eip",
  [L.R_EFLAGS]: "eflags",
  [L.R_CPL]: "cpl",
  [L.R_CR0]: "cr0",
  [L.R_CR2]: "cr2",
  [L.R_CR3]: "cr3",
  [L.R_CR4]: "cr4",
  [L.R_ACTIVITY]: "activity",
  [L.R_SHADOW]: "interrupt shadow",
  [L.R_NMI_PENDING]: "nmi pending",
  [L.R_NMI_MASKED]: "nmi masked",
  [L.R_DELIVERING]: "vector being delivered + 1",
  [L.R_MICRO_INDEX]: "micro-state index",
};

function nameOfProcessorWord(word: number): string {
  if (word < registers.length) return registers[word] as string;
  if (word >= L.R_SEGMENTS && word < L.R_LDTR) {
    const part = word - L.R_SEGMENTS;
    return `${segments[part >> 2]}.${parts[part & 3]}`;
  }
  if (word >= L.R_LDTR && word < L.R_GDTR_BASE) return `${word < L.R_TR ? "ldtr" : "tr"}.${parts[word & 3]}`;
  if (word >= L.R_APIC) return `apic word ${word - L.R_APIC}`;
  return others[word] ?? `word ${word}`;
}

const times: Readonly<Record<number, string>> = {
  [L.CLOCK]: "clock",
  [L.SLICE_PROCESSOR]: "slice: processor",
  [L.SLICE_LEFT]: "slice: left",
  [L.SLICE_ALONE]: "slice: alone",
};
const processorTimes: readonly string[] = [
  "retired",
  "TSC offset",
  "APIC timer due",
  "APIC timer start",
  "retired at last delivery",
  "deliveries",
];

/** The name of the word at a byte offset in the machine's memory below RAM. */
export function nameOfWord(offset: number): string {
  if (offset >= L.PROCESSOR_BASE && offset < L.DEVICE_BASE) {
    const inside = offset - L.PROCESSOR_BASE;
    return `processor ${Math.floor(inside / L.PROCESSOR_SIZE)} ${nameOfProcessorWord((inside % L.PROCESSOR_SIZE) >> 2)}`;
  }
  if (offset >= L.PROCESSOR_TIME && offset < L.PROCESSOR_BASE) {
    const inside = offset - L.PROCESSOR_TIME;
    const name = processorTimes[(inside % L.PROCESSOR_TIME_SIZE) >> 3] ?? "time word";
    return `processor ${Math.floor(inside / L.PROCESSOR_TIME_SIZE)} ${name}`;
  }
  if (offset >= L.DEVICE_BASE) return `device word ${hex(offset - L.DEVICE_BASE, 3)}`;
  return times[offset & ~3] ?? `time word ${hex(offset, 4)}`;
}

/** The name of a word of RAM by its physical address. */
export const nameOfMemory = (physical: number): string => `memory at physical ${hex(physical)}`;

export { hex };
