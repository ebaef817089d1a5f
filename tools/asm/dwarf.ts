// Source lines as debuggers read them: DWARF 2 .debug_info and .debug_abbrev, and a .debug_line program (DWARF 2, ch. 6.2, 7).

import { ByteWriter } from "./bytes.ts";
import type { Image, ImageSection, Line } from "./image.ts";

const DW_TAG_compile_unit = 0x11;
const DW_TAG_subprogram = 0x2e;
const DW_AT_name = 0x03;
const DW_AT_stmt_list = 0x10;
const DW_AT_low_pc = 0x11;
const DW_AT_high_pc = 0x12;
const DW_AT_language = 0x13;
const DW_AT_producer = 0x25;
const DW_FORM_addr = 0x01;
const DW_FORM_data2 = 0x05;
const DW_FORM_data4 = 0x06;
const DW_FORM_string = 0x08;
const DW_LANG_Mips_Assembler = 0x8001;

const DW_LNS_copy = 1;
const DW_LNS_advance_pc = 2;
const DW_LNS_advance_line = 3;
const DW_LNS_set_file = 4;
const DW_LNE_end_sequence = 1;
const DW_LNE_set_address = 2;

/** Standard opcodes 1 to 9 and the number of operands of each; this file uses the first four, and no special ones. */
const OPERANDS_OF_OPCODES = [0, 1, 1, 1, 1, 0, 0, 0, 1];

/** The sections that tell a debugger which source line an address comes from. None for an image without code. */
export function writeDwarf(image: Image): readonly { readonly name: string; readonly bytes: Uint8Array }[] {
  const text = image.sections.find(({ name }) => name === ".text");
  if (!text) return [];
  return [
    { name: ".debug_line", bytes: lineProgram(image) },
    { name: ".debug_info", bytes: info(image, text) },
    { name: ".debug_abbrev", bytes: abbreviations() },
  ];
}

/** `contents` after its own length, as DWARF's units begin. */
function unit(contents: ByteWriter): Uint8Array {
  const bytes = contents.done();
  return new ByteWriter().u32(bytes.length).append(bytes).done();
}

/** One row for each line that wrote bytes, one sequence for each stretch of code without gaps. */
function lineProgram({ lines }: Image): Uint8Array {
  const files = [...new Set(lines.map(({ site }) => site.source.file))];
  const prologue = new ByteWriter()
    .u8(1, 1, 0, 1, OPERANDS_OF_OPCODES.length + 1) // bytes are the unit; statements; no special opcodes
    .u8(...OPERANDS_OF_OPCODES)
    .u8(0); // no directories: names are absolute
  for (const file of files) prologue.string(file).uleb(0).uleb(0).uleb(0);
  prologue.u8(0);

  const program = new ByteWriter();
  let state = { address: -1, file: 1, line: 1 };
  for (const { address, length, site } of lines) {
    const { file, line } = site.source;
    if (address !== state.address) {
      if (state.address !== -1) extended(program, DW_LNE_end_sequence);
      extended(program, DW_LNE_set_address, new ByteWriter().u32(address).done());
      state = { address, file: 1, line: 1 };
    }
    const number = files.indexOf(file) + 1;
    if (number !== state.file) program.u8(DW_LNS_set_file).uleb(number);
    if (line !== state.line) program.u8(DW_LNS_advance_line).sleb(line - state.line);
    program.u8(DW_LNS_copy, DW_LNS_advance_pc).uleb(length);
    state = { address: address + length, file: number, line };
  }
  if (state.address !== -1) extended(program, DW_LNE_end_sequence);

  const version = 2;
  const header = new ByteWriter().u16(version).u32(prologue.length).append(prologue.done());
  return unit(header.append(program.done()));
}

function extended(program: ByteWriter, opcode: number, operands: Uint8Array = new Uint8Array(0)): void {
  program
    .u8(0)
    .uleb(operands.length + 1)
    .u8(opcode)
    .append(operands);
}

/** An entry's number, tag, whether it has children, and the attributes that it gives, each in a form. */
type Abbreviation = readonly [
  number: number,
  tag: number,
  children: 0 | 1,
  attributes: readonly (readonly [attribute: number, form: number])[],
];

const UNIT: Abbreviation = [
  1,
  DW_TAG_compile_unit,
  1,
  [
    [DW_AT_producer, DW_FORM_string],
    [DW_AT_language, DW_FORM_data2],
    [DW_AT_name, DW_FORM_string],
    [DW_AT_low_pc, DW_FORM_addr],
    [DW_AT_high_pc, DW_FORM_addr],
    [DW_AT_stmt_list, DW_FORM_data4],
  ],
];

const SUBPROGRAM: Abbreviation = [
  2,
  DW_TAG_subprogram,
  0,
  [
    [DW_AT_name, DW_FORM_string],
    [DW_AT_low_pc, DW_FORM_addr],
    [DW_AT_high_pc, DW_FORM_addr],
  ],
];

function abbreviations(): Uint8Array {
  const out = new ByteWriter();
  for (const [number, tag, children, attributes] of [UNIT, SUBPROGRAM]) {
    out.uleb(number).uleb(tag).u8(children);
    for (const [attribute, form] of attributes) out.uleb(attribute).uleb(form);
    out.u8(0, 0);
  }
  return out.u8(0).done();
}

/** One unit for the image, and in it every routine with its extent. */
function info({ lines, symbols }: Image, text: ImageSection): Uint8Array {
  const [version, abbreviationsOffset, addressSize, linesOffset] = [2, 0, 4, 0];
  const name = lines.find(({ code }: Line) => code)?.site.source.file ?? "unknown";
  const out = new ByteWriter().u16(version).u32(abbreviationsOffset).u8(addressSize);
  out.uleb(UNIT[0]).string("ring0").u16(DW_LANG_Mips_Assembler).string(name);
  out.u32(text.address, text.address + text.size, linesOffset);
  for (const symbol of symbols) {
    if (symbol.kind !== "function") continue;
    out
      .uleb(SUBPROGRAM[0])
      .string(symbol.name)
      .u32(symbol.address, symbol.address + symbol.size);
  }
  return unit(out.u8(0));
}
