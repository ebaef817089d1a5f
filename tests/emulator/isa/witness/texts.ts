// What objdump and ndisasm read in byte strings, brought to one form with what ours reads.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type Disassembler = "objdump" | "ndisasm";

/** Each string begins a slot of this many bytes, filled up with NOP, so that one misreading does not spoil the next. */
const slot = 32;

/** The line at each slot's start and its address in the code; the text is "" where none begins there. */
export function disassemble(
  tool: Disassembler,
  strings: readonly (readonly number[])[],
  bits: 16 | 32,
): { text: string; at: number }[] {
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
    return texts.map((text, i) => ({ text, at: i * slot }));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Mnemonic and operands in a common form: one name each, no size words before memory, numbers in decimal. */
export interface Reading {
  readonly lock: boolean;
  /** rep or repne, of the string instructions only. */
  readonly repeat: string;
  readonly mnemonic: string;
  /** The operand size the mnemonic or a prefix tells, 0 where none does. */
  readonly told: number;
  readonly operands: readonly string[];
}

const synonyms =
  "sal:shl xlat:xlatb retn:ret icebp:int1 int01:int1 loopz:loope loopnz:loopne lret:retf ljmp:jmp lcall:call " +
  "retnw:retw retnd:retd lretw:retfw lretd:retfd lretl:retfd";
const conditionSynonyms = "b:c nae:c ae:nc nb:nc e:z ne:nz na:be nbe:a pe:p po:np nge:l nl:ge ng:le nle:g";
const oneName = new Map<string, string>(synonyms.split(" ").map((pair) => pair.split(":") as [string, string]));
for (const pair of conditionSynonyms.split(" ")) {
  const [other, name] = pair.split(":");
  for (const family of ["j", "set", "cmov"]) oneName.set(`${family}${other}`, `${family}${name}`);
}

const prefixWord =
  /^(?:lock|repn?[ez]?|o16|o32|a16|a32|data16|data32|addr16|addr32|[cdefgs]s|bnd|notrack|xacquire|xrelease)(?: +|$)/;
const stringName = /^(?:movs|cmps|stos|lods|scas|ins|outs)[bwd]?$|^xlatb?$/;
const readsSource = /^(?:movs|cmps|lods|outs|xlat)/;
/** Mnemonics whose last letter may be an operand size. */
const suffixed = /^(pusha?|popa?|pushf|popf|iret|retf?|jmp|call|leave|enter|[ls][gi]dt)([wdl])$/;

/** One line of a disassembler, ours or a foreign one, in the common form. */
export function read(text: string): Reading {
  let rest = text.replace(/ *[#;<].*$/, "").toLowerCase();
  let lock = false;
  let repeat = "";
  let segment = "";
  let told = 0;
  for (let match = prefixWord.exec(rest); match !== null; match = prefixWord.exec(rest)) {
    const word = match[0].trim();
    if (word === "lock") lock = true;
    else if (word.startsWith("rep")) repeat = word.includes("n") ? "repne" : "rep";
    else if (/^[cdefgs]s$/.test(word)) segment = word;
    else if (/^(?:o|data)\d/.test(word)) told = Number(word.slice(-2));
    rest = rest.slice(match[0].length);
  }
  const space = rest.search(/ |$/);
  let mnemonic = oneName.get(rest.slice(0, space)) ?? rest.slice(0, space);
  const suffix = suffixed.exec(mnemonic);
  if (suffix !== null) {
    mnemonic = suffix[1]!;
    told = suffix[2] === "w" ? 16 : 32;
  }
  // ndisasm says the width of a target, of a far pointer and of PUSH's immediate; objdump that of a far pointer in memory.
  const width = /^(?:j\w+|call|push) (?:near )?(word|dword) -?\+?\d|^(?:jmp|call) +(?:(word|dword) far|(fword))/.exec(
    rest,
  );
  if (width !== null) told = (width[1] ?? width[2]) === "word" ? 16 : 32;
  if (stringName.test(mnemonic)) return readString(rest, mnemonic, segment, { lock, repeat });
  const operands = splitOperands(rest.slice(space + 1));
  if (mnemonic.startsWith("loop") && operands.length === 2) operands.pop(); // ndisasm names the counter
  if ((mnemonic === "aam" || mnemonic === "aad") && operands[0] === "10") operands.pop();
  if (mnemonic === "imul" && operands.length === 2 && /^[-\d]/.test(operands[1]!)) operands.unshift(operands[0]!);
  return { lock, repeat: "", mnemonic, told, operands };
}

/** A string instruction: its size, and its source's segment for an operand. objdump spells registers out instead. */
function readString(
  rest: string,
  name: string,
  override: string,
  prefixes: { lock: boolean; repeat: string },
): Reading {
  const size = /\b(byte|word|dword)\b/.exec(rest)?.[1]?.[0] ?? "";
  const mnemonic = name.startsWith("xlat") ? "xlatb" : /s[bwd]$/.test(name) ? name : name + size;
  const segment = /\b([cdefgs]s):\[(?:e?si|e?bx)/.exec(rest)?.[1] ?? override;
  const operands = readsSource.test(mnemonic) && segment !== "" && segment !== "ds" ? [segment] : [];
  return { ...prefixes, ...(mnemonic === "xlatb" && { repeat: "" }), mnemonic, told: 0, operands };
}

const splitOperands = (text: string): string[] =>
  text
    .replace(/\b(?:byte|word|dword|fword|qword|ptr|short|near|far)\b/g, "")
    .split(",")
    .map((operand) => canonical(operand.replaceAll(" ", "")))
    .filter((operand) => operand !== "");

/** `segment:registers:displacement` in brackets, the segment the effective one; or a number in decimal. */
function canonical(operand: string): string {
  const decimal = operand.replace(/0x([0-9a-f]+)/g, (_, digits: string) => `${Number.parseInt(digits, 16)}`);
  const outside = /^([cdefgs]s):(?:\[(.*)\]|(-?\d+))$/.exec(decimal);
  const memory = /^\[(?:([cdefgs]s):)?(.*)\]$/.exec(outside ? `[${outside[1]}:${outside[2] ?? outside[3]}]` : decimal);
  if (memory === null) return decimal.replace(/^\+/, "");
  let displacement = 0;
  const registers: string[] = [];
  for (const term of memory[2]!.replaceAll("-", "+-").split("+")) {
    if (/^-?\d+$/.test(term)) displacement += Number(term);
    else if (term !== "" && !/^e?iz/.test(term)) registers.push(term.replace(/\*1$/, ""));
  }
  const usual = /^(?:e?bp|esp)$/.test(registers[0] ?? "") ? "ss" : "ds";
  return `[${memory[1] ?? usual}:${registers.join("+")}:${displacement}]`;
}
