// The encoder's choices and its errors; its bytes are compared with foreign assemblers' in golden.test.ts.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  CS,
  controlRegisters,
  type EncodeOperand,
  type EncodeOptions,
  encode,
  type Immediate,
  type Memory,
  NONE,
  type Register,
  type Relative,
  registers8,
  registers16,
  registers32,
  segmentRegisters,
} from "../../../emulator/isa/index.ts";

const test = suite("encode");
const [eax, ecx, , , esp, ebp, esi] = registers32 as readonly Register[];
const [ax, , , bx, , , si] = registers16 as readonly Register[];
const [al] = registers8 as readonly Register[];

const mem = (size: Memory["size"], base: Register | null, more: Partial<Memory> = {}): Memory => ({
  kind: "memory",
  size,
  segment: NONE,
  base,
  index: null,
  scale: 1,
  displacement: 0,
  ...more,
});
const imm = (value: number, size?: 8 | 16 | 32): Immediate => ({ kind: "immediate", value, ...(size && { size }) });
const rel = (distance: number, size?: 8 | 16 | 32): Relative => ({ kind: "relative", distance, ...(size && { size }) });

const bytes = (mnemonic: string, operands: readonly EncodeOperand[], options: Partial<EncodeOptions> = {}): string =>
  encode(mnemonic, operands, { bits: 32, ...options })
    .bytes.map((byte) => byte.toString(16).padStart(2, "0"))
    .join(" ");

type Line = readonly [
  expected: string,
  mnemonic: string,
  operands: readonly EncodeOperand[],
  options?: Partial<EncodeOptions>,
];
const check = (lines: readonly Line[]): void => {
  for (const [expected, mnemonic, operands, options] of lines)
    assert.is(bytes(mnemonic, operands, options), expected, mnemonic);
};

test("the shortest form wins", () =>
  check([
    ["83 c0 ff", "add", [eax!, imm(0xffffffff)]],
    ["05 80 00 00 00", "add", [eax!, imm(0x80)]],
    ["81 c1 80 00 00 00", "add", [ecx!, imm(0x80)]],
    ["a1 34 12 00 00", "mov", [eax!, mem(0, null, { displacement: 0x1234 })]],
    ["d1 e0", "shl", [eax!, imm(1)]],
    ["6a 05", "push", [imm(5)]],
    ["91", "xchg", [ecx!, eax!]],
    ["8b 44 24 04", "mov", [eax!, mem(32, esp!, { displacement: 4 })]],
    ["8b 45 00", "mov", [eax!, mem(32, ebp!)]],
    ["8b 04 36", "mov", [eax!, mem(32, null, { index: esi!, scale: 2 })]],
    ["8b 04 6d 00 00 00 00", "mov", [eax!, mem(32, null, { index: ebp!, scale: 2 })]],
    ["8b 04 04", "mov", [eax!, mem(32, eax!, { index: esp! })]],
    ["67 66 8b 00", "mov", [ax!, mem(16, si!, { index: bx! })]],
    ["eb fe", "jmp", [rel(-2)]],
    ["e9 80 00 00 00", "jmp", [rel(0x80)]],
  ]));

test("a particular form can be asked for", () =>
  check([
    ["81 c1 05 00 00 00", "add", [ecx!, imm(5, 32)]],
    ["83 c1 05", "add", [ecx!, imm(5, 8)]],
    ["8b 81 00 00 00 00", "mov", [eax!, mem(32, ecx!, { displacementSize: 32 })]],
    ["8b 41 00", "mov", [eax!, mem(32, ecx!, { displacementSize: 8 })]],
    ["0f 84 00 00 00 00", "jz", [rel(0, 32)]],
    ["66 e8 00 00", "call", [rel(0, 16)]],
    ["66 68 05 00", "push", [imm(5, 16)]],
    ["66 06", "push", [segmentRegisters[0]!], { operandSize: 16 }],
    ["67 e2 fe", "loop", [rel(-2)], { addressSize: 16 }],
    ["2e d7", "xlatb", [], { segment: CS }],
    ["f3 a5", "movsd", [], { repeat: 0xf3 }],
    ["f0 87 01", "xchg", [eax!, mem(32, ecx!)], { lock: true }],
  ]));

test("where nothing tells the size it is the code's own", () =>
  check([
    ["cf", "iret", []],
    ["cf", "iretd", []],
    ["66 cf", "iretw", []],
    ["cf", "iret", [], { bits: 16 }],
    ["66 cf", "iretd", [], { bits: 16 }],
    ["c3", "ret", [], { bits: 16 }],
    ["68 34 12", "push", [imm(0x1234)], { bits: 16 }],
    ["66 ea 00 00 10 00 08 00", "jmp", [{ kind: "far", selector: 8, offset: 0x100000, size: 32 }], { bits: 16 }],
    ["ff 28", "jmp", [mem(0, eax!, { far: true })]],
    ["66 ff 28", "jmp", [mem(32, eax!, { far: true })]],
    ["ff 20", "jmp", [mem(32, eax!)]],
  ]));

test("synonyms are the same instruction", () =>
  check([
    ["0f 84 00 01 00 00", "JZ", [rel(0x100)]],
    ["72 00", "jc", [rel(0)]],
    ["0f 93 c0", "setnc", [al!]],
    ["c1 e0 04", "sal", [eax!, imm(4)]],
    ["d4 0a", "aam", []],
    ["6b c0 05", "imul", [eax!, imm(5)]],
  ]));

test("the fields a linker fills in are reported with offset and size", () => {
  const store = encode("mov", [mem(32, ecx!, { displacement: 0x1000 }), imm(7)], { bits: 32 });
  assert.equal(
    [store.displacement, store.immediate],
    [
      { offset: 2, size: 4 },
      { offset: 6, size: 4 },
    ],
  );
  const call = encode("call", [rel(0, 32)], { bits: 32 });
  assert.equal([call.displacement, call.immediate], [undefined, { offset: 1, size: 4 }]);
  const far = encode("jmp", [{ kind: "far", selector: 8, offset: 0 }], { bits: 32 });
  assert.equal(
    [far.immediate, far.immediate2],
    [
      { offset: 1, size: 4 },
      { offset: 5, size: 2 },
    ],
  );
});

const refused: readonly (readonly [
  message: RegExp,
  mnemonic: string,
  operands: readonly EncodeOperand[],
  options?: Partial<EncodeOptions>,
])[] = [
  [
    /^no form of MOV takes \(m32, m32\); it takes \(r\/m8, r8\), .*\(r32, r\/m32\)/,
    "mov",
    [mem(32, eax!), mem(32, ecx!)],
  ],
  [/^there is no instruction FROB$/, "frob", []],
  [/does not fit 8 bits \(-128 to 255\)/, "mov", [al!, imm(256)]],
  [/does not fit 32 bits/, "mov", [eax!, imm(2 ** 32)]],
  [/does not fit 16 bits/, "push", [imm(0x12345)], { bits: 16 }],
  [/size of the memory operand is not known/, "inc", [mem(0, eax!)]],
  [/size of the memory operand is not known/, "movzx", [eax!, mem(0, eax!)]],
  [/ESP cannot be an index/, "mov", [eax!, mem(32, eax!, { index: esp!, scale: 2 })]],
  [/16-bit address is BX or BP/, "mov", [eax!, mem(32, ax!)]],
  [/32-bit registers, or of 16-bit ones/, "mov", [eax!, mem(32, eax!, { index: si! })]],
  [/displacement 74565 does not fit 16 bits/, "mov", [eax!, mem(32, si!, { displacement: 0x12345 })]],
  [/LOCK is allowed only/, "add", [eax!, ecx!], { lock: true }],
  [/LOCK is allowed only/, "mov", [mem(32, eax!), ecx!], { lock: true }],
  [/only string instructions repeat/, "ret", [], { repeat: 0xf3 }],
  [/CS is loaded by a far JMP/, "mov", [segmentRegisters[1]!, ax!]],
  [/there is no CR1/, "mov", [eax!, controlRegisters[1]!]],
  [/200 bytes away, and rel8 reaches -128 to 127/, "loop", [rel(200)]],
  [/no form of BSF takes \(r32, r8\)/, "bsf", [eax!, al!]],
];
test("an error says what was asked and what would do", () => {
  for (const [message, mnemonic, operands, options] of refused) {
    assert.throws(() => bytes(mnemonic, operands, options), message);
  }
});

test.run();
