// All forms of the table.
import type { Form } from "./instruction.ts";
import { formCount, formOf } from "./rows.ts";

/** Every form of the table; `forms[form.id] === form`. */
export const forms: readonly Form[] = Object.freeze(Array.from({ length: formCount }, (_, id) => formOf(id)));
