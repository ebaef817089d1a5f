// A trace as text: headlines, folded loops, names.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type InstructionEvent, LineTable, SymbolTable, TraceText } from "../../../tools/trace/index.ts";

const test = suite("a trace as text");

const symbols = new SymbolTable(
  [
    { name: "main", address: 0x1000, size: 0x40, kind: "code" },
    { name: "main.wait", address: 0x1010, size: 0, kind: "other" },
    { name: "lock", address: 0x2000, size: 4, kind: "data" },
    { name: "bare", address: 0x3000, size: 0, kind: "other" },
  ],
  new LineTable([]),
);

let count = 0;

/** An instruction that retired on a processor, the next one it has. */
function event(eip: number, text: string, more: Partial<InstructionEvent> = {}): InstructionEvent {
  const place = symbols.at(eip);
  const common = { processor: 0, count: ++count, clock: 0, eip, linear: eip, place, source: undefined };
  const rest = { accesses: [], moreAccesses: 0, bytes: new Uint8Array(1), registers: [], flags: [] };
  return { kind: "instruction", ...common, ...rest, text, retired: true, part: false, locked: false, ...more };
}

const lines = (events: InstructionEvent[], fold = true): string[] =>
  new TraceText(symbols, { fold }).format(events).trimEnd().split("\n");

const turn = () => [event(0x1010, "pause"), event(0x1012, "test [lock], eax"), event(0x1018, "jnz .wait")];

test("a headline comes when the processor, the routine, or what was left out changes", () => {
  const headlines = lines([
    event(0x1000, "nop"),
    event(0x1001, "nop"),
    event(0x1002, "nop", { processor: 1 }),
    event(0x3000, "nop", { processor: 1 }),
    event(0x3001, "nop", { processor: 1, count: (count += 5) }),
  ]).filter((line) => line.startsWith("processor"));
  assert.equal(headlines, ["processor 0, main", "processor 1, main", "processor 1, bare", "processor 1, bare"]);
});

test("equal turns of a loop are told once, with their number", () => {
  const folded = lines([event(0x1000, "nop"), ...turn(), ...turn(), ...turn(), event(0x101a, "ret")]);
  assert.is(folded.length, 1 + 1 + 3 + 1 + 1);
  assert.match(folded.join("\n"), /jnz \.wait\n +\(these 3 again, 2 times\)\n.*ret$/);
});

test("a turn that changed something is not folded", () => {
  const [pause, check, jump] = turn() as [InstructionEvent, InstructionEvent, InstructionEvent];
  const changed = [event(0x1010, "pause"), event(0x1012, "test [lock], eax", { flags: [["zf", 1]] })];
  assert.is(lines([pause, check, jump, ...changed]).length, 1 + 5);
});

test("without folding every line is there", () => assert.is(lines([...turn(), ...turn()], false).length, 1 + 6));

test("places are told from the nearest label of the routine", () => {
  assert.equal(
    [0x1000, 0x100f, 0x1010, 0x1012].map((at) => lines([event(at, "nop")])[1]?.match(/ {2}([.+]\S+)/)?.[1]),
    ["+0x00", "+0x0f", ".wait", ".wait+0x2"],
  );
});

test("memory is told by name and by old and new value", () => {
  const access = { kind: "memory", linear: 0x2000, physical: 0x2000, width: 4, value: 1, old: 0 } as const;
  const text = (write: boolean, linear = 0x2000) =>
    lines([event(0x1000, "x", { accesses: [{ ...access, write, linear }] })])[1];
  assert.match(text(false) ?? "", /\[lock\] = 00000001$/);
  assert.match(text(true) ?? "", /\[lock\] 00000000 -> 00000001$/);
  assert.match(text(true, 0x5000) ?? "", /\[0x00005000\] 00000000 -> 00000001$/);
});

test("an address far behind a symbol of unknown size has no name", () => {
  assert.is(symbols.nameOf(0x3010), "bare+0x10");
  assert.is(symbols.nameOf(0x9000), undefined);
  assert.is(symbols.nameOf(0x1050), undefined);
});

test.run();
