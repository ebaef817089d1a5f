// Instructions put before the witnessed one for their flags alone, so that it meets flags kept the way ours keeps them: lazily.
import type { Random } from "./random.ts";

/** Operations on a register and an 8-bit immediate: the digit of opcodes 80 and 83, and how to undo one. */
const withImmediate: readonly (readonly [digit: number, undo: (value: number, by: number, carry: number) => number])[] =
  [
    [0, (value, by) => value - by],
    [2, (value, by, carry) => value - by - carry],
    [3, (value, by, carry) => value + by + carry],
    [5, (value, by) => value + by],
    [7, (value) => value],
    [7, (value) => value],
    [7, (value) => value],
  ];
/** Operations on a register alone: opcode of the byte form, digit, undoing. */
const alone: readonly (readonly [opcode: number, digit: number, undo: (value: number) => number])[] = [
  [0xfe, 0, (value) => value - 1],
  [0xfe, 1, (value) => value + 1],
  [0xf6, 3, (value) => -value],
];
/** CMP and TEST of two registers: opcodes of the byte forms. */
const comparisons = [0x38, 0x38, 0x84];

/** Registers that a prelude may give another value to begin with: not ECX and ESP, which rules look at. */
const free = [0, 2, 3, 5, 6, 7];

/**
 * The bytes of an instruction after which the registers hold what they hold now. `registers` get the values from which it
 * makes them; `carry` is CF before it.
 */
export function prelude(random: Random, bits: 16 | 32, registers: Int32Array, carry: number): number[] {
  const size = random.pick([8, 16, 32, 32] as const);
  const wide = size === 8 ? 0 : 1;
  const bytes = size !== 8 && size !== bits ? [0x66] : [];
  const kind = random.below(10);
  if (kind < 3) return [...bytes, random.pick(comparisons) | wide, 0xc0 | random.below(64)];
  // Of the 8-bit registers AL, DL and BL.
  const register = size === 8 ? random.pick([0, 2, 3]) : random.pick(free);
  const mask = size === 32 ? -1 : (1 << size) - 1;
  const undo = (back: (value: number) => number): void => {
    const value = registers[register]!;
    registers[register] = (value & ~mask) | (back(value) & mask);
  };
  if (kind < 5) {
    const [opcode, digit, back] = random.pick(alone);
    undo(back);
    return [...bytes, opcode | wide, 0xc0 | (digit << 3) | register];
  }
  const [digit, back] = random.pick(withImmediate);
  const by = random.chance(50) ? random.below(256) : random.value() & 0xff;
  undo((value) => back(value, (by << 24) >> 24, carry));
  return [...bytes, size === 8 ? 0x80 : 0x83, 0xc0 | (digit << 3) | register, by];
}
