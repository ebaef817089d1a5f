// time limit: 300 s
// `ring0 run --bios`: the same program from the reset vector on, and ROMs that are none.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { firmwareRom } from "#firmware";
import { expect, file, json, ROOT } from "./command.ts";

const test = suite("ring0 run --bios");

const COUNTER = `${ROOT}tools/programs/counter.ts`;
const bios = file("firmware.rom", firmwareRom());

test("a program runs to its end through the ROM, the same way every time", () => {
  const [first, second] = [0, 1].map(() => json(0, "run", COUNTER, "--smp", "2", "--bios", bios));
  assert.match(String(first?.["serial"]), /^ring0 firmware: processors 2, .*entering 0x0010\w{4}\r\n$/);
  assert.equal([first?.["reason"], first?.["hash"]], ["halted", second?.["hash"]]);
});

test("without an image the firmware says that there is none", () => {
  assert.match(expect(0, "run", "--bios", bios).stdout, /nothing to boot: fw_cfg holds no kernel/);
});

for (const [title, name, contents, expected] of [
  ["of another size", "short.rom", new Uint8Array(1000), /^ring0: --bios short\.rom: 1000 bytes; a multiple of 64 KiB/],
  ["that is not there", "none.rom", null, /^ring0: none\.rom: there is no such file/],
] as const)
  test(`a ROM ${title} is one clear line`, () => {
    if (contents) file(name, contents);
    assert.match(expect(2, "run", COUNTER, "--bios", name).stderr, expected);
  });

test.run();
