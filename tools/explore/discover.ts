// A few executions by chance, always the same ones, which find most shared words before the search begins.

import type { Execution } from "./execution.ts";
import { act, canAct, ownersOf } from "./search.ts";

const WALKS = 32;
/** Visible steps of one walk: waiting processors take many. */
const LONGEST_WALK = 1000;

/** Leaves the execution as it was, but for the shared words it knows. The search that follows finds what is missed here. */
export function discover(execution: Execution): void {
  const draw = generator();
  const actions = [...ownersOf(execution).keys()];
  execution.lenient = true;
  for (let walk = 0; walk < WALKS; walk++) {
    let ending = execution.begin();
    for (let step = 0; ending === "done" && step < LONGEST_WALK; step++) {
      const ready = actions.filter((action) => canAct(execution, action));
      if (ready.length === 0) break;
      ending = act(execution, ready[draw(ready.length)]!);
    }
    while (execution.rewinder.depth > 0) execution.undo();
    if (ending === "sharing") walk--; // it ended early; there are no more of these than words
  }
  execution.lenient = false;
}

/** Numbers below a bound, the same ones in every exploration (Marsaglia's xorshift). */
function generator(): (below: number) => number {
  let state = 0x2545f491;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}
