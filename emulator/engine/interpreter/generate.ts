// Writes the program text of tier 0: one handler for each distinct body that the meanings of the table's forms give.
import { forms } from "../../isa/forms.ts";
import type { Form } from "../../isa/instruction.ts";
import { meaningOf } from "../../isa/semantics/index.ts";
import { TextOps, type Variant } from "./text.ts";

/** Order of a form's variants in `variants`: register or memory operand, 32- or 16-bit addresses. */
const VARIANTS: readonly Variant[] = [
  { memory: false, addressSize: 32 },
  { memory: true, addressSize: 32 },
  { memory: false, addressSize: 16 },
  { memory: true, addressSize: 16 },
];

const MEMORY_OPERAND = /^(r\/m|m(offs)?\d*$)/;

function bodyOf(form: Form, variant: Variant): string | undefined {
  const meaning = meaningOf(form);
  if (!meaning) return undefined;
  if (variant.memory && !form.operands.some((spec) => MEMORY_OPERAND.test(spec)) && !form.mnemonic.startsWith("XLAT"))
    return undefined;
  if (!variant.memory && form.operands.some((spec) => /^m(offs)?\d*$/.test(spec))) return undefined;
  const ops = new TextOps(form, variant);
  meaning(ops);
  return ops.body();
}

/** The module's text. Deterministic: the same table and meanings give the same bytes. */
export function generateHandlers(): string {
  const indexOf = new Map<string, number>();
  const variants: number[] = [];
  const names: string[] = [];
  for (const form of forms) {
    for (const variant of VARIANTS) {
      const body = bodyOf(form, variant);
      if (body === undefined) {
        variants.push(-1);
        continue;
      }
      let index = indexOf.get(body);
      if (index === undefined) {
        index = indexOf.size;
        indexOf.set(body, index);
        names.push(form.syntax + (variant.memory ? ", memory" : ""));
      }
      variants.push(index);
    }
  }
  const handlers = [...indexOf.keys()].map(
    (body, index) => `// ${names[index]}\nfunction h${index}(p: number): number {\n  ${body}\n}`,
  );
  return `${HEADER}
/** Handler of form f, variant v (bit 0: memory operand, bit 1: 16-bit addresses), at f * 4 + v; -1: none. */
export const variants = new Int16Array([${variants.join(",")}]);

/** How many handlers makeHandlers gives. */
export const handlerCount = ${handlers.length};

export function makeHandlers(e: Environment): Handler[] {
const { code, g, i8, i16, i32, segmented, read8, read16, read32, write8, write16, write32, update8, update16, update32 } = e;
const { pushAddress, popAddress, released, raise, checkTarget, jump, jumpTo, divideUnsigned, divideSigned } = e;
const { carry, zero, sign, parity, overflow, adjust, belowEqual, less, lessEqual, flagBits } = flagReaders(i32);

${handlers.join("\n\n")}

return [${[...handlers.keys()].map((i) => `h${i}`).join(", ")}];
}
`;
}

const HEADER = `// Generated from isa/table.ts and isa/semantics by engine/interpreter/generate.ts: do not edit.
import { G_NEW_TOP as NEW_TOP, G_REMAINDER as REMAINDER } from "../../../cpu/core.ts";
import type { Environment, Handler } from "../environment.ts";
import { flagReaders } from "../flags.ts";
import { mulHighSigned, mulHighUnsigned } from "../wide.ts";
`;
