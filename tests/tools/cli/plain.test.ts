// Reading plain command lines without yargs: what is read is what yargs reads, and the rest is left to it.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readWithYargs } from "../../../tools/cli/command-line.ts";
import { commands } from "../../../tools/cli/commands.ts";
import { processHost } from "../../../tools/cli/host.ts";
import { readPlainly } from "../../../tools/cli/plain.ts";

const test = suite("plain command lines");

const host = processHost();

/** Command lines that are read without yargs. */
const plain: string[][] = [
  ["run", "kernel.elf"],
  ["run", "kernel.elf", "--smp", "4", "--append", "workload"],
  ["run", "--kernel", "kernel.elf", "-m", "64", "--json", "--stats"],
  ["run", "--seed", "7", "program.ts", "--split-rmw", "--engine", "interpreter"],
  ["run", "kernel.elf", "--max-instructions", "1e6", "--serial", "file:out.txt"],
  ["info", "kernel.elf", "--json"],
  ["asm", "program.ts"],
  ["replay", "queued-lock.failure.json"],
];

/** Command lines that yargs has to look at. */
const other: string[][] = [
  ["run", "--help"],
  ["run", "kernel.elf", "--smp=4"],
  ["run", "kernel.elf", "--memory", "64"],
  ["run", "kernel.elf", "--no-json"],
  ["run", "kernel.elf", "--smp"],
  ["run", "kernel.elf", "--seed", "-5"],
  ["run", "kernel.elf", "--smp", "1", "--smp", "2"],
  ["run", "kernel.elf", "--smpp", "4"],
  ["run", "kernel.elf", "--engine", "jit"],
  ["run", "kernel.elf", "other.elf"],
  ["run", "--", "kernel.elf"],
  ["info"],
];

for (const words of plain)
  test(`ring0 ${words.join(" ")}: as yargs reads it`, async () => {
    const command = await commands[words[0] as string]?.();
    assert.ok(command);
    const found = readPlainly(command.grammar, words.slice(1));
    assert.ok(found, "it was not read");
    const expected = await readWithYargs(command, words, host);
    assert.ok(expected);
    const names = [...Object.keys(command.grammar.options), ...Object.keys(command.grammar.positionals)];
    for (const name of names) assert.equal(found[name], expected[name], name);
  });

for (const words of other)
  test(`ring0 ${words.join(" ")}: left to yargs`, async () => {
    const command = await commands[words[0] as string]?.();
    assert.ok(command);
    assert.is(readPlainly(command.grammar, words.slice(1)), undefined);
  });

test.run();
