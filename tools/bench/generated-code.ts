// `npm run bench:code -- [MINUTES]` (10): a guest that writes new code for ever, and what the host's process grows to meanwhile.
import { byte, data, dword, ebx, edi, edx, esi, type Image, link, proc } from "#asm";
import { Machine } from "#emulator";

const SLOT = 64;
const SLOTS = 16_384;
/** Calls of a routine before the next is written: enough for it to become hot. */
const CALLS = 20;
/** mov eax, N; mov ecx, 200; imul eax, eax, N; add eax, N; dec ecx; jnz to the imul; ret: with new numbers each time. */
const TEMPLATE = [
  0xb8, 0, 0, 0, 0, 0xb9, 200, 0, 0, 0, 0x69, 0xc0, 0, 0, 0, 0, 0x05, 0, 0, 0, 0, 0x49, 0x75, 0xf2, 0xc3,
];
const NUMBERS = [1, 12, 17];

const room = data("room", SLOT * SLOTS, { align: 4096 });

/** Writes a routine into each slot in turn and calls it, over and over. */
export function generatingGuest(): Image {
  const main = proc("main", (a) => {
    a.label("around");
    a.mov(edi, room);
    a.mov(esi, SLOTS);
    a.label("slot");
    for (const [i, value] of TEMPLATE.entries()) a.mov(byte(edi, i), value);
    for (const at of NUMBERS) {
      a.imul(ebx, ebx, 1664525);
      a.add(ebx, 1013904223);
      a.mov(dword(edi, at), ebx);
    }
    a.mov(edx, CALLS);
    a.label("again");
    a.call(edi);
    a.dec(edx);
    a.jnz("again");
    a.add(edi, SLOT);
    a.dec(esi);
    a.jnz("slot");
    a.jmp("around");
  });
  return link(main, { start: "boot" });
}

/** Runs the guest for so many minutes and prints a line every so often. */
async function run(minutes: number): Promise<void> {
  const machine = Machine.boot(generatingGuest(), { memory: 8 * 0x100000 });
  const began = performance.now();
  const seconds = (): number => (performance.now() - began) / 1000;
  let next = 0;
  let most = 0;
  console.log(" seconds  instructions   compiled  regions    bytes  dropped  flushes  process MiB");
  for (let done = 0; seconds() < minutes * 60; ) {
    done += 20e6;
    machine.run({ maxInstructions: done });
    await new Promise(setImmediate); // what V8 does about old code, it does between turns
    const memory = process.memoryUsage().rss / 0x100000;
    most = Math.max(most, memory);
    if (seconds() < next) continue;
    next = seconds() + (minutes * 60) / 20;
    const { compiled = 0, regions = 0, bytes = 0, invalidated = 0, flushes = 0 } = machine.statistics ?? {};
    const cells: [value: string, width: number][] = [
      [seconds().toFixed(0), 8],
      [`${(done / 1e6).toFixed(0)} M`, 14],
      [String(compiled), 11],
      [String(regions), 9],
      [String(bytes), 9],
      [String(invalidated), 9],
      [String(flushes), 9],
      [memory.toFixed(0), 13],
    ];
    console.log(cells.map(([value, width]) => value.padStart(width)).join(""));
  }
  console.log(`at most ${most.toFixed(0)} MiB`);
}

if (process.argv[1] === import.meta.filename) {
  const minutes = Number(process.argv[2] ?? 10);
  if (minutes > 0) await run(minutes);
  else {
    console.error(`bench:code: "${process.argv[2]}" is no number of minutes; 10 would do`);
    process.exitCode = 2;
  }
}
