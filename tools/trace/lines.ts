// From an address to the source line it was made of: reads .debug_line of DWARF 2 to 5 (DWARF 5, 6.2; DWARF 4, 6.2).
import { readSections, textAt } from "./sections.ts";

/** A line of a source file; `file` as the image names it. */
export interface SourceLine {
  readonly file: string;
  readonly line: number;
}

/** Rows of a line table: from `address` on the code is of `line`, until the next row; a line of 0 says: of none. */
interface Row {
  readonly address: number;
  readonly file: string;
  readonly line: number;
}

export class LineTable {
  readonly #rows: readonly Row[];

  constructor(rows: readonly Row[]) {
    this.#rows = [...rows].sort((a, b) => a.address - b.address);
  }

  get size(): number {
    return this.#rows.length;
  }

  /** The line that the code at a linear address was made of; undefined where the image does not say. */
  lineOf(address: number): SourceLine | undefined {
    let low = 0;
    let high = this.#rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#rows[middle] as Row).address <= address) low = middle + 1;
      else high = middle;
    }
    const row = this.#rows[low - 1];
    return row && row.line > 0 ? { file: row.file, line: row.line } : undefined;
  }
}

/** The line table of an ELF file; an empty one when it has none. What cannot be read is left out. */
export function readLines(file: Uint8Array): LineTable {
  const sections = readSections(file);
  const bytesOf = (name: string): Uint8Array =>
    sections.find((section) => section.name === name)?.bytes ?? new Uint8Array(0);
  const program = new Reader(bytesOf(".debug_line"));
  const strings = { line: bytesOf(".debug_line_str"), other: bytesOf(".debug_str") };
  const rows: Row[] = [];
  while (program.left > 4) {
    const unit = program.part(program.u32());
    try {
      readUnit(unit, strings, rows);
    } catch (error) {
      if (!(error instanceof OutOfBytes)) throw error;
    }
  }
  return new LineTable(rows);
}

class OutOfBytes extends Error {}

/** Takes numbers off a stretch of bytes; throws OutOfBytes at its end. */
class Reader {
  readonly bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  u8(): number {
    const value = this.bytes[this.at++];
    if (value === undefined) throw new OutOfBytes();
    return value;
  }
  u16(): number {
    return this.u8() | (this.u8() << 8);
  }
  u32(): number {
    return (this.u16() | (this.u16() << 16)) >>> 0;
  }
  i8(): number {
    return (this.u8() << 24) >> 24;
  }
  /** Variable-length numbers (7.6); more than 32 bits are not needed here. */
  uleb(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.u8();
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  }
  sleb(): number {
    let value = 0;
    for (let shift = 0; ; ) {
      const byte = this.u8();
      if (shift < 32) value |= (byte & 0x7f) << shift;
      shift += 7;
      if (byte < 0x80) return shift < 32 && (byte & 0x40) !== 0 ? value | (-1 << shift) : value;
    }
  }
  text(): string {
    const text = textAt(this.bytes, this.at);
    while (this.u8() !== 0);
    return text;
  }
  /** The next `length` bytes, or what is left of them, as a reader of their own. */
  part(length: number): Reader {
    const part = new Reader(this.bytes.subarray(this.at, this.at + length));
    this.at = Math.min(this.bytes.length, this.at + length);
    return part;
  }
}

interface Strings {
  readonly line: Uint8Array;
  readonly other: Uint8Array;
}

interface Header {
  readonly minimumLength: number;
  readonly defaultIsStatement: boolean;
  readonly lineBase: number;
  readonly lineRange: number;
  readonly opcodeBase: number;
  /** Operands of the standard opcodes from 1 on. */
  readonly operands: readonly number[];
  /** File names by number, as the program counts them. */
  readonly files: readonly string[];
}

function readUnit(unit: Reader, strings: Strings, rows: Row[]): void {
  const version = unit.u16();
  if (version < 2 || version > 5) return;
  if (version === 5) {
    const [addressSize, selectorSize] = [unit.u8(), unit.u8()];
    if (addressSize !== 4 || selectorSize !== 0) return;
  }
  const headerLength = unit.u32();
  const program = unit.at + headerLength;
  const minimumLength = unit.u8();
  if (version >= 4) unit.u8(); // operations an instruction: one, but for VLIW machines
  const defaultIsStatement = unit.u8() !== 0;
  const lineBase = unit.i8();
  const lineRange = unit.u8();
  const opcodeBase = unit.u8();
  const operands = Array.from({ length: Math.max(0, opcodeBase - 1) }, () => unit.u8());
  const files = version === 5 ? readNames5(unit, strings) : readNames(unit);
  if (lineRange === 0) return;
  unit.at = program;
  runProgram(unit, { minimumLength, defaultIsStatement, lineBase, lineRange, opcodeBase, operands, files }, rows);
}

/** Folders and files up to version 4: strings, until an empty one; files count from 1. */
function readNames(unit: Reader): string[] {
  const folders = [""];
  for (let name = unit.text(); name !== ""; name = unit.text()) folders.push(name);
  const files = [""];
  for (let name = unit.text(); name !== ""; name = unit.text()) {
    files.push(joined(folders[unit.uleb()] ?? "", name));
    unit.uleb();
    unit.uleb();
  }
  return files;
}

const DW_LNCT_path = 1;
const DW_LNCT_directory_index = 2;
const DW_FORM_block = 0x09;
const DW_FORM_data1 = 0x0b;
const DW_FORM_data2 = 0x05;
const DW_FORM_data4 = 0x06;
const DW_FORM_data16 = 0x1e;
const DW_FORM_string = 0x08;
const DW_FORM_strp = 0x0e;
const DW_FORM_udata = 0x0f;
const DW_FORM_line_strp = 0x1f;

/** Folders and files of version 5: tables that say what their entries hold; both count from 0. */
function readNames5(unit: Reader, strings: Strings): string[] {
  const folders = readTable(unit, strings).map(({ path }) => path);
  return readTable(unit, strings).map(({ path, folder }) => joined(folders[folder] ?? "", path));
}

function readTable(unit: Reader, strings: Strings): { path: string; folder: number }[] {
  const format = Array.from({ length: unit.u8() }, () => ({ content: unit.uleb(), form: unit.uleb() }));
  const entries: { path: string; folder: number }[] = [];
  for (let left = unit.uleb(); left > 0; left--) {
    let [path, folder] = ["", 0];
    for (const { content, form } of format) {
      const value = readForm(unit, form, strings);
      if (content === DW_LNCT_path) path = String(value);
      else if (content === DW_LNCT_directory_index) folder = Number(value);
    }
    entries.push({ path, folder });
  }
  return entries;
}

function readForm(unit: Reader, form: number, strings: Strings): string | number {
  switch (form) {
    case DW_FORM_string:
      return unit.text();
    case DW_FORM_line_strp:
      return textAt(strings.line, unit.u32());
    case DW_FORM_strp:
      return textAt(strings.other, unit.u32());
    case DW_FORM_udata:
      return unit.uleb();
    case DW_FORM_data1:
      return unit.u8();
    case DW_FORM_data2:
      return unit.u16();
    case DW_FORM_data4:
      return unit.u32();
    case DW_FORM_data16:
      unit.part(16);
      return 0;
    case DW_FORM_block:
      unit.part(unit.uleb());
      return 0;
    default:
      throw new OutOfBytes(); // a form of unknown length: what follows cannot be found
  }
}

const joined = (folder: string, name: string): string =>
  folder === "" || name.startsWith("/") ? name : `${folder.replace(/\/$/, "")}/${name}`;

const DW_LNS_copy = 1;
const DW_LNS_advance_pc = 2;
const DW_LNS_advance_line = 3;
const DW_LNS_set_file = 4;
const DW_LNS_const_add_pc = 8;
const DW_LNS_fixed_advance_pc = 9;
const DW_LNE_end_sequence = 1;
const DW_LNE_set_address = 2;

/** Runs a line-number program; each row it appends goes to `rows`. */
function runProgram(unit: Reader, header: Header, rows: Row[]): void {
  const { minimumLength, lineBase, lineRange, opcodeBase, operands, files } = header;
  let [address, file, line] = [0, 1, 1];
  const append = (at: number): void => {
    rows.push({ address, file: files[file] ?? "", line: at });
  };
  while (unit.left > 0) {
    const opcode = unit.u8();
    if (opcode >= opcodeBase) {
      address += Math.floor((opcode - opcodeBase) / lineRange) * minimumLength;
      line += lineBase + ((opcode - opcodeBase) % lineRange);
      append(line);
      continue;
    }
    switch (opcode) {
      case 0: {
        const extended = unit.part(unit.uleb());
        const which = extended.u8();
        if (which === DW_LNE_set_address) address = extended.u32();
        if (which === DW_LNE_end_sequence) {
          append(0);
          [address, file, line] = [0, 1, 1];
        }
        break;
      }
      case DW_LNS_copy:
        append(line);
        break;
      case DW_LNS_advance_pc:
        address += unit.uleb() * minimumLength;
        break;
      case DW_LNS_advance_line:
        line += unit.sleb();
        break;
      case DW_LNS_set_file:
        file = unit.uleb();
        break;
      case DW_LNS_const_add_pc:
        address += Math.floor((255 - opcodeBase) / lineRange) * minimumLength;
        break;
      case DW_LNS_fixed_advance_pc:
        address += unit.u16();
        break;
      default:
        for (let i = operands[opcode - 1] ?? 0; i > 0; i--) unit.uleb();
    }
  }
}
