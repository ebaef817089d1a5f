// Cases as a 64-bit program runs them, for hosts that start no 32-bit ones: those of which the same must come in 64-bit mode
// (Intel SDM vol. 1, 3.6; vol. 2, 2.2 and what it says of each instruction's 64-bit mode).
import type { Form } from "../../../emulator/isa/index.ts";
import { FLAT_CODE, FLAT_DATA } from "./arena.ts";
import { type Case, CODE_BYTES, hasPrefix, MOST_BYTES, prefixesOf } from "./case.ts";
import { CS, DS, ES, SS } from "./draft.ts";

const ADDRESS_SIZE = 0x67;
/** Overrides whose segments are not flat there, or are not looked at: CS, FS, GS. */
const overrides = [0x2e, 0x64, 0x65];

/** Not there, something else, or about segments, of which most are not looked at there; CALL and returns move 64 bits. */
const others =
  /^(?:AAA|AAS|AAM|AAD|DAA|DAS|SALC|INTO|BOUND|ARPL|PUSHAD?|POPAD?|CALL|RETF?|IRETD?|L[DEFGS]S|LAR|LSL|VER[RW])$/;
/** With an operand of 32 bits these use 64, and with one of 16 bits the whole of RSP. */
const stack = /^(?:PUSH|POP|PUSHF|POPF|PUSHFD|POPFD|ENTER|LEAVE)$/;
const segments = new Set(["ES", "CS", "SS", "DS", "FS", "GS", "Sreg"]);

/**
 * Can cases of a form be the same in 64-bit mode? Jumps by 16 bits are what one maker's processors have there and another's have
 * not; jumps to an address take 64 bits; 82 is not there.
 */
export const isInLongMode = (form: Form): boolean =>
  !others.test(form.mnemonic) &&
  !(stack.test(form.mnemonic) && form.operandSize !== 16) &&
  !(form.mnemonic === "JMP" && form.roles[0] !== "relative") &&
  !(form.roles[0] === "relative" && form.operandSize === 16) &&
  !form.operands.some((operand) => segments.has(operand)) &&
  form.addressSize !== 16 &&
  !(form.map === 1 && form.opcode === 0x82);

/**
 * A case that leaves the same behind in 64-bit mode as `one` in 32-bit mode; undefined where none does. It has as many bytes
 * more as it begins earlier: what follows it, and whatever it jumps to, stays where it is.
 */
export function inLongMode(one: Case): Case | undefined {
  const { form, bits, selectors } = one;
  if (!isInLongMode(form) || bits !== 32 || selectors[CS] !== FLAT_CODE) return undefined;
  if ([ES, SS, DS].some((segment) => selectors[segment] !== FLAT_DATA)) return undefined;
  if ([ADDRESS_SIZE, ...overrides].some((prefix) => hasPrefix(one.code, prefix))) return undefined;
  const code = longCode(one);
  if (code.length > MOST_BYTES || one.prelude.length + code.length > CODE_BYTES) return undefined;
  if (form.mnemonic === "INT" && isReserved(one.code[one.code.length - 1]!)) return undefined;
  if (goesBack(one.form, code, one.prelude.length)) return undefined;
  const longer = code.length - one.code.length;
  return { ...one, code, place: one.place - longer, eip: one.eip - longer };
}

/** Vectors that are nobody's: hypervisors that start no 32-bit programs open some of them to programs, for calls of their own. */
const isReserved = (vector: number): boolean => vector >= 20 && vector < 32;

/** Does a short jump lead into its own bytes, or into those before it? */
function goesBack({ operands }: Form, code: readonly number[], before: number): boolean {
  const distance = (code[code.length - 1]! << 24) >> 24;
  return operands[0] === "rel8" && distance < 0 && distance >= -code.length - before;
}

/** Addresses have 32 bits by a prefix; two encodings that mean something else there are told in another way. */
function longCode({ form, code }: Case): number[] {
  const at = prefixesOf(code).length;
  const prefixes = [ADDRESS_SIZE, ...code.slice(0, at)];
  const opcode = code[at]!;
  // INC and DEC of a register, where REX is: FF /0 and FF /1.
  if ((opcode & 0xf0) === 0x40) return [...prefixes, 0xff, 0xc0 | (opcode & 15)];
  const modrmAt = at + form.map;
  const modrm = code[modrmAt]!;
  // An address without registers would count from RIP: the same with a SIB byte that names none.
  if (form.modrm === "none" || (modrm & 0xc7) !== 5) return [...prefixes, ...code.slice(at)];
  return [...prefixes, ...code.slice(at, modrmAt), (modrm & ~7) | 4, 0x25, ...code.slice(modrmAt + 1)];
}
