// The ways to run a program that must not differ: the reference first, then what is compared with it.
import type { MachineOptions } from "#emulator";

export interface Engine {
  readonly name: string;
  readonly options: MachineOptions;
}

export const reference: Engine = { name: "interpreter", options: { engine: "interpreter" } };

export const compared: readonly Engine[] = [
  { name: "compiled", options: { engine: "compiled" } },
  { name: "everywhere", options: { engine: "everywhere" } },
];
