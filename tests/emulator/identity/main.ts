// `npm run identity`: random programs under every engine, compared slice by slice.
//
//   npm run identity -- --programs 20000 --seed 1       those of seeds 1 to 20000
//   npm run identity -- --programs 1 --seed 77           program 77 alone: how a difference is looked at again
//   npm run identity -- --programs 1 --seed 77 --omit 3,4     without its pieces 3 and 4
//   npm run identity -- --engine compiled                 with one of the compared engines alone
//
// Exit codes: 0 no difference, 1 a difference (shrunk and told), 2 usage. Interrupted, it says with which seed to go on.
import { parseArgs } from "node:util";
import { describe, emptyTally, runOne } from "./campaign.ts";
import { compared } from "./engines.ts";
import { Lockstep } from "./lockstep.ts";
import { explain } from "./report.ts";

const { values } = parseArgs({
  options: {
    programs: { type: "string", default: "1000" },
    seed: { type: "string", default: "1" },
    omit: { type: "string", default: "" },
    engine: { type: "string" },
  },
});
const [programs, from] = [Number(values.programs), Number(values.seed)];
const engines = compared.filter(({ name }) => values.engine === undefined || name === values.engine);
if (!Number.isInteger(programs) || !Number.isInteger(from) || engines.length === 0) {
  const names = compared.map(({ name }) => `"${name}"`).join(", ");
  console.error(`identity: --programs and --seed take whole numbers, --engine one of ${names}`);
  process.exit(2);
}

const omitted = new Set(values.omit === "" ? [] : values.omit.split(",").map(Number));
const lockstep = new Lockstep(engines);
const tally = emptyTally();
const began = performance.now();
const seconds = (): string => `${((performance.now() - began) / 1000).toFixed(0)} s`;
const clear = (): void => {
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
};

let seed = from;
process.on("uncaughtExceptionMonitor", () => console.error(`\nidentity: in the program of --seed ${seed}`));
process.on("SIGINT", () => {
  clear();
  console.log(
    `${describe(tally)}, in ${seconds()}; no difference; go on with --seed ${seed} --programs ${from + programs - seed}`,
  );
  process.exit(0);
});

for (; seed < from + programs; seed++) {
  const different = runOne(lockstep, seed, tally, omitted);
  if (different !== null) {
    clear();
    console.log(explain(lockstep, different));
    process.exit(1);
  }
  if (seed % 10 === 0) {
    if (process.stderr.isTTY) process.stderr.write(`\ridentity: ${seed - from} of ${programs}, ${seconds()}`);
    await new Promise(setImmediate); // so that an interruption is seen
  }
}
clear();
console.log(`${describe(tally)}, in ${seconds()}; no difference`);
