// Imported before anything else: makes the mistake that the environment's RING0_MUTANT names by its rule.

import "../../../tools/scenarios/index.ts"; // first: its own mutants are made of routines that are right
import { mutants } from "./mutants/index.ts";

const name = process.env["RING0_MUTANT"];
const mutant = mutants.find(({ rule }) => rule === name);
if (!mutant) throw new Error(`no mutant for the rule ${name}`);
mutant.apply();
