// From a difference to what a person needs to see: the smallest program that shows it, the step, the words, and the code there.
import { format } from "#emulator";
import { type Difference, type Lockstep, planOf } from "./lockstep.ts";
import { type Program, programOf } from "./program.ts";
import { hex } from "./words.ts";

/** Instructions of the reference shown before the state at which the machines differ. */
const SHOWN = 40;

/** A program that differs, with as few pieces as can be found by leaving out one after the other. */
export function shrink(lockstep: Lockstep, program: Program): Program {
  const omitted = new Set<number>();
  let smallest = program;
  for (const piece of [...program.pieces].reverse()) {
    omitted.add(piece);
    const candidate = programOf(program.seed, omitted);
    if (lockstep.run(candidate).difference !== null) smallest = candidate;
    else omitted.delete(piece);
  }
  return smallest;
}

/** The pieces of the whole program that are not in this one. */
export function omittedFrom(program: Program): number[] {
  const kept = new Set(program.pieces);
  return programOf(program.seed).pieces.filter((piece) => !kept.has(piece));
}

/** Fewest instructions after which the machines differ, when runs are cut there; null when only whole steps show it. */
function firstInstruction(lockstep: Lockstep, program: Program, { before, after }: Difference): Difference | null {
  let low = before;
  let found: Difference | null = null;
  for (let high = after; low < high; ) {
    const middle = (low + high) >> 1;
    const { difference } = lockstep.run(program, Math.max(middle, 1));
    if (difference === null) low = middle + 1;
    else {
      found = difference;
      high = Math.min(middle, difference.after);
      if (high <= low) break;
    }
  }
  return found;
}

/** The last instructions that the reference runs before `until`. */
function lastInstructions(lockstep: Lockstep, program: Program, until: number): string[] {
  const [machine] = lockstep.enter(program) as [ReturnType<Lockstep["enter"]>[number]];
  const lines: string[] = [];
  if (until > SHOWN) machine.run({ maxInstructions: until - SHOWN });
  machine.observe({
    before(processor, eip, instruction) {
      const text = instruction === null ? "(no instruction)" : format(instruction, eip);
      const { cs } = machine.processors[processor] as (typeof machine.processors)[number];
      lines.push(`  ${processor} ${hex(eip)} ${cs.base === 0 ? "" : `(${hex(cs.base + eip)}) `}${text}`);
    },
    interrupt(processor, vector, kind, errorCode) {
      lines.push(`  ${processor} ${kind} ${vector}, error code ${hex(errorCode)}`);
    },
  });
  machine.run({ maxInstructions: until });
  machine.observe(null);
  return lines.slice(-SHOWN);
}

/** Everything about a difference that was just found, after making the program as small as can be. */
export function explain(lockstep: Lockstep, whole: Program): string {
  const program = shrink(lockstep, whole);
  const { difference } = lockstep.run(program);
  if (difference === null)
    return `identity: program ${whole.seed} differed once and not again: the run is not repeatable`;
  const { engine, step, before, after } = difference;
  const first = firstInstruction(lockstep, program, difference);
  const { seed, shape } = program;
  const omitted = omittedFrom(program);
  const command = `npm run identity -- --programs 1 --seed ${seed}${omitted.length > 0 ? ` --omit ${omitted.join(",")}` : ""}`;
  const until = first?.after ?? after;
  return [
    `program ${seed} differs between interpreter and ${engine.name}: ${command}`,
    `  ${JSON.stringify(shape)}, ${JSON.stringify(planOf(program))}`,
    `  pieces ${program.pieces.join(" ")}`,
    `  first after step ${step}, instructions ${before} to ${after}` +
      (first ? `; cut short: already after instruction ${first.after}` : "; not when it is cut short"),
    "words that differ, interpreter / other:",
    ...(first ?? difference).lines.map((line) => `  ${line}`),
    `the interpreter's last instructions: processor, EIP${shape.codeBase ? " (linear)" : ""}, text`,
    ...lastInstructions(lockstep, program, until),
  ].join("\n");
}
