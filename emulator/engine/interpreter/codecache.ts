// Decoded code: records in one array, found by physical page, kept true when the page is written.
import { decode } from "../../isa/decode.ts";
import { type Form, type Instruction, NONE } from "../../isa/instruction.ts";
import { CS } from "../../isa/operands.ts";
import * as L from "../../memory/layout.ts";
import * as F from "./record.ts";

/** Words of all records together: 256 Ki records. */
const CODE_WORDS = 1 << 22;
/** More instructions than that are never known at once. */
export const MOST_INSTRUCTIONS = CODE_WORDS / F.STRIDE;
/** Pages that can have decoded code at a time, counted per key. */
const SLOTS = 1024;
/** Record 0 means none; then come the scratch record, its tail, and the cache proper. */
const SCRATCH = F.STRIDE;
const FIRST = SCRATCH + 2 * F.STRIDE;
/** Longest run of instructions decoded at once. */
const RUN = 64;

// The key a page is decoded under: what decides how the same bytes are to be run.
/** CS.D: 32-bit code. */
export const KEY_32 = 1;
/** Bit 1 + n: segment n (0..5) is flat. */
export const keyFlat = (segment: number): number => 2 << segment;
/** SS is flat with a 32-bit stack pointer. */
export const KEY_STACK = 0x80;

/** Special handlers, by what they do; the engine says which index each has. */
export interface SpecialHandlers {
  /** Replaces every record of a page that has been written. */
  readonly stale: number;
  /** Goes on in the record at F_TARGET. */
  readonly goto: number;
  /** The run of decoded instructions ends here. */
  readonly relocate: number;
  /** The instruction does not lie in this page alone. */
  readonly across: number;
  readonly invalid: number;
  readonly tooLong: number;
  readonly unimplemented: number;
}

/** Chooses a handler for an instruction: its index, and the index of the plain function where there is one. */
export type Select = (instruction: Instruction) => { handler: number; plain: number };

/** Instructions after which the next bytes are not known to be code. */
const ENDS = new Set(["JMP", "RET", "RETF", "IRET", "IRETD", "HLT", "UD2", "UD1", "UD0", "LRET"]);

/** A page's records under one key: which, and between which offsets they begin. */
interface Slot {
  readonly page: number;
  readonly key: number;
  first: number;
  end: number;
}

export class CodeCache {
  readonly code = new Int32Array(CODE_WORDS);
  /** For each slot, the record of every offset of the page, or 0. */
  readonly maps = new Int32Array(SLOTS * L.PAGE);
  readonly instructions: Instruction[] = [];
  /** How often everything was dropped: what others know by an instruction's index is good for one generation. */
  generation = 0;
  private next = FIRST;
  private slotOf = new Map<number, number>();
  private slots: Slot[] = [];
  /** Bits of the 64-byte granules of a physical page that hold decoded bytes: two words a page, for pages that have any. */
  private readonly granules = new Map<number, Int32Array>();
  private readonly u8: Uint8Array;
  private readonly layout: L.Layout;
  private readonly select: Select;
  private readonly special: SpecialHandlers;
  /** A page got its first code: it must leave the write TLBs. */
  private readonly firstCode: () => void;

  constructor(u8: Uint8Array, layout: L.Layout, select: Select, special: SpecialHandlers, firstCode: () => void) {
    this.u8 = u8;
    this.layout = layout;
    this.select = select;
    this.special = special;
    this.firstCode = firstCode;
    this.code[SCRATCH + F.STRIDE] = special.relocate;
  }

  /** Record for instructions that are decoded for one use. */
  get scratch(): number {
    return SCRATCH;
  }

  /** Is there room for one more run and one more page? If not, the owner clears everything first. */
  get full(): boolean {
    return this.next + (RUN + 2) * F.STRIDE > CODE_WORDS || this.slots.length >= SLOTS;
  }

  clear(): void {
    this.generation++;
    this.code.fill(this.special.stale, FIRST, this.next);
    for (let slot = 0; slot < this.slots.length; slot++) {
      const { first, end } = this.slots[slot];
      if (first < end) this.maps.fill(0, slot * L.PAGE + first, slot * L.PAGE + end);
    }
    for (const page of this.granules.keys()) this.u8[this.layout.attributeBase + page] &= ~L.ATTRIBUTE_CODE;
    this.granules.clear();
    this.slotOf.clear();
    this.slots = [];
    this.instructions.length = 0;
    this.next = FIRST;
  }

  /** Index in `maps` where the offsets of a physical page (number) under a key begin. */
  mapOf(page: number, key: number): number {
    const id = page * 0x100 + key;
    let slot = this.slotOf.get(id);
    if (slot === undefined) {
      slot = this.slots.length;
      this.slots.push({ page, key, first: L.PAGE, end: 0 });
      this.slotOf.set(id, slot);
    }
    return slot * L.PAGE;
  }

  /** The physical page (number) that a map is of, or -1 where it is no more. */
  pageOfMap(map: number): number {
    return this.slots[map / L.PAGE]?.page ?? -1;
  }

  /** Decodes from `offset` in the page whose map begins at `map`; returns the first record. */
  decodeRun(map: number, offset: number): number {
    const slot = this.slots[map / L.PAGE];
    const { page, key } = slot;
    const { code, maps, special } = this;
    if (offset < slot.first) slot.first = offset;
    const pageStart = this.layout.ramBase + page * L.PAGE;
    const first = this.next;
    let at = offset;
    for (let i = 0; ; i++) {
      const p = this.next;
      this.next += F.STRIDE;
      this.blank(p);
      code[p + F.F_OFFSET] = at;
      const known = at < L.PAGE ? maps[map + at] : 0;
      if (known !== 0) {
        code[p] = special.goto;
        code[p + F.F_TARGET] = known;
        break;
      }
      if (at >= L.PAGE || i === RUN) {
        code[p] = special.relocate;
        break;
      }
      maps[map + at] = p;
      if (at >= slot.end) slot.end = at + 1;
      const found = decode(this.u8, pageStart + at, L.PAGE - at, (key & KEY_32) !== 0 ? 32 : 16);
      if (typeof found === "string") {
        this.markGranules(page, at, Math.min(15, L.PAGE - at));
        code[p] = found === "truncated" ? special.across : found === "too long" ? special.tooLong : special.invalid;
        break;
      }
      this.markGranules(page, at, found.length);
      this.write(p, found, at, key);
      at += found.length;
      if (factsOf(found.form).ends) {
        // Never reached in sequence but by a JMP or HLT that comes back: look the address up then.
        const tail = this.next;
        this.next += F.STRIDE;
        this.blank(tail);
        code[tail] = special.relocate;
        code[tail + F.F_OFFSET] = at;
        break;
      }
    }
    return first;
  }

  /** A loop: records are so short that a call of `fill` costs more than they do. */
  private blank(p: number): void {
    for (let word = p; word < p + F.STRIDE; word++) this.code[word] = 0;
  }

  /** Fills the record at `p`. */
  write(p: number, instruction: Instruction, offset: number, key: number): void {
    const { code } = this;
    const { form } = instruction;
    const { handler, plain } = this.select(instruction);
    this.blank(p);
    code[p + F.F_HANDLER] = handler;
    const { regSize, rmSize, isXlat, isPop } = factsOf(form);
    code[p + F.F_REG] = scaled(instruction.reg, regSize);
    code[p + F.F_RM] = scaled(instruction.rm, rmSize);
    code[p + F.F_IMM] = instruction.immediate;
    code[p + F.F_DISP] = instruction.displacement;
    code[p + F.F_BASE] = instruction.base === NONE ? L.R_ZERO : instruction.base;
    code[p + F.F_INDEX] = instruction.index === NONE ? L.R_ZERO : instruction.index;
    code[p + F.F_SCALE] = instruction.scale;
    // POP r/m with an ESP base: the address is formed with ESP already raised.
    if (isPop && instruction.memory && instruction.base === L.R_ESP) code[p + F.F_DISP] += instruction.operandSize / 8;
    if (instruction.memory || isXlat) {
      const { segment } = instruction;
      const flat = instruction.addressSize === 32 && segment !== CS && (key & keyFlat(segment)) !== 0;
      if (!flat) code[p + F.F_MODE] = 1 + segment + (instruction.addressSize === 16 ? F.MODE_16 : 0);
    }
    if (isPop && instruction.memory && instruction.base === L.R_ESP && (key & KEY_STACK) === 0)
      code[p + F.F_MODE] = 1 + instruction.segment + F.MODE_POP;
    code[p + F.F_OFFSET] = offset;
    code[p + F.F_LENGTH] = instruction.length;
    const special = ((key & KEY_STACK) === 0 ? F.SPECIAL_STACK : 0) | ((key & keyFlat(CS)) === 0 ? F.SPECIAL_CODE : 0);
    code[p + F.F_SPECIAL] = special;
    code[p + F.F_LOCKED] = instruction.lock || (form.lockedAlways && instruction.memory) ? 1 : 0;
    code[p + F.F_PLAIN] = plain;
    code[p + F.F_INSTRUCTION] = p === SCRATCH ? 0 : this.remember(instruction);
    if (p !== SCRATCH) return;
    this.instructions[0] = instruction;
    code[SCRATCH + F.STRIDE + F.F_OFFSET] = offset + instruction.length;
  }

  private remember(instruction: Instruction): number {
    if (this.instructions.length === 0) this.instructions.push(instruction);
    this.instructions.push(instruction);
    return this.instructions.length - 1;
  }

  private markGranules(page: number, offset: number, bytes: number): void {
    let bits = this.granules.get(page);
    if (!bits) {
      bits = new Int32Array(2);
      this.granules.set(page, bits);
      this.u8[this.layout.attributeBase + page] |= L.ATTRIBUTE_CODE;
      this.firstCode();
    }
    const last = (offset + bytes - 1) >> 6;
    for (let granule = offset >> 6; granule <= last; granule++) bits[granule >> 5] |= 1 << (granule & 31);
  }

  /** Bytes of RAM changed: drops the page's code if any of it lay there. Returns whether it did. */
  written(physical: number, bytes: number): boolean {
    const page = Math.floor(physical / L.PAGE);
    const bits = this.granules.get(page);
    if (!bits) return false;
    const first = (physical & (L.PAGE - 1)) >> 6;
    const last = ((physical & (L.PAGE - 1)) + bytes - 1) >> 6;
    let hit = false;
    for (let granule = first; granule <= last && granule < 64; granule++)
      if ((bits[granule >> 5] & (1 << (granule & 31))) !== 0) hit = true;
    if (!hit) return false;
    const { code, maps } = this;
    for (let slot = 0; slot < this.slots.length; slot++) {
      const { page: owner, first: from, end } = this.slots[slot];
      if (owner !== page) continue;
      const map = slot * L.PAGE;
      for (let offset = from; offset < end; offset++) {
        const p = maps[map + offset];
        if (p === 0) continue;
        code[p] = this.special.stale;
        maps[map + offset] = 0;
      }
    }
    bits.fill(0);
    return true;
  }
}

/** Registers are stored scaled for their size, so that handlers index without arithmetic. */
function scaled(register: number, size: number): number {
  if (register < 0) return 0;
  if (size === 8) return (register & 3) * 4 + (register >> 2);
  return size === 16 ? register * 2 : register;
}

const sizeOf = (spec: string | undefined): number => Number(/(8|16|32)$/.exec(spec ?? "")?.[1] ?? 32);

/** What a record needs to know of a form, worked out once: code that is written as it runs is decoded over and over. */
interface Facts {
  /** Bits of the register in ModR/M reg or the opcode, and of the one in ModR/M rm. */
  readonly regSize: number;
  readonly rmSize: number;
  readonly isXlat: boolean;
  readonly isPop: boolean;
  readonly ends: boolean;
}

const findFacts = ({ operands, mnemonic }: Form): Facts => ({
  regSize: sizeOf(operands.find((spec) => /^r\d/.test(spec))),
  rmSize: sizeOf(operands.find((spec) => spec.startsWith("r/m"))),
  isXlat: mnemonic.startsWith("XLAT"),
  isPop: mnemonic === "POP",
  ends: ENDS.has(mnemonic),
});

/** By form, once asked for. */
const facts: (Facts | undefined)[] = [];

function factsOf(form: Form): Facts {
  let found = facts[form.id];
  if (found === undefined) {
    found = findFacts(form);
    facts[form.id] = found;
  }
  return found;
}
