// Code that is changed takes effect at the next instruction, whoever changes it and however it is reached.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  type Assembler,
  al,
  byte,
  cl,
  cr0,
  cr3,
  data,
  dword,
  eax,
  ebx,
  ecx,
  edi,
  edx,
  esi,
  esp,
  imm32,
  link,
  proc,
} from "#asm";
import { Machine } from "#emulator";
import { SNIPPET_MEMORY, snippet } from "../guests/snippet.ts";

const test = suite("self-modifying code");

/** Runs a snippet to its HLT. */
function run(body: (a: Assembler) => void): Machine {
  const machine = snippet(body).boot();
  assert.is(machine.run({ maxInstructions: 100_000 }).reason, "halted");
  return machine;
}

/** `mov ebx, value` whose value lies one byte behind the label. */
const MOV_EBX = 0xbb;
function movEbx(a: Assembler, label: string, value: number): void {
  a.label(label);
  a.db(MOV_EBX, value, 0, 0, 0);
}
/** Fills a whole page up to its last `before` bytes. */
const inLastBytes = (a: Assembler, before: number): void => {
  a.align(4096);
  for (let i = 0; i < 4096 - before; i++) a.db(0x90);
};

test("a store to the next instruction is seen by it", () => {
  const { processors } = run((a) => {
    a.mov(byte(a.addressOf("next").plus(1)), 7);
    movEbx(a, "next", 1);
  });
  assert.is(processors[0].ebx, 7);
});

test("a store by the instruction right before the end of a decoded run is seen", () => {
  const { processors } = run((a) => {
    for (let i = 0; i < 100; i++) {
      a.mov(byte(a.addressOf(`next${i}`).plus(1)), i + 1);
      movEbx(a, `next${i}`, 0);
      a.add(esi, ebx);
    }
  });
  assert.is(processors[0].esi, 5050);
});

test("a loop that rewrites its own body runs the new body every time", () => {
  const { processors } = run((a) => {
    a.xor(esi, esi);
    a.mov(ecx, 50);
    a.label("again");
    movEbx(a, "body", 0);
    a.add(esi, ebx);
    a.mov(byte(a.addressOf("body").plus(1)), cl);
    a.loop("again");
  });
  assert.is(processors[0].esi, (50 * 51) / 2 - 1);
});

test("an opcode changed to one of another length shifts what follows", () => {
  const { processors } = run((a) => {
    a.mov(dword(a.addressOf("here")), 0x90c3ff43 | 0); // inc ebx; inc ebx; nop
    a.xor(ebx, ebx);
    a.label("here");
    a.db(0xbb, 1, 2, 3, 0x90);
  });
  assert.is(processors[0].ebx, 2);
});

test("an instruction across two pages is seen changed in either", () => {
  for (const [offset, value, expected] of [
    [1, 0x11, 0x44332211],
    [2, 0x77, 0x44337755],
    [4, 0x99, 0x99332255],
  ] as const) {
    const across = snippet((a) => {
      a.mov(ecx, 2);
      a.jmp("again");
      inLastBytes(a, 2);
      a.label("across");
      a.db(MOV_EBX, 0x55, 0x22, 0x33, 0x44); // two bytes in this page, three in the next
      a.loop("change");
      a.jmp("end");
      a.label("change");
      a.mov(byte(a.addressOf("across").plus(offset)), value);
      a.label("again");
      a.jmp("across");
    });
    assert.is(across.at("across") % 4096, 4094);
    const machine = across.boot();
    assert.is(machine.run({ maxInstructions: 100_000 }).reason, "halted");
    assert.is(machine.processors[0].ebx, expected, `byte ${offset}`);
  }
});

test("a routine in another page is seen changed by its callers", () => {
  const { processors } = run((a) => {
    a.xor(esi, esi);
    a.call("routine");
    a.mov(byte(a.addressOf("value").plus(1)), 40);
    a.call("routine");
    a.mov(byte(a.addressOf("value").plus(1)), 100);
    a.call("routine");
    a.jmp("end");
    a.align(4096);
    a.label("routine");
    movEbx(a, "value", 2);
    a.add(esi, ebx);
    a.ret();
  });
  assert.is(processors[0].esi, 142);
});

test("pushes and string instructions change code as stores do", () => {
  const { processors } = run((a) => {
    a.mov(ebx, esp);
    a.mov(esp, a.addressOf("pushed").plus(5));
    a.push(imm32(0x12345678));
    movEbx(a, "pushed", 0);
    a.mov(edx, ebx);
    a.mov(edi, a.addressOf("stored").plus(1));
    a.mov(ecx, 4);
    a.mov(al, 0x5a);
    a.rep.stosb();
    movEbx(a, "stored", 0);
  });
  assert.is(processors[0].edx, 0x12345678);
  assert.is(processors[0].ebx, 0x5a5a5a5a);
});

test("a REP that overwrites itself ends there: each iteration is fetched", () => {
  const machine = snippet((a) => {
    a.mov(edi, a.addressOf("rep"));
    a.mov(ecx, 100);
    a.mov(al, 0x90);
    a.label("rep");
    a.rep.stosb();
    a.label("behind");
  }).boot();
  machine.run({ maxInstructions: 100 });
  // One NOP over the REP prefix; what is left is STOSB without it.
  assert.is(machine.processors[0].ecx, 99);
  assert.is(machine.processors[0].activity, "halted");
});

test("code written through another mapping of its page is seen", () => {
  const directory = data("directory", 4096, { align: 4096 });
  const { processors } = run((a) => {
    a.mov(dword(directory), 0x83);
    a.mov(dword(directory.plus(4)), 0x83);
    a.db(0x0f, 0x20, 0xe0, 0x83, 0xc8, 0x10, 0x0f, 0x22, 0xe0); // CR4.PSE
    a.mov(eax, directory);
    a.mov(cr3, eax);
    a.mov(eax, cr0);
    a.or(eax, 0x80000000);
    a.mov(cr0, eax);
    a.call("routine");
    a.mov(byte(a.addressOf("value").plus(0x400001)), 9);
    a.call("routine");
    a.jmp("end");
    a.label("routine");
    movEbx(a, "value", 2);
    a.ret();
  });
  assert.is(processors[0].ebx, 9);
});

test("a page of code exchanged by its page table entry is run anew", () => {
  const directory = data("directory", 4096, { align: 4096 });
  const table = data("table", 4096, { align: 4096 });
  const { processors } = run((a) => {
    a.xor(ecx, ecx);
    a.mov(eax, 3);
    a.label("map");
    a.mov(dword(ecx.times(4), table), eax);
    a.add(eax, 4096);
    a.inc(ecx);
    a.cmp(ecx, 512);
    a.jb("map");
    a.mov(dword(directory), table.plus(3));
    for (const [frame, value] of [
      [0x50000, 1],
      [0x51000, 2],
    ]) {
      a.mov(dword(frame), (value << 8) | MOV_EBX);
      a.mov(dword(frame + 4), 0xc300); // the rest of MOV EBX; RET
    }
    a.mov(eax, directory);
    a.mov(cr3, eax);
    a.mov(eax, cr0);
    a.or(eax, 0x80000000);
    a.mov(cr0, eax);
    a.mov(edi, 0x50000);
    a.call(edi);
    a.mov(esi, ebx);
    a.mov(dword(table.plus(0x50 * 4)), 0x51003);
    a.invlpg(byte(edi));
    a.call(edi);
  });
  assert.is(processors[0].esi, 1);
  assert.is(processors[0].ebx, 2);
});

test("code written from outside the guest is seen", () => {
  const spin = snippet((a) => {
    a.label("spin");
    a.inc(eax);
    a.jmp("spin");
  });
  const machine = spin.boot();
  machine.run({ maxInstructions: 1000 });
  machine.memory.set(spin.at("spin"), [0xf4]);
  assert.is(machine.run({ maxInstructions: 2000 }).reason, "halted");
});

test("another processor's code is seen changed by its next slice", () => {
  const done = data("done", 4);
  const main = proc("main", (a) => {
    a.test(eax, eax);
    a.jnz("other");
    a.label("wait");
    movEbx(a, "value", 0);
    a.pause();
    a.test(ebx, ebx);
    a.jz("wait");
    a.mov(dword(done), ebx);
    a.hlt();
    a.label("other");
    a.mov(byte(a.addressOf("value").plus(1)), 33);
    a.hlt();
  });
  const image = link(main, { start: "all" });
  for (const seed of [1, 2, 3]) {
    const machine = Machine.boot(image, { processors: 2, memory: SNIPPET_MEMORY, seed });
    assert.is(machine.run({ maxInstructions: 200_000 }).reason, "halted");
    assert.is(machine.memory.dword(image.addressOf(done)), 33);
  }
});

test("data beside code in one page may change at will", () => {
  const { processors } = run((a) => {
    a.mov(ecx, 1000);
    a.label("again");
    a.inc(dword(a.addressOf("count")));
    a.loop("again");
    a.mov(ebx, dword(a.addressOf("count")));
    a.jmp("end");
    a.align(4);
    a.label("count");
    a.dd(0);
  });
  assert.is(processors[0].ebx, 1000);
});

test.run();
