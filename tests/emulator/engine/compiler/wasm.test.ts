// Modules as WebAssembly's own tools read them: they compile and run, and their hints lie at branches.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Code, I32, moduleBytes, OP } from "../../../../emulator/engine/compiler/wasm.ts";
import { hintsOf } from "./hints.ts";

const test = suite("modules of WebAssembly");

/** A condition, and what is done where it hardly ever holds. */
function condition(than: number): Code {
  const code = new Code();
  code.const(than);
  code.op(OP.i32_lt_s);
  return code;
}

/** Largest of 0, the parameter and a number, which is said to be that hardly ever. `more` instructions are put in at the head. */
function largest(than: number, more: number): Code {
  const code = new Code();
  const head = code.length;
  code.get(0);
  code.const(0);
  code.op(OP.i32_lt_s);
  code.if();
  code.const(0);
  code.set(0);
  code.end();
  code.get(0);
  code.append(condition(than));
  code.ifRarely();
  code.const(than);
  code.set(0);
  code.end();
  code.get(0);
  const inserted = new Code();
  for (let i = 0; i < more; i++) {
    inserted.get(0);
    inserted.set(0);
  }
  code.insert(head, inserted);
  return code;
}

/** Numbers, and how many instructions go in front: none, some, more than a run of bytes has room for to begin with. */
const CASES = [
  [1, 0],
  [1000, 7],
  [100_000_000, 5000],
] as const;

const bytes = moduleBytes(
  {
    types: [{ parameters: [I32], results: [I32] }],
    importedFunctions: [{ name: "f", type: 0 }],
    functions: CASES.map(([than, more]) => ({
      type: 0,
      locals: [[300, I32] as const],
      code: largest(than, more),
      exported: `f${than}`,
    })),
  },
  1,
);

test("functions do what their code says, whatever is hinted and put in", () => {
  const m = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  const module = new WebAssembly.Module(bytes);
  const { exports } = new WebAssembly.Instance(module, { e: { m, f: (x: number) => x } });
  for (const [than] of CASES)
    for (const x of [-5, 0, 7, 5000])
      assert.is((exports[`f${than}`] as (x: number) => number)(x), Math.max(0, x, than), `${than} ${x}`);
});

test("each hint names the branch it is about, by its place in its function", () => {
  const hints = hintsOf(bytes, 1);
  assert.equal(
    hints.map(({ of }) => of),
    CASES.map((_, index) => 1 + index),
  );
  hints.forEach(({ at }, index) => {
    const branch = condition(CASES[index][0]);
    const { length } = branch;
    branch.if();
    const there = bytes.subarray(at - length, at - length + branch.length);
    assert.equal([...there], [...branch.bytes.subarray(0, branch.length)]);
  });
});

test.run();
