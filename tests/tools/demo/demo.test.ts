// What `npm start` shows, by the built demonstration itself.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite("the demonstration");

const DEMO = fileURLToPath(new URL("../../../dist/tools/demo/main.js", import.meta.url));

test("shows the main job, the proof and the broken variant, and ends well", () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [DEMO], { encoding: "utf8" });
  assert.is(status, 0, stdout + stderr);
  assert.is(stderr, "");
  assert.match(stdout, /^ {2}ring0 firmware: processors 4, .*\n {2}TOTAL processors 4\n(?: {2}.*\n)* {2}VERDICT ok$/m);
  assert.match(stdout, /TOTAL 40000 expected 40000\n +FIFO ok\n +HANDOVERS \d+ pairs 12\/12/);
  assert.match(stdout, /queued-lock, 2 processors x 2, model sc: verified/);
  assert.match(stdout, /raising-queued-lock, 2 processors x 1, model sc: verified/);
  assert.match(stdout, /with interrupts at any boundary: D1h once on P0, D1h once on P1/);
  assert.match(stdout, /queued-lock with mutant M3, 2 processors x 1: violates "/);
  assert.match(stdout, /replayed: the same final state [\da-f]{16}/);
});

test.run();
