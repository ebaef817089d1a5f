// The rows of the table, parsed when they are asked for: opcode column, operand sizes, notes (Intel SDM vol. 2, 3.1.1).
import { type Form, type ModRM, NONE, type Role, type Row, type Trailer } from "./instruction.ts";
import type { OperandSpec } from "./operands.ts";
import { table } from "./table.ts";

const hexByte = /^[0-9A-F]{2}$/;
const accesses = /^(?:r|w|rw|-)(?:,(?:r|w|rw|-))*$/;
const knownNote =
  /^(?:lock|locked|rep|commutes|anysize|alias|default:\d+|(?:sets|reads|undef):[oszapcdi]+|unimplemented:\w+|skip:[\w-]+(?:,[\w-]+)*)$/;
const trailerNames = ["ib", "iw", "id", "cb", "cw", "cd", "cp"];

/** What the opcode column says. */
interface OpcodeColumn {
  bytes: number[];
  mandatory: 0 | 0xf2 | 0xf3;
  operandSize: 0 | 16 | 32;
  addressSize: 0 | 16 | 32;
  plusRegister: boolean;
  modrm: ModRM;
  trailers: Trailer[];
}

function parseOpcode(text: string, operands: readonly OperandSpec[]): OpcodeColumn {
  const column: OpcodeColumn = {
    bytes: [],
    mandatory: 0,
    operandSize: 0,
    addressSize: 0,
    plusRegister: false,
    modrm: "none",
    trailers: [],
  };
  for (const token of text.split(" ")) {
    const byte = token.slice(0, 2);
    if (token === "o16" || token === "o32") column.operandSize = token === "o16" ? 16 : 32;
    else if (token === "a16" || token === "a32") column.addressSize = token === "a16" ? 16 : 32;
    else if (token === "/r") column.modrm = "/r";
    else if (token[0] === "/") column.modrm = Number(token[1]) as ModRM;
    else if (trailerNames.includes(token)) column.trailers.push(trailer(token, operands));
    else if (hexByte.test(byte) && (token.length === 2 || /^\+r[bwd]$/.test(token.slice(2)))) {
      if ((token === "F2" || token === "F3") && column.bytes.length === 0)
        column.mandatory = token === "F2" ? 0xf2 : 0xf3;
      else column.bytes.push(Number.parseInt(byte, 16));
      if (token.length > 2) column.plusRegister = true;
    } else throw new Error(`isa/table.ts: "${token}" of the opcode column "${text}" is no sign of that column`);
  }
  if (operands.some((spec) => spec.startsWith("moffs"))) column.trailers.push("moffs");
  return column;
}

/** The manual writes `cd` and `cp` for code pointers of four and six bytes; `cd` is also a 32-bit relative target. */
function trailer(token: string, operands: readonly OperandSpec[]): Trailer {
  if (operands[0] === "ptr16:16") return "cp16";
  if (operands[0] === "ptr16:32") return "cp32";
  return token as Trailer;
}

const sizedOperand = /^(?:r|r\/m|imm|rel|moffs)(16|32)$|^(E?)AX$|^m(?:16|32)&(16|32)$|^(?:m|ptr)16:(16|32)$/;

/** The size the first operand with one implies: `MOVZX r32, r/m16` is a 32-bit form. A lone m16 or m64 implies none. */
function impliedSize(operands: readonly OperandSpec[]): 0 | 16 | 32 {
  for (const spec of operands) {
    const match = sizedOperand.exec(spec);
    if (match === null) continue;
    if (match[2] !== undefined) return match[2] === "E" ? 32 : 16;
    return (match[1] ?? match[3] ?? match[4]) === "32" ? 32 : 16;
  }
  return 0;
}

function roleOf(spec: OperandSpec, operands: readonly OperandSpec[], index: number, column: OpcodeColumn): Role {
  if (spec.startsWith("r/m") || /^m(?:\d|$)/.test(spec)) return "rm";
  if (spec.startsWith("moffs")) return "moffs";
  if (spec.startsWith("rel")) return "relative";
  if (spec.startsWith("ptr")) return "far";
  if (spec.startsWith("imm"))
    return operands.slice(0, index).some((other) => other.startsWith("imm")) ? "immediate2" : "immediate";
  if (spec === "Sreg" || spec === "CR" || spec === "DR") return "reg";
  if (/^r(?:8|16|32)$/.test(spec)) {
    if (column.plusRegister) return "opcode";
    // Beside Sreg, CR and DR, and where `reg` holds a digit, a plain register is in `rm`.
    const regTaken =
      column.modrm !== "/r" || operands.some((other) => other === "Sreg" || other === "CR" || other === "DR");
    return regTaken ? "rm" : "reg";
  }
  return "fixed";
}

/** Remembers what a function gave for each argument. */
function memoised<Argument, Result>(make: (argument: Argument) => Result): (argument: Argument) => Result {
  const made = new Map<Argument, Result>();
  return (argument) => {
    let result = made.get(argument);
    if (result === undefined) {
      result = make(argument);
      made.set(argument, result);
    }
    return result;
  };
}

/** What the notes of a row say; many rows have the same. */
interface Notes {
  readonly has: (name: string) => boolean;
  readonly access: Form["access"];
  /** Of notes with a value, that; "" without the note. */
  readonly values: Readonly<Record<string, string>>;
}

const VALUED = ["sets", "reads", "undef", "skip", "default", "unimplemented"];

const notesOf = memoised((text: string): Notes => {
  const notes = text === "" ? [] : text.split(" ");
  const wrong = notes.find((note) => !knownNote.test(note) && !accesses.test(note));
  if (wrong !== undefined) throw new Error(`isa/table.ts: "${text}" has the unknown note "${wrong}"`);
  const access = notes.find((note) => accesses.test(note))?.split(",") ?? [];
  const valueFor = (name: string): string =>
    notes.find((note) => note.startsWith(`${name}:`))?.slice(name.length + 1) ?? "";
  return {
    has: (name) => notes.includes(name),
    access: access.map((use) => (use === "-" ? "" : (use as "r" | "w" | "rw"))),
    values: Object.fromEntries(VALUED.map((name) => [name, valueFor(name)])),
  };
});

const operandsOf = memoised((text: string): readonly OperandSpec[] => (text === "" ? [] : text.split(", ")));
const impliedSizeOf = memoised(impliedSize);

function parse(row: Row, id: number): Form {
  const [syntax, opcodeText, notesText = ""] = row;
  const space = syntax.indexOf(" ");
  const mnemonic = space < 0 ? syntax : syntax.slice(0, space);
  const operands = operandsOf(space < 0 ? "" : syntax.slice(space + 1));
  const column = parseOpcode(opcodeText, operands);
  const { has, access, values } = notesOf(notesText);
  if (access.length !== operands.length)
    throw new Error(`isa/table.ts: "${syntax}" needs the use of each operand in its notes`);

  const map = column.bytes[0] === 0x0f ? 2 : 1;
  const opcode = column.bytes[map - 1] ?? 0;
  const modrmByte = column.bytes[map] ?? NONE;
  if (column.bytes.length > map + 1) throw new Error(`isa/table.ts: "${opcodeText}" has too many opcode bytes`);
  const modrm = modrmByte === NONE ? column.modrm : (((modrmByte >> 3) & 7) as ModRM);
  const roles = operands.map((spec, index) => roleOf(spec, operands, index, column));
  const rm = operands[roles.indexOf("rm")];
  const controlRegister = operands.includes("CR") || operands.includes("DR");

  return Object.freeze({
    id,
    syntax,
    mnemonic,
    operands,
    roles,
    map,
    opcode,
    plusRegister: column.plusRegister,
    modrm,
    modrmByte,
    trailers: column.trailers,
    operandSize: column.operandSize || (has("anysize") ? 0 : impliedSizeOf(operands)),
    addressSize: column.addressSize,
    mandatory: column.mandatory,
    rmRegister: modrm !== "none" && (rm === undefined || rm.startsWith("r")),
    rmMemory:
      modrm !== "none" && modrmByte === NONE && !controlRegister && (rm === undefined || /^(?:m|r\/m)/.test(rm)),
    lockable: has("lock"),
    lockedAlways: has("locked"),
    repeatable: has("rep"),
    access,
    flagsSet: values.sets,
    flagsRead: values.reads,
    flagsUndefined: values.undef,
    witnessSkips: values.skip,
    alias: has("alias"),
    commutes: has("commutes"),
    defaultImmediate: values.default === "" ? NONE : Number(values.default),
    unimplemented: values.unimplemented,
  });
}

/** How many forms there are: their ids are the numbers below. */
export const formCount = table.length;

const parsed: (Form | undefined)[] = new Array(formCount);

/** The form with an id: a program needs few of them, and to read all takes a while. */
export function formOf(id: number): Form {
  let form = parsed[id];
  if (form === undefined) {
    form = parse(table[id], id);
    parsed[id] = form;
  }
  return form;
}

/** Signs of sizes, and F2 and F3, which come before the opcode. */
const isBefore = (text: string, at: number): boolean =>
  text[at] === "o" || text[at] === "a" || text.startsWith("F2 ", at) || text.startsWith("F3 ", at);

/** The opcodes that a form has, as map (0 or 1) and opcode in one number; the form itself need not be read for them. */
export function opcodesOf(id: number): readonly number[] {
  const text = table[id][1];
  let at = 0;
  while (isBefore(text, at)) at = text.indexOf(" ", at) + 1;
  const map = text.startsWith("0F ", at) ? 1 : 0;
  at += 3 * map;
  const first = 256 * map + Number.parseInt(text.slice(at, at + 2), 16);
  return text.startsWith("+r", at + 2) ? [0, 1, 2, 3, 4, 5, 6, 7].map((number) => first + number) : [first];
}
