// time limit: 300 s
// Mistakes on the command line: one clear line on standard error, nothing on standard output, exit code 2.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { expect, file, program } from "./command.ts";

const test = suite("mistakes of the user");

const HALTS = program("halts.ts", "a.ret();");

/** A command line and what the answer must say. */
const mistakes: [words: string[], answer: RegExp][] = [
  [["rnu", "x.elf"], /no command "rnu"; did you mean "run"\?/],
  [["frobnicate", "x"], /no command "frobnicate"; there are run, trace/],
  [["run"], /run: no image; .* would do/],
  [["run", "a.elf", "b.elf"], /"b.elf" is one word too many/],
  [["run", HALTS, "--kernel", HALTS], /two images/],
  [["run", HALTS, "--spm", "2"], /run: no option --spm; did you mean "--smp"\?/],
  [["run", HALTS, "-smp", "2"], /run: no option -smp; did you mean "--smp"\?/],
  [["run", HALTS, "-x"], /run: no option -x; ring0 run --help lists them/],
  [["run", HALTS, "--smp"], /Not enough arguments following: smp/],
  [["run", HALTS, "--smp", "0"], /--smp 0: a whole number from 1 to 32 would do/],
  [["run", HALTS, "--smp", "two"], /--smp two: a whole number/],
  [["run", HALTS, "-m", "4096"], /-m 4096: 1 to 3072/],
  [["run", HALTS, "--seed", "1.5"], /--seed 1.5: a whole number/],
  [["run", HALTS, "--max-instructions", "-1"], /--max-instructions -1: a whole number/],
  [["run", HALTS, "--smp", "2", "--smp", "4"], /--smp is given 2 times; once would do/],
  [["run", HALTS, "--engine", "jit"], /engine.*jit.*interpreter/],
  [["run", HALTS, "--serial", "com1"], /--serial com1: stdio, file:PATH or none would do/],
  [["run", HALTS, "--initrd", "no-such-module"], /no-such-module: there is no such file/],
  [["run", "nowhere.elf"], /nowhere.elf: there is no such file/],
  [["run", "nowhere.ts"], /nowhere.ts: there is no such file/],
  [["run", "."], /\.: it is a folder/],
  [["run", file("empty.ts", "export {};\n")], /empty.ts: the file has no default export; a program says/],
  [["run", file("number.ts", "export default 7;\n")], /number.ts: the file exports number by default/],
  [["run", file("throws.ts", 'throw new Error("on purpose");\n')], /ring0: throws.ts:1: Error: on purpose\n/],
  [
    ["run", file("inner.ts", "\nconst f = () => {\n  throw new Error('two\\nlines');\n};\nf();\n")],
    /inner.ts:3: Error: two lines/,
  ],
  [["run", file("outer.ts", 'import "./inner.ts";\n')], /ring0: inner.ts:3: Error: two lines/],
  [["run", file("plain.js", "\nthrow new Error('on purpose');\n")], /ring0: plain.js:2: Error: on purpose/],
  [["run", file("syntax.ts", "\nconst const = 1;\n")], /ring0: syntax.ts:2: Expected identifier but found "const"/],
  [["run", file("syntax.js", "\nconst const = 1;\n")], /ring0: syntax.js:2: SyntaxError: Unexpected token 'const'/],
  [["run", file("waits.ts", "await new Promise(() => {});\n")], /waits.ts: it awaits what never comes/],
  [["run", program("form.ts", "a.mov(dword(total), dword(total));")], /form.ts:4: no form of MOV takes/],
  [["trace", HALTS, "--first", "1", "--last", "1"], /--first and --last at once/],
  [["trace", HALTS, "--symbol", "mian"], /--symbol mian: no such symbol in the image; did you mean "main"\?/],
  [["trace", HALTS, "--cpu", "1"], /--cpu 1: a whole number from 0 to 0/],
  [["trace", HALTS, "--range", "0x2-0x1"], /--range 0x2-0x1: it ends before it begins/],
  [["trace", HALTS, "--class", "lokced"], /--class lokced: no such class; did you mean "locked"\?/],
  [["asm", HALTS], /nothing to do; -o FILE, --listing or both would do/],
  [["asm", file("image.elf", "x"), "--listing"], /image.elf is no program/],
  [["disasm", HALTS, "--base", "0"], /an ELF file says itself where it lies/],
  [["explore"], /no scenario; there are queued-lock, .*spin-lock/],
  [["explore", "queued-lokc"], /no scenario "queued-lokc"; did you mean "queued-lock"\?/],
  [["explore", "queued-lock", "--mutant", "M99"], /no mutant "M99"; it has M1/],
  [["replay", "nowhere.json"], /nowhere.json: there is no such file/],
  [["replay", file("not.json", "{}")], /not.json: a failure file of version undefined; version 1 can be read/],
];

for (const [words, answer] of mistakes)
  test(`"ring0 ${words.join(" ")}" is answered with what would do`, () => {
    const { stdout, stderr } = expect(2, ...words);
    assert.is(stdout, "");
    assert.match(stderr, answer);
    assert.match(stderr, /^ring0: .*\n/);
    assert.is(stderr.split("\n").length, 2, stderr);
  });

test("help is on standard output, for the whole and for each command", () => {
  for (const words of [[], ["--help"], ["help"]])
    assert.match(expect(0, ...words).stdout, /ring0 run .*\n.*ring0 trace/s);
  for (const name of ["run", "trace", "explore", "replay", "asm", "disasm", "info"])
    assert.match(expect(0, name, "--help").stdout, new RegExp(`^ring0 ${name} .*Examples:`, "s"));
});

test("the version is the package's", () => assert.match(expect(0, "--version").stdout, /^\d+\.\d+\.\d+\n$/));

test.run();
