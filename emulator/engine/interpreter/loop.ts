// The inner loop of a run that nobody watches.
import { type Core, G_LEFT } from "../../cpu/core.ts";
import type { Boundary } from "./boundary.ts";
import type { Handler } from "./environment.ts";
import * as F from "./record.ts";

/**
 * Makes the loop: runs from a record on until the budget ends or a handler says otherwise. `lastWas` is told the last record
 * that ran. In a file of its own, so that nothing else keeps it from being compiled well.
 */
export function makeLoop(
  core: Core,
  code: Int32Array,
  handlers: Handler[],
  boundary: Boundary,
  lastWas: (p: number) => void,
): (p: number) => number {
  const { g } = core;
  const { pass } = boundary;
  return (start) => {
    let p = start;
    let q = start;
    for (;;) {
      q = p;
      p = handlers[code[q]](q);
      if (p < 0) break;
      const left = g[G_LEFT] - 1;
      g[G_LEFT] = left;
      if (left > 0) continue;
      const next = pass(p);
      if (next >= 0) p = next;
      else {
        if (next === F.BOUNDARY) p = next;
        break;
      }
    }
    lastWas(q);
    return p;
  };
}
