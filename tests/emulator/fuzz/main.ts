// `npm run fuzz`: a million random instruction strings and a hundred thousand mutants, twice each.
//
//   npm run fuzz                          everything
//   npm run fuzz -- strings 5000          the first 5000 strings
//   npm run fuzz -- mutants 77 78         mutant 77 alone: how a failure is looked at again
import { type Campaign, mutants, report, strings } from "./campaigns.ts";

const campaigns: Readonly<Record<string, readonly [campaign: Campaign, cases: number]>> = {
  strings: [strings, 1_000_000],
  mutants: [mutants, 100_000],
};

const [only, first, last] = process.argv.slice(2);
if (only !== undefined && !(only in campaigns)) {
  console.error(`fuzz: no campaign "${only}"; ${Object.keys(campaigns).join(" and ")} can be had`);
  process.exit(2);
}

let current = "";
// Nothing is caught: this only says which case it was.
process.on("uncaughtExceptionMonitor", () => console.error(`\nfuzz: the case that failed: npm run fuzz -- ${current}`));

for (const [name, [campaign, cases]] of Object.entries(campaigns)) {
  if (only !== undefined && only !== name) continue;
  const [from, to] = last === undefined ? [0, Number(first ?? cases)] : [Number(first), Number(last)];
  const began = performance.now();
  const causes = campaign(from, to, (number) => {
    current = `${name} ${number} ${number + 1}`;
    if (process.stderr.isTTY && number % 1000 === 0) process.stderr.write(`\r${name}: ${number} of ${to}`);
  });
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  const seconds = (performance.now() - began) / 1000;
  console.log(
    `${name}: ${to - from} cases, twice each, in ${seconds.toFixed(0)} s; no difference, no exception\n${report(causes)}`,
  );
}
