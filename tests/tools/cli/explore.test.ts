// time limit: 300 s
// `ring0 explore` and `ring0 replay`: verdicts, exit codes, failure files.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { expect, json, read } from "./command.ts";

const test = suite("ring0 explore, replay");

test("a lock that holds is verified, with the same counts every time", () => {
  const [a, b] = [json(0, "explore", "queued-lock"), json(0, "explore", "queued-lock")];
  assert.is(a["verdict"], "verified");
  assert.equal(a["violations"], []);
  assert.equal([a["states"], a["transitions"]], [b["states"], b["transitions"]]);
  assert.type(a["seconds"], "number");
});

test("a broken lock is violated, exit code 5, and its file replays to the same state", () => {
  const found = json(5, "explore", "queued-lock", "--mutant", "M3", "--output", "m3.json");
  const [violation] = found["violations"] as { stateHash: string; file: string; property: string }[];
  assert.is(violation?.file, "m3.json");
  const seen = json(5, "replay", "m3.json");
  assert.equal(
    [seen["reproduced"], seen["stateHash"], seen["property"]],
    [true, violation?.stateHash, violation?.property],
  );
});

test("a failure reads as property, schedule, command, and steps with their lines", () => {
  const { stdout } = expect(5, "explore", "queued-lock", "--mutant", "M3");
  assert.match(stdout, /violates "/);
  assert.match(stdout, /schedule {2}[\dx ]+\n/);
  assert.match(stdout, /replay {4}ring0 replay queued-lock-M3\.failure\.json/);
  assert.match(stdout, /queuedspinlock\.ts:\d+/);
  assert.is(JSON.parse(read("queued-lock-M3.failure.json")).version, 1);
  assert.is(expect(5, "replay", "queued-lock-M3.failure.json").stdout, stdout);
});

test("a search that meets its bound says so, exit code 3", () => {
  assert.is(json(3, "explore", "queued-lock", "--max-states", "20")["verdict"], "bounded");
});

test("a scenario that never contends is an error, exit code 4", () => {
  const { stdout, stderr } = expect(4, "explore", "queued-lock", "--processors", "1");
  assert.is(stdout, "");
  assert.match(stderr, /^ring0: queued-lock: a single processor contends with nobody[^\n]*\n$/);
});

test("--list names scenarios and mutants", () => {
  const { stdout } = expect(0, "explore", "--list");
  assert.match(stdout, /^queued-lock\n(?: +--mutant [MP]\d+ .*\n)+\w/);
  assert.match(stdout, /^spin-lock\n +--mutant P01 /m);
});

test.run();
