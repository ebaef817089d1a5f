// time limit: 300 s
// `ring0 run`: how a run ends and is told, streams, JSON, schedules.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { expect, file, json, program, ROOT, read, ring0 } from "./command.ts";

const test = suite("ring0 run");

const COUNTER = `${ROOT}tools/programs/counter.ts`;
const QUEUED_LOCK = `${ROOT}tools/programs/queued-lock.ts`;
const exit = (value: number) => `a.mov(al, ${value}); a.out(0xf4, al); a.label("stay"); a.jmp("stay");`;
const say = (text: string) =>
  [...text].map((c) => `a.mov(dx, 0x3f8); a.mov(al, ${c.charCodeAt(0)}); a.out(dx, al);`).join("\n");

/** A title, a program, options, the exit code, and the reason that the JSON tells. */
const endings: [title: string, body: string, options: string[], status: number, reason: string][] = [
  ["a guest that halts for good has ended well", "a.ret();", [], 0, "halted"],
  ["0 on port F4h is success", exit(0), [], 0, "guest exit"],
  ["1 on port F4h is a failure", exit(1), [], 1, "guest exit"],
  ["6 on port F4h is a crash", exit(6), [], 6, "guest exit"],
  ["255 on port F4h is a failure", exit(255), [], 1, "guest exit"],
  [
    "the instruction limit ends a run unfinished",
    'a.label("on"); a.jmp("on");',
    ["--max-instructions", "1000"],
    3,
    "budget",
  ],
  ["a triple fault is a crash", "a.xor(eax, eax); a.lidt(memory(eax)); a.ud2();", [], 6, "triple fault"],
  ["what is not implemented ends by name", "a.db(0xd9, 0xee);", [], 70, "not implemented"],
  ["a guest that resets the machine has ended well", "a.mov(al, 0xfe); a.out(0x64, al); a.hlt();", [], 0, "reset"],
];

for (const [index, [title, body, options, status, reason]] of endings.entries())
  test(title, () => {
    const result = json(status, "run", program(`ending${index}.ts`, body), ...options);
    assert.is(result["reason"], reason);
    assert.is(result["exitCode"], status);
  });

test("the value on port F4h is in the JSON", () => {
  assert.is(json(1, program("exit200.ts", exit(200)))["guestExit"], 200);
});

test("a limit is met to the instruction", () => {
  assert.equal(
    json(3, program("on.ts", 'a.label("on"); a.jmp("on");'), "--max-instructions", "1e6")["instructions"],
    [1000000],
  );
});

test("standard output is what the guest sends, byte by byte, and nothing else", () => {
  const { stdout, stderr } = expect(0, program("bytes.ts", `${say("A\n\x00\xffno end of line")}${exit(0)}`));
  assert.is(stdout, "A\n\x00\xffno end of line");
  assert.match(stderr, /^ring0: guest exit 0, after \d+ instructions in [\d.]+ s\n$/);
});

test("the serial port can lead to a file, or nowhere", () => {
  const hello = program("hello.ts", `${say("hello\n")}${exit(0)}`);
  assert.is(expect(0, "run", hello, "--serial", "file:hello.txt").stdout, "");
  assert.is(read("hello.txt"), "hello\n");
  assert.is(expect(0, "run", hello, "--serial", "none").stdout, "");
});

test("--json prints one object with the serial output inside", () => {
  const { stdout } = expect(
    0,
    "run",
    program("json.ts", `${say("said\n")}${exit(0)}`),
    "--json",
    "--smp",
    "2",
    "-m",
    "16",
  );
  assert.is(stdout.split("\n").length, 2);
  const result = JSON.parse(stdout);
  assert.is(result.serial, "said\n");
  assert.is(result.instructions.length, 2);
  assert.is(result.memory, 16 << 20);
  assert.match(result.hash, /^[\da-f]{16}$/);
  assert.type(result.seconds, "number");
  assert.is(result.clock, result.instructions[0] + result.instructions[1]);
});

test("--stats says what the engine did and where the time went, for people and in the JSON", () => {
  const work = program("work.ts", 'a.mov(ecx, 100000); a.label("on"); a.dec(ecx); a.jnz("on"); a.ret();');
  const { stderr } = expect(0, "run", work, "--stats");
  assert.match(stderr, /in compiled code/);
  assert.match(stderr, /time: [\d.]+ s to load .*, [\d.]+ s to make the machine, [\d.]+ s to run/);
  const { engine, times } = json(0, "run", work, "--stats") as { engine: object; times: object };
  assert.ok("regions" in engine);
  assert.equal(Object.keys(times), ["load", "boot", "run"]);
});

test("equal seeds give equal runs, other seeds other ones", () => {
  const hash = (seed: string) => json(0, "run", COUNTER, "--smp", "4", "--seed", seed)["hash"];
  assert.is(hash("7"), hash("7"));
  assert.is.not(hash("7"), hash("8"));
});

test("the queued-lock program keeps its counts and its order", () => {
  const { stdout } = expect(0, "run", QUEUED_LOCK, "--smp", "4", "--append", "rounds=500");
  assert.match(stdout, /TOTAL 2000 expected 2000/);
  assert.match(stdout, /FIFO ok/);
  assert.match(stdout, /VERDICT ok/);
});

const RACE = `a.mov(ecx, 20000); a.label("again"); a.inc(dword(total)); a.dec(ecx); a.jnz("again");
  a.lock.inc(dword(done)); a.test(eax, eax); a.jz("boot"); a.ret();
  a.label("boot"); a.label("wait"); a.pause(); a.cmp(dword(done), 2); a.jne("wait");
  a.cmp(dword(total), 40000); a.mov(al, 0); a.jz("all"); a.inc(al); a.label("all"); a.out(0xf4, al); a.hlt();`;

test("an unlocked increment loses nothing, unless --split-rmw lets others come in between", () => {
  const racing = program("race.ts", RACE.replaceAll("done", "done"), "all");
  file(racing, read(racing).replace("const total", 'const done = data("done", 4);\nconst total'));
  expect(0, "run", racing, "--smp", "2");
  expect(1, "run", racing, "--smp", "2", "--split-rmw");
});

test("a locked increment loses nothing under --split-rmw", () => {
  const locked = program("locked.ts", RACE.replace("a.inc(dword", "a.lock.inc(dword"), "all");
  file(locked, read(locked).replace("const total", 'const done = data("done", 4);\nconst total'));
  expect(0, "run", locked, "--smp", "2", "--split-rmw");
});

test("--log-level adds records of what the tool does to standard error", () => {
  const { stderr } = expect(0, "run", program("logged.ts", "a.ret();"), "--log-level", "debug");
  const records = stderr
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line));
  assert.equal(
    records.map(({ msg }) => msg),
    ["turn", "end"],
  );
  assert.is(records[1].reason, "halted");
});

test("a bare image, options first, and --kernel mean run", () => {
  const halts = program("halts.ts", "a.ret();");
  for (const words of [[halts], ["--smp", "2", halts], ["--kernel", halts], ["run", "--kernel", halts]]) {
    assert.match(expect(0, ...words).stderr, /^ring0: halted/);
  }
});

test("a program of JavaScript runs as one of TypeScript does", () => {
  program("plain.ts", "a.ret();");
  expect(0, file("plain.mjs", read("plain.ts")));
});

test("a reader that goes away ends the run quietly", () => {
  const endless = program("endless.ts", `a.label("more"); ${say("line\n")} a.jmp("more");`);
  assert.is(ring0("run", endless, "--max-instructions", "100000").status, 3);
});

test.run();
