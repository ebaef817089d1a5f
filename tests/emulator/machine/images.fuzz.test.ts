// Mutated boot images: whatever is done to one, it ends with one clear line, a machine's reason to stop or what is wrong with it.
//
//   npm run fuzz:images        all 10,000, and a count of each line; `npm test` runs the first 1,000 of the same

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ImageError, Machine } from "#emulator";
import counter from "../../../tools/programs/counter.ts";
import { Random } from "../fuzz/random.ts";
import { bytesOf, elfFile, multibootHeader } from "./elf-file.ts";

const test = suite("mutated images");

const CASES = Number(process.argv[2] ?? 1000);
const INSTRUCTIONS = 256;
const MIB = 0x100000;
const NAME = "mutated.elf";
const REASONS = ["halted", "budget", "guest exit", "reset", "triple fault", "not implemented"];

const CODE = [0xb8, 1, 0, 0, 0, 0xe6, 0xf4, 0xf4]; // mov eax, 1; out 0F4h, al; hlt

/** Good images of every kind that the loaders know; mutations begin with these. */
const CORPUS: readonly Uint8Array[] = [
  counter.elf(),
  elfFile({
    segments: [
      { physical: MIB, linear: 0x80100000, bytes: CODE, size: 0x2000 },
      { physical: MIB + 0x2000, linear: 0x80102000, bytes: [1, 2, 3, 4], size: 0x1000 },
      { physical: 0, bytes: [], type: 4 },
    ],
    entry: 0x80100000,
    symbols: [
      { name: "start", value: 0x80100000, size: 8 },
      { name: "table", value: 0x80102000, size: 4, info: 0x11 },
    ],
  }),
  elfFile({ segments: [{ physical: MIB, bytes: CODE }], entry: MIB, multiboot: 3 }),
  Uint8Array.from([...multibootHeader(0x10003), ...bytesOf(MIB, MIB, MIB + 40, MIB + 80, MIB + 32), ...CODE]),
];

/** Values that headers go wrong with. */
const WRONG = [
  0,
  1,
  2,
  4,
  7,
  0x34,
  0xffff,
  0x10000,
  MIB,
  4 * MIB,
  0x7fffffff,
  0x80000000,
  0xfffffff0,
  0xffffffff,
] as const;
/** Most mutations hit what comes first: the headers. */
const HEADERS = 256;

/** One or a few mutations of one image. */
function mutate(random: Random): Uint8Array {
  let bytes: Uint8Array = random.pick(CORPUS).slice();
  const mutations = 1 + random.below(4);
  for (let i = 0; i < mutations && bytes.length > 0; i++) bytes = mutateOnce(bytes, random);
  return bytes;
}

function mutateOnce(bytes: Uint8Array, random: Random): Uint8Array {
  const { length } = bytes;
  const at = random.below(random.oneIn(3) ? length : Math.min(length, HEADERS));
  switch (random.below(8)) {
    case 0: // a bit
      bytes[at] ^= 1 << random.below(8);
      return bytes;
    case 1: // a byte
      bytes[at] = random.byte();
      return bytes;
    case 2: // cut off
      return bytes.subarray(0, random.below(length));
    case 3: // a piece taken out
      return join(bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(64)));
    case 4: // a piece twice
      return join(bytes.subarray(0, at), bytes.subarray(Math.max(0, at - random.below(64))));
    case 5: // a piece of another image
      bytes.set(random.pick(CORPUS).subarray(at, at + Math.min(random.below(64), length - at)), at);
      return bytes;
    default: // a field, aligned as fields are, wrong or wrong by the file's own size
      return setField(bytes, at, random.oneIn(3) ? length + random.below(3) - 1 : random.pick(WRONG), random);
  }
}

function setField(bytes: Uint8Array, at: number, value: number, random: Random): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [short, long] = [at & ~1, at & ~3];
  if (random.oneIn(3) && short + 2 <= bytes.length) view.setUint16(short, value, true);
  else if (long + 4 <= bytes.length) view.setUint32(long, value, true);
  return bytes;
}

function join(first: Uint8Array, second: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  return bytes;
}

const machine = new Machine({ memory: 4 * MIB });
const pristine = machine.snapshot();

/** What becomes of an image: the line that a person would see. Any exception but ImageError is a bug, and not caught. */
function fateOf(file: Uint8Array): string {
  machine.restore(pristine);
  try {
    machine.load(file, { name: NAME });
  } catch (error) {
    if (error instanceof ImageError) return error.message;
    throw error;
  }
  const { reason, detail } = machine.run({ maxInstructions: INSTRUCTIONS });
  return detail === undefined ? reason : `${reason}: ${detail}`;
}

/** The kind of a line: what is left without its numbers. */
const kindOf = (line: string) => line.replaceAll(/0x[0-9a-f]+|\d+/g, "N");

const fates = Array.from({ length: CASES }, (_, seed) => ({ seed, line: fateOf(mutate(new Random(seed))) }));
const bad = fates.filter(({ line }) => line.startsWith(`${NAME}: `));
const ran = fates.filter(({ line }) => REASONS.some((reason) => line === reason || line.startsWith(`${reason}: `)));

test("the images that mutations begin with run to their end", () => {
  for (const file of CORPUS) assert.match(fateOf(file.slice()), /^(guest exit|budget)$/);
});

test(`each of ${CASES} ends with an error's line or a machine's reason to stop, and nothing else`, () => {
  assert.equal(
    fates.filter((fate) => !bad.includes(fate) && !ran.includes(fate)),
    [],
  );
});

test("an error is one line of readable length", () => {
  assert.equal(
    bad.filter(({ line }) => !/^[^\n]{20,240}$/.test(line)),
    [],
  );
});

test("mutations reach many kinds of errors, and leave many images that run", () => {
  const kinds = new Set(bad.map(({ line }) => kindOf(line)));
  assert.ok(kinds.size >= 15, `${kinds.size} kinds of errors`);
  assert.ok(ran.length >= CASES / 10, `${ran.length} images ran`);
});

if (process.argv[2] !== undefined) {
  const counts = new Map<string, number>();
  for (const { line } of fates) counts.set(kindOf(line), (counts.get(kindOf(line)) ?? 0) + 1);
  for (const [kind, count] of [...counts].sort((a, b) => b[1] - a[1])) console.log(`${count}\t${kind}`);
}

test.run();
