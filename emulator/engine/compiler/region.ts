// Finds the blocks of a region: the code that can be reached from an entry by direct jumps and calls, up to a size.
import type { Instruction } from "../../isa/instruction.ts";
import { hasMeaning } from "./lower.ts";

/** How a block ends. */
export type End =
  /** Goes on at the next block. */
  | "fall"
  | "jump"
  /** Jumps to `target` or goes on at `next`. */
  | "condition"
  /** A near call of `target`, which returns to `next`. */
  | "call"
  | "indirect call"
  | "return"
  | "indirect jump"
  /** PAUSE. */
  | "yield"
  /** The instruction at `next` is the interpreter's. */
  | "interpret"
  /** The code at `next` is not part of the region. */
  | "leave";

export interface Block {
  /** EIP of the first instruction. */
  readonly start: number;
  /** The last one is the jump, call or return that `end` tells of, where it tells of one. */
  readonly instructions: readonly Instruction[];
  readonly end: End;
  /** EIPs; 0 where there is none. */
  readonly target: number;
  readonly next: number;
}

export interface Region {
  readonly entry: number;
  /** By EIP of the first instruction. */
  readonly blocks: ReadonlyMap<number, Block>;
  /** Blocks that can be gone to from outside, and by calls and returns: the entry first. */
  readonly targets: readonly number[];
  /** EIPs that returns are likely to go to: behind calls, the entry, and `others`. Not all need be targets. */
  readonly returns: readonly number[];
  /** EIPs that indirect jumps are likely to go to: those of calls, the entry, and `others`. Not all need be targets. */
  readonly routines: readonly number[];
  readonly instructions: number;
}

/** Decodes the instruction at an EIP; null where it cannot be had without side effects. */
export type InstructionAt = (eip: number) => Instruction | null;

/** Instructions a region has at most. */
const MOST_INSTRUCTIONS = 500;

type Kind = Exclude<End, "fall" | "leave"> | "plain";
const kinds = new Map<number, Kind>();

/** What the region's former has to know of an instruction. */
export function kindOf({ form }: Instruction): Kind {
  let kind = kinds.get(form.id);
  if (kind === undefined) {
    kind = findKind(form);
    kinds.set(form.id, kind);
  }
  return kind;
}

function findKind(form: Instruction["form"]): Kind {
  if (!hasMeaning(form)) return "interpret";
  const { mnemonic, operands } = form;
  const relative = operands[0]?.startsWith("rel") === true;
  const transfers = relative || ["JMP", "CALL", "RET"].includes(mnemonic);
  // Transfers with 16-bit operands cut EIP off.
  if (transfers && form.operandSize === 16) return "interpret";
  if (mnemonic === "JMP") return relative ? "jump" : "indirect jump";
  if (mnemonic === "CALL") return relative ? "call" : "indirect call";
  if (mnemonic === "RET") return "return";
  if (mnemonic === "PAUSE") return "yield";
  return relative ? "condition" : "plain";
}

/** Forms the region at `entry`. `others` are targets of indirect jumps seen before; `everywhere` makes each instruction one. */
export function formRegion(
  entry: number,
  instructionAt: InstructionAt,
  others: readonly number[],
  everywhere: boolean,
): Region {
  const found = new Map<number, Instruction>();
  const leaders = new Set([entry]);
  const calls: number[] = [];
  const returns: number[] = [];
  const resumptions: number[] = [];
  const near = [entry, ...others];
  const far: number[] = [];
  for (const other of others) leaders.add(other);
  while (found.size < MOST_INSTRUCTIONS) {
    const from = near.shift() ?? far.shift();
    if (from === undefined) break;
    let eip = from;
    for (;;) {
      if (found.has(eip)) {
        leaders.add(eip);
        break;
      }
      const instruction = found.size < MOST_INSTRUCTIONS ? instructionAt(eip) : null;
      if (instruction === null) break;
      const kind = kindOf(instruction);
      found.set(eip, instruction);
      if (kind === "interpret") break;
      const next = (eip + instruction.length) | 0;
      if (kind === "plain") {
        eip = next;
        continue;
      }
      const target = (next + instruction.immediate) | 0;
      if (kind === "jump" || kind === "condition") {
        leaders.add(target);
        near.push(target);
      }
      if (kind === "call") {
        leaders.add(target);
        calls.push(target);
        far.push(target);
      }
      if (kind === "call" || kind === "indirect call") returns.push(next);
      if (kind === "yield") resumptions.push(next);
      if (kind === "condition" || kind === "call" || kind === "indirect call" || kind === "yield") {
        leaders.add(next);
        near.push(next);
      }
      break;
    }
  }
  if (everywhere) for (const eip of found.keys()) leaders.add(eip);
  const blocks = new Map<number, Block>();
  for (const leader of leaders) {
    if (found.has(leader)) blocks.set(leader, blockAt(leader, found, leaders));
  }
  const wanted = everywhere ? [entry, ...blocks.keys()] : [entry, ...calls, ...returns, ...resumptions, ...others];
  const targets = [...new Set(wanted)].filter((eip) => blocks.has(eip));
  const known = [entry, ...others];
  return {
    entry,
    blocks,
    targets,
    returns: [...known, ...returns],
    routines: [...known, ...calls],
    instructions: found.size,
  };
}

/** The same code with a block, and a dispatch target, for each instruction. */
export function inSteps(region: Region): Region {
  const blocks = new Map<number, Block>();
  const targets: number[] = [];
  for (const block of region.blocks.values()) {
    if (block.instructions.length === 0) blocks.set(block.start, block);
    let start = block.start;
    block.instructions.forEach((instruction, index) => {
      const next = (start + instruction.length) | 0;
      const isLast = index === block.instructions.length - 1;
      const step: Block = isLast ? block : { ...block, end: "fall", target: 0, next };
      blocks.set(start, { ...step, start, instructions: [instruction] });
      targets.push(start);
      start = next;
    });
  }
  return { ...region, blocks, targets };
}

/** The EIPs of a region's instructions; true for those that follow PAUSE. */
export function placesOf(region: Region): ReadonlyMap<number, boolean> {
  const places = new Map<number, boolean>();
  for (const block of region.blocks.values()) {
    let at = block.start;
    for (const { length } of block.instructions) {
      places.set(at, false);
      at = (at + length) | 0;
    }
  }
  for (const { end, next } of region.blocks.values()) if (end === "yield" && places.has(next)) places.set(next, true);
  return places;
}

function blockAt(start: number, found: ReadonlyMap<number, Instruction>, leaders: ReadonlySet<number>): Block {
  const instructions: Instruction[] = [];
  let eip = start;
  for (;;) {
    const instruction = found.get(eip);
    if (instruction === undefined) return { start, instructions, end: "leave", target: 0, next: eip };
    if (eip !== start && leaders.has(eip)) return { start, instructions, end: "fall", target: 0, next: eip };
    const kind = kindOf(instruction);
    if (kind === "interpret") return { start, instructions, end: kind, target: 0, next: eip };
    instructions.push(instruction);
    eip = (eip + instruction.length) | 0;
    if (kind !== "plain")
      return { start, instructions, end: kind, target: (eip + instruction.immediate) | 0, next: eip };
  }
}
