// Rings, gates, faults, paging, 16-bit and real mode on the whole machine: a guest's own log is the one it keeps on QEMU.
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Machine } from "#emulator";

const { image, log } = JSON.parse(
  readFileSync(new URL("privileged/recorded/privileged.json", import.meta.url), "utf8"),
) as { image: string; log: string[] };

const test = suite("the privileged architecture, as QEMU has it");

let printed = "";
const machine = Machine.boot(Buffer.from(image, "base64"), {
  memory: 16 << 20,
  debug: (byte) => {
    printed += String.fromCharCode(byte);
  },
});
const result = machine.run({ maxInstructions: 1_000_000 });
const lines = printed.trimEnd().split("\n");

for (const [i, line] of log.entries()) test(line.slice(0, 72), () => assert.is(lines[i], line));

test("the log ends there, with a triple fault", () => {
  assert.is(lines.length, log.length);
  assert.is(result.reason, "triple fault");
});

test.run();
