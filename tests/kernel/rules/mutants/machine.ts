// Mistakes that no kernel can make, for the rules about the machine and the explorer: a method of theirs does something else.

import {
  APIC_ESR,
  APIC_IRR,
  APIC_ISR,
  APIC_PPR,
  APIC_SVR,
  APIC_TPR,
  DELIVER_INIT,
  DELIVER_STARTUP,
  LocalApics,
} from "../../../../emulator/devices/lapic.ts";
import { PIT_PORT, Pit } from "../../../../emulator/devices/pit.ts";
import { Execution } from "../../../../tools/explore/execution.ts";
import type { Change, Mistake } from "./change.ts";

const SVR_ENABLE = 0x100;

/** Gives a class another method, made from the one it has. */
function method<C, K extends keyof C>(
  { prototype }: { readonly prototype: C },
  name: K,
  make: (before: C[K]) => C[K],
): Change {
  return () => {
    prototype[name] = make(prototype[name]);
  };
}

/** The highest vector in a set of 256, by the offset of its first register; -1 if there is none. */
function highest(apics: LocalApics, processor: number, first: number): number {
  for (let word = 7; word >= 0; word--) {
    const bits = apics.read(processor, first + 16 * word, 0);
    if (bits !== 0) return 32 * word + 31 - Math.clz32(bits);
  }
  return -1;
}

function isIn(apics: LocalApics, processor: number, first: number, vector: number): boolean {
  return ((apics.read(processor, first + 16 * (vector >>> 5), 0) >>> (vector & 31)) & 1) !== 0;
}

/** Vectors that came to a disabled local APIC. */
const kept: [processor: number, vector: number][] = [];

export const machineMistakes: readonly Mistake[] = [
  [
    "APIC-01",
    "what is in service masks nothing",
    method(
      LocalApics,
      "deliverable",
      () =>
        function (this: LocalApics, processor) {
          const vector = highest(this, processor, APIC_IRR);
          return vector >>> 4 > this.read(processor, APIC_TPR, 0) >>> 4 ? vector : -1;
        },
    ),
  ],
  [
    "APIC-02",
    "a vector that comes while it is in service is lost",
    method(
      LocalApics,
      "accept",
      (before) =>
        function (this: LocalApics, processor, vector, levelTriggered) {
          if (!isIn(this, processor, APIC_ISR, vector)) before.call(this, processor, vector, levelTriggered);
        },
    ),
  ],
  [
    "APIC-06",
    "the processor's priority is the task's",
    method(
      LocalApics,
      "read",
      (before) =>
        function (this: LocalApics, processor, offset, now) {
          return before.call(this, processor, offset === APIC_PPR ? APIC_TPR : offset, now);
        },
    ),
  ],
  [
    "APIC-07",
    "errors are not told",
    method(
      LocalApics,
      "read",
      (before) =>
        function (this: LocalApics, processor, offset, now) {
          return offset === APIC_ESR ? 0 : before.call(this, processor, offset, now);
        },
    ),
  ],
  [
    "APIC-08",
    "a disabled local APIC keeps what comes until it is enabled",
    (build) => {
      method(
        LocalApics,
        "accept",
        (before) =>
          function (this: LocalApics, processor, vector, levelTriggered) {
            if ((this.read(processor, APIC_SVR, 0) & SVR_ENABLE) === 0) kept.push([processor, vector]);
            before.call(this, processor, vector, levelTriggered);
          },
      )(build);
      method(
        LocalApics,
        "write",
        (before) =>
          function (this: LocalApics, processor, offset, value, now) {
            before.call(this, processor, offset, value, now);
            if (offset === APIC_SVR && (value & SVR_ENABLE) !== 0)
              for (const [to, vector] of kept.splice(0)) this.accept(to, vector, false);
          },
      )(build);
    },
  ],
  [
    "HW-02",
    "the 8254 counts one clock too many",
    method(
      Pit,
      "writePort",
      (before) =>
        function (this: Pit, port, value, now) {
          const isLowByte = port === PIT_PORT && (value & 1) === 0;
          before.call(this, port, isLowByte ? value + 1 : value, now);
        },
    ),
  ],
  [
    "HW-03",
    "a start-up message starts a running processor anew",
    method(
      LocalApics,
      "send",
      (before) =>
        function (this: LocalApics, mode, vector, destination, logical, levelTriggered) {
          if (mode === DELIVER_STARTUP) before.call(this, DELIVER_INIT, 0, destination, logical, levelTriggered);
          return before.call(this, mode, vector, destination, logical, levelTriggered);
        },
    ),
  ],
  [
    "QL-27",
    "the explorer passes over what its monitors say",
    method(
      Execution,
      "advance",
      (before) =>
        function (this: Execution, processor) {
          this.lenient = true;
          return before.call(this, processor);
        },
    ),
  ],
];
