// Where the branch hints of a module point to, read by the proposal's own words.
import * as assert from "uvu/assert";

/** A hint: index of its function, and where in the module the branch is. */
export interface Hint {
  readonly of: number;
  readonly at: number;
}

/** The hints of a module with so many imported functions, all of which say "unlikely". */
export function hintsOf(bytes: Uint8Array, imported: number): Hint[] {
  const hints: Hint[] = [];
  const bodies: number[] = [];
  const read = reader(bytes, 8);
  while (read.at < bytes.length) {
    const id = bytes[read.at++];
    const end = read.next() + read.at;
    if (id === 0) {
      assert.is(read.name(), "metadata.code.branch_hint");
      for (let functions = read.next(); functions > 0; functions--) {
        const of = read.next();
        for (let count = read.next(); count > 0; count--) {
          hints.push({ of, at: read.next() });
          assert.is(read.next(), 1, "bytes of a hint");
          assert.is(read.next(), 0, "unlikely");
        }
      }
      assert.is(read.at, end);
    } else if (id === 10) {
      for (let functions = read.next(); functions > 0; functions--) {
        const length = read.next();
        bodies.push(read.at);
        read.at += length;
      }
    }
    read.at = end;
  }
  return hints.map(({ of, at }) => ({ of, at: bodies[of - imported] + at }));
}

function reader(of: Uint8Array, from: number) {
  return {
    at: from,
    /** A number in unsigned LEB128. */
    next() {
      let value = 0;
      for (let shift = 0; ; shift += 7) {
        const byte = of[this.at++];
        value += (byte & 0x7f) << shift;
        if (byte < 0x80) return value;
      }
    },
    name() {
      const length = this.next();
      this.at += length;
      return new TextDecoder().decode(of.subarray(this.at - length, this.at));
    },
  };
}
