// Paging as code sees it: accessed and dirty bits, rights, precise faults, INVLPG, tables changed while in use (vol. 3A, ch. 4).
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  type Assembler,
  al,
  byte,
  cr0,
  cr2,
  cr3,
  cr4,
  data,
  dword,
  eax,
  ebx,
  ecx,
  edi,
  edx,
  esi,
  esp,
  proc,
  word,
} from "#asm";
import type { Machine } from "#emulator";
import { APIC, handle, snippet, TPR } from "../guests/snippet.ts";

const test = suite("paging");

const directory = data("directory", 4096, { align: 4096 });
const table = data("table", 4096, { align: 4096 });
const fault = data("fault", 12);
const faults = data("faults", 4);

const PAGE_FAULT = 14;
const [P, W, U, A, D, PS] = [1, 2, 4, 0x20, 0x40, 0x80];
/** A page for experiments, mapped one to one at first, and the next one. */
const PAGE = 0x60000;
const ENTRY = table.plus((PAGE >> 12) * 4);
const NEXT = PAGE + 0x1000;
const NEXT_ENTRY = ENTRY.plus(4);
const WP = 0x10000;

/** Notes error code, address and EIP of a fault, maps the page for all, and lets the instruction run again. */
const mapAndRetry = proc("mapAndRetry", (a) => {
  a.push(eax);
  a.push(ecx);
  a.mov(eax, dword(esp, 8));
  a.mov(dword(fault), eax);
  a.mov(eax, dword(esp, 12));
  a.mov(dword(fault.plus(8)), eax);
  a.mov(eax, cr2);
  a.mov(dword(fault.plus(4)), eax);
  a.inc(dword(faults));
  a.mov(ecx, eax);
  a.shr(ecx, 12);
  a.and(eax, 0x3ff000);
  a.or(eax, P | W | U);
  a.and(ecx, 0x3ff);
  a.mov(dword(ecx.times(4), table), eax);
  a.mov(eax, cr2);
  a.invlpg(byte(eax));
  a.pop(ecx);
  a.pop(eax);
  a.lea(esp, dword(esp, 4));
  a.iretd();
});

/** Turns paging on, the first 2 MiB one to one, present and writable; PSE; the directory's last entry leads to itself. */
function paged(body: (a: Assembler) => void, cr0Bits = 0) {
  return snippet((a) => {
    handle(a, { [PAGE_FAULT]: mapAndRetry });
    a.xor(ecx, ecx);
    a.mov(eax, P | W);
    a.label("map");
    a.mov(dword(ecx.times(4), table), eax);
    a.add(eax, 4096);
    a.inc(ecx);
    a.cmp(ecx, 512);
    a.jb("map");
    a.mov(dword(directory), table.plus(P | W));
    a.mov(dword(directory.plus(4092)), directory.plus(P | W));
    a.mov(eax, cr4);
    a.or(eax, 0x10);
    a.mov(cr4, eax);
    a.mov(eax, directory);
    a.mov(cr3, eax);
    a.mov(eax, cr0);
    a.or(eax, (0x80000000 | cr0Bits) >>> 0);
    a.mov(cr0, eax);
    body(a);
  });
}

interface Outcome {
  readonly machine: Machine;
  readonly word: (at: Parameters<ReturnType<typeof paged>["image"]["addressOf"]>[0], offset?: number) => number;
  readonly at: (label: string) => number;
  /** "" or the last page fault: error code, address, and how many there were. */
  readonly fault: string;
}

function run(body: (a: Assembler) => void, cr0Bits = 0): Outcome {
  const code = paged(body, cr0Bits);
  const machine = code.boot();
  assert.is(machine.run({ maxInstructions: 100_000 }).reason, "halted");
  const of: Outcome["word"] = (at, offset = 0) => machine.memory.dword(code.image.addressOf(at) + offset);
  const text = `#PF(${of(fault)}) at ${of(fault, 4).toString(16)}`;
  return { machine, word: of, at: code.at, fault: of(faults) === 0 ? "" : `${text}, ${of(faults)}` };
}

const entryOf = ({ word }: Outcome, page: number): number => word(table, (page >> 12) * 4);

/** What an access does to the bits of its page's entry. */
const marks: readonly (readonly [title: string, bits: number, access: (a: Assembler) => void])[] = [
  ["nothing", 0, () => {}],
  ["a read", A, (a) => a.mov(eax, dword(PAGE))],
  ["a write", A | D, (a) => a.mov(dword(PAGE), eax)],
  ["a read-modify-write", A | D, (a) => a.inc(dword(PAGE))],
  ["a comparison", A, (a) => a.cmp(dword(PAGE), 1)],
  [
    "CMPXCHG that fails",
    A | D,
    (a) => {
      a.mov(eax, 5);
      a.cmpxchg(dword(PAGE), ebx);
    },
  ],
  [
    "an instruction fetch",
    A,
    (a) => {
      a.mov(byte(PAGE + 0x400000), 0xc3);
      a.mov(edi, PAGE);
      a.call(edi);
    },
  ],
  ["INVLPG", 0, (a) => a.invlpg(byte(PAGE))],
  [
    "a REP STOS of nothing",
    0,
    (a) => {
      a.mov(edi, PAGE);
      a.xor(ecx, ecx);
      a.rep.stosd();
    },
  ],
];
for (const [title, bits, access] of marks) {
  test(`${title} marks its page ${bits === 0 ? "not at all" : (bits & D) !== 0 ? "accessed and dirty" : "accessed"}`, () => {
    const outcome = run((a) => {
      a.mov(dword(directory.plus(4)), P | W | PS); // another way to the same memory
      access(a);
    });
    assert.is(outcome.fault, "");
    assert.is(entryOf(outcome, PAGE), PAGE | P | W | bits);
    assert.is(outcome.word(directory) & (A | D), A, "the table in use");
  });
}

test("a write across two pages marks both", () => {
  const outcome = run((a) => a.mov(dword(NEXT - 2), eax));
  assert.is(entryOf(outcome, PAGE), PAGE | P | W | A | D);
  assert.is(entryOf(outcome, NEXT), NEXT | P | W | A | D);
});

test("a page read first is marked dirty at its first write", () => {
  const outcome = run((a) => {
    for (let i = 0; i < 3; i++) a.mov(eax, dword(PAGE + 4 * i));
    a.mov(ebx, dword(ENTRY));
    a.mov(dword(PAGE), eax);
    a.mov(edx, dword(ENTRY));
  });
  assert.is(outcome.machine.processors[0].ebx, PAGE | P | W | A);
  assert.is(outcome.machine.processors[0].edx, PAGE | P | W | A | D);
});

test("bits that software clears are set again by the next access", () => {
  const outcome = run((a) => {
    a.mov(dword(PAGE), eax);
    a.mov(dword(ENTRY), PAGE | P | W);
    a.invlpg(byte(PAGE));
    a.mov(dword(PAGE), eax);
  });
  assert.is(entryOf(outcome, PAGE), PAGE | P | W | A | D);
});

test("a large page has its marks in the directory", () => {
  const outcome = run((a) => {
    a.mov(dword(directory.plus(4)), P | W | PS);
    a.mov(dword(directory.plus(8)), P | W | PS);
    a.mov(eax, dword(0x400000 + PAGE));
    a.mov(dword(0x800000 + PAGE), eax);
  });
  assert.is(outcome.word(directory, 4), P | W | PS | A);
  assert.is(outcome.word(directory, 8), P | W | PS | A | D);
});

/** Accesses that fault once, and what the handler is told. */
const faulting: readonly (readonly [title: string, expected: string, cr0Bits: number, body: (a: Assembler) => void])[] =
  [
    [
      "a read of an absent page",
      "#PF(0) at 60004, 1",
      0,
      (a) => {
        a.mov(dword(ENTRY), 0);
        a.mov(eax, dword(PAGE + 4));
      },
    ],
    [
      "a write to an absent page",
      "#PF(2) at 60004, 1",
      0,
      (a) => {
        a.mov(dword(ENTRY), 0);
        a.mov(dword(PAGE + 4), eax);
      },
    ],
    [
      "a read-modify-write",
      "#PF(2) at 60004, 1",
      0,
      (a) => {
        a.mov(dword(ENTRY), 0);
        a.inc(dword(PAGE + 4));
      },
    ],
    [
      "a write to a read-only page with WP",
      "#PF(3) at 60000, 1",
      WP,
      (a) => {
        a.mov(dword(ENTRY), PAGE | P);
        a.inc(dword(PAGE));
      },
    ],
    [
      "a write to a read-only page without WP",
      "",
      0,
      (a) => {
        a.mov(dword(ENTRY), PAGE | P);
        a.inc(dword(PAGE));
      },
    ],
    [
      "a second page that is absent",
      "#PF(2) at 61000, 1",
      0,
      (a) => {
        a.mov(dword(NEXT_ENTRY), 0);
        a.mov(dword(NEXT - 2), eax);
      },
    ],
    [
      "a first page that is absent",
      "#PF(0) at 60ffe, 1",
      0,
      (a) => {
        a.mov(dword(ENTRY), 0);
        a.mov(eax, dword(NEXT - 2));
      },
    ],
    [
      "both pages absent, one after the other",
      "#PF(2) at 61000, 2",
      0,
      (a) => {
        a.mov(dword(ENTRY), 0);
        a.mov(dword(NEXT_ENTRY), 0);
        a.mov(dword(NEXT - 2), eax);
      },
    ],
    [
      "code in an absent page",
      "#PF(0) at 60000, 1",
      0,
      (a) => {
        a.mov(byte(PAGE), 0xc3);
        a.mov(dword(ENTRY), 0);
        a.mov(edi, PAGE);
        a.call(edi);
      },
    ],
    [
      "code whose second half is absent",
      "#PF(0) at 61000, 1",
      0,
      (a) => {
        a.mov(word(NEXT - 2), 0x00b8);
        a.mov(dword(NEXT), 0xc3000000 | 0);
        a.mov(dword(NEXT_ENTRY), 0);
        a.mov(edi, NEXT - 2);
        a.call(edi);
      },
    ],
  ];
for (const [title, expected, cr0Bits, body] of faulting)
  test(`${expected === "" ? "no fault" : "a precise fault"}: ${title}`, () =>
    assert.is(run(body, cr0Bits).fault, expected));

test("a write that faults in its second page has written nothing to its first", () => {
  const outcome = run((a) => {
    a.mov(dword(NEXT - 4), 0x11111111);
    a.mov(dword(NEXT), 0x22222222);
    a.mov(dword(NEXT_ENTRY), 0);
    a.mov(dword(NEXT - 2), 0x33333333);
    a.label("behind");
  });
  assert.is(outcome.fault, "#PF(2) at 61000, 1");
  assert.is(outcome.machine.memory.dword(NEXT - 4), 0x33331111);
  assert.is(outcome.machine.memory.dword(NEXT), 0x22223333);
});

test("a POP to an absent page and a PUSH from one leave ESP for the second try", () => {
  const { machine, fault } = run((a) => {
    a.mov(esi, esp);
    a.push(0x1234);
    a.mov(dword(ENTRY), 0);
    a.pop(dword(PAGE));
    a.mov(dword(ENTRY), 0);
    a.push(dword(PAGE));
    a.pop(ebx);
    a.sub(esi, esp);
  });
  assert.is(fault, "#PF(0) at 60000, 2");
  assert.is(machine.processors[0].ebx, 0x1234);
  assert.is(machine.processors[0].esi, 0);
});

test("REP MOVS over absent pages copies every byte once", () => {
  const { machine, fault } = run((a) => {
    a.mov(edi, 0x100000 - 0x3000);
    a.mov(ecx, 0x3000);
    a.label("fill");
    a.mov(eax, ecx);
    a.mov(byte(edi), al);
    a.inc(edi);
    a.loop("fill");
    for (const entry of [ENTRY, NEXT_ENTRY, NEXT_ENTRY.plus(4)]) a.mov(dword(entry), 0);
    a.mov(esi, 0x100000 - 0x3000);
    a.mov(edi, PAGE + 1);
    a.mov(ecx, 0x2ffe);
    a.rep.movsb();
  });
  assert.is(fault, "#PF(2) at 62000, 3");
  const [source, copy] = [machine.memory.bytes(0x100000 - 0x3000, 0x2ffe), machine.memory.bytes(PAGE + 1, 0x2ffe)];
  assert.equal(Buffer.compare(source, copy), 0);
});

test("reserved bits of a large page's entry are told by the error code", () => {
  // The handler does not mend a directory entry: the fault comes again until the budget ends.
  const code = paged((a) => {
    a.mov(dword(directory.plus(4)), P | W | PS | 0x2000);
    a.mov(eax, dword(0x400000));
  });
  const machine = code.boot();
  machine.run({ maxInstructions: 5000 });
  assert.is(machine.memory.dword(code.image.addressOf(fault)), 9);
});

test("an entry changed and invalidated leads to the new page at once", () => {
  const { machine } = run((a) => {
    a.mov(dword(PAGE), 1);
    a.mov(dword(NEXT), 2);
    a.mov(eax, dword(PAGE));
    a.mov(dword(ENTRY), NEXT | P | W);
    a.invlpg(byte(PAGE));
    a.mov(ebx, dword(PAGE));
    a.mov(dword(PAGE), 3);
    a.mov(ecx, dword(NEXT));
  });
  assert.equal(
    [machine.processors[0].eax & 0xff, machine.processors[0].ebx, machine.processors[0].ecx].slice(1),
    [2, 3],
  );
});

test("MOV CR3 makes every change take effect", () => {
  const { machine } = run((a) => {
    a.mov(dword(PAGE), 1);
    a.mov(dword(NEXT), 2);
    a.mov(dword(ENTRY), NEXT | P | W);
    a.mov(eax, cr3);
    a.mov(cr3, eax);
    a.mov(ebx, dword(PAGE));
  });
  assert.is(machine.processors[0].ebx, 2);
});

test("tables written through the directory that leads to itself take effect", () => {
  const { machine, fault } = run((a) => {
    a.mov(dword(NEXT), 7);
    a.mov(eax, dword(PAGE));
    a.mov(dword(0xffc00000 + (PAGE >> 12) * 4), NEXT | P | W);
    a.invlpg(byte(PAGE));
    a.mov(ebx, dword(PAGE));
    a.mov(edx, dword(0xfffff000));
  });
  assert.is(fault, "");
  assert.is(machine.processors[0].ebx, 7);
  // The directory's first entry has been used for an entry of a page, and that page written to.
  assert.is(machine.processors[0].edx & 0xfff, P | W | A | D);
});

// A page of the local APIC is remembered from access to access; here is what must make it forgotten.
const remappings: readonly (readonly [title: string, change: (a: Assembler) => void])[] = [
  ["by its entry", (a) => a.mov(dword(ENTRY), NEXT | P | W)],
  [
    "by its entry, with INVLPG",
    (a) => {
      a.mov(dword(ENTRY), NEXT | P | W);
      a.invlpg(byte(PAGE));
    },
  ],
  [
    "by other tables",
    (a) => {
      a.mov(dword(ENTRY), NEXT | P | W);
      a.mov(eax, cr3);
      a.mov(cr3, eax);
    },
  ],
];
for (const [title, change] of remappings)
  test(`a device's page mapped elsewhere ${title} is memory`, () => {
    const { machine, fault } = run((a) => {
      a.mov(dword(NEXT, TPR), 0x77);
      a.mov(dword(ENTRY), APIC | P | W);
      a.mov(dword(PAGE, TPR), 0x30);
      a.mov(ecx, dword(PAGE, TPR));
      change(a);
      a.mov(ebx, dword(PAGE, TPR));
      a.mov(dword(PAGE, TPR), 0x50);
      a.mov(dword(ENTRY), APIC | P | W);
      a.mov(esi, dword(PAGE, TPR));
    });
    const { ecx: first, ebx: second, esi: third } = machine.processors[0];
    assert.is(fault, "");
    assert.equal([first, second, third], [0x30, 0x77, 0x30]);
    assert.is(machine.memory.dword(NEXT + TPR), 0x50);
  });

test("a device's page that has been read can still not be written without the right to", () => {
  const { machine, fault } = run((a) => {
    a.mov(dword(ENTRY), APIC | P);
    a.mov(eax, dword(PAGE, TPR));
    a.mov(dword(PAGE, TPR), 0x50);
    a.mov(dword(ENTRY), APIC | P);
    a.mov(ebx, dword(PAGE, TPR));
  }, WP);
  assert.is(fault, `#PF(3) at ${(PAGE + TPR).toString(16)}, 1`);
  assert.is(machine.memory.dword(PAGE + TPR), 0x50);
  assert.is(machine.processors[0].ebx, 0);
});

test("with paging turned off again addresses are physical", () => {
  const { machine } = run((a) => {
    a.mov(dword(PAGE), 1);
    a.mov(dword(ENTRY), NEXT | P | W);
    a.mov(eax, cr0);
    a.and(eax, 0x7fffffff);
    a.mov(cr0, eax);
    a.mov(ebx, dword(PAGE));
  });
  assert.is(machine.processors[0].ebx, 1);
});

test.run();
