// What watches a machine and what explains an image: the trace, symbols, source lines, name by name.

/** Code as lines for people. */
export { bytesText, type Code, type CodeLine, codeAt, codeLine, hex } from "./code.ts";
/** What a record says, as an object, as text, as JSON. */
export { type Access, type DeliveryEvent, type InstructionEvent, readRecord, type TraceEvent } from "./event.ts";
export { jsonLine } from "./json.ts";
/** Source lines from an image's debugging information. */
export { LineTable, readLines, type SourceLine } from "./lines.ts";
/** The observer that writes records, and what it leaves out. */
export { type Classes, type Filter, Recorder } from "./recorder.ts";
/** The parts of an ELF file. */
export { readSections, type Section } from "./sections.ts";
/** Names of addresses. */
export { type Place, type Range, SymbolTable, symbolsOf, withOffset } from "./symbols.ts";
export { type TextOptions, TraceText } from "./text.ts";
