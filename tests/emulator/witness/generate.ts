// Cases for a form of the table: operands of every kind, values it may trip over, and places where accesses go wrong.
import { type Form, NONE } from "../../../emulator/isa/index.ts";
import * as A from "./arena.ts";
import { type Case, CODE_BYTES, canRunAtOnce, MOST_BYTES } from "./case.ts";
import { CS, Draft, DS, ES, SS } from "./draft.ts";
import { prepareImplicit, prepareOffset, prepareOperands } from "./meanings.ts";
import { CODE_FROM, CODE_TO, codeOffset, dataOffset } from "./places.ts";
import { prelude } from "./prelude.ts";
import type { Random } from "./random.ts";
import { isAvoided } from "./rules.ts";

const LONGEST_PRELUDE = 4;
const STATUS_FLAGS = 0x8d5;
const DIRECTION = 0x400;
/** Bytes between the places of one case's code and the next one's. */
const STRIDE = 48;

/** How many bytes an instruction reads or writes at its memory operand; 0 where it only forms the address. */
function operandBytes(form: Form): number {
  const at = form.roles.findIndex((role) => role === "rm" || role === "moffs");
  const spec = form.operands[at];
  if (spec === undefined || form.access[at] === "") return 0;
  const pair = /^m(16|32)([&:])(16|32)$/.exec(spec);
  if (pair) return (Number(pair[1]) + Number(pair[3])) / 8;
  return Number(/\d+$/.exec(spec)?.[0] ?? 0) / 8;
}

/** Jumps, which could land in their own code were it elsewhere; and UD1, which some processors know before its end. */
const staysInPlace = /^(?:JMP|CALL|RETF?|IRETD?|UD1)$/;

/** Relative jumps, whose distance depends on the length of what is being made. */
const relativeSize: Readonly<Record<string, 1 | 2 | 4>> = { rel8: 1, rel16: 2, rel32: 4 };

export class Cases {
  readonly #random: Random;
  #made = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** The next case of a form. */
  make(form: Form): Case {
    for (;;) {
      const made = this.#try(form);
      if (made !== undefined) return made;
    }
  }

  #try(form: Form): Case | undefined {
    const random = this.#random;
    const bits = random.chance(85) ? 32 : 16;
    const draft = new Draft(random, form, bits, this.#selectors(bits));
    draft.eflags = random.bits() & (STATUS_FLAGS | (random.chance(form.repeatable ? 100 : 10) ? DIRECTION : 0));
    this.#drawPrefixes(draft);
    if (draft.addressSize === 16 && random.chance(90)) this.#useLocalData(draft);
    const slot = CODE_FROM + ((this.#made++ * STRIDE) % (CODE_TO - CODE_FROM)) + random.below(16);
    const flat = draft.selectors[CS] === A.FLAT_CODE;
    draft.eip = (flat ? A.ARENA : 0) + A.CODE_OFFSET + slot;

    prepareImplicit(draft);
    this.#drawOperands(draft);
    prepareOperands(draft);
    if (form.lockable && draft.memory && random.chance(30)) draft.lock = true;
    this.#drawDistance(draft);
    const code = draft.code();
    const { registers, eflags, selectors } = draft;
    if (code.length > MOST_BYTES || isAvoided({ form, code, registers })) return undefined;
    if (!staysInPlace.test(form.mnemonic) && form.roles[0] !== "relative") this.#moveToAnEdge(draft, code.length);
    const { eip } = draft;
    const place = flat ? eip : eip + A.ARENA;
    const before = this.#wantsPrelude(draft, code) ? prelude(random, bits, registers, eflags & 1) : [];
    return {
      form,
      bits,
      code,
      prelude: before,
      place,
      eip,
      registers,
      eflags: eflags | 0x202,
      selectors,
      windows: draft.windows(),
      mode: random.pick(modes),
      atOnce: random.chance(50) && canRunAtOnce({ form, code, place }),
    };
  }

  /** Is there room for other code before it, and does it not jump back there? */
  #wantsPrelude({ form, immediate: distance }: Draft, code: readonly number[]): boolean {
    const goesBack = form.operands[0] === "rel8" && distance < 0 && distance >= -code.length - LONGEST_PRELUDE;
    return this.#random.chance(30) && code.length + LONGEST_PRELUDE <= CODE_BYTES && !goesBack;
  }

  #selectors(bits: 16 | 32): number[] {
    const random = this.#random;
    const selectors = [0, 0, 0, 0, 0, 0].map(() => A.FLAT_DATA);
    const kind = random.below(100);
    if (bits === 16) selectors[CS] = A.local(A.CODE16);
    else if (kind < 80) selectors[CS] = A.FLAT_CODE;
    else selectors[CS] = A.local(kind < 90 ? A.CODE32 : kind < 95 ? A.EXECUTE_ONLY : A.SMALL_CODE);
    for (const segment of [4, 5]) selectors[segment] = this.#dataSelector();
    if (random.chance(bits === 16 ? 85 : 15)) for (const segment of [ES, DS]) selectors[segment] = this.#dataSelector();
    if (random.chance(bits === 16 ? 85 : 20)) selectors[SS] = A.local(random.pick(stackSegments));
    return selectors;
  }

  #dataSelector(): number {
    const kind = this.#random.below(40);
    return kind === 0 ? 0 : kind < 6 ? A.FLAT_DATA : A.local(this.#random.pick(dataSegments));
  }

  /** 16-bit addresses reach nothing in flat segments. */
  #useLocalData(draft: Draft): void {
    const { selectors } = draft;
    for (const segment of [ES, SS, DS])
      if (selectors[segment] === A.FLAT_DATA)
        selectors[segment] = A.local(this.#random.pick(segment === SS ? stackSegments : dataSegments));
  }

  #drawPrefixes(draft: Draft): void {
    const random = this.#random;
    const { form } = draft;
    const usesMemory = form.rmMemory || form.roles.includes("moffs") || form.repeatable || form.mnemonic === "XLATB";
    if (usesMemory && random.chance(15)) draft.segmentOverride = random.below(6);
    else if (random.chance(2)) draft.segmentOverride = random.below(6);
    if (form.repeatable) {
      if (random.chance(60)) draft.repeat = random.chance(50) ? 0xf3 : 0xf2;
    } else if (form.map === 1 && form.opcode !== 0x90 && form.mandatory === 0 && random.chance(2)) {
      draft.repeat = random.chance(50) ? 0xf3 : 0xf2;
    }
    // Where LOCK is no part of the form it is #UD; but with MOV CR it names CR8 to AMD's processors.
    if (!form.operands.includes("CR") && random.chance(1)) draft.lock = true;
  }

  #drawOperands(draft: Draft): void {
    const random = this.#random;
    const { form } = draft;
    form.roles.forEach((role, i) => {
      const spec = form.operands[i];
      if (role === "reg") draft.reg = random.below(spec === "Sreg" ? 6 : 8);
      else if (role === "opcode") draft.reg = random.below(8);
      else if (role === "immediate") draft.immediate = immediate(random.value(), spec);
      else if (role === "immediate2") draft.immediate2 = immediate(random.value(), spec);
      else if (role === "moffs") {
        draft.memory = true;
        const offset = dataOffset(random, draft.operandSelector, draft.addressSize, operandBytes(form));
        draft.displacement = draft.addressSize === 16 ? (offset << 16) >> 16 : offset;
        draft.linear = draft.linearOf(draft.operandSelector, offset);
        draft.fill(draft.linear, operandBytes(form));
      } else if (role === "far") {
        const selector = random.chance(70) ? A.local(random.pick([A.CODE16, A.CODE32])) : A.FLAT_CODE;
        draft.immediate2 = selector;
        draft.immediate = codeOffset(random, selector, draft.width);
      }
    });
    if (form.modrm === "none" || form.modrmByte !== NONE) return;
    if (form.modrm === "/r" && draft.reg === NONE) draft.reg = random.below(8);
    if (!form.rmMemory || (form.rmRegister && random.chance(30))) {
      draft.rm = random.below(8);
      return;
    }
    draft.drawAddressing();
    const bytes = operandBytes(form);
    if (bytes === 0) {
      draft.displacement = draft.addressSize === 16 ? (random.bits() << 16) >> 16 : random.value();
      return;
    }
    const offset = dataOffset(random, draft.operandSelector, draft.addressSize, bytes);
    const moves = form.mnemonic === "POP" ? draft.width : 0;
    draft.operand(offset, bytes);
    draft.aim(prepareOffset(draft, offset), moves);
  }

  /** A distance that lands outside the instruction itself. */
  #drawDistance(draft: Draft): void {
    const random = this.#random;
    const size = relativeSize[draft.form.operands[0] ?? ""];
    if (size === undefined) return;
    const { length } = draft.code();
    if (size === 1) {
      const distance = random.below(256) - 128;
      draft.immediate = distance >= -length && distance < 0 ? length : distance;
      return;
    }
    const target = codeOffset(random, draft.selectors[CS]!, size);
    const distance = target - draft.eip - length;
    draft.immediate = size === 2 ? (distance << 16) >> 16 : distance | 0;
  }

  /**
   * Now and then the instruction ends where its page does, or only in the next one, or beyond the limit of its segment.
   */
  #moveToAnEdge(draft: Draft, length: number): void {
    const random = this.#random;
    const kind = random.below(100);
    const small = draft.selectors[CS] === A.local(A.SMALL_CODE);
    if (kind >= (small ? 30 : 2)) return;
    const base = draft.selectors[CS] === A.FLAT_CODE ? A.ARENA : 0;
    const end = small ? A.CODE_OFFSET + A.SMALL_CODE_LIMIT + 1 : A.CODE_OFFSET + A.PAGE;
    draft.eip = base + end - random.below(length + 1);
    if (draft.eip === base + end) draft.eip -= length;
  }
}

const modes = ["fast", "fast", "fast", "observed", "split"] as const;
const stackSegments = [A.DATA32, A.DATA32, A.DATA16, A.DATA16, A.DOWN32, A.DOWN16, A.SMALL, A.PAGES];
const dataSegments = [...stackSegments, A.DATA32, A.DATA16, A.CODE16, A.READ_ONLY, A.CODE32];

/** An immediate as decoding gives it: sign-extended from its size. */
function immediate(value: number, spec: string | undefined): number {
  const unused = 32 - Number(/\d+$/.exec(spec ?? "")?.[0] ?? 32);
  return (value << unused) >> unused;
}
