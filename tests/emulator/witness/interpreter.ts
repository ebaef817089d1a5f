// Our own interpreter as the witness of compiled code: for cases that the host's processor cannot be asked for.
import type { Case } from "./case.ts";
import type { Outcome, Witness } from "./outcome.ts";
import { OurProcessor } from "./processor.ts";

export class Interpreter implements Witness {
  readonly name = "our own interpreter";
  readonly isOurs = true;
  readonly isOnRecord = false;
  readonly failures: readonly string[] = [];
  readonly #processor = new OurProcessor("interpreter");

  knows(): boolean {
    return true;
  }

  /** Whatever is observed or split does not run in compiled code. */
  takes({ mode }: Case): boolean {
    return mode === "fast";
  }

  bytesOf({ code }: Case): readonly number[] {
    return code;
  }

  run(cases: readonly Case[], arena: Uint8Array): readonly Outcome[] {
    this.#processor.load(arena);
    const outcomes = cases.map((one) => this.#processor.run({ ...one, atOnce: false }));
    this.#processor.unload(arena);
    return outcomes;
  }

  close(): void {}
}
