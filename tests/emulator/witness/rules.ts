// What the witness leaves out and why: the reasons that the table's `skip:` notes name. Nothing else may differ.
import { type Form, forms } from "../../../emulator/isa/index.ts";
import { type Case, hasPrefix } from "./case.ts";
import { ESP, SS } from "./draft.ts";
import type { Outcome } from "./outcome.ts";
import { baseOf, isWide, limits } from "./places.ts";

/** What of two outcomes differs: "vector", "error code", "cr2", "eip", "eflags", a register's name, "memory". */
export type Difference = string;

export interface Rule {
  readonly why: string;
  /** The form is not witnessed at all. */
  readonly whole?: true;
  /** No such case is made. */
  readonly avoid?: (one: Pick<Case, "form" | "code" | "registers">) => boolean;
  /** Outcomes may differ in this way. */
  readonly covers?: (one: Case, host: Outcome, ours: Outcome, found: readonly Difference[]) => boolean;
}

const GENERAL_PROTECTION = 13;
const STACK_FAULT = 12;
const PAGE_FAULT = 14;
const DEBUG = 1;
const BOUND_RANGE_EXCEEDED = 5;
/** OF SF ZF AF PF CF. */
const STATUS = 0x8d5;

const faulted = (host: Outcome): boolean => host.vector >= 0;
const only = (found: readonly Difference[], ...names: Difference[]): boolean =>
  found.every((name) => names.includes(name));
const stackCameFirst = (host: Outcome, ours: Outcome, found: readonly Difference[]): boolean =>
  (host.vector === PAGE_FAULT || host.vector === STACK_FAULT) &&
  ours.vector === GENERAL_PROTECTION &&
  only(found, "vector", "error code", "cr2");

/** Bytes that the longest ENTER pushes. */
const MOST_PUSHED = 33 * 4;

/** Do two outcomes differ in memory only, if at all, at most so many bytes below the top of the stack? */
function isBelowStack(one: Case, host: Outcome, ours: Outcome, most = MOST_PUSHED): boolean {
  const selector = one.selectors[SS]!;
  const top = one.registers[ESP]!;
  return one.windows.every(({ address }, i) =>
    host.windows[i]!.every((byte, at) => {
      const distance = top - (address + at - baseOf(selector));
      const below = isWide(selector) ? distance : distance & 0xffff;
      return byte === ours.windows[i]![at] || (below > 0 && below <= most);
    }),
  );
}

/** Is what differs in memory as it was before the case there, and zero here? */
const isUntouched = (one: Case, host: Outcome, ours: Outcome): boolean =>
  one.windows.every(({ bytes }, i) =>
    host.windows[i]!.every((byte, at) => {
      const own = ours.windows[i]![at];
      return byte === own || (byte === bytes[at] && own === 0);
    }),
  );

/** Is the fault that of the last of four bytes at an offset: of the next page, or of what a segment's limit cuts off? */
function isUpperHalf({ vector, cr2 }: Outcome, offset: number): boolean {
  const within = offset & 0xffff;
  if (vector === PAGE_FAULT) return (offset & 0xfff) > 0xffc && (cr2 & 0xfff) === 0;
  return vector === STACK_FAULT && limits.some((end) => within < end && end < within + 4);
}

export const rules: Readonly<Record<string, Rule>> = {
  "undefined-above-16": {
    why: "SHLD and SHRD of a word by more than 16: the manual leaves result and flags undefined",
    avoid: (one) => (shiftCount(one) ?? 0) > 16,
  },
  "pushed-before-a-fault": {
    why: "what an instruction of several pushes has stored below ESP when a later one faults: nothing here, something there",
    covers: (one, host, ours, found) => faulted(host) && only(found, "memory") && isBelowStack(one, host, ours),
  },
  "selector-pushed-as-a-word": {
    why: "PUSH of a segment register with 32 bits may store the selector alone: Intel's processors do, AMD's the zeros above it too",
    covers: (one, host, ours, found) =>
      !faulted(host) &&
      (isUpperHalf(ours, one.registers[ESP]! - 4) ||
        (only(found, "memory") && isBelowStack(one, host, ours, 2) && isUntouched(one, host, ours))),
  },
  "selector-read-as-a-word": {
    why: "the upper half of a selector's 32 bits on the stack cannot be read: AMD's processors try, Intel's do not",
    covers: (one, _, ours) => isUpperHalf(ours, one.registers[ESP]! + (one.form.mnemonic === "POP" ? 0 : 4)),
  },
  "popped-before-a-fault": {
    why: "POPA that faults half way has loaded some registers there; ESP stays, so that it can be run again",
    covers: (_, host, __, found) => faulted(host) && only(found, "eax", "ecx", "edx", "ebx", "ebp", "esi", "edi"),
  },
  "either-operand-first": {
    why: "both operands of CMPS are bad: the manual does not say which is read first, and this processor does it either way",
    covers: (_, host, ours, found) => faulted(host) && faulted(ours) && only(found, "vector", "error code", "cr2"),
  },
  "flags-of-a-repetition": {
    why: "a fault within REP CMPS or SCAS: Intel's processors have the flags from before the instruction, AMD's those of the last element",
    covers: (one, host, ours, found) =>
      faulted(host) &&
      only(found, "eflags") &&
      ((host.eflags ^ ours.eflags) & ~STATUS) === 0 &&
      (one.prelude.length > 0 || ((host.eflags ^ one.eflags) & STATUS) === 0) &&
      (hasPrefix(one.code, 0xf2) || hasPrefix(one.code, 0xf3)),
  },
  "lower-bound-first": {
    why: "BOUND below the lower bound while the upper one cannot be read: Intel's processors do not read it",
    covers: (_, host, ours) =>
      host.vector === BOUND_RANGE_EXCEEDED && ours.vector >= STACK_FAULT && ours.vector <= PAGE_FAULT,
  },
  "stack-before-limit": {
    why: "both the stack and the target of a near CALL are bad: the manual checks the target's limit first, AMD the stack",
    covers: (_, host, ours, found) => stackCameFirst(host, ours, found),
  },
  "outer-stack-first": {
    why: "a far return or IRET to a more privileged selector is #GP in the manual; AMD reads the other stack's pointer before it looks",
    covers: (_, host, ours, found) => stackCameFirst(host, ours, found),
  },
  "trap-in-a-virtual-machine": {
    why: "a hypervisor on AMD's processors hands INT1 on as a fault: EIP stays at it",
    covers: (_, host, ours, found) => host.vector === DEBUG && ours.vector === DEBUG && only(found, "eip"),
  },
  "takes-lock": {
    why: "this processor ignores LOCK before VERW; the manuals say #UD",
    avoid: ({ code }) => hasPrefix(code, 0xf0),
  },
  "repeat-prefix": {
    why: "F2 and F3 before LOOPE and LOOPNE are reserved; AMD takes the condition from the prefix",
    avoid: ({ code }) => hasPrefix(code, 0xf2) || hasPrefix(code, 0xf3),
  },
  "operand-size-prefix": {
    why: "the fences with 66 are other instructions, or none, on later processors; the P6's successors ignored it",
    avoid: ({ code }) => hasPrefix(code, 0x66),
  },
  "user-mode-instruction-prevention": {
    why: "the host's system forbids the instruction to ring 3 (UMIP)",
    whole: true,
  },
  "another-processor": { why: "CPUID tells what is there, and that is not the same", whole: true },
  "another-time": { why: "RDTSC tells the time", whole: true },
};

/**
 * The one rule that holds for every form. An interrupt of the host's between an instruction and its record ends in an IRET to
 * ring 3, which makes 0 of the null selectors 1 to 3. It comes so seldom that more of it would be a difference.
 */
export const interrupted = "interrupted";
export const whyInterrupted =
  "an interrupt of the host's came before the record: IRET leaves 0 of the null selectors 1 to 3";
/** Cases in which it may happen once. */
export const CASES_AN_INTERRUPT = 1_000_000;

const dataSegments: readonly Difference[] = ["es", "", "", "ds", "fs", "gs"];
const wasInterrupted = (host: Outcome, ours: Outcome, found: readonly Difference[]): boolean =>
  found.every((name) => {
    const segment = dataSegments.indexOf(name);
    return segment >= 0 && host.selectors[segment] === 0 && (ours.selectors[segment]! & ~3) === 0;
  });

/** The reasons a form's note gives. */
export const reasonsOf = (form: Form): readonly string[] =>
  form.witnessSkips === "" ? [] : form.witnessSkips.split(",");

const rulesOf = (form: Form): readonly [string, Rule][] =>
  reasonsOf(form).map((reason) => {
    const rule = rules[reason];
    if (rule === undefined)
      throw new Error(`isa/table.ts: "${form.syntax}" has skip:${reason}, a reason nobody explains`);
    return [reason, rule];
  });

/** Forms that are witnessed: all that are built, but for those left out as a whole. */
export const witnessed: readonly Form[] = forms.filter(
  (form) => form.unimplemented === "" && !rulesOf(form).some(([, { whole }]) => whole),
);

/** May this case not be made? */
export const isAvoided = (one: Pick<Case, "form" | "code" | "registers">): boolean =>
  rulesOf(one.form).some(([, { avoid }]) => avoid?.(one));

/** The rule by which outcomes of a case differ; undefined: by none. */
export function ruleFor(one: Case, host: Outcome, ours: Outcome, found: readonly Difference[]): string | undefined {
  const rule = rulesOf(one.form).find(([, { covers }]) => covers?.(one, host, ours, found))?.[0];
  return rule ?? (wasInterrupted(host, ours, found) ? interrupted : undefined);
}

const shifts = new Set(["ROL", "ROR", "RCL", "RCR", "SHL", "SHR", "SAR", "SHLD", "SHRD"]);
const flagBits: Readonly<Record<string, number>> = { o: 0x800, s: 0x80, z: 0x40, a: 0x10, p: 4, c: 1 };

/** The masked count of a shift or rotate; undefined where there is none. */
function shiftCount({ form, code, registers }: Pick<Case, "form" | "code" | "registers">): number | undefined {
  if (!shifts.has(form.mnemonic)) return undefined;
  const count = form.operands[form.operands.length - 1];
  if (count === "1") return 1;
  return (count === "CL" ? registers[1]! : code[code.length - 1]!) & 31;
}

/** EFLAGS bits that a case leaves undefined: the table's `undef:`, but for shifts by nothing, and OF of shifts by one. */
export function undefinedFlags(one: Case): number {
  let bits = 0;
  for (const letter of one.form.flagsUndefined) bits |= flagBits[letter]!;
  const count = shiftCount(one);
  if (count === 0) return 0;
  return count === 1 ? bits & ~flagBits["o"]! : bits;
}
