// The instruction set as data: what the other folders may use of it.
export { decode } from "./decode.ts";
export type { Encoded, Field } from "./emit.ts";
export {
  EncodeError,
  type EncodeOperand,
  type EncodeOptions,
  encode,
  encodeInstruction,
  type Far,
  formsOf,
  type Immediate,
  type Memory,
  mnemonics,
  type Relative,
} from "./encode.ts";
export { conditions } from "./families.ts";
export { type FormatOptions, format } from "./format.ts";
export { forms } from "./forms.ts";
export {
  type DecodeFailure,
  type Form,
  type Instruction,
  type ModRM,
  NONE,
  type Role,
  type Row,
  type Trailer,
} from "./instruction.ts";
export {
  CS,
  controlRegisters,
  DS,
  debugRegisters,
  ES,
  FS,
  GS,
  type OperandSpec,
  type Register,
  type RegisterClass,
  registers8,
  registers16,
  registers32,
  SS,
  segmentRegisters,
} from "./operands.ts";
export { table } from "./table.ts";
