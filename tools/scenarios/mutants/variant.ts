// A routine with a few of its instructions replaced: a mistake made on purpose, next to the routine as it is.

import { type Assembler, type Procedure, proc } from "#asm";

/** One instruction of a routine, by method name (`mov`, `lock.cmpxchg`) and how many of the name come before it, replaced. */
export interface Edit {
  readonly instead: string;
  /** 1, unless given: the first of its name. */
  readonly occurrence?: number;
  /** What stands there instead; nothing, unless given. */
  readonly write?: (a: Assembler) => void;
}

/** Processors that take part, and how often each goes through its section. */
export interface Size {
  readonly processors?: number;
  readonly rounds?: number;
}

/** What is broken. Parts left out are the lock's own. */
export interface Mutant {
  /** What is wrong, as a newcomer would be told. */
  readonly summary: string;
  /** The least that it needs to show itself, where that is more than two processors and one round. */
  readonly needs?: Size;
  readonly acquire?: Procedure;
  readonly release?: Procedure;
  /** The caller releases before the last store of its section. */
  readonly releasesEarly?: boolean;
  /** The caller leaves its handle as the release left it and uses it again: garbage would be another mistake. */
  readonly reusesHandle?: boolean;
  /** Inside, the caller takes another lock with another handle and gives it back. */
  readonly nests?: boolean;
}

/**
 * The routine under its own name with some instructions replaced. Its other instructions keep their source lines. Throws
 * when assembled if an instruction to be replaced is not there: the routine has changed, and the mutant must follow.
 */
export function variant(routine: Procedure, ...edits: readonly Edit[]): Procedure {
  const { body } = routine;
  return proc(
    routine.name,
    (a) => {
      const counts = new Map<string, number>();
      const done = new Set<Edit>();
      /** Stands for an assembler: methods are the assembler's own but where an edit wants another. */
      const editing = <T extends object>(target: T, prefix: string): T =>
        new Proxy(target, {
          get(object, key) {
            const value: unknown = Reflect.get(object, key);
            if (key === "lock") return editing(value as object, "lock.");
            if (typeof value !== "function") return value;
            const name = prefix + String(key);
            const count = (counts.get(name) ?? 0) + 1;
            counts.set(name, count);
            const edit = edits.find(({ instead, occurrence = 1 }) => instead === name && occurrence === count);
            if (!edit) return value;
            done.add(edit);
            return () => edit.write?.(a);
          },
        });
      body(editing(a, ""));
      for (const edit of edits) {
        if (done.has(edit)) continue;
        throw new Error(`${routine.name} has no ${edit.instead} number ${edit.occurrence ?? 1} to be replaced`);
      }
    },
    { align: routine.align },
  );
}
