// A trace as JSON lines: one object an event, addresses and values as hexadecimal text.
import { bytesText } from "./code.ts";
import type { TraceEvent } from "./event.ts";
import type { Place } from "./symbols.ts";

const hex = (value: number, bytes = 4): string => `0x${value.toString(16).padStart(bytes * 2, "0")}`;

/** One line, ended. */
export function jsonLine(event: TraceEvent): string {
  const { processor, count, clock, kind, eip, linear, place, source } = event;
  const common = { processor, count, clock, kind, eip: hex(eip), linear: hex(linear), ...named(place), source };
  const accesses = event.accesses.map(({ kind, write, linear, physical, width, value, old }) => ({
    kind: kind === "port" ? "port" : "memory",
    access: write ? "write" : "read",
    ...(kind === "port" ? { port: hex(linear, 2) } : { linear: hex(linear), physical: hex(physical) }),
    width,
    value: hex(value, width),
    ...(write && kind === "memory" ? { old: hex(old, width) } : {}),
  }));
  const rest =
    event.kind === "instruction"
      ? {
          bytes: bytesText(event.bytes),
          text: event.text,
          retired: event.retired,
          locked: event.locked,
          registers: Object.fromEntries(event.registers.map(([name, value]) => [name, hex(value)])),
          flags: Object.fromEntries(event.flags),
        }
      : {
          vector: event.vector,
          errorCode: hex(event.errorCode),
          faultAddress: hex(event.faultAddress),
          shutdown: event.shutdown,
          target: hex(event.target),
        };
  return `${JSON.stringify({ ...common, ...rest, accesses })}\n`;
}

function named(place: Place | undefined): { symbol?: string; offset?: number; label?: string } {
  if (!place) return {};
  return { symbol: place.symbol.name, offset: place.offset, label: place.label?.name };
}
