// What a kernel finds at its entry: the same machine, whether it was loaded directly or through the ROM.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { firmwareRom } from "#firmware";
import { type BootOptions, Machine } from "../../emulator/index.ts";
import * as L from "../../emulator/memory/layout.ts";
import { elfFile } from "../emulator/machine/elf-file.ts";

const test = suite("the entry of a kernel");

const MIB = 0x100000;
const HLT = 0xf4;
const ROM = firmwareRom();

/** The machine after the image's first instruction, an HLT that nothing ends. */
function atEntry(image: Uint8Array, options: BootOptions): Machine {
  const machine = Machine.boot(image, { memory: 8 * MIB, ...options });
  const { reason, detail } = machine.run({ maxInstructions: 50_000_000 });
  assert.is(reason, "halted", detail);
  machine.hash(); // puts every flag in its place
  return machine;
}

/** Stretches of guest-visible state by name; left out are the ROM itself and the devices through which it was told what to do. */
function stateOf(machine: Machine): [name: string, bytes: Uint8Array][] {
  const { bytes, layout } = machine.snapshot();
  const ram = (start: number, end: number) => bytes.subarray(L.TLB_BASE + start, L.TLB_BASE + end);
  const parts: [string, Uint8Array][] = machine.processors.map(({ number }) => {
    const block = L.PROCESSOR_BASE + number * L.PROCESSOR_SIZE;
    return [`processor ${number}`, bytes.subarray(block, block + L.PROCESSOR_SIZE)];
  });
  return [
    ...parts,
    ["devices", bytes.subarray(L.DEVICE_BASE, L.CMOS_BASE)],
    ["RAM below the ROM", ram(0, 0xf0000)],
    ["RAM from 1 MiB on", ram(MIB, layout.ramSize)],
  ];
}

/** Words that differ, as text. */
function differences(direct: Machine, throughRom: Machine): string[] {
  const others = stateOf(throughRom);
  return stateOf(direct).flatMap(([name, bytes], index) => {
    const other = others[index]?.[1] as Uint8Array;
    if (Buffer.compare(bytes, other) === 0) return [];
    const words = (part: Uint8Array) => new Uint32Array(part.slice().buffer);
    const found = words(other);
    return [...words(bytes)].flatMap((word, at) => {
      const is = found[at] as number;
      if (word === is) return [];
      return [
        `${name}+0x${(4 * at).toString(16)}: 0x${word.toString(16)} directly, 0x${is.toString(16)} through the ROM`,
      ];
    });
  });
}

const kernel = elfFile({
  segments: [
    { physical: MIB, bytes: [0, HLT] },
    { physical: 3 * MIB, bytes: [1, 2, 3], size: 0x5000 },
  ],
  entry: MIB + 1,
});
const bootSector = Uint8Array.of(HLT, ...new Array<number>(511).fill(0x55));
const modules = [
  { bytes: new Uint8Array(5000).fill(7), text: "first one" },
  { bytes: Uint8Array.of(1), text: "second" },
];

const CASES: [string, Uint8Array, BootOptions][] = [
  ["a Multiboot kernel", kernel, {}],
  ["a Multiboot kernel on four processors", kernel, { processors: 4, commandLine: "workload rounds=3" }],
  ["a Multiboot kernel with modules on 32 processors", kernel, { processors: 32, modules, commandLine: "x" }],
  [
    "a Multiboot kernel in 1 MiB and a bit",
    elfFile({ segments: [{ physical: 0x20000, bytes: [HLT] }], entry: 0x20000 }),
    { memory: MIB },
  ],
  [
    "a Multiboot kernel in place of the information",
    elfFile({ segments: [{ physical: 0x9e000, bytes: [HLT], size: 0x1000 }], entry: 0x9e000 }),
    {},
  ],
  ["a boot sector", bootSector, { processors: 2 }],
];

for (const [title, image, options] of CASES) {
  test(`${title} finds the same machine directly and through the ROM`, () => {
    const direct = atEntry(image, options);
    const throughRom = atEntry(image, { ...options, rom: ROM });
    assert.ok(throughRom.processors[0]!.retired > direct.processors[0]!.retired + 1000, "the firmware ran");
    assert.equal(differences(direct, throughRom), []);
  });
}

test.run();
