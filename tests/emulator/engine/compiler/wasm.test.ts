// Modules as WebAssembly's own tools read them: they compile and run, and their hints lie at branches.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Code, I32, moduleBytes, OP } from "../../../../emulator/engine/compiler/wasm.ts";

const test = suite("modules of WebAssembly");

/** Largest of 0, the parameter and a number, by two conditions; the second one is said to hold rarely. */
function largest(than: number): Code {
  const code = new Code();
  const raise = (to: () => void, begin: () => void): void => {
    code.get(0);
    to();
    code.op(OP.i32_lt_s);
    begin();
    to();
    code.set(0);
    code.end();
  };
  raise(
    () => code.const(0),
    () => code.if(),
  );
  raise(
    () => code.const(than),
    () => code.ifRarely(),
  );
  code.get(0);
  return code;
}

const NUMBERS = [1, 1000, 100_000_000];
const bytes = moduleBytes(
  {
    types: [{ parameters: [I32], results: [I32] }],
    importedFunctions: [{ name: "f", type: 0 }],
    functions: NUMBERS.map((than) => ({
      type: 0,
      locals: [[300, I32] as const],
      code: largest(than),
      exported: `f${than}`,
    })),
  },
  1,
);
const module = new WebAssembly.Module(bytes);

test("functions do what their code says, whatever is hinted", () => {
  const m = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  const { exports } = new WebAssembly.Instance(module, { e: { m, f: (x: number) => x } });
  for (const than of NUMBERS)
    for (const x of [-5, 0, 7, 5000])
      assert.is((exports[`f${than}`] as (x: number) => number)(x), Math.max(0, x, than), `${than} ${x}`);
});

/** Reads numbers in unsigned LEB128. */
function reader(of: Uint8Array): { at: number; next(): number } {
  return {
    at: 0,
    next() {
      let value = 0;
      for (let shift = 0; ; shift += 7) {
        const byte = of[this.at++];
        value += (byte & 0x7f) << shift;
        if (byte < 0x80) return value;
      }
    },
  };
}

/** Where each function's body lies in the module: in the code section, which is the last one. */
function bodies(): { at: number; length: number }[] {
  const read = reader(bytes);
  read.at = 8;
  for (;;) {
    const id = bytes[read.at++];
    const length = read.next();
    if (id === 10) break;
    read.at += length;
  }
  return Array.from({ length: read.next() }, () => {
    const length = read.next();
    const body = { at: read.at, length };
    read.at += length;
    return body;
  });
}

test("each hint names the branch it is about, from its function's first byte, and says that it is unlikely", () => {
  const { customSections } = WebAssembly.Module as unknown as {
    customSections(of: object, name: string): ArrayBuffer[];
  };
  const [section] = customSections(module, "metadata.code.branch_hint");
  const read = reader(new Uint8Array(section));
  assert.is(read.next(), NUMBERS.length);
  bodies().forEach(({ at, length }, index) => {
    assert.is(read.next(), 1 + index, "functions are counted behind those that are imported");
    assert.is(read.next(), 1);
    const place = read.next();
    assert.is(read.next(), 1);
    assert.is(read.next(), 0, "unlikely");
    const branch = new Code();
    branch.const(NUMBERS[index]);
    branch.op(OP.i32_lt_s);
    const condition = branch.length;
    branch.if();
    const from = at + place - condition;
    assert.equal([...bytes.subarray(from, from + branch.length)], [...branch.bytes.subarray(0, branch.length)]);
    assert.ok(place < length);
  });
  assert.is(read.at, section.byteLength);
});

test.run();
