// Makes one file of the emitted emulator, and one of its instruction set: a hundred small ones take a tenth of a second to load.
//
//   bundle.ts DIRECTORY   of the emitted emulator; its index.js and isa/index.js then hold all they need, in part together
//
// The other emitted files stay where they are: what is bundled is read from them each time.

import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { build } from "esbuild";

const [directory] = process.argv.slice(2);
if (directory === undefined) throw new Error("bundle: no directory given; one of emitted JavaScript would do");
const emitted = resolve(directory);
const entries = ["index", "isa/index"];

await build({
  entryPoints: entries.map((name) => join(emitted, `${name}.js`)),
  outdir: emitted,
  outbase: emitted,
  allowOverwrite: true,
  bundle: true,
  splitting: true,
  chunkNames: "shared",
  format: "esm",
  platform: "node",
  sourcemap: true,
  sourcesContent: false,
  logLevel: "warning",
  plugins: [
    {
      // The entries have been overwritten by an earlier bundle: their text is that of the sources, which only export.
      name: "entries",
      setup({ onLoad }) {
        onLoad({ filter: /[\\/]index\.js$/ }, ({ path }) => {
          const name = entries.find((entry) => path === join(emitted, `${entry}.js`));
          if (name === undefined) return undefined;
          const source = readFileSync(new URL(`../../emulator/${name}.ts`, import.meta.url), "utf8");
          return { contents: source.replaceAll('.ts"', '.js"'), loader: "ts" };
        });
      },
    },
  ],
});
