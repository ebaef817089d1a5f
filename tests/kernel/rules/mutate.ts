// Imported before a test file: every kernel that it boots has the mistake that the environment's RING0_MUTANT names by its rule.

import { changeEveryBoot } from "#harness";
import { mutants } from "./mutants.ts";

const mutant = mutants.find(({ rule }) => rule === process.env["RING0_MUTANT"]);
if (!mutant) throw new Error(`no mutant for the rule ${process.env["RING0_MUTANT"]}`);
changeEveryBoot((nt, checked) => {
  if (checked !== mutant.checked) return;
  try {
    mutant.change(nt);
  } catch (error) {
    console.error(error); // the kernel has changed, and the mutant must follow: no test may fail on that account
    process.exit(70);
  }
});
