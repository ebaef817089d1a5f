// Runs the test files that are named, in one process: kernels that one of them has booted serve the others.

import { resolve } from "node:path";

Object.assign(globalThis, { UVU_DEFER: 1 }); // files say what they have when they are imported; `run` runs it
const { run } = await import("uvu/run");
await run(
  process.argv.slice(2).map((name) => ({ name, file: resolve(name) })),
  { bail: false },
);
