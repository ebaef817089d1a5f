// The ways to run a program that must not differ: the reference first, then what is compared with it.
import type { MachineOptions } from "#emulator";
import { heedBranchHints } from "../../../tools/cli/v8.ts";

// As the command does: V8 makes other code of the same modules then.
heedBranchHints();

export interface Engine {
  readonly name: string;
  readonly options: MachineOptions;
}

export const reference: Engine = { name: "interpreter", options: { engine: "interpreter" } };

export const compared: readonly Engine[] = [
  { name: "compiled", options: { engine: "compiled" } },
  { name: "everywhere", options: { engine: "everywhere" } },
];
