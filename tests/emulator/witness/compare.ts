// Compares what two processors made of a case, but for what the table's columns `undef:` and `skip:` leave out.
import type { Case } from "./case.ts";
import type { Outcome } from "./outcome.ts";
import { ruleFor, undefinedFlags } from "./rules.ts";

/** Not kept by ours, and seen in the image of a fault only. */
const RESUME = 0x10000;

const hex = (value: number): string => (value >>> 0).toString(16);
const bytes = (window: Uint8Array): string => Buffer.from(window).toString("hex");
const registers = "eax ecx edx ebx esp ebp esi edi".split(" ");
const segments = "es cs ss ds fs gs".split(" ");

export interface Comparison {
  /** What differs, a line each; empty when nothing does. */
  readonly lines: readonly string[];
  /** The rule that allows it. */
  readonly rule?: string;
}

const equal: Comparison = { lines: [] };

/** What of two outcomes differs: by a rule, if a processor's may, or in undefined flags; with `exactly` nothing may. */
export function compare(one: Case, host: Outcome, ours: Outcome, exactly = false): Comparison {
  const names: string[] = [];
  const lines: string[] = [];
  const differ = (name: string, theirs: string, own: string): void => {
    names.push(name.startsWith("memory") ? "memory" : name);
    lines.push(`${name}: witness ${theirs}, ours ${own}`);
  };
  const check = (name: string, theirs: number, own: number): void => {
    if ((theirs | 0) !== (own | 0)) differ(name, hex(theirs), hex(own));
  };
  check("vector", host.vector, ours.vector);
  check("error code", host.error, ours.error);
  check("cr2", host.cr2, ours.cr2);
  check("eip", host.eip, ours.eip);
  const ignored = exactly || host.vector >= 0 ? 0 : undefinedFlags(one) | RESUME;
  check("eflags", host.eflags & ~ignored, ours.eflags & ~ignored);
  for (const [i, name] of registers.entries()) check(name, host.registers[i]!, ours.registers[i]!);
  for (const [i, name] of segments.entries()) check(name, host.selectors[i]!, ours.selectors[i]!);
  one.windows.forEach(({ address }, i) => {
    const [theirs, own] = [host.windows[i]!, ours.windows[i]!];
    if (!theirs.every((byte, at) => byte === own[at])) differ(`memory at ${hex(address)}`, bytes(theirs), bytes(own));
  });
  if (names.length === 0) return equal;
  if (exactly) return { lines };
  return { lines, rule: ruleFor(one, host, ours, names) };
}
