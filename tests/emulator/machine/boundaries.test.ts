// What happens between two instructions: interrupts at exactly the right boundary, their shadows, HLT, PAUSE, budgets.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  type Assembler,
  al,
  ax,
  data,
  ds,
  dword,
  dwords,
  dx,
  eax,
  ebx,
  ecx,
  edi,
  esp,
  link,
  memory,
  proc,
  ss,
  words,
} from "#asm";
import { Machine } from "#emulator";
import {
  APIC,
  EOI,
  enableApic,
  handle,
  ICR,
  LVT_TIMER,
  SNIPPET_MEMORY,
  snippet,
  TIMER_DIVIDE,
  TIMER_INITIAL,
  TO_SELF,
  TPR,
} from "../guests/snippet.ts";

const VECTOR = 0x41;
const DATA_SELECTOR = 0x10;
const INVALID_OPCODE = 6;
const BREAKPOINT_ON_BOARD = 2;

const interrupted = data("interrupted", 4);
const times = data("times", 4);

/** Notes where it interrupted, and counts. */
const note = proc("note", (a) => {
  a.push(eax);
  a.mov(eax, dword(esp, 4));
  a.mov(dword(interrupted), eax);
  a.inc(dword(times));
  a.mov(eax, APIC);
  a.mov(dword(eax, EOI), 0);
  a.pop(eax);
  a.iretd();
});

/** Interrupts on or off, then `body` with EAX the local APIC's address. */
function withNote(body: (a: Assembler) => void) {
  return snippet((a) => {
    handle(a, { [VECTOR]: note, [BREAKPOINT_ON_BOARD]: note });
    enableApic(a);
    body(a);
  });
}

/** The label at which the snippet was interrupted, once at most; "" if it never was. */
function whereInterrupted(body: (a: Assembler) => void): string {
  const { image, boot } = withNote(body);
  const machine = boot();
  assert.is(machine.run({ maxInstructions: 10_000 }).reason, "halted");
  const address = machine.memory.dword(image.addressOf(interrupted));
  assert.is(machine.memory.dword(image.addressOf(times)), address === 0 ? 0 : 1);
  const label = image.symbols.find((symbol) => symbol.kind === "label" && symbol.address === address);
  return address === 0 ? "" : (label?.name.replace("main.", "") ?? address.toString(16));
}

const sendToSelf = (a: Assembler): void => a.mov(dword(eax, ICR), TO_SELF | VECTOR);

const windows = suite("interrupt windows");

/** Where one interrupt comes; the labels are a, b, c in order. */
const places: readonly (readonly [title: string, at: string, body: (a: Assembler) => void])[] = [
  [
    "one raised by a store of its own is taken before the next instruction",
    "a",
    (a) => {
      a.sti();
      a.nop();
      sendToSelf(a);
      a.label("a");
      a.inc(ebx);
      a.label("b");
      a.inc(ebx);
    },
  ],
  [
    "after STI one more instruction runs first",
    "b",
    (a) => {
      sendToSelf(a);
      a.sti();
      a.label("a");
      a.inc(ebx);
      a.label("b");
      a.inc(ebx);
    },
  ],
  [
    "a second STI casts no shadow",
    "b",
    (a) => {
      sendToSelf(a);
      a.sti();
      a.label("a");
      a.sti();
      a.label("b");
      a.inc(ebx);
    },
  ],
  [
    "CLI right after STI lets none in",
    "",
    (a) => {
      sendToSelf(a);
      a.sti();
      a.cli();
      a.nop();
    },
  ],
  [
    "POPF that sets IF casts no shadow",
    "a",
    (a) => {
      sendToSelf(a);
      a.push(0x202);
      a.popfd();
      a.label("a");
      a.inc(ebx);
    },
  ],
  [
    "MOV SS in the shadow of STI begins one of its own",
    "c",
    (a) => {
      sendToSelf(a);
      a.mov(dx, DATA_SELECTOR);
      a.sti();
      a.label("a");
      a.mov(ss, dx);
      a.label("b");
      a.inc(ebx);
      a.label("c");
      a.inc(ebx);
    },
  ],
  [
    "MOV DS casts no shadow",
    "b",
    (a) => {
      sendToSelf(a);
      a.mov(dx, DATA_SELECTOR);
      a.sti();
      a.label("a");
      a.mov(ds, dx);
      a.label("b");
      a.inc(ebx);
    },
  ],
  [
    "one held off by the task priority comes when the priority falls",
    "b",
    (a) => {
      a.mov(dword(eax, TPR), 0x50);
      a.sti();
      a.nop();
      sendToSelf(a);
      a.label("a");
      a.mov(dword(eax, TPR), 0x30);
      a.label("b");
      a.inc(ebx);
    },
  ],
  [
    "an NMI needs no IF",
    "a",
    (a) => {
      a.mov(dword(eax, 0x310), 0);
      a.mov(dword(eax, ICR), 0x4400);
      a.label("a");
      a.inc(ebx);
    },
  ],
];
for (const [title, at, body] of places) windows(title, () => assert.is(whereInterrupted(body), at));

windows("an NMI that waited for the end of another's handler comes right behind its IRET", () => {
  const twice = proc("twice", (a) => {
    a.push(eax);
    a.mov(eax, dword(esp, 4));
    a.mov(dword(interrupted), eax);
    a.inc(dword(times));
    a.cmp(dword(times), 1);
    a.jne("done");
    a.mov(eax, APIC);
    a.mov(dword(eax, ICR), 0x4400);
    a.label("done");
    a.pop(eax);
    a.iretd();
  });
  const { image, at, boot } = snippet((a) => {
    handle(a, { [BREAKPOINT_ON_BOARD]: twice });
    enableApic(a);
    a.mov(dword(eax, ICR + 0x10), 0);
    a.mov(dword(eax, ICR), 0x4400);
    a.label("a");
    a.inc(ebx);
  });
  const machine = boot();
  machine.run({ maxInstructions: 10_000 });
  assert.is(machine.memory.dword(image.addressOf(times)), 2);
  assert.is(machine.memory.dword(image.addressOf(interrupted)), at("a"));
});

windows("a timer comes at every boundary but those in a shadow of MOV SS", () => {
  const seen = new Set<string>();
  for (let count = 1; count <= 8; count++) {
    seen.add(
      whereInterrupted((a) => {
        a.mov(dx, DATA_SELECTOR);
        a.mov(dword(eax, TIMER_DIVIDE), 0xb);
        a.mov(dword(eax, LVT_TIMER), VECTOR);
        a.sti();
        a.mov(dword(eax, TIMER_INITIAL), count);
        a.label("a");
        a.inc(ebx);
        a.label("b");
        a.mov(ss, dx);
        a.label("c");
        a.inc(ebx);
        a.label("d");
        a.inc(ebx);
        a.label("e");
        a.inc(ebx);
        a.label("f");
        for (let i = 0; i < 8; i++) a.inc(ebx);
      }),
    );
  }
  for (const [label, expected] of Object.entries({ b: true, c: false, d: true, e: true, f: true }))
    assert.is(seen.has(label), expected, label);
});

const waiting = suite("waiting");

waiting("HLT waits for a timer: one instruction, and the clock is at its due time", () => {
  const code = withNote((a) => {
    a.mov(dword(eax, TIMER_DIVIDE), 0xb);
    a.mov(dword(eax, LVT_TIMER), VECTOR);
    a.mov(dword(eax, TIMER_INITIAL), 1_000_000);
    a.label("armed");
    a.sti();
    a.hlt();
    a.label("woken");
  });
  const machine = code.boot();
  const { reason, clock, instructions } = machine.run();
  assert.is(reason, "halted");
  assert.is(machine.memory.dword(code.image.addressOf(interrupted)), code.at("woken"));
  assert.ok(instructions[0] < 200);
  assert.ok(clock > 1_000_000 && clock < 1_000_200, `clock ${clock}`);
});

waiting("all processors halted with interrupts off end the run", () => {
  const { reason, instructions } = snippet((a) => a.nop())
    .boot()
    .run();
  assert.is(reason, "halted");
  assert.is(instructions[0], 4); // MOV ESP, NOP, CLI, HLT
});

waiting("a halted processor with interrupts off is woken by an NMI alone", () => {
  const woken = data("woken", 4);
  const main = proc("main", (a) => {
    a.push(eax);
    handle(a, { [BREAKPOINT_ON_BOARD]: note, [VECTOR]: note });
    enableApic(a);
    a.pop(ecx);
    a.test(ecx, ecx);
    a.jnz("other");
    a.mov(ecx, 5000);
    a.label("let them sleep");
    a.loop("let them sleep");
    a.mov(dword(eax, ICR), 0xc4000 | VECTOR);
    a.mov(ecx, 5000);
    a.label("wait");
    a.loop("wait");
    a.mov(ebx, dword(woken));
    a.mov(dword(eax, ICR), 0xc4400);
    a.hlt();
    a.label("other");
    a.hlt();
    a.inc(dword(woken));
    a.hlt();
  });
  const image = link(main, { start: "all" });
  const machine = Machine.boot(image, { processors: 2, memory: SNIPPET_MEMORY });
  assert.is(machine.run({ maxInstructions: 1_000_000 }).reason, "halted");
  assert.is(machine.processors[0].ebx, 0);
  assert.is(machine.memory.dword(image.addressOf(woken)), 1);
});

waiting("PAUSE gives up the slice: who waits with it spends far fewer instructions", () => {
  const spent = [true, false].map((withPause) => {
    const flag = data("flag", 4);
    const main = proc("main", (a) => {
      a.test(eax, eax);
      a.jz("wait");
      a.mov(ecx, 20_000);
      a.label("work");
      a.loop("work");
      a.mov(dword(flag), 1);
      a.hlt();
      a.label("wait");
      if (withPause) a.pause();
      a.cmp(dword(flag), 0);
      a.je("wait");
      a.hlt();
    });
    const machine = Machine.boot(link(main, { start: "all" }), { processors: 2, memory: SNIPPET_MEMORY });
    const before = 20_500; // the start stub's own waits
    return machine.run({ maxInstructions: 1_000_000 }).instructions[0] - before;
  });
  assert.ok(spent[0] * 10 < spent[1], spent.join(" with, without "));
});

const budgets = suite("budgets");

budgets("a REP stops between two iterations, and goes on from there", () => {
  const code = snippet((a) => {
    a.mov(edi, 0x20000);
    a.mov(ecx, 10_000);
    a.mov(al, 0x11);
    a.label("rep");
    a.rep.stosb();
    a.label("behind");
  });
  const machine = code.boot();
  const before = 4;
  for (const limit of [before, before + 1, before + 2, before + 700, before + 5000, before + 9999]) {
    machine.run({ maxInstructions: limit });
    assert.is(machine.processors[0].ecx, 10_000 - (limit - before));
    assert.is(machine.processors[0].edi, 0x20000 + (limit - before));
    assert.is(machine.processors[0].eip, code.at("rep"));
  }
  machine.run({ maxInstructions: before + 10_000 });
  assert.is(machine.processors[0].eip, code.at("behind"));
});

budgets("a REP with nothing to do counts as one", () => {
  const code = snippet((a) => {
    a.xor(ecx, ecx);
    a.rep.movsb();
    a.label("behind");
  });
  const machine = code.boot();
  machine.run({ maxInstructions: 3 });
  assert.is(machine.processors[0].eip, code.at("behind"));
});

budgets("faults and deliveries count nothing, IRET counts one", () => {
  const skip = proc("skip", (a) => {
    a.add(dword(esp), 2);
    a.iretd();
  });
  const code = snippet((a) => {
    handle(a, { [INVALID_OPCODE]: skip });
    a.label("before");
    for (let i = 0; i < 10; i++) a.ud2();
    a.label("behind");
  });
  const machine = code.boot();
  let before = 0;
  while (machine.processors[0].eip !== code.at("before")) machine.run({ maxInstructions: ++before });
  machine.run({ maxInstructions: before + 20 });
  assert.is(machine.processors[0].eip, code.at("behind"));
});

/** Guests whose exceptions never come to an end. */
const storms: readonly (readonly [title: string, body: (a: Assembler) => void])[] = [
  [
    "an invalid opcode that is its own handler",
    (a) => {
      handle(a, { [INVALID_OPCODE]: a.addressOf("handler") });
      a.label("handler");
      a.ud2();
    },
  ],
  [
    "a divide error handled by an invalid opcode handled by a division",
    (a) => {
      handle(a, { 0: a.addressOf("divide"), [INVALID_OPCODE]: a.addressOf("opcode") });
      a.xor(ebx, ebx);
      a.label("opcode");
      a.div(ebx);
      a.label("divide");
      a.ud2();
    },
  ],
];
for (const [title, body] of storms) {
  budgets(`a run ends for all that: ${title}`, () => {
    // Interrupt gates leave ESP where it fell; a small stack segment would end it, the whole of memory does not.
    const machine = snippet(body).boot();
    const { reason, instructions } = machine.run({ maxInstructions: 2000 });
    assert.is(reason, "budget");
    assert.is(instructions[0], 2000);
  });
}

budgets("a real-mode vector that leads to an invalid opcode ends with the budget too", () => {
  const machine = new Machine({ memory: SNIPPET_MEMORY });
  // Every vector leads to 0000:0600, where there is UD2.
  for (let vector = 0; vector < 256; vector++) machine.memory.setDword(4 * vector, 0x600);
  machine.memory.set(0x600, [0x0f, 0x0b]);
  machine.memory.set(0x7c00, [0x0f, 0x0b]);
  const boot = new Uint8Array(512);
  boot.set([0x0f, 0x0b]);
  machine.load(boot);
  const { reason, instructions } = machine.run({ maxInstructions: 1000 });
  assert.is(reason, "budget");
  assert.is(instructions[0], 1000);
});

const endings = suite("endings");

/** Snippets and how their runs end. */
const ends: readonly (readonly [title: string, reason: string, body: (a: Assembler) => void])[] = [
  ["an exception without an IDT is a triple fault", "triple fault: processor 0", (a) => a.ud2()],
  [
    "port F4h ends with its value",
    "guest exit 42",
    (a) => {
      a.mov(al, 42);
      a.out(0xf4, al);
    },
  ],
  [
    "port 64h resets",
    "reset",
    (a) => {
      a.mov(al, 0xfe);
      a.out(0x64, al);
    },
  ],
  [
    "what is not built stops by name, where it stands",
    "not implemented: lowest priority delivery",
    (a) => {
      enableApic(a);
      a.mov(dword(eax, 0x310), 0);
      a.mov(dword(eax, ICR), 0x4100 | VECTOR);
    },
  ],
  [
    "a device that meets what is not built stops the run by name as well",
    "not implemented: lowest priority delivery",
    (a) => {
      a.mov(ebx, 0xfec00000);
      a.mov(dword(ebx), 0x10 + 2 * 2); // the 8254's input of the I/O APIC
      a.mov(dword(ebx, 0x10), 0x100 | VECTOR);
      a.mov(al, 0x34);
      a.out(0x43, al);
      a.mov(ax, 0x20);
      a.out(0x40, al);
      a.mov(al, 0);
      a.out(0x40, al);
      a.mov(ecx, 100_000);
      a.label("wait");
      a.loop("wait");
    },
  ],
];
for (const [title, expected, body] of ends) {
  endings(title, () => {
    const { reason, detail = "", guestExit = "" } = snippet(body).boot().run({ maxInstructions: 1_000_000 });
    const text = `${reason}${guestExit !== "" ? ` ${guestExit}` : ""}${detail !== "" ? `: ${detail}` : ""}`;
    assert.ok(text.startsWith(expected), text);
  });
}

// CS with base 0 and 4 GiB, but 16-bit code.
const wide16 = data("wide16", dwords(0, 0, 0xffff, 0x8f9b00, 0xffff, 0xcf9300), { align: 8 });
const wide16r = data("wide16r", [words(wide16.size - 1), dwords(wide16)]);

budgets("STI's shadow covers the next instruction wherever decoding stopped", () => {
  // Runs of decoded instructions have an end somewhere; with so many before it, it lies behind STI once.
  for (let before = 0; before < 64; before++) {
    const at = whereInterrupted((a) => {
      for (let i = 0; i < before; i++) a.nop();
      a.mov(dword(eax, ICR), TO_SELF | VECTOR);
      a.sti();
      a.label("shadowed");
      a.nop();
      a.label("open");
      a.nop();
    });
    assert.is(at, "open", `${before} instructions before`);
  }
});

budgets("16-bit code above 64 KiB goes on alike wherever budgets end", () => {
  const { boot } = snippet((a) => {
    a.lgdt(memory(wide16r));
    a.push(0x08);
    a.push(a.addressOf("above"));
    a.retf();
    a.label("above");
    for (let i = 0; i < 8; i++) a.inc(ecx);
  });
  const once = boot();
  once.run({ maxInstructions: 60 });
  const piecemeal = boot();
  for (let limit = 1; limit <= 60; limit++) piecemeal.run({ maxInstructions: limit });
  assert.is(piecemeal.processors[0].eip, once.processors[0].eip);
  assert.is(piecemeal.hash(), once.hash());
});

windows.run();
waiting.run();
budgets.run();
endings.run();
