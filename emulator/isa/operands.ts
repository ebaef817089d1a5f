// Registers and operand kinds of IA-32 integer code, in the manual's notation (Intel SDM vol. 2, 3.1.1.3).

export type RegisterClass = "r8" | "r16" | "r32" | "sreg" | "cr" | "dr" | "tr";

/** One named register; `number` is its encoding in a ModR/M field. */
export interface Register<C extends RegisterClass = RegisterClass> {
  readonly kind: "register";
  readonly class: C;
  readonly name: string;
  readonly number: number;
}

const file = <C extends RegisterClass>(cls: C, names: string): readonly Register<C>[] =>
  names.split(" ").map((name, number) => Object.freeze({ kind: "register", class: cls, name, number }));

export const registers32 = file("r32", "eax ecx edx ebx esp ebp esi edi");
export const registers16 = file("r16", "ax cx dx bx sp bp si di");
export const registers8 = file("r8", "al cl dl bl ah ch dh bh");
export const segmentRegisters = file("sreg", "es cs ss ds fs gs");
export const controlRegisters = file("cr", "cr0 cr1 cr2 cr3 cr4 cr5 cr6 cr7");
export const debugRegisters = file("dr", "dr0 dr1 dr2 dr3 dr4 dr5 dr6 dr7");

/** Encodings of the segment registers, as ModR/M and the prefixes number them. */
export const ES = 0;
export const CS = 1;
export const SS = 2;
export const DS = 3;
export const FS = 4;
export const GS = 5;

/**
 * An operand slot of a form, in the manual's words:
 * r8 r16 r32 (ModR/M reg or +r), r/m8 r/m16 r/m32, m (address only), m8..m64, m16&16 m32&32 m16&32 (pairs),
 * m16:16 m16:32 (far pointer in memory), ptr16:16 ptr16:32, imm8 imm16 imm32, rel8 rel16 rel32,
 * moffs8 moffs16 moffs32, Sreg, CR, DR, a fixed register (AL AX EAX CL DX ES CS ...), and the constants 1 and 3.
 */
export type OperandSpec = string;
