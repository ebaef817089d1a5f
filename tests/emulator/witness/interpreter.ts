// Our own interpreter as the witness of compiled code: for cases that the host's processor cannot be asked for.
import type { Case } from "./case.ts";
import type { Outcome, Witness } from "./outcome.ts";
import { OurProcessor } from "./processor.ts";

export class Interpreter implements Witness {
  readonly name = "our own interpreter";
  readonly failures: readonly string[] = [];
  readonly #processor = new OurProcessor("interpreter");

  knows(): boolean {
    return true;
  }

  takes(): boolean {
    return true;
  }

  run(cases: readonly Case[], arena: Uint8Array): readonly Outcome[] {
    this.#processor.load(arena);
    const outcomes = cases.map((one) => this.#processor.run({ ...one, mode: "fast", atOnce: false }));
    this.#processor.unload(arena);
    return outcomes;
  }

  close(): void {}
}
