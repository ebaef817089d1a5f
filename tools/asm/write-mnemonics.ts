// Writes `mnemonics.ts` anew: run it after a change to the rows of the instruction table.

import { writeFileSync } from "node:fs";
import { mnemonicsSource } from "./forms.ts";

writeFileSync(new URL("mnemonics.ts", import.meta.url), mnemonicsSource());
