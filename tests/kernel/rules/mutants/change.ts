// How a mistake gets into the kernel: before anything is linked, a routine is given another body.

import type { Assembler, Procedure } from "#asm";
import { kernelBuild } from "../../../../kernel/inc/build.ts";
import { type Edit, variant } from "../../../../tools/scenarios/mutants/variant.ts";

/** Makes the mistake, for good: everything that this process links or runs from now on has it. */
export type Change = (build: Build) => void;

/** The build that is changed: the checked one for what the free one does not have. */
export type Build = "free" | "checked";

/** A rule, what is wrong as a newcomer would be told, and the mistake. */
export type Mistake = readonly [rule: string, summary: string, change: Change];

/** A kernel whose routine has another body. */
export function other(routine: Procedure, body: Procedure["body"]): Change {
  return (build) => {
    const original = routine.body;
    const isChanged = (): boolean => kernelBuild().checked === (build === "checked");
    Object.assign(routine, { body: (a: Assembler) => (isChanged() ? body : original)(a) });
  };
}

/** A kernel with some of a routine's instructions replaced. */
export function edited(routine: Procedure, ...edits: readonly Edit[]): Change {
  return other(routine, variant(routine, ...edits).body);
}

/** A kernel with several changes. */
export function both(...changes: readonly Change[]): Change {
  return (build) => {
    for (const change of changes) change(build);
  };
}
