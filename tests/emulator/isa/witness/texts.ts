// What objdump and ndisasm read in byte strings, brought to one form with what ours reads.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type Disassembler = "objdump" | "ndisasm";

/** Each string begins a slot of this many bytes, filled up with NOP, so that one misreading does not spoil the next. */
const slot = 32;

/** The first line of each slot: the text at the slot's start, "" where none begins there. */
export function disassemble(tool: Disassembler, strings: readonly (readonly number[])[], bits: 16 | 32): string[] {
  const directory = mkdtempSync(join(tmpdir(), "texts-"));
  try {
    const file = join(directory, "strings.bin");
    const image = new Uint8Array(strings.length * slot).fill(0x90);
    for (const [i, bytes] of strings.entries()) image.set(bytes, i * slot);
    writeFileSync(file, image);
    const args =
      tool === "ndisasm"
        ? ["-b", `${bits}`, file]
        : ["-D", "-w", "--no-show-raw-insn", "-b", "binary", "-m", bits === 32 ? "i386" : "i8086", "-M", "intel", file];
    const output = execFileSync(tool, args, { encoding: "latin1", maxBuffer: 1 << 30 });
    const texts: string[] = new Array(strings.length).fill("");
    const line = tool === "ndisasm" ? /^([0-9A-F]{8}) {2}[0-9A-F]+ +(.*)$/gm : /^ *([0-9a-f]+):\t(.*)$/gm;
    for (const [, address, text] of output.matchAll(line)) {
      const at = Number.parseInt(address!, 16);
      if (at % slot === 0) texts[at / slot] = text!.trim();
    }
    return texts;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Mnemonic and operands in a common form: one name each, no size words, numbers in decimal. */
export interface Reading {
  readonly lock: boolean;
  /** "", rep, repne; of the string instructions only. */
  readonly repeat: string;
  readonly mnemonic: string;
  readonly operands: readonly string[];
}

const sameNames: Readonly<Record<string, string>> = {
  c: "b nae",
  nc: "ae nb",
  z: "e",
  nz: "ne",
  be: "na",
  a: "nbe",
  p: "pe",
  np: "po",
  l: "nge",
  ge: "nl",
  le: "ng",
  g: "nle",
};
const oneName = new Map<string, string>([
  ["sal", "shl"],
  ["xlat", "xlatb"],
  ["retn", "ret"],
  ["icebp", "int1"],
  ["loopz", "loope"],
  ["loopnz", "loopne"],
  ["lret", "retf"],
  ["ljmp", "jmp"],
  ["lcall", "call"],
  ["int01", "int1"],
  ["int 3", "int3"],
]);
for (const [name, others] of Object.entries(sameNames)) {
  for (const other of others.split(" ")) {
    for (const family of ["j", "set", "cmov"]) oneName.set(family + other, family + name);
  }
}

const prefixWords =
  /^(?:lock|repn?[ez]?|o16|o32|a16|a32|data16|data32|addr16|addr32|[cdefgs]s|bnd|notrack|xacquire|xrelease) +/;
const stringNames = /^(?:movs|cmps|stos|lods|scas|ins|outs)(?:[bwd]| |$)/;

export function read(text: string): Reading {
  let rest = text.replace(/ *[#;<].*$/, "").toLowerCase();
  let lock = false;
  let repeat = "";
  let segment = "";
  for (let match = prefixWords.exec(rest); match !== null; match = prefixWords.exec(rest)) {
    const word = match[0].trim();
    if (word === "lock") lock = true;
    else if (/^rep/.test(word)) repeat = /n/.test(word) ? "repne" : "rep";
    else if (/^[cdefgs]s$/.test(word)) segment = word;
    rest = rest.slice(match[0].length);
  }
  const isString = stringNames.test(rest) || /^xlat/.test(rest);
  const space = rest.search(/ |$/);
  let mnemonic = rest.slice(0, space);
  let operands = rest
    .slice(space + 1)
    .replace(/\b(?:byte|word|dword|fword|qword|tbyte|xmmword|ptr|short|near|far|strict)\b/g, "")
    .split(",")
    .map((operand) => operand.replaceAll(" ", ""))
    .filter((operand) => operand !== "");
  if (isString) {
    // objdump spells the registers of a string instruction out; the size and the source's segment are what it says by that.
    const size = /\b(byte|word|dword)\b/.exec(rest)?.[1];
    if (size !== undefined && !/[bwd]$|xlatb?$/.test(mnemonic.slice(4)) && !/^xlat/.test(mnemonic)) mnemonic += size[0];
    if (mnemonic === "ins" || mnemonic === "outs") mnemonic += size?.[0] ?? "";
    const source = /\b([cdefgs]s):\[(?:e?si|e?bx)/.exec(rest)?.[1];
    if (source !== undefined && source !== "ds") segment = source;
    operands = readsSource.test(mnemonic) && segment !== "" && segment !== "ds" ? [segment] : [];
  }
  if (!stringNames.test(`${mnemonic} `)) repeat = "";
  return { lock, repeat, mnemonic: oneName.get(mnemonic) ?? mnemonic, operands: operands.map(canonical) };
}

const readsSource = /^(?:movs|cmps|lods|outs|xlat)/;

/** Segment inside the brackets, no `*1`, numbers in decimal, the terms of a sum in a fixed order. */
function canonical(operand: string): string {
  const decimal = operand.replace(/0x([0-9a-f]+)/g, (_, digits: string) => `${Number.parseInt(digits, 16)}`);
  const outside = /^([cdefgs]s):(?:\[(.*)\]|(\d+))$/.exec(decimal);
  const inside = outside ? `[${outside[1]}:${outside[2] ?? outside[3]}]` : decimal;
  const memory = /^\[(?:([cdefgs]s):)?(.*)\]$/.exec(inside);
  if (memory === null) return decimal.replace(/^\+/, "");
  let displacement = 0;
  const registers: string[] = [];
  for (const term of memory[2]!.replaceAll("-", "+-").split("+")) {
    if (/^-?\d+$/.test(term)) displacement += Number(term);
    else if (term !== "" && !/^e?iz/.test(term)) registers.push(term.replace(/\*1$/, ""));
  }
  return `[${memory[1] ?? ""}:${registers.join("+")}:${displacement}]`;
}
