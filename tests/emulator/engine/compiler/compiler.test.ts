// The parts of tier 1 by themselves; that it runs guests as the interpreter does is the business of ../../identity.
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Assembler, byte, dword, eax, ebx, ecx, edi, edx, esi, esp, type Image, link, proc } from "#asm";
import { type Engine, Machine } from "#emulator";
import { emitRegion } from "../../../../emulator/engine/compiler/emit.ts";
import { formRegion, kindOf } from "../../../../emulator/engine/compiler/region.ts";
import { decode } from "../../../../emulator/isa/index.ts";

const test = suite("compiler");

const golden: readonly (readonly [bits: number, syntax: string, source: string, bytes: string])[] = JSON.parse(
  readFileSync(new URL("../../isa/golden/golden.json", import.meta.url), "utf8"),
);
const MEMORY = 2 << 20;
const PAGES = 64;
/** All segments flat with a 32-bit stack, none flat but the code's and the stack's. */
const keys = [0xff, 0x80 | 0x04 | 0x08 | 1];

/** Node's own checker. */
const { validate: isModule } = (globalThis as unknown as { WebAssembly: { validate(bytes: Uint8Array): boolean } })
  .WebAssembly;

test("every golden instruction that is data flow makes a valid module, also where segments have bases", () => {
  let compiled = 0;
  for (const [bits, , source, hex] of golden) {
    const bytes = new Uint8Array(Buffer.from(hex, "hex"));
    const instruction = decode(bytes, 0, bytes.length, 32);
    if (bits !== 32 || typeof instruction === "string" || kindOf(instruction) === "interpret") continue;
    for (const key of keys) {
      const region = formRegion(0x1000, (eip) => (eip === 0x1000 ? instruction : null), [], false);
      const options = {
        key,
        pages: PAGES,
        slot: 1,
        refilled: new Set(key === keys[0] ? [0x1000] : []),
        exact: true,
      };
      assert.ok(isModule(emitRegion(region, options).bytes), source);
    }
    compiled++;
  }
  assert.ok(compiled > 3000, `${compiled} instructions`);
});

/** Runs an image that ends by writing to port F4h. */
function run(image: Image, engine: Engine = "auto"): Machine {
  const machine = Machine.boot(image, { memory: MEMORY, engine });
  const { reason, guestExit } = machine.run({ maxInstructions: 50_000_000 });
  assert.is(`${reason} ${guestExit}`, "guest exit 0");
  return machine;
}

const counted = link(
  proc("main", (a) => {
    a.mov(ecx, 1_000_000);
    a.label("again");
    a.add(ebx, ecx);
    a.dec(ecx);
    a.jnz("again");
    a.mov(eax, 0);
    a.out(0xf4, eax);
  }),
);

test("nearly all of a long loop is run by a region, whose exits are counted by reason", () => {
  const { statistics } = run(counted).interpreter.compiler ?? {};
  assert.ok(statistics);
  assert.ok(statistics.instructions > 2_900_000, String(statistics.instructions));
  assert.is(statistics.regions, 1);
  assert.ok(statistics.exits.budget > 0);
});

test("a machine with the interpreter alone has no compiler", () => {
  assert.is(run(counted, "interpreter").interpreter.compiler, null);
});

test("code that runs a few times is not compiled", () => {
  const few = link(
    proc("main", (a) => {
      a.mov(ecx, 100);
      a.label("again");
      a.dec(ecx);
      a.jnz("again");
      a.mov(eax, 0);
      a.out(0xf4, eax);
    }),
  );
  assert.is(run(few).interpreter.compiler?.statistics.compiled, 0);
});

const priorities = link(
  proc("main", (a) => {
    a.mov(ecx, 100_000);
    a.mov(esi, 0xfee00000);
    a.label("again");
    a.mov(eax, ecx);
    a.mov(dword(esi, 0x80), eax);
    a.rdtsc();
    a.add(edi, eax);
    a.dec(ecx);
    a.jnz("again");
    a.mov(eax, dword(esi, 0x80));
    a.sub(eax, 1);
    a.out(0xf4, eax);
  }),
);

test("regions read the clock, and write the TPR while no interrupt waits, by themselves", () => {
  const machine = run(priorities);
  const exits = machine.statistics?.exits;
  assert.ok(exits && exits.memory < 500 && exits.interpret < 500, JSON.stringify(exits));
  assert.is(machine.hash(), run(priorities, "interpreter").hash());
});

test("a loop that begins by reading the clock, as waits do, is run by a region", () => {
  const waiting = link(
    proc("main", (a) => {
      a.mov(ecx, 1_000_000);
      a.label("wait");
      a.rdtsc();
      a.dec(ecx);
      a.jnz("wait");
      a.mov(eax, 0);
      a.out(0xf4, eax);
    }),
  );
  const { instructions = 0 } = run(waiting).statistics ?? {};
  assert.ok(instructions > 2_900_000, `${instructions}`);
});

/** Takes the level up and down as kernels do: the APIC's address is a constant of the routine. */
function levels(a: Assembler, times: number, pauses: boolean): void {
  a.mov(ecx, times);
  a.label("again");
  a.call("raise");
  a.call("lower");
  a.dec(ecx);
  a.jnz("again");
  a.jmp("over");
  for (const [name, priority] of [
    ["raise", 0x40],
    ["lower", 0],
  ] as const) {
    a.label(name);
    a.mov(eax, priority);
    a.mov(edx, 0xfee00000);
    a.mov(dword(edx, 0x80), eax);
    if (pauses) a.pause();
    a.ret();
  }
  a.label("over");
}

test("a loop, the routines it calls, and what follows PAUSE in them are one region, compiled once", () => {
  const image = link(
    proc("main", (a) => {
      a.mov(esp, 0x100000);
      levels(a, 20_000, true);
      a.mov(eax, 0);
      a.out(0xf4, eax);
    }),
  );
  const machine = run(image);
  const { compiled, exits } = machine.statistics ?? { compiled: 0, exits: {} as Record<string, number> };
  assert.is(compiled, 1);
  assert.ok(exits.memory < 20, JSON.stringify(exits));
  assert.is(machine.hash(), run(image, "interpreter").hash());
});

test("code in steps writes the TPR by itself too", () => {
  const image = link(
    proc("main", (a) => {
      levels(a, 300_000, false);
      a.cli();
      a.hlt();
    }),
    { start: "all" },
  );
  const machine = Machine.boot(image, { memory: MEMORY, processors: 4 });
  assert.is(machine.run({ maxInstructions: 50_000_000 }).reason, "halted");
  assert.ok((machine.statistics?.exits.memory ?? 1000) < 200, JSON.stringify(machine.statistics));
});

test("jumps out of a region to a place of its own are learned", () => {
  const image = link(
    proc("main", (a) => {
      a.mov(esp, 0x100000);
      a.mov(ecx, 100_000);
      a.label("again");
      a.call("routine");
      a.dec(ecx);
      a.jnz("again");
      a.mov(eax, 0);
      a.out(0xf4, eax);
      a.label("routine");
      a.inc(ebx);
      a.pop(eax);
      a.jmp(eax);
    }),
  );
  const { exits } = run(image).statistics ?? { exits: { link: 1000 } };
  assert.ok(exits.link < 100, JSON.stringify(exits));
});

/** Writes a routine anew again and again, each time at the next of 4,096 places, and calls it often enough to be hot. */
const generator = link(
  proc("main", (a) => {
    a.mov(esp, 0x100000);
    a.mov(edi, 0x110000);
    a.label("place");
    // mov ecx, 3000; again: add ebx, 3; dec ecx; jnz again; ret
    const code = [0xb9, 0xb8, 0x0b, 0, 0, 0x83, 0xc3, 3, 0x49, 0x75, 0xfa, 0xc3];
    for (const [offset, value] of code.entries()) a.mov(byte(edi, offset), value);
    a.call(edi);
    a.add(edi, 0x40);
    a.cmp(edi, 0x150000);
    a.jb("place");
    a.mov(eax, 0);
    a.out(0xf4, eax);
  }),
);

test("regions go when their code is written, and what they take stays bounded", () => {
  const { statistics } = run(generator).interpreter.compiler ?? {};
  assert.ok(statistics);
  assert.ok(statistics.compiled > 1000, String(statistics.compiled));
  assert.ok(statistics.bytes <= 5 << 20, String(statistics.bytes));
});

const overwriter = link(
  proc("main", (a) => {
    // inc ebx; ret, or dec ebx; ret, in turn; each called often enough to be hot
    a.mov(esp, 0x100000);
    a.sub(ebx, ebx);
    a.mov(esi, 40);
    a.label("turn");
    a.mov(eax, 0x00c3_43);
    a.test(esi, 1);
    a.jnz("odd");
    a.mov(eax, 0x00c3_4b);
    a.label("odd");
    a.mov(dword(0x110000), eax);
    a.mov(edi, 0x110000);
    a.mov(ecx, 5000);
    a.label("again");
    a.call(edi);
    a.dec(ecx);
    a.jnz("again");
    a.dec(esi);
    a.jnz("turn");
    a.mov(eax, 0);
    a.out(0xf4, eax);
  }),
);

test("a routine that is written over is compiled again and does what it says now", () => {
  const machine = run(overwriter);
  assert.is(machine.processors[0].ebx, 0);
  const { statistics } = machine.interpreter.compiler ?? {};
  assert.ok(statistics !== undefined && statistics.invalidated > 0);
});

test("a loop that did not pay while it read a device is entered again when it reads memory", () => {
  const reader = link(
    proc("main", (a) => {
      a.mov(esi, 0xfee00020);
      a.mov(ecx, 1_000_000);
      a.label("again");
      a.mov(eax, dword(esi));
      a.cmp(ecx, 990_000);
      a.jnz("same");
      a.mov(esi, 0x110000);
      a.label("same");
      a.dec(ecx);
      a.jnz("again");
      a.mov(eax, 0);
      a.out(0xf4, eax);
    }),
  );
  const { statistics } = run(reader).interpreter.compiler ?? {};
  assert.ok(statistics !== undefined && statistics.instructions > 4_000_000, String(statistics?.instructions));
});

test("a watched run uses no regions, and the next one does again", () => {
  const machine = Machine.boot(counted, { memory: MEMORY });
  machine.run({ maxInstructions: 1_000_000 });
  const before = machine.interpreter.compiler?.statistics.instructions ?? 0;
  machine.observe({ after() {} });
  machine.run({ maxInstructions: 1_100_000 });
  assert.is(machine.interpreter.compiler?.statistics.instructions, before);
  machine.observe(null);
  machine.run({ maxInstructions: 2_000_000 });
  assert.ok((machine.interpreter.compiler?.statistics.instructions ?? 0) > before + 500_000);
});

test.run();
