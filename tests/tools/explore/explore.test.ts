// What the search itself promises, on programs of a few instructions: all outcomes, exact waiting, and honest verdicts.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Assembler, type Data, data, dword, eax, ecx, edi, edx, esi, esp, type Image } from "#asm";
import { explore, lockMonitor, type Monitor, ScenarioError } from "#explore";
import { programs } from "./programs.ts";

const test = suite("explore");

const x = data("x", 4);
const y = data("y", 4);
const r0 = data("r0", 4);
const r1 = data("r1", 4);
const WORDS = [x, y, r0, r1];

type Body = (a: Assembler) => void;
const store =
  (word: Data, value: number): Body =>
  (a) =>
    a.mov(dword(word), value);
const load =
  (word: Data, into: Data): Body =>
  (a) => {
    a.mov(eax, dword(word));
    a.mov(dword(into), eax);
  };
const waitFor =
  (word: Data, value: number, label: string): Body =>
  (a) => {
    a.label(label);
    a.cmp(dword(word), value);
    a.jne(label);
  };
const program =
  (...parts: readonly Body[]): Body =>
  (a) => {
    for (const part of parts) part(a);
    a.hlt();
  };

/** The outcomes of programs, as the values of words in their order. */
function outcomes(bodies: readonly Body[], words: readonly Data[]): string[] {
  const verdict = explore(programs(bodies, WORDS));
  assert.is(verdict.verdict, "verified", JSON.stringify(verdict.violations));
  return verdict.outcomes.map((outcome) => words.map(({ name }) => outcome[name]).join(" ")).sort();
}

const OUTCOMES: readonly (readonly [
  title: string,
  bodies: readonly Body[],
  words: readonly Data[],
  expected: string[],
])[] = [
  [
    "store buffering is not seen under sequential consistency",
    [program(store(x, 1), load(y, r0)), program(store(y, 1), load(x, r1))],
    [r0, r1],
    ["0 1", "1 0", "1 1"],
  ],
  [
    "message passing: who sees the flag sees the data",
    [program(store(x, 1), store(y, 1)), program(load(y, r0), load(x, r1))],
    [r0, r1],
    ["0 0", "0 1", "1 1"],
  ],
  [
    "an unlocked increment can be lost",
    [program((a) => a.inc(dword(x))), program((a) => a.inc(dword(x)))],
    [x],
    ["1", "2"],
  ],
  [
    "a locked increment is never lost",
    [program((a) => a.lock.inc(dword(x))), program((a) => a.lock.inc(dword(x)))],
    [x],
    ["2"],
  ],
  [
    "a push of shared memory reads before it writes",
    [
      program(
        (a) => a.push(dword(x)),
        (a) => a.pop(dword(r0)),
      ),
      program(store(x, 7)),
    ],
    [r0],
    ["0", "7"],
  ],
  [
    "a string move reads and writes in two steps",
    [
      program((a) => {
        a.mov(esi, x);
        a.mov(edi, y);
        a.movsd();
      }),
      program(store(x, 1), store(y, 2)),
    ],
    [y],
    ["0", "1", "2"],
  ],
  [
    "a waiting loop ends when the word changes",
    [program(waitFor(x, 1, "wait"), load(y, r0)), program(store(y, 5), store(x, 1))],
    [r0],
    ["5"],
  ],
];

for (const [title, bodies, words, expected] of OUTCOMES)
  test(title, () => assert.equal(outcomes(bodies, words), expected));

/** The message of the violation of progress. */
function blocked(bodies: readonly Body[]): string {
  const { verdict, violations } = explore(programs(bodies, WORDS));
  assert.is(verdict, "violated");
  assert.is(violations[0]?.property, "progress");
  return violations[0]!.message;
}

test("a wait for what nobody writes is reported with the place, the word and who wrote it last", () =>
  assert.match(
    blocked([program(store(x, 2), waitFor(x, 1, "wait")), program(load(x, r0))]),
    /^nobody can go on: P0 at program0\.wait \(explore\.test\.ts:\d+\) waits for a change of x, which holds 2 as P0 left it; P1 is over$/,
  ));

test("a wait that polls two words in turn is a wait", () => {
  const poll: Body = (a) => {
    a.label("poll");
    a.cmp(dword(x), 1);
    a.je("end");
    a.cmp(dword(y), 1);
    a.jne("poll");
    a.label("end");
    a.hlt();
  };
  assert.match(blocked([poll, program(store(x, 2), store(y, 2))]), "nobody can go on");
});

test("an exchange that fails for ever is a wait", () => {
  const spin: Body = (a) => {
    a.label("spin");
    a.mov(eax, 1);
    a.xchg(dword(x), eax);
    a.test(eax, eax);
    a.jnz("spin");
    a.hlt();
  };
  assert.match(blocked([spin, spin]), "waits for a change of x, which holds 1");
});

test("two that wait for each other are reported both", () => {
  const message = blocked([
    program(store(x, 2), waitFor(y, 1, "wait"), store(x, 1)),
    program(store(y, 2), waitFor(x, 1, "wait"), store(y, 1)),
  ]);
  assert.match(
    message,
    /P0 at program0\.wait .* change of y, .* as P1 left it; P1 at program1\.wait .* change of x, .* as P0 left it/,
  );
});

test("going round in circles without touching anything shared is no progress", () => {
  const circle: Body = (a) => {
    a.label("circle");
    a.jmp("circle");
  };
  assert.match(
    blocked([circle, program(load(x, r0))]),
    /P0 at program0 \(explore\.test\.ts:\d+\) goes round in circles, and nobody writes what it reads;/,
  );
});

test("halting with interrupts on is no end, as none will come", () =>
  assert.match(
    blocked([
      (a) => {
        a.sti();
        a.hlt();
      },
      program(load(x, r0)),
    ]),
    "waits for an interrupt, and none will come",
  ));

const UNFINISHED: readonly (readonly [title: string, body: Body, reason: RegExp])[] = [
  ["a clock", (a) => a.rdtsc(), /^reads the clock at program0 \(explore\.test\.ts:\d+\)$/],
  [
    "a model-specific register",
    (a) => a.rdmsr(),
    /^reads a model-specific register, which can be a clock, at program0/,
  ],
  ["a port", (a) => a.out(0x80, eax), /^uses an I\/O port, which cannot be explored yet, at program0/],
  [
    "a local APIC",
    (a) => {
      a.mov(edx, 0xfee00000);
      a.mov(eax, dword(edx, 0x390));
    },
    /^P0 at program0\+0x5 .* reads its local APIC/,
  ],
];

for (const [title, body, reason] of UNFINISHED) {
  test(`the use of ${title} ends as unfinished, with the symbol`, () => {
    const verdict = explore(programs([program(body), program(load(x, r0))], WORDS));
    assert.is(verdict.verdict, "unfinished");
    assert.match(verdict.reason ?? "", reason);
  });
}

test("with a frozen clock RDTSC gives the same every time, and the verdict says so", () => {
  const readTwice: Body = (a) => {
    a.rdtsc();
    a.mov(ecx, eax);
    a.rdtsc();
    a.sub(eax, ecx);
    a.mov(dword(r0), eax);
  };
  const verdict = explore({ ...programs([program(readTwice), program(load(x, r1))], WORDS), clock: "frozen" });
  assert.is(verdict.verdict, "verified");
  assert.is(verdict.clock, "frozen");
  assert.equal(verdict.outcomes, [{ x: "0", y: "0", r0: "0", r1: "0" }]);
});

test("an access to nobody's memory is a violation, with the place and the address", () => {
  const [violation] = explore(
    programs(
      [
        program(
          (a) => a.mov(ecx, 0x123450),
          (a) => a.mov(dword(ecx), 1),
        ),
        program(load(x, r0)),
      ],
      WORDS,
    ),
  ).violations;
  assert.is(violation?.property, "memory safety");
  assert.match(
    violation?.message ?? "",
    /^P0 at program0\+0x5 \(explore\.test\.ts:\d+\) writes 0x00123450, which is nobody's data$/,
  );
});

test("running where no code is is a violation, with the address", () => {
  const [violation] = explore(
    programs(
      [
        program(
          (a) => a.mov(eax, 0x300),
          (a) => a.jmp(eax),
        ),
        program(load(x, r0)),
      ],
      WORDS,
    ),
  ).violations;
  assert.is(violation?.property, "memory safety");
  assert.is(violation?.message, "P0 runs at 0x00000300, which is no code");
});

test("an exception is a violation, with the place", () => {
  const [violation] = explore(programs([program((a) => a.ud2()), program(load(x, r0))], WORDS)).violations;
  assert.is(violation?.property, "no exception");
  assert.match(violation?.message ?? "", /^P0 at program0 .*raises exception 6$/);
});

test("the simplest schedule has the fewest switches", () => {
  // y = 1 needs x read between the two stores of the other: two switches, whichever way the search came upon it.
  const watch: Monitor = {
    words: 0,
    demands: {},
    watch: ({ image, dword: read, violated }) => ({
      finished: () => read(image.addressOf(r0)) === 1 && violated("never one", "x was seen at one"),
    }),
  };
  const bodies = [program(store(x, 1), store(x, 2)), program(load(x, r0))];
  const [violation] = explore(programs(bodies, WORDS, () => [watch])).violations;
  assert.is(violation?.property, "never one");
  assert.is(violation?.schedule, "0 1 0");
});

test("words that only one processor touches are not shared, and their accesses are no steps", () => {
  const verdict = explore(
    programs([program(store(x, 1), store(x, 2), store(r0, 1)), program(store(y, 1), load(y, r1))], WORDS),
  );
  assert.equal(verdict.shared, []);
  assert.is(verdict.states, 1);
  assert.is(verdict.transitions, 0);
});

/** A lock that does nothing, around a section that is what it is told, against another program. */
function unlocked(section: Body, other: Body): () => unknown {
  const body: Body = (a) => {
    a.label("acquire");
    a.nop();
    a.label("enter");
    section(a);
    a.label("leave");
    a.push(eax); // as a call of the releasing routine would
    a.pop(eax);
    a.lock.or(dword(y), 0);
    a.label("released");
    a.hlt();
  };
  const monitors = (image: Image): Monitor[] => {
    const mark = (label: string): number => image.addressOf(`program0.${label}`);
    const [acquire, enter, leave, released] = ["acquire", "enter", "leave", "released"].map(mark) as [
      number,
      number,
      number,
      number,
    ];
    return [lockMonitor({ acquire, enter, leave, released, section: image.addressOf(y) })];
  };
  return () => explore(programs([body, program(other)], WORDS, monitors));
}

test("an empty section is an error, not a proof", () =>
  assert.throws(
    unlocked(
      (a) => a.nop(),
      (a) => a.mov(dword(y), 2),
    ),
    isEmptySection,
  ));

test("a lock that nobody wants while another has it is an error, not a proof", () =>
  assert.throws(
    unlocked(
      (a) => a.mov(dword(y), 2),
      (a) => a.mov(dword(y), 2),
    ),
    isUncontended,
  ));

const isEmptySection = (error: unknown): boolean =>
  error instanceof ScenarioError && error.message.startsWith("test: the section is empty");
const isUncontended = (error: unknown): boolean =>
  error instanceof ScenarioError && error.message.startsWith("test: no processor ever wants the lock");

test("a stack is a processor's own", () => {
  const body = program(
    (a) => a.push(5),
    (a) => a.pop(eax),
    (a) => a.mov(ecx, esp),
  );
  assert.equal(explore(programs([body, body], WORDS)).shared, []);
});

test.run();
