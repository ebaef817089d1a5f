// What a person needs to see when the kernel stopped itself: which routine and which source line did not go on.
import type { Machine, Processor, RunResult } from "#emulator";
import { type SymbolTable, symbolsOf } from "../trace/index.ts";
import { EXIT } from "./exit.ts";
import type { Host } from "./host.ts";
import type { Setup } from "./options.ts";

/** Seven dwords that the kernel leaves: code, four parameters, processor, EIP. */
const DATA = "KiBugCheckData";

/** Tells a bug check by the image's symbols; nothing for any other end, or for a kernel that keeps no such record. */
export function reportStop(setup: Setup, machine: Machine, result: RunResult, host: Host): void {
  if (result.reason !== "guest exit" || result.guestExit !== EXIT.crashed) return;
  const symbols = symbolsOf(setup.subject.bytes, setup.subject.name);
  const data = symbols.rangeOf(DATA);
  if (data === undefined) return;
  const boot = machine.processors[0];
  if (boot === undefined || boot.physicalOf(data.start) < 0) return;
  const [code, , , , fourth, number, eip] = Array.from({ length: 7 }, (_, i) =>
    machine.memory.dword(boot.physicalOf(data.start + 4 * i)),
  ) as [number, number, number, number, number, number, number];
  const caller = isReturnAddress(machine, boot, fourth) ? `, called at ${placeOf(symbols, fourth - 1)}` : "";
  host.err.write(`ring0: bug check ${hex(code)} on processor ${number} at ${placeOf(symbols, eip)}${caller}\n`);
}

/** Whether an address is right behind a direct CALL: most bug checks say so who called the routine. */
function isReturnAddress(machine: Machine, processor: Processor, address: number): boolean {
  const CALL = 0xe8;
  const CALL_LENGTH = 5;
  const physical = processor.physicalOf(address - CALL_LENGTH);
  return physical >= 0 && physical < machine.memory.size && machine.memory.byte(physical) === CALL;
}

/** `0x8010101e, KefReleaseSpinLockFromDpcLevel+0x1e, spinlock.ts:220`, as far as it is known. */
function placeOf(symbols: SymbolTable, address: number): string {
  const source = symbols.lineOf(address);
  return [hex(address), symbols.nameOf(address), source && `${source.file}:${source.line}`]
    .filter((part) => part !== undefined)
    .join(", ");
}

function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`;
}
