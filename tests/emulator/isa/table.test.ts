// The table as a whole: what the manual's opcode maps and lists say of all rows together.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Form, forms, table } from "../../../emulator/isa/index.ts";
import { opcodesOf } from "../../../emulator/isa/rows.ts";

const test = suite("table");

const hex = (value: number): string => value.toString(16).toUpperCase().padStart(2, "0");
const opcodes = (map: 1 | 2): Set<number> =>
  new Set(
    forms
      .filter((form) => form.map === map)
      .flatMap(({ opcode, plusRegister }) => Array.from({ length: plusRegister ? 8 : 1 }, (_, i) => opcode + i)),
  );
const missing = (map: 1 | 2): string => {
  const there = opcodes(map);
  return Array.from({ length: 256 }, (_, opcode) => opcode)
    .filter((opcode) => !there.has(opcode))
    .map(hex)
    .join(" ");
};

test("every one-byte opcode has a row but the prefixes and 0F", () => {
  assert.is(missing(1), "0F 26 2E 36 3E 64 65 66 67 F0 F2 F3");
});

test("of the two-byte opcodes those are missing that the P6 does not have", () => {
  // 05 07 SYSCALL; 0D-0F 3DNow!; 24-27 test registers; 36-3F and 7C-7D later vector code; 78-79 VMX; B8 POPCNT; FF UD0.
  assert.is(
    missing(2),
    "04 05 07 0A 0C 0D 0E 0F 24 25 26 27 36 37 38 39 3A 3B 3C 3D 3E 3F 78 79 7A 7B 7C 7D A6 A7 B8 D0 F0 FF",
  );
});

test("LOCK is allowed on the manual's list, with memory for destination", () => {
  const lockable = new Set(forms.filter((form) => form.lockable).map((form) => form.mnemonic));
  const manual = "ADC ADD AND BTC BTR BTS CMPXCHG CMPXCHG8B DEC INC NEG NOT OR SBB SUB XADD XCHG XOR";
  assert.is([...lockable].sort().join(" "), manual);
  const wrong = forms.filter(
    (form) => form.lockable && !(form.rmMemory && form.roles[0] === "rm" && form.access[0] === "rw"),
  );
  assert.equal(wrong, []);
});

test("the string instructions repeat, and nothing else", () => {
  const repeating = new Set(forms.filter((form) => form.repeatable).map((form) => form.mnemonic.slice(0, -1)));
  assert.is([...repeating].sort().join(" "), "CMPS INS LODS MOVS OUTS SCAS STOS");
});

test("a form's opcodes are found without reading it", () => {
  for (const { id, map, opcode, plusRegister } of forms) {
    const first = (map - 1) * 256 + opcode;
    assert.equal(opcodesOf(id), plusRegister ? Array.from({ length: 8 }, (_, i) => first + i) : [first], table[id][1]);
  }
});

const describe = (form: Form): string =>
  `${form.syntax} ${form.operandSize} ${form.addressSize} ${hex(form.opcode)} ${form.modrm}`;

test("no row is there twice", () => {
  const rows = forms.filter((form) => form.unimplemented === "" || !form.alias).map(describe);
  assert.equal(
    rows.filter((row, i) => rows.indexOf(row) !== i),
    [],
  );
});

test("a flag is set or undefined, but OF after a shift, where the count decides", () => {
  const both = (form: Form): string[] => [...form.flagsSet].filter((flag) => form.flagsUndefined.includes(flag));
  const counted = (form: Form): boolean => /, (?:CL|imm8)$/.test(form.syntax) && both(form).join("") === "o";
  assert.equal(forms.filter((form) => both(form).length > 0 && !counted(form)).map(describe), []);
});

test("a form's id is its place", () => {
  assert.is(forms.length, table.length);
  forms.forEach((form, i) => {
    assert.is(form.id, i);
    assert.is(form.syntax, table[i]?.[0]);
  });
});

test.run();
