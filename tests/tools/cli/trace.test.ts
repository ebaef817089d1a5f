// time limit: 300 s
// `ring0 trace`: what is shown, and what a filter leaves out.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { expect, program, ROOT, read } from "./command.ts";

const test = suite("ring0 trace");

const COUNTER = `${ROOT}tools/programs/counter.ts`;
const QUEUED_LOCK = `${ROOT}tools/programs/queued-lock.ts`;
const ACQUIRE = "KeAcquireInStackQueuedSpinLockAtDpcLevel";

/** The lines of a trace that are instructions or deliveries: they begin with a processor's number. */
const steps = (text: string): string[] => text.split("\n").filter((line) => /^\d /.test(line));

/** A trace as its JSON lines. */
const events = (...words: string[]): Record<string, unknown>[] =>
  expect(0, "trace", ...words, "--json")
    .stdout.trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

test("a line has processor, count, address, place, bytes, text, changes and source", () => {
  const body = 'a.mov(eax, 5); a.label("twice"); a.add(dword(total), eax); a.hlt();';
  const { stdout } = expect(0, "trace", program("line.ts", body), "--symbol", "main");
  assert.match(stdout, /^processor 0, main\n/);
  assert.match(stdout, /^0 +\d+ {2}00100\w{3} {2}\+0x00 +b8 05 00 00 00 +mov eax, 0x5 +eax=00000005 +line\.ts:4$/m);
  assert.match(
    stdout,
    / \.twice +01 05 .* add \[total\], eax +(?:[a-z]f=[01] )*\[total\] 00000000 -> 00000005 +line\.ts:4$/m,
  );
});

test("--first stops the run after so many lines", () => {
  const { stdout, stderr } = expect(0, "trace", COUNTER, "--first", "7", "--no-fold");
  assert.is(steps(stdout).length, 7);
  assert.is(stderr, "");
});

test("--last shows the end, which all lines end with too", () => {
  const body = program("short.ts", 'a.mov(ecx, 9); a.label("again"); a.dec(ecx); a.jnz("again"); a.hlt();');
  const all = steps(expect(0, "trace", body, "--no-fold").stdout);
  const last = steps(expect(0, "trace", body, "--no-fold", "--last", "5").stdout);
  assert.equal(last, all.slice(-5));
});

test("--cpu, --symbol and --class narrow it together", () => {
  const locked = events("--smp", "2", "--cpu", "1", "--symbol", "main", "--last", "50", "--class", "locked", COUNTER);
  assert.is(locked.length, 50);
  for (const { processor, symbol, locked: isLocked } of locked)
    assert.equal([processor, symbol, isLocked], [1, "main", true]);
});

test("a filter given twice keeps both", () => {
  const two = events(COUNTER, "--smp", "3", "--cpu", "1", "--cpu", "2", "--class", "locked,io", "--symbol", "main");
  assert.equal([...new Set(two.map(({ processor }) => processor))].sort(), [1, 2]);
});

test("--access shows who touches a variable, with old and new value", () => {
  const adds = events(COUNTER, "--smp", "2", "--access", "total", "--last", "2");
  const [first, second] = adds.map(({ accesses }) =>
    (accesses as { access: string; value: string; old: string }[]).at(-1),
  );
  assert.equal([first?.old, first?.value], ["0x000007ce", "0x000007cf"]);
  assert.equal([second?.old, second?.value], ["0x000007cf", "0x000007d0"]);
});

test("--class io shows ports and what went through them", () => {
  const body = "a.mov(dx, 0x3f8); a.mov(al, 0x41); a.out(dx, al); a.mov(dx, 0x3fd); a.in(al, dx); a.hlt();";
  const { stdout } = expect(0, "trace", program("ports.ts", body), "--class", "io", "--symbol", "main");
  assert.match(stdout, /out dx, al +port 0x3f8 <- 41/);
  assert.match(stdout, /in al, dx +eax=\w+ port 0x3fd = 60/);
});

test("an exception is a line of its own, with vector, error code and address", () => {
  const body = "a.xor(eax, eax); a.lidt(memory(eax)); a.ud2();";
  const { stdout } = expect(6, "trace", program("crash.ts", body), "--class", "interrupt");
  assert.match(stdout, /#UD, vector 0x06 {2}-> triple fault/);
});

test("turns of a waiting loop are told once", () => {
  const body = 'a.mov(ecx, 5); a.label("wait"); a.pause(); a.test(dword(total), 1); a.jz("wait"); a.hlt();';
  const { stdout } = expect(3, "trace", program("wait.ts", body), "--symbol", "main", "--max-instructions", "500");
  assert.match(stdout, /\(these 3 again, \d\d+ times\)/);
  assert.ok(steps(stdout).length < 20);
});

test("a contended acquire shows the exchange, the wait, and the hand-over", () => {
  const options = ["--smp", "2", "--symbol", ACQUIRE, "--max-instructions", "400000", "--last", "400"];
  const { stdout } = expect(3, "trace", QUEUED_LOCK, ...options);
  assert.match(stdout, /xchg \[ecx\], eax +eax=\w{8}.* \[spinLock\] \w{8} -> \w{8}/);
  assert.match(stdout, /\.spin .*pause/);
});

test("-D writes the trace to a file and leaves standard output to the guest", () => {
  const body = "a.mov(dx, 0x3f8); a.mov(al, 0x48); a.out(dx, al); a.mov(al, 0x0a); a.out(dx, al); a.hlt();";
  const { stdout } = expect(0, "trace", program("both.ts", body), "-D", "trace.txt");
  assert.is(stdout, "H\n");
  assert.match(read("trace.txt"), /port 0x3f8 <- 48/);
});

test("--ring changes nothing of the run, keeps the last records and shows none", () => {
  const words = [QUEUED_LOCK, "--smp", "3", "--max-instructions", "200000", "--json"];
  const ran = JSON.parse(expect(3, "run", ...words).stdout);
  const traced = JSON.parse(expect(3, "trace", "--ring", "--last", "500", ...words).stdout);
  assert.is(traced.hash, ran.hash);
  assert.is(traced.kept, 500);
  assert.ok(traced.records >= 200000);
});

test("--ring leaves standard output to the guest and says at the end what it has kept", () => {
  const body = "a.mov(dx, 0x3f8); a.mov(al, 0x48); a.out(dx, al); a.mov(al, 0x0a); a.out(dx, al); a.hlt();";
  const { stdout, stderr } = expect(0, "trace", program("kept.ts", body), "--ring", "--last", "3");
  assert.is(stdout, "H\n");
  assert.match(stderr, /^ring0: halted, after [\d,]+ instructions in [\d.]+ s; the last 3 of [\d,]+ records kept\n$/);
  expect(2, "trace", program("kept.ts", body), "--ring", "-D", "trace.txt");
});

test("two halves of a split instruction are two lines", () => {
  const { stdout } = expect(0, "trace", COUNTER, "--split-rmw", "--access", "total", "--first", "2");
  assert.match(stdout, /\[total\] = 00000000 \(half of it: others may come in between\)/);
  assert.match(stdout, /\[total\] 00000000 -> 00000001/);
});

test.run();
