// What instructions rely on beside their written operands: stacks, strings, counts; and values that lead past the first fault.
import * as A from "./arena.ts";
import { CS, type Draft, DS, EAX, EBP, EBX, ECX, EDI, EDX, ES, ESI, ESP, SS } from "./draft.ts";
import { codeOffset, dataOffset, selector } from "./places.ts";

const TRAP_FLAG = 0x100;
/** NT: IRET would be a task switch, which the host's long mode does not have. A fresh IRET image may bring it, though. */
const segmentNames = new Set(["ES", "CS", "SS", "DS", "FS", "GS"]);

/** Flags as POPF and IRET may find them on the stack; a single step is not for us. */
const flagImage = (draft: Draft): number => draft.random.bits() & ~TRAP_FLAG;

/** A code segment to go to, mostly one that can be gone to. */
const codeSelector = (draft: Draft): number =>
  draft.random.chance(75)
    ? draft.random.pick([A.local(A.CODE16), A.local(A.CODE32), A.FLAT_CODE])
    : selector(draft.random);

/** Implicit operands, before the written ones: what they need of registers is theirs. */
export function prepareImplicit(draft: Draft): void {
  const { form, random, width } = draft;
  const [first = ""] = form.operands;
  const far = first.startsWith("m16:") || first.startsWith("ptr");
  switch (form.mnemonic) {
    case "PUSH":
    case "PUSHF":
    case "PUSHFD":
      draft.stack(width, "push");
      break;
    case "CALL":
      draft.stack(far ? 2 * width : width, "push");
      break;
    case "PUSHA":
    case "PUSHAD":
      draft.stack(8 * width, "push");
      break;
    case "POP": {
      const at = draft.stack(width, "pop");
      if (segmentNames.has(first)) draft.poke(at, 2, selector(random));
      break;
    }
    case "POPF":
    case "POPFD":
      draft.poke(draft.stack(width, "pop"), width, flagImage(draft));
      break;
    case "POPA":
    case "POPAD":
      draft.stack(8 * width, "pop");
      break;
    case "RET":
      draft.poke(draft.stack(width, "pop"), width, codeOffset(random, draft.selectors[CS]!, width));
      break;
    case "RETF":
    case "IRET":
    case "IRETD": {
      draft.stack((form.mnemonic === "RETF" ? 2 : 3) * width, "pop");
      const to = codeSelector(draft);
      draft.poke(draft.stackAt(0), width, codeOffset(random, to, width));
      draft.poke(draft.stackAt(width), 2, to);
      if (form.mnemonic !== "RETF") draft.poke(draft.stackAt(2 * width), width, flagImage(draft));
      break;
    }
    case "LEAVE":
      draft.stack(width, "pop", EBP);
      break;
    case "ENTER":
      prepareFrame(draft);
      break;
    case "XLATB":
      prepareTable(draft);
      break;
    case "LOOP":
    case "LOOPE":
    case "LOOPNE":
    case "JCXZ":
    case "JECXZ":
      if (random.chance(70)) draft.set(ECX, random.below(3), random.chance(50) ? 16 : 32);
      break;
  }
  if (form.repeatable) prepareString(draft);
}

/** Frame pointers to copy below EBP and room below ESP; now and then near an empty page. */
function prepareFrame(draft: Draft): void {
  const { random, width } = draft;
  const bits = draft.stackIsWide ? 32 : 16;
  const from = draft.selectors[SS]! === A.FLAT_DATA ? A.ARENA : 0;
  const near = random.chance(25) ? 4 * A.PAGE : 0;
  const top = near + (near === 0 ? 0xe00 + random.below(0x1200) : random.below(0x60));
  const frame = random.chance(30) ? top - 0x40 + random.below(0x80) : near + 0x200 + random.below(0xc00);
  draft.set(ESP, from + top, bits);
  draft.set(EBP, from + frame, bits);
  draft.fill(A.ARENA + top - 33 * width, 33 * width);
  draft.fill(A.ARENA + frame - 32 * width, 32 * width);
}

/** XLAT: the byte at EBX + AL. */
function prepareTable(draft: Draft): void {
  const selectorOfTable = draft.operandSelector;
  const offset = dataOffset(draft.random, selectorOfTable, draft.addressSize, 1);
  draft.set(EBX, offset - (draft.registers[EAX]! & 0xff), draft.addressSize);
  draft.fill(draft.linearOf(selectorOfTable, offset), 1);
}

/** Elements at ESI and EDI, runs of equal ones for REPE and REPNE, and a count. */
function prepareString(draft: Draft): void {
  const { random, form, addressSize } = draft;
  const size = { B: 1, W: 2, D: 4 }[form.mnemonic.slice(-1)] ?? 1;
  const count = random.below(9);
  if (draft.repeat !== 0) draft.set(ECX, count, addressSize);
  const span = draft.repeat === 0 ? size : size * Math.max(1, count);
  const same = random.chance(60) ? random.value() : undefined;
  const place = (register: number, selectorOfString: number): void => {
    const low = dataOffset(random, selectorOfString, addressSize, span);
    const backwards = (draft.eflags & 0x400) !== 0;
    draft.set(register, backwards ? low + span - size : low, addressSize);
    const at = (distance: number): number => {
      const offset = low + distance;
      return draft.linearOf(selectorOfString, addressSize === 16 ? offset & 0xffff : offset);
    };
    for (let i = 0; i < span; i += size) draft.poke(at(i), size, same ?? random.value());
    if (random.chance(70)) draft.poke(at(random.below(span)), 1, random.value());
  };
  const stem = form.mnemonic.slice(0, -1);
  const source = draft.selectors[draft.segmentOverride < 0 ? DS : draft.segmentOverride]!;
  if (stem !== "STOS" && stem !== "SCAS" && stem !== "INS") place(ESI, source);
  if (stem !== "LODS" && stem !== "OUTS") place(EDI, draft.selectors[ES]!);
  if (stem === "MOVS" && random.chance(20)) draft.set(EDI, draft.registers[ESI]! + random.below(9) - 4, addressSize);
  if (stem === "SCAS" && same !== undefined && random.chance(60)) draft.setPart(EAX, size, same);
}

/** Where the memory operand's own address points, when the operand is to lie at `offset`: BT & co. go on from there by bits. */
export function prepareOffset(draft: Draft, offset: number): number {
  const { form, random } = draft;
  if (!/^BT[SRC]?$/.test(form.mnemonic) || !form.operands[1]!.startsWith("r")) return offset;
  const unit = draft.width;
  const near = draft.addressSize === 16 || draft.isTaken(draft.reg) || draft.operandSelector !== A.FLAT_DATA;
  if (!draft.isTaken(draft.reg)) {
    const bit = near ? random.below(0x400) - 0x200 : random.value();
    draft.set(draft.reg, unit === 2 ? bit & 0xffff : bit, unit === 2 ? 16 : 32);
  }
  const bit = unit === 2 ? (draft.registers[draft.reg]! << 16) >> 16 : draft.registers[draft.reg]!;
  return (offset - (bit >> (unit === 2 ? 4 : 5)) * unit) | 0;
}

/** Values of operands that are drawn by now. */
export function prepareOperands(draft: Draft): void {
  const { form, random, width } = draft;
  const [first = "", second = ""] = form.operands;
  switch (form.mnemonic) {
    case "DIV":
    case "IDIV":
      if (random.chance(75)) prepareDivision(draft, operandSize(first));
      break;
    case "CMPXCHG":
      if (random.chance(50)) draft.setPart(EAX, operandSize(first), operandValue(draft, operandSize(first)));
      break;
    case "CMPXCHG8B":
      // The registers may hold the address already: memory is made equal to them, or nearly.
      if (random.chance(50)) {
        draft.poke(draft.linear, 4, draft.registers[EAX]!);
        if (random.chance(80)) draft.poke(draft.linear + 4, 4, draft.registers[EDX]!);
      }
      break;
    case "BOUND":
      if (random.chance(60)) prepareBounds(draft);
      break;
    case "ENTER":
      if (random.chance(85)) draft.immediate = random.below(0x200);
      if (random.chance(50)) draft.immediate2 = random.below(5);
      break;
    case "RET":
    case "RETF":
      break;
    case "INT":
      // INT 80h is Linux's system call.
      if ((draft.immediate & 0xff) === 0x80) draft.immediate = 0x7f;
      if (random.chance(20)) draft.immediate = 3 + random.below(2);
      break;
    case "JMP":
    case "CALL":
      if (first.startsWith("m16:")) {
        const to = codeSelector(draft);
        draft.poke(draft.linear, width, codeOffset(random, to, width));
        draft.poke(draft.operandAt(width), 2, to);
      } else if (first.startsWith("r/m")) setOperand(draft, width, codeOffset(random, draft.selectors[CS]!, width));
      break;
    case "LDS":
    case "LES":
    case "LSS":
    case "LFS":
    case "LGS":
      draft.poke(draft.operandAt(width), 2, selector(random));
      break;
    case "MOV":
      if (first === "Sreg") setOperand(draft, 2, selector(random));
      break;
    case "LAR":
    case "LSL":
    case "VERR":
    case "VERW":
      setOperand(draft, 2, selector(random));
      break;
    default:
      if (second === "CL" || form.operands[2] === "CL") prepareCount(draft);
  }
}

const operandSize = (spec: string): number => Number(/\d+$/.exec(spec)?.[0]) / 8;

/** Gives the r/m operand a value, in its register or in memory. A register that holds an address keeps it. */
function setOperand(draft: Draft, bytes: number, value: number): void {
  if (draft.memory) draft.poke(draft.linear, bytes, value);
  else draft.setPart(draft.rm, bytes, value);
}

const operandValue = (draft: Draft, bytes: number): number =>
  draft.memory ? draft.peek(draft.linear, bytes) : draft.part(draft.rm, bytes);

function prepareCount(draft: Draft): void {
  if (draft.random.chance(70)) draft.setPart(ECX, 1, draft.random.below(36));
}

/** A dividend whose quotient fits, most of the time. */
function prepareDivision(draft: Draft, bytes: number): void {
  const { random } = draft;
  const bits = BigInt(8 * bytes);
  const signed = draft.form.mnemonic === "IDIV";
  const read = (value: number): bigint =>
    signed ? BigInt.asIntN(Number(bits), BigInt(value)) : BigInt.asUintN(Number(bits), BigInt(value));
  const divisor = read(operandValue(draft, bytes));
  const quotient = read(random.value()) + (random.chance(10) ? 1n : 0n);
  const size = divisor < 0n ? -divisor : divisor;
  const remainder = size === 0n ? 0n : BigInt(random.bits() >>> 0) % size;
  const dividend = quotient * divisor + (quotient * divisor < 0n ? -remainder : remainder);
  const low = Number(BigInt.asIntN(32, dividend));
  draft.setPart(EAX, bytes === 1 ? 2 : bytes, low);
  if (bytes > 1) draft.setPart(EDX, bytes, Number(BigInt.asIntN(32, dividend >> bits)));
}

/** An index within its bounds, or next to them. */
function prepareBounds(draft: Draft): void {
  const { random, width } = draft;
  const index = draft.part(draft.reg, width);
  draft.poke(draft.linear, width, index - random.below(3) + random.below(2));
  draft.poke(draft.linear + width, width, index + random.below(3) - random.below(2));
}
