// The assembler's methods, one overload a form. `write-mnemonics.ts` writes them from the instruction table.

import type { Register } from "../../emulator/isa/index.ts";
import type { Imm, Imm8, RM8, RM16, RM32, Target } from "./operand-kinds.ts";
import type { FarPointer, MemoryOperand, Named } from "./operands.ts";

/** Every instruction that the table has, by its mnemonic in lower case. */
export interface Mnemonics {
  /** AAA */
  aaa(): void;
  /** AAD */
  aad(): void;
  /** AAD imm8 */
  aad(operand: Imm8): void;
  /** AAM */
  aam(): void;
  /** AAM imm8 */
  aam(operand: Imm8): void;
  /** AAS */
  aas(): void;
  /** ADC r/m8, imm8 */
  adc(destination: RM8, source: Imm8): void;
  /** ADC r/m16, imm16 */
  adc(destination: RM16, source: Imm): void;
  /** ADC r/m32, imm32 */
  adc(destination: RM32, source: Imm): void;
  /** ADC r/m8, r8 */
  adc(destination: RM8, source: Register<"r8">): void;
  /** ADC r/m16, r16 */
  adc(destination: RM16, source: Register<"r16">): void;
  /** ADC r/m32, r32 */
  adc(destination: RM32, source: Register<"r32">): void;
  /** ADC r8, r/m8 */
  adc(destination: Register<"r8">, source: RM8): void;
  /** ADC r16, r/m16 */
  adc(destination: Register<"r16">, source: RM16): void;
  /** ADC r32, r/m32 */
  adc(destination: Register<"r32">, source: RM32): void;
  /** ADD r/m8, imm8 */
  add(destination: RM8, source: Imm8): void;
  /** ADD r/m16, imm16 */
  add(destination: RM16, source: Imm): void;
  /** ADD r/m32, imm32 */
  add(destination: RM32, source: Imm): void;
  /** ADD r/m8, r8 */
  add(destination: RM8, source: Register<"r8">): void;
  /** ADD r/m16, r16 */
  add(destination: RM16, source: Register<"r16">): void;
  /** ADD r/m32, r32 */
  add(destination: RM32, source: Register<"r32">): void;
  /** ADD r8, r/m8 */
  add(destination: Register<"r8">, source: RM8): void;
  /** ADD r16, r/m16 */
  add(destination: Register<"r16">, source: RM16): void;
  /** ADD r32, r/m32 */
  add(destination: Register<"r32">, source: RM32): void;
  /** AND r/m8, imm8 */
  and(destination: RM8, source: Imm8): void;
  /** AND r/m16, imm16 */
  and(destination: RM16, source: Imm): void;
  /** AND r/m32, imm32 */
  and(destination: RM32, source: Imm): void;
  /** AND r/m8, r8 */
  and(destination: RM8, source: Register<"r8">): void;
  /** AND r/m16, r16 */
  and(destination: RM16, source: Register<"r16">): void;
  /** AND r/m32, r32 */
  and(destination: RM32, source: Register<"r32">): void;
  /** AND r8, r/m8 */
  and(destination: Register<"r8">, source: RM8): void;
  /** AND r16, r/m16 */
  and(destination: Register<"r16">, source: RM16): void;
  /** AND r32, r/m32 */
  and(destination: Register<"r32">, source: RM32): void;
  /** ARPL r/m16, r16 */
  arpl(destination: RM16, source: Register<"r16">): void;
  /** BOUND r16, m16&16 */
  bound(destination: Register<"r16">, source: MemoryOperand<0 | 32>): void;
  /** BOUND r32, m32&32 */
  bound(destination: Register<"r32">, source: MemoryOperand<0 | 64>): void;
  /** BSF r16, r/m16 */
  bsf(destination: Register<"r16">, source: RM16): void;
  /** BSF r32, r/m32 */
  bsf(destination: Register<"r32">, source: RM32): void;
  /** BSR r16, r/m16 */
  bsr(destination: Register<"r16">, source: RM16): void;
  /** BSR r32, r/m32 */
  bsr(destination: Register<"r32">, source: RM32): void;
  /** BSWAP r32 */
  bswap(operand: Register<"r32">): void;
  /** BT r/m16, r16 */
  bt(destination: RM16, source: Register<"r16">): void;
  /** BT r/m32, r32 */
  bt(destination: RM32, source: Register<"r32">): void;
  /** BT r/m16, imm8 */
  bt(destination: RM16, source: Imm8): void;
  /** BT r/m32, imm8 */
  bt(destination: RM32, source: Imm8): void;
  /** BTC r/m16, r16 */
  btc(destination: RM16, source: Register<"r16">): void;
  /** BTC r/m32, r32 */
  btc(destination: RM32, source: Register<"r32">): void;
  /** BTC r/m16, imm8 */
  btc(destination: RM16, source: Imm8): void;
  /** BTC r/m32, imm8 */
  btc(destination: RM32, source: Imm8): void;
  /** BTR r/m16, r16 */
  btr(destination: RM16, source: Register<"r16">): void;
  /** BTR r/m32, r32 */
  btr(destination: RM32, source: Register<"r32">): void;
  /** BTR r/m16, imm8 */
  btr(destination: RM16, source: Imm8): void;
  /** BTR r/m32, imm8 */
  btr(destination: RM32, source: Imm8): void;
  /** BTS r/m16, r16 */
  bts(destination: RM16, source: Register<"r16">): void;
  /** BTS r/m32, r32 */
  bts(destination: RM32, source: Register<"r32">): void;
  /** BTS r/m16, imm8 */
  bts(destination: RM16, source: Imm8): void;
  /** BTS r/m32, imm8 */
  bts(destination: RM32, source: Imm8): void;
  /** CALL rel16 */
  call(operand: Target): void;
  /** CALL r/m16 */
  call(operand: RM16): void;
  /** CALL r/m32 */
  call(operand: RM32): void;
  /** CALL ptr16:16 */
  call(operand: FarPointer): void;
  /** CALL m16:32 */
  call(operand: MemoryOperand<48>): void;
  /** CBW */
  cbw(): void;
  /** CDQ */
  cdq(): void;
  /** CLC */
  clc(): void;
  /** CLD */
  cld(): void;
  /** CLI */
  cli(): void;
  /** CLTS */
  clts(): void;
  /** CMC */
  cmc(): void;
  /** CMOVA r16, r/m16 */
  cmova(destination: Register<"r16">, source: RM16): void;
  /** CMOVA r32, r/m32 */
  cmova(destination: Register<"r32">, source: RM32): void;
  /** CMOVAE r16, r/m16 */
  cmovae(destination: Register<"r16">, source: RM16): void;
  /** CMOVAE r32, r/m32 */
  cmovae(destination: Register<"r32">, source: RM32): void;
  /** CMOVB r16, r/m16 */
  cmovb(destination: Register<"r16">, source: RM16): void;
  /** CMOVB r32, r/m32 */
  cmovb(destination: Register<"r32">, source: RM32): void;
  /** CMOVBE r16, r/m16 */
  cmovbe(destination: Register<"r16">, source: RM16): void;
  /** CMOVBE r32, r/m32 */
  cmovbe(destination: Register<"r32">, source: RM32): void;
  /** CMOVC r16, r/m16 */
  cmovc(destination: Register<"r16">, source: RM16): void;
  /** CMOVC r32, r/m32 */
  cmovc(destination: Register<"r32">, source: RM32): void;
  /** CMOVE r16, r/m16 */
  cmove(destination: Register<"r16">, source: RM16): void;
  /** CMOVE r32, r/m32 */
  cmove(destination: Register<"r32">, source: RM32): void;
  /** CMOVG r16, r/m16 */
  cmovg(destination: Register<"r16">, source: RM16): void;
  /** CMOVG r32, r/m32 */
  cmovg(destination: Register<"r32">, source: RM32): void;
  /** CMOVGE r16, r/m16 */
  cmovge(destination: Register<"r16">, source: RM16): void;
  /** CMOVGE r32, r/m32 */
  cmovge(destination: Register<"r32">, source: RM32): void;
  /** CMOVL r16, r/m16 */
  cmovl(destination: Register<"r16">, source: RM16): void;
  /** CMOVL r32, r/m32 */
  cmovl(destination: Register<"r32">, source: RM32): void;
  /** CMOVLE r16, r/m16 */
  cmovle(destination: Register<"r16">, source: RM16): void;
  /** CMOVLE r32, r/m32 */
  cmovle(destination: Register<"r32">, source: RM32): void;
  /** CMOVNA r16, r/m16 */
  cmovna(destination: Register<"r16">, source: RM16): void;
  /** CMOVNA r32, r/m32 */
  cmovna(destination: Register<"r32">, source: RM32): void;
  /** CMOVNAE r16, r/m16 */
  cmovnae(destination: Register<"r16">, source: RM16): void;
  /** CMOVNAE r32, r/m32 */
  cmovnae(destination: Register<"r32">, source: RM32): void;
  /** CMOVNB r16, r/m16 */
  cmovnb(destination: Register<"r16">, source: RM16): void;
  /** CMOVNB r32, r/m32 */
  cmovnb(destination: Register<"r32">, source: RM32): void;
  /** CMOVNBE r16, r/m16 */
  cmovnbe(destination: Register<"r16">, source: RM16): void;
  /** CMOVNBE r32, r/m32 */
  cmovnbe(destination: Register<"r32">, source: RM32): void;
  /** CMOVNC r16, r/m16 */
  cmovnc(destination: Register<"r16">, source: RM16): void;
  /** CMOVNC r32, r/m32 */
  cmovnc(destination: Register<"r32">, source: RM32): void;
  /** CMOVNE r16, r/m16 */
  cmovne(destination: Register<"r16">, source: RM16): void;
  /** CMOVNE r32, r/m32 */
  cmovne(destination: Register<"r32">, source: RM32): void;
  /** CMOVNG r16, r/m16 */
  cmovng(destination: Register<"r16">, source: RM16): void;
  /** CMOVNG r32, r/m32 */
  cmovng(destination: Register<"r32">, source: RM32): void;
  /** CMOVNGE r16, r/m16 */
  cmovnge(destination: Register<"r16">, source: RM16): void;
  /** CMOVNGE r32, r/m32 */
  cmovnge(destination: Register<"r32">, source: RM32): void;
  /** CMOVNL r16, r/m16 */
  cmovnl(destination: Register<"r16">, source: RM16): void;
  /** CMOVNL r32, r/m32 */
  cmovnl(destination: Register<"r32">, source: RM32): void;
  /** CMOVNLE r16, r/m16 */
  cmovnle(destination: Register<"r16">, source: RM16): void;
  /** CMOVNLE r32, r/m32 */
  cmovnle(destination: Register<"r32">, source: RM32): void;
  /** CMOVNO r16, r/m16 */
  cmovno(destination: Register<"r16">, source: RM16): void;
  /** CMOVNO r32, r/m32 */
  cmovno(destination: Register<"r32">, source: RM32): void;
  /** CMOVNP r16, r/m16 */
  cmovnp(destination: Register<"r16">, source: RM16): void;
  /** CMOVNP r32, r/m32 */
  cmovnp(destination: Register<"r32">, source: RM32): void;
  /** CMOVNS r16, r/m16 */
  cmovns(destination: Register<"r16">, source: RM16): void;
  /** CMOVNS r32, r/m32 */
  cmovns(destination: Register<"r32">, source: RM32): void;
  /** CMOVNZ r16, r/m16 */
  cmovnz(destination: Register<"r16">, source: RM16): void;
  /** CMOVNZ r32, r/m32 */
  cmovnz(destination: Register<"r32">, source: RM32): void;
  /** CMOVO r16, r/m16 */
  cmovo(destination: Register<"r16">, source: RM16): void;
  /** CMOVO r32, r/m32 */
  cmovo(destination: Register<"r32">, source: RM32): void;
  /** CMOVP r16, r/m16 */
  cmovp(destination: Register<"r16">, source: RM16): void;
  /** CMOVP r32, r/m32 */
  cmovp(destination: Register<"r32">, source: RM32): void;
  /** CMOVPE r16, r/m16 */
  cmovpe(destination: Register<"r16">, source: RM16): void;
  /** CMOVPE r32, r/m32 */
  cmovpe(destination: Register<"r32">, source: RM32): void;
  /** CMOVPO r16, r/m16 */
  cmovpo(destination: Register<"r16">, source: RM16): void;
  /** CMOVPO r32, r/m32 */
  cmovpo(destination: Register<"r32">, source: RM32): void;
  /** CMOVS r16, r/m16 */
  cmovs(destination: Register<"r16">, source: RM16): void;
  /** CMOVS r32, r/m32 */
  cmovs(destination: Register<"r32">, source: RM32): void;
  /** CMOVZ r16, r/m16 */
  cmovz(destination: Register<"r16">, source: RM16): void;
  /** CMOVZ r32, r/m32 */
  cmovz(destination: Register<"r32">, source: RM32): void;
  /** CMP r/m8, imm8 */
  cmp(destination: RM8, source: Imm8): void;
  /** CMP r/m16, imm16 */
  cmp(destination: RM16, source: Imm): void;
  /** CMP r/m32, imm32 */
  cmp(destination: RM32, source: Imm): void;
  /** CMP r/m8, r8 */
  cmp(destination: RM8, source: Register<"r8">): void;
  /** CMP r/m16, r16 */
  cmp(destination: RM16, source: Register<"r16">): void;
  /** CMP r/m32, r32 */
  cmp(destination: RM32, source: Register<"r32">): void;
  /** CMP r8, r/m8 */
  cmp(destination: Register<"r8">, source: RM8): void;
  /** CMP r16, r/m16 */
  cmp(destination: Register<"r16">, source: RM16): void;
  /** CMP r32, r/m32 */
  cmp(destination: Register<"r32">, source: RM32): void;
  /** CMPSB */
  cmpsb(): void;
  /** CMPSD */
  cmpsd(): void;
  /** CMPSW */
  cmpsw(): void;
  /** CMPXCHG r/m8, r8 */
  cmpxchg(destination: RM8, source: Register<"r8">): void;
  /** CMPXCHG r/m16, r16 */
  cmpxchg(destination: RM16, source: Register<"r16">): void;
  /** CMPXCHG r/m32, r32 */
  cmpxchg(destination: RM32, source: Register<"r32">): void;
  /** CMPXCHG8B m64 */
  cmpxchg8b(operand: MemoryOperand<0 | 64>): void;
  /** CPUID */
  cpuid(): void;
  /** CWD */
  cwd(): void;
  /** CWDE */
  cwde(): void;
  /** DAA */
  daa(): void;
  /** DAS */
  das(): void;
  /** DEC r/m8 */
  dec(operand: RM8): void;
  /** DEC r/m16 */
  dec(operand: RM16): void;
  /** DEC r/m32 */
  dec(operand: RM32): void;
  /** DIV r/m8 */
  div(operand: RM8): void;
  /** DIV r/m16 */
  div(operand: RM16): void;
  /** DIV r/m32 */
  div(operand: RM32): void;
  /** ENTER imm16, imm8 */
  enter(destination: Imm, source: Imm8): void;
  /** HLT */
  hlt(): void;
  /** ICEBP */
  icebp(): void;
  /** IDIV r/m8 */
  idiv(operand: RM8): void;
  /** IDIV r/m16 */
  idiv(operand: RM16): void;
  /** IDIV r/m32 */
  idiv(operand: RM32): void;
  /** IMUL r/m8 */
  imul(operand: RM8): void;
  /** IMUL r/m16 */
  imul(operand: RM16): void;
  /** IMUL r/m32 */
  imul(operand: RM32): void;
  /** IMUL r16, r/m16 */
  imul(destination: Register<"r16">, source: RM16): void;
  /** IMUL r32, r/m32 */
  imul(destination: Register<"r32">, source: RM32): void;
  /** IMUL r16, r/m16, imm16 */
  imul(destination: Register<"r16">, source: RM16, third: Imm): void;
  /** IMUL r16, imm16 */
  imul(destination: Register<"r16">, source: Imm): void;
  /** IMUL r32, r/m32, imm32 */
  imul(destination: Register<"r32">, source: RM32, third: Imm): void;
  /** IMUL r32, imm32 */
  imul(destination: Register<"r32">, source: Imm): void;
  /** IN AL, imm8 */
  in(destination: Named<"r8", "al">, source: Imm8): void;
  /** IN AX, imm8 */
  in(destination: Named<"r16", "ax">, source: Imm8): void;
  /** IN EAX, imm8 */
  in(destination: Named<"r32", "eax">, source: Imm8): void;
  /** IN AL, DX */
  in(destination: Named<"r8", "al">, source: Named<"r16", "dx">): void;
  /** IN AX, DX */
  in(destination: Named<"r16", "ax">, source: Named<"r16", "dx">): void;
  /** IN EAX, DX */
  in(destination: Named<"r32", "eax">, source: Named<"r16", "dx">): void;
  /** INC r/m8 */
  inc(operand: RM8): void;
  /** INC r/m16 */
  inc(operand: RM16): void;
  /** INC r/m32 */
  inc(operand: RM32): void;
  /** INSB */
  insb(): void;
  /** INSD */
  insd(): void;
  /** INSW */
  insw(): void;
  /** INT imm8 */
  int(operand: Imm8): void;
  /** INT1 */
  int1(): void;
  /** INT3 */
  int3(): void;
  /** INTO */
  into(): void;
  /** INVD */
  invd(): void;
  /** INVLPG m */
  invlpg(operand: MemoryOperand): void;
  /** IRET */
  iret(): void;
  /** IRETD */
  iretd(): void;
  /** IRETW */
  iretw(): void;
  /** JA rel8 */
  ja(operand: Target): void;
  /** JAE rel8 */
  jae(operand: Target): void;
  /** JB rel8 */
  jb(operand: Target): void;
  /** JBE rel8 */
  jbe(operand: Target): void;
  /** JC rel8 */
  jc(operand: Target): void;
  /** JCXZ rel8 */
  jcxz(operand: Target): void;
  /** JE rel8 */
  je(operand: Target): void;
  /** JECXZ rel8 */
  jecxz(operand: Target): void;
  /** JG rel8 */
  jg(operand: Target): void;
  /** JGE rel8 */
  jge(operand: Target): void;
  /** JL rel8 */
  jl(operand: Target): void;
  /** JLE rel8 */
  jle(operand: Target): void;
  /** JMP rel8 */
  jmp(operand: Target): void;
  /** JMP r/m16 */
  jmp(operand: RM16): void;
  /** JMP r/m32 */
  jmp(operand: RM32): void;
  /** JMP ptr16:16 */
  jmp(operand: FarPointer): void;
  /** JMP m16:32 */
  jmp(operand: MemoryOperand<48>): void;
  /** JNA rel8 */
  jna(operand: Target): void;
  /** JNAE rel8 */
  jnae(operand: Target): void;
  /** JNB rel8 */
  jnb(operand: Target): void;
  /** JNBE rel8 */
  jnbe(operand: Target): void;
  /** JNC rel8 */
  jnc(operand: Target): void;
  /** JNE rel8 */
  jne(operand: Target): void;
  /** JNG rel8 */
  jng(operand: Target): void;
  /** JNGE rel8 */
  jnge(operand: Target): void;
  /** JNL rel8 */
  jnl(operand: Target): void;
  /** JNLE rel8 */
  jnle(operand: Target): void;
  /** JNO rel8 */
  jno(operand: Target): void;
  /** JNP rel8 */
  jnp(operand: Target): void;
  /** JNS rel8 */
  jns(operand: Target): void;
  /** JNZ rel8 */
  jnz(operand: Target): void;
  /** JO rel8 */
  jo(operand: Target): void;
  /** JP rel8 */
  jp(operand: Target): void;
  /** JPE rel8 */
  jpe(operand: Target): void;
  /** JPO rel8 */
  jpo(operand: Target): void;
  /** JS rel8 */
  js(operand: Target): void;
  /** JZ rel8 */
  jz(operand: Target): void;
  /** LAHF */
  lahf(): void;
  /** LAR r16, r/m16 */
  lar(destination: Register<"r16">, source: RM16): void;
  /** LAR r32, r/m16 */
  lar(destination: Register<"r32">, source: RM16): void;
  /** LDS r16, m16:16 */
  lds(destination: Register<"r16">, source: MemoryOperand<32>): void;
  /** LDS r32, m16:32 */
  lds(destination: Register<"r32">, source: MemoryOperand<48>): void;
  /** LEA r16, m */
  lea(destination: Register<"r16">, source: MemoryOperand): void;
  /** LEA r32, m */
  lea(destination: Register<"r32">, source: MemoryOperand): void;
  /** LEAVE */
  leave(): void;
  /** LES r16, m16:16 */
  les(destination: Register<"r16">, source: MemoryOperand<32>): void;
  /** LES r32, m16:32 */
  les(destination: Register<"r32">, source: MemoryOperand<48>): void;
  /** LFENCE */
  lfence(): void;
  /** LFS r16, m16:16 */
  lfs(destination: Register<"r16">, source: MemoryOperand<32>): void;
  /** LFS r32, m16:32 */
  lfs(destination: Register<"r32">, source: MemoryOperand<48>): void;
  /** LGDT m16&32 */
  lgdt(operand: MemoryOperand<0 | 48>): void;
  /** LGS r16, m16:16 */
  lgs(destination: Register<"r16">, source: MemoryOperand<32>): void;
  /** LGS r32, m16:32 */
  lgs(destination: Register<"r32">, source: MemoryOperand<48>): void;
  /** LIDT m16&32 */
  lidt(operand: MemoryOperand<0 | 48>): void;
  /** LLDT r/m16 */
  lldt(operand: RM16): void;
  /** LMSW r/m16 */
  lmsw(operand: RM16): void;
  /** LODSB */
  lodsb(): void;
  /** LODSD */
  lodsd(): void;
  /** LODSW */
  lodsw(): void;
  /** LOOP rel8 */
  loop(operand: Target): void;
  /** LOOPE rel8 */
  loope(operand: Target): void;
  /** LOOPNE rel8 */
  loopne(operand: Target): void;
  /** LOOPNZ rel8 */
  loopnz(operand: Target): void;
  /** LOOPZ rel8 */
  loopz(operand: Target): void;
  /** LSL r16, r/m16 */
  lsl(destination: Register<"r16">, source: RM16): void;
  /** LSL r32, r/m16 */
  lsl(destination: Register<"r32">, source: RM16): void;
  /** LSS r16, m16:16 */
  lss(destination: Register<"r16">, source: MemoryOperand<32>): void;
  /** LSS r32, m16:32 */
  lss(destination: Register<"r32">, source: MemoryOperand<48>): void;
  /** LTR r/m16 */
  ltr(operand: RM16): void;
  /** MFENCE */
  mfence(): void;
  /** MOV r/m8, r8 */
  mov(destination: RM8, source: Register<"r8">): void;
  /** MOV r/m16, r16 */
  mov(destination: RM16, source: Register<"r16">): void;
  /** MOV r/m32, r32 */
  mov(destination: RM32, source: Register<"r32">): void;
  /** MOV r8, r/m8 */
  mov(destination: Register<"r8">, source: RM8): void;
  /** MOV r16, r/m16 */
  mov(destination: Register<"r16">, source: RM16): void;
  /** MOV r32, r/m32 */
  mov(destination: Register<"r32">, source: RM32): void;
  /** MOV r/m8, imm8 */
  mov(destination: RM8, source: Imm8): void;
  /** MOV r/m16, imm16 */
  mov(destination: RM16, source: Imm): void;
  /** MOV r/m32, imm32 */
  mov(destination: RM32, source: Imm): void;
  /** MOV m16, Sreg */
  mov(destination: MemoryOperand<0 | 16>, source: Register<"sreg">): void;
  /** MOV r16, Sreg */
  mov(destination: Register<"r16">, source: Register<"sreg">): void;
  /** MOV r32, Sreg */
  mov(destination: Register<"r32">, source: Register<"sreg">): void;
  /** MOV Sreg, r/m16 */
  mov(destination: Register<"sreg">, source: RM16): void;
  /** MOV r32, CR */
  mov(destination: Register<"r32">, source: Register<"cr">): void;
  /** MOV r32, DR */
  mov(destination: Register<"r32">, source: Register<"dr">): void;
  /** MOV CR, r32 */
  mov(destination: Register<"cr">, source: Register<"r32">): void;
  /** MOV DR, r32 */
  mov(destination: Register<"dr">, source: Register<"r32">): void;
  /** MOVSB */
  movsb(): void;
  /** MOVSD */
  movsd(): void;
  /** MOVSW */
  movsw(): void;
  /** MOVSX r16, r/m8 */
  movsx(destination: Register<"r16">, source: RM8): void;
  /** MOVSX r32, r/m8 */
  movsx(destination: Register<"r32">, source: RM8): void;
  /** MOVSX r32, r/m16 */
  movsx(destination: Register<"r32">, source: RM16): void;
  /** MOVZX r16, r/m8 */
  movzx(destination: Register<"r16">, source: RM8): void;
  /** MOVZX r32, r/m8 */
  movzx(destination: Register<"r32">, source: RM8): void;
  /** MOVZX r32, r/m16 */
  movzx(destination: Register<"r32">, source: RM16): void;
  /** MUL r/m8 */
  mul(operand: RM8): void;
  /** MUL r/m16 */
  mul(operand: RM16): void;
  /** MUL r/m32 */
  mul(operand: RM32): void;
  /** NEG r/m8 */
  neg(operand: RM8): void;
  /** NEG r/m16 */
  neg(operand: RM16): void;
  /** NEG r/m32 */
  neg(operand: RM32): void;
  /** NOP */
  nop(): void;
  /** NOP r/m16 */
  nop(operand: RM16): void;
  /** NOP r/m32 */
  nop(operand: RM32): void;
  /** NOT r/m8 */
  not(operand: RM8): void;
  /** NOT r/m16 */
  not(operand: RM16): void;
  /** NOT r/m32 */
  not(operand: RM32): void;
  /** OR r/m8, imm8 */
  or(destination: RM8, source: Imm8): void;
  /** OR r/m16, imm16 */
  or(destination: RM16, source: Imm): void;
  /** OR r/m32, imm32 */
  or(destination: RM32, source: Imm): void;
  /** OR r/m8, r8 */
  or(destination: RM8, source: Register<"r8">): void;
  /** OR r/m16, r16 */
  or(destination: RM16, source: Register<"r16">): void;
  /** OR r/m32, r32 */
  or(destination: RM32, source: Register<"r32">): void;
  /** OR r8, r/m8 */
  or(destination: Register<"r8">, source: RM8): void;
  /** OR r16, r/m16 */
  or(destination: Register<"r16">, source: RM16): void;
  /** OR r32, r/m32 */
  or(destination: Register<"r32">, source: RM32): void;
  /** OUT imm8, AL */
  out(destination: Imm8, source: Named<"r8", "al">): void;
  /** OUT imm8, AX */
  out(destination: Imm8, source: Named<"r16", "ax">): void;
  /** OUT imm8, EAX */
  out(destination: Imm8, source: Named<"r32", "eax">): void;
  /** OUT DX, AL */
  out(destination: Named<"r16", "dx">, source: Named<"r8", "al">): void;
  /** OUT DX, AX */
  out(destination: Named<"r16", "dx">, source: Named<"r16", "ax">): void;
  /** OUT DX, EAX */
  out(destination: Named<"r16", "dx">, source: Named<"r32", "eax">): void;
  /** OUTSB */
  outsb(): void;
  /** OUTSD */
  outsd(): void;
  /** OUTSW */
  outsw(): void;
  /** PAUSE */
  pause(): void;
  /** POP r/m16 */
  pop(operand: RM16): void;
  /** POP ES */
  pop(operand: Named<"sreg", "es">): void;
  /** POP SS */
  pop(operand: Named<"sreg", "ss">): void;
  /** POP DS */
  pop(operand: Named<"sreg", "ds">): void;
  /** POP FS */
  pop(operand: Named<"sreg", "fs">): void;
  /** POP GS */
  pop(operand: Named<"sreg", "gs">): void;
  /** POP r/m32 */
  pop(operand: RM32): void;
  /** POPA */
  popa(): void;
  /** POPAD */
  popad(): void;
  /** POPAW */
  popaw(): void;
  /** POPF */
  popf(): void;
  /** POPFD */
  popfd(): void;
  /** POPFW */
  popfw(): void;
  /** PUSH r/m16 */
  push(operand: RM16): void;
  /** PUSH imm16 */
  push(operand: Imm): void;
  /** PUSH ES */
  push(operand: Named<"sreg", "es">): void;
  /** PUSH CS */
  push(operand: Named<"sreg", "cs">): void;
  /** PUSH SS */
  push(operand: Named<"sreg", "ss">): void;
  /** PUSH DS */
  push(operand: Named<"sreg", "ds">): void;
  /** PUSH FS */
  push(operand: Named<"sreg", "fs">): void;
  /** PUSH GS */
  push(operand: Named<"sreg", "gs">): void;
  /** PUSH r/m32 */
  push(operand: RM32): void;
  /** PUSHA */
  pusha(): void;
  /** PUSHAD */
  pushad(): void;
  /** PUSHAW */
  pushaw(): void;
  /** PUSHF */
  pushf(): void;
  /** PUSHFD */
  pushfd(): void;
  /** PUSHFW */
  pushfw(): void;
  /** RCL r/m8, CL */
  rcl(destination: RM8, source: Named<"r8", "cl">): void;
  /** RCL r/m16, CL */
  rcl(destination: RM16, source: Named<"r8", "cl">): void;
  /** RCL r/m32, CL */
  rcl(destination: RM32, source: Named<"r8", "cl">): void;
  /** RCL r/m8, imm8 */
  rcl(destination: RM8, source: Imm8): void;
  /** RCL r/m16, imm8 */
  rcl(destination: RM16, source: Imm8): void;
  /** RCL r/m32, imm8 */
  rcl(destination: RM32, source: Imm8): void;
  /** RCR r/m8, CL */
  rcr(destination: RM8, source: Named<"r8", "cl">): void;
  /** RCR r/m16, CL */
  rcr(destination: RM16, source: Named<"r8", "cl">): void;
  /** RCR r/m32, CL */
  rcr(destination: RM32, source: Named<"r8", "cl">): void;
  /** RCR r/m8, imm8 */
  rcr(destination: RM8, source: Imm8): void;
  /** RCR r/m16, imm8 */
  rcr(destination: RM16, source: Imm8): void;
  /** RCR r/m32, imm8 */
  rcr(destination: RM32, source: Imm8): void;
  /** RDMSR */
  rdmsr(): void;
  /** RDPMC */
  rdpmc(): void;
  /** RDTSC */
  rdtsc(): void;
  /** RET */
  ret(): void;
  /** RET imm16 */
  ret(operand: Imm): void;
  /** RETF */
  retf(): void;
  /** RETF imm16 */
  retf(operand: Imm): void;
  /** RETN */
  retn(): void;
  /** RETN imm16 */
  retn(operand: Imm): void;
  /** ROL r/m8, CL */
  rol(destination: RM8, source: Named<"r8", "cl">): void;
  /** ROL r/m16, CL */
  rol(destination: RM16, source: Named<"r8", "cl">): void;
  /** ROL r/m32, CL */
  rol(destination: RM32, source: Named<"r8", "cl">): void;
  /** ROL r/m8, imm8 */
  rol(destination: RM8, source: Imm8): void;
  /** ROL r/m16, imm8 */
  rol(destination: RM16, source: Imm8): void;
  /** ROL r/m32, imm8 */
  rol(destination: RM32, source: Imm8): void;
  /** ROR r/m8, CL */
  ror(destination: RM8, source: Named<"r8", "cl">): void;
  /** ROR r/m16, CL */
  ror(destination: RM16, source: Named<"r8", "cl">): void;
  /** ROR r/m32, CL */
  ror(destination: RM32, source: Named<"r8", "cl">): void;
  /** ROR r/m8, imm8 */
  ror(destination: RM8, source: Imm8): void;
  /** ROR r/m16, imm8 */
  ror(destination: RM16, source: Imm8): void;
  /** ROR r/m32, imm8 */
  ror(destination: RM32, source: Imm8): void;
  /** RSM */
  rsm(): void;
  /** SAHF */
  sahf(): void;
  /** SAL r/m8, CL */
  sal(destination: RM8, source: Named<"r8", "cl">): void;
  /** SAL r/m16, CL */
  sal(destination: RM16, source: Named<"r8", "cl">): void;
  /** SAL r/m32, CL */
  sal(destination: RM32, source: Named<"r8", "cl">): void;
  /** SAL r/m8, imm8 */
  sal(destination: RM8, source: Imm8): void;
  /** SAL r/m16, imm8 */
  sal(destination: RM16, source: Imm8): void;
  /** SAL r/m32, imm8 */
  sal(destination: RM32, source: Imm8): void;
  /** SALC */
  salc(): void;
  /** SAR r/m8, CL */
  sar(destination: RM8, source: Named<"r8", "cl">): void;
  /** SAR r/m16, CL */
  sar(destination: RM16, source: Named<"r8", "cl">): void;
  /** SAR r/m32, CL */
  sar(destination: RM32, source: Named<"r8", "cl">): void;
  /** SAR r/m8, imm8 */
  sar(destination: RM8, source: Imm8): void;
  /** SAR r/m16, imm8 */
  sar(destination: RM16, source: Imm8): void;
  /** SAR r/m32, imm8 */
  sar(destination: RM32, source: Imm8): void;
  /** SBB r/m8, imm8 */
  sbb(destination: RM8, source: Imm8): void;
  /** SBB r/m16, imm16 */
  sbb(destination: RM16, source: Imm): void;
  /** SBB r/m32, imm32 */
  sbb(destination: RM32, source: Imm): void;
  /** SBB r/m8, r8 */
  sbb(destination: RM8, source: Register<"r8">): void;
  /** SBB r/m16, r16 */
  sbb(destination: RM16, source: Register<"r16">): void;
  /** SBB r/m32, r32 */
  sbb(destination: RM32, source: Register<"r32">): void;
  /** SBB r8, r/m8 */
  sbb(destination: Register<"r8">, source: RM8): void;
  /** SBB r16, r/m16 */
  sbb(destination: Register<"r16">, source: RM16): void;
  /** SBB r32, r/m32 */
  sbb(destination: Register<"r32">, source: RM32): void;
  /** SCASB */
  scasb(): void;
  /** SCASD */
  scasd(): void;
  /** SCASW */
  scasw(): void;
  /** SETA r/m8 */
  seta(operand: RM8): void;
  /** SETAE r/m8 */
  setae(operand: RM8): void;
  /** SETALC */
  setalc(): void;
  /** SETB r/m8 */
  setb(operand: RM8): void;
  /** SETBE r/m8 */
  setbe(operand: RM8): void;
  /** SETC r/m8 */
  setc(operand: RM8): void;
  /** SETE r/m8 */
  sete(operand: RM8): void;
  /** SETG r/m8 */
  setg(operand: RM8): void;
  /** SETGE r/m8 */
  setge(operand: RM8): void;
  /** SETL r/m8 */
  setl(operand: RM8): void;
  /** SETLE r/m8 */
  setle(operand: RM8): void;
  /** SETNA r/m8 */
  setna(operand: RM8): void;
  /** SETNAE r/m8 */
  setnae(operand: RM8): void;
  /** SETNB r/m8 */
  setnb(operand: RM8): void;
  /** SETNBE r/m8 */
  setnbe(operand: RM8): void;
  /** SETNC r/m8 */
  setnc(operand: RM8): void;
  /** SETNE r/m8 */
  setne(operand: RM8): void;
  /** SETNG r/m8 */
  setng(operand: RM8): void;
  /** SETNGE r/m8 */
  setnge(operand: RM8): void;
  /** SETNL r/m8 */
  setnl(operand: RM8): void;
  /** SETNLE r/m8 */
  setnle(operand: RM8): void;
  /** SETNO r/m8 */
  setno(operand: RM8): void;
  /** SETNP r/m8 */
  setnp(operand: RM8): void;
  /** SETNS r/m8 */
  setns(operand: RM8): void;
  /** SETNZ r/m8 */
  setnz(operand: RM8): void;
  /** SETO r/m8 */
  seto(operand: RM8): void;
  /** SETP r/m8 */
  setp(operand: RM8): void;
  /** SETPE r/m8 */
  setpe(operand: RM8): void;
  /** SETPO r/m8 */
  setpo(operand: RM8): void;
  /** SETS r/m8 */
  sets(operand: RM8): void;
  /** SETZ r/m8 */
  setz(operand: RM8): void;
  /** SFENCE */
  sfence(): void;
  /** SGDT m16&32 */
  sgdt(operand: MemoryOperand<0 | 48>): void;
  /** SHL r/m8, CL */
  shl(destination: RM8, source: Named<"r8", "cl">): void;
  /** SHL r/m16, CL */
  shl(destination: RM16, source: Named<"r8", "cl">): void;
  /** SHL r/m32, CL */
  shl(destination: RM32, source: Named<"r8", "cl">): void;
  /** SHL r/m8, imm8 */
  shl(destination: RM8, source: Imm8): void;
  /** SHL r/m16, imm8 */
  shl(destination: RM16, source: Imm8): void;
  /** SHL r/m32, imm8 */
  shl(destination: RM32, source: Imm8): void;
  /** SHLD r/m16, r16, imm8 */
  shld(destination: RM16, source: Register<"r16">, third: Imm8): void;
  /** SHLD r/m16, r16, CL */
  shld(destination: RM16, source: Register<"r16">, third: Named<"r8", "cl">): void;
  /** SHLD r/m32, r32, imm8 */
  shld(destination: RM32, source: Register<"r32">, third: Imm8): void;
  /** SHLD r/m32, r32, CL */
  shld(destination: RM32, source: Register<"r32">, third: Named<"r8", "cl">): void;
  /** SHR r/m8, CL */
  shr(destination: RM8, source: Named<"r8", "cl">): void;
  /** SHR r/m16, CL */
  shr(destination: RM16, source: Named<"r8", "cl">): void;
  /** SHR r/m32, CL */
  shr(destination: RM32, source: Named<"r8", "cl">): void;
  /** SHR r/m8, imm8 */
  shr(destination: RM8, source: Imm8): void;
  /** SHR r/m16, imm8 */
  shr(destination: RM16, source: Imm8): void;
  /** SHR r/m32, imm8 */
  shr(destination: RM32, source: Imm8): void;
  /** SHRD r/m16, r16, imm8 */
  shrd(destination: RM16, source: Register<"r16">, third: Imm8): void;
  /** SHRD r/m16, r16, CL */
  shrd(destination: RM16, source: Register<"r16">, third: Named<"r8", "cl">): void;
  /** SHRD r/m32, r32, imm8 */
  shrd(destination: RM32, source: Register<"r32">, third: Imm8): void;
  /** SHRD r/m32, r32, CL */
  shrd(destination: RM32, source: Register<"r32">, third: Named<"r8", "cl">): void;
  /** SIDT m16&32 */
  sidt(operand: MemoryOperand<0 | 48>): void;
  /** SLDT m16 */
  sldt(operand: MemoryOperand<0 | 16>): void;
  /** SLDT r16 */
  sldt(operand: Register<"r16">): void;
  /** SLDT r32 */
  sldt(operand: Register<"r32">): void;
  /** SMSW m16 */
  smsw(operand: MemoryOperand<0 | 16>): void;
  /** SMSW r16 */
  smsw(operand: Register<"r16">): void;
  /** SMSW r32 */
  smsw(operand: Register<"r32">): void;
  /** STC */
  stc(): void;
  /** STD */
  std(): void;
  /** STI */
  sti(): void;
  /** STOSB */
  stosb(): void;
  /** STOSD */
  stosd(): void;
  /** STOSW */
  stosw(): void;
  /** STR m16 */
  str(operand: MemoryOperand<0 | 16>): void;
  /** STR r16 */
  str(operand: Register<"r16">): void;
  /** STR r32 */
  str(operand: Register<"r32">): void;
  /** SUB r/m8, imm8 */
  sub(destination: RM8, source: Imm8): void;
  /** SUB r/m16, imm16 */
  sub(destination: RM16, source: Imm): void;
  /** SUB r/m32, imm32 */
  sub(destination: RM32, source: Imm): void;
  /** SUB r/m8, r8 */
  sub(destination: RM8, source: Register<"r8">): void;
  /** SUB r/m16, r16 */
  sub(destination: RM16, source: Register<"r16">): void;
  /** SUB r/m32, r32 */
  sub(destination: RM32, source: Register<"r32">): void;
  /** SUB r8, r/m8 */
  sub(destination: Register<"r8">, source: RM8): void;
  /** SUB r16, r/m16 */
  sub(destination: Register<"r16">, source: RM16): void;
  /** SUB r32, r/m32 */
  sub(destination: Register<"r32">, source: RM32): void;
  /** SYSENTER */
  sysenter(): void;
  /** SYSEXIT */
  sysexit(): void;
  /** TEST r/m8, imm8 */
  test(destination: RM8, source: Imm8): void;
  /** TEST r/m16, imm16 */
  test(destination: RM16, source: Imm): void;
  /** TEST r/m32, imm32 */
  test(destination: RM32, source: Imm): void;
  /** TEST r/m8, r8 */
  test(destination: RM8, source: Register<"r8">): void;
  /** TEST r8, r/m8 */
  test(destination: Register<"r8">, source: RM8): void;
  /** TEST r/m16, r16 */
  test(destination: RM16, source: Register<"r16">): void;
  /** TEST r16, r/m16 */
  test(destination: Register<"r16">, source: RM16): void;
  /** TEST r/m32, r32 */
  test(destination: RM32, source: Register<"r32">): void;
  /** TEST r32, r/m32 */
  test(destination: Register<"r32">, source: RM32): void;
  /** UD1 r16, r/m16 */
  ud1(destination: Register<"r16">, source: RM16): void;
  /** UD1 r32, r/m32 */
  ud1(destination: Register<"r32">, source: RM32): void;
  /** UD2 */
  ud2(): void;
  /** VERR r/m16 */
  verr(operand: RM16): void;
  /** VERW r/m16 */
  verw(operand: RM16): void;
  /** WBINVD */
  wbinvd(): void;
  /** WRMSR */
  wrmsr(): void;
  /** XADD r/m8, r8 */
  xadd(destination: RM8, source: Register<"r8">): void;
  /** XADD r/m16, r16 */
  xadd(destination: RM16, source: Register<"r16">): void;
  /** XADD r/m32, r32 */
  xadd(destination: RM32, source: Register<"r32">): void;
  /** XCHG r/m8, r8 */
  xchg(destination: RM8, source: Register<"r8">): void;
  /** XCHG r8, r/m8 */
  xchg(destination: Register<"r8">, source: RM8): void;
  /** XCHG r/m16, r16 */
  xchg(destination: RM16, source: Register<"r16">): void;
  /** XCHG r16, r/m16 */
  xchg(destination: Register<"r16">, source: RM16): void;
  /** XCHG r/m32, r32 */
  xchg(destination: RM32, source: Register<"r32">): void;
  /** XCHG r32, r/m32 */
  xchg(destination: Register<"r32">, source: RM32): void;
  /** XLAT */
  xlat(): void;
  /** XLATB */
  xlatb(): void;
  /** XOR r/m8, imm8 */
  xor(destination: RM8, source: Imm8): void;
  /** XOR r/m16, imm16 */
  xor(destination: RM16, source: Imm): void;
  /** XOR r/m32, imm32 */
  xor(destination: RM32, source: Imm): void;
  /** XOR r/m8, r8 */
  xor(destination: RM8, source: Register<"r8">): void;
  /** XOR r/m16, r16 */
  xor(destination: RM16, source: Register<"r16">): void;
  /** XOR r/m32, r32 */
  xor(destination: RM32, source: Register<"r32">): void;
  /** XOR r8, r/m8 */
  xor(destination: Register<"r8">, source: RM8): void;
  /** XOR r16, r/m16 */
  xor(destination: Register<"r16">, source: RM16): void;
  /** XOR r32, r/m32 */
  xor(destination: Register<"r32">, source: RM32): void;
}

/** Where LOCK is legal: a read and a write of one place in memory. */
export interface LockMnemonics {
  /** LOCK ADC r/m8, imm8 */
  adc(destination: MemoryOperand<8>, source: Imm8): void;
  /** LOCK ADC r/m16, imm16 */
  adc(destination: MemoryOperand<0 | 16>, source: Imm): void;
  /** LOCK ADC r/m32, imm32 */
  adc(destination: MemoryOperand<32>, source: Imm): void;
  /** LOCK ADC r/m8, r8 */
  adc(destination: MemoryOperand<8>, source: Register<"r8">): void;
  /** LOCK ADC r/m16, r16 */
  adc(destination: MemoryOperand<0 | 16>, source: Register<"r16">): void;
  /** LOCK ADC r/m32, r32 */
  adc(destination: MemoryOperand<32>, source: Register<"r32">): void;
  /** LOCK ADD r/m8, imm8 */
  add(destination: MemoryOperand<8>, source: Imm8): void;
  /** LOCK ADD r/m16, imm16 */
  add(destination: MemoryOperand<0 | 16>, source: Imm): void;
  /** LOCK ADD r/m32, imm32 */
  add(destination: MemoryOperand<32>, source: Imm): void;
  /** LOCK ADD r/m8, r8 */
  add(destination: MemoryOperand<8>, source: Register<"r8">): void;
  /** LOCK ADD r/m16, r16 */
  add(destination: MemoryOperand<0 | 16>, source: Register<"r16">): void;
  /** LOCK ADD r/m32, r32 */
  add(destination: MemoryOperand<32>, source: Register<"r32">): void;
  /** LOCK AND r/m8, imm8 */
  and(destination: MemoryOperand<8>, source: Imm8): void;
  /** LOCK AND r/m16, imm16 */
  and(destination: MemoryOperand<0 | 16>, source: Imm): void;
  /** LOCK AND r/m32, imm32 */
  and(destination: MemoryOperand<32>, source: Imm): void;
  /** LOCK AND r/m8, r8 */
  and(destination: MemoryOperand<8>, source: Register<"r8">): void;
  /** LOCK AND r/m16, r16 */
  and(destination: MemoryOperand<0 | 16>, source: Register<"r16">): void;
  /** LOCK AND r/m32, r32 */
  and(destination: MemoryOperand<32>, source: Register<"r32">): void;
  /** LOCK BTC r/m16, r16 */
  btc(destination: MemoryOperand<0 | 16>, source: Register<"r16">): void;
  /** LOCK BTC r/m32, r32 */
  btc(destination: MemoryOperand<32>, source: Register<"r32">): void;
  /** LOCK BTC r/m16, imm8 */
  btc(destination: MemoryOperand<0 | 16>, source: Imm8): void;
  /** LOCK BTC r/m32, imm8 */
  btc(destination: MemoryOperand<32>, source: Imm8): void;
  /** LOCK BTR r/m16, r16 */
  btr(destination: MemoryOperand<0 | 16>, source: Register<"r16">): void;
  /** LOCK BTR r/m32, r32 */
  btr(destination: MemoryOperand<32>, source: Register<"r32">): void;
  /** LOCK BTR r/m16, imm8 */
  btr(destination: MemoryOperand<0 | 16>, source: Imm8): void;
  /** LOCK BTR r/m32, imm8 */
  btr(destination: MemoryOperand<32>, source: Imm8): void;
  /** LOCK BTS r/m16, r16 */
  bts(destination: MemoryOperand<0 | 16>, source: Register<"r16">): void;
  /** LOCK BTS r/m32, r32 */
  bts(destination: MemoryOperand<32>, source: Register<"r32">): void;
  /** LOCK BTS r/m16, imm8 */
  bts(destination: MemoryOperand<0 | 16>, source: Imm8): void;
  /** LOCK BTS r/m32, imm8 */
  bts(destination: MemoryOperand<32>, source: Imm8): void;
  /** LOCK CMPXCHG r/m8, r8 */
  cmpxchg(destination: MemoryOperand<8>, source: Register<"r8">): void;
  /** LOCK CMPXCHG r/m16, r16 */
  cmpxchg(destination: MemoryOperand<0 | 16>, source: Register<"r16">): void;
  /** LOCK CMPXCHG r/m32, r32 */
  cmpxchg(destination: MemoryOperand<32>, source: Register<"r32">): void;
  /** LOCK CMPXCHG8B m64 */
  cmpxchg8b(operand: MemoryOperand<0 | 64>): void;
  /** LOCK DEC r/m8 */
  dec(operand: MemoryOperand<8>): void;
  /** LOCK DEC r/m16 */
  dec(operand: MemoryOperand<0 | 16>): void;
  /** LOCK DEC r/m32 */
  dec(operand: MemoryOperand<32>): void;
  /** LOCK INC r/m8 */
  inc(operand: MemoryOperand<8>): void;
  /** LOCK INC r/m16 */
  inc(operand: MemoryOperand<0 | 16>): void;
  /** LOCK INC r/m32 */
  inc(operand: MemoryOperand<32>): void;
  /** LOCK NEG r/m8 */
  neg(operand: MemoryOperand<8>): void;
  /** LOCK NEG r/m16 */
  neg(operand: MemoryOperand<0 | 16>): void;
  /** LOCK NEG r/m32 */
  neg(operand: MemoryOperand<32>): void;
  /** LOCK NOT r/m8 */
  not(operand: MemoryOperand<8>): void;
  /** LOCK NOT r/m16 */
  not(operand: MemoryOperand<0 | 16>): void;
  /** LOCK NOT r/m32 */
  not(operand: MemoryOperand<32>): void;
  /** LOCK OR r/m8, imm8 */
  or(destination: MemoryOperand<8>, source: Imm8): void;
  /** LOCK OR r/m16, imm16 */
  or(destination: MemoryOperand<0 | 16>, source: Imm): void;
  /** LOCK OR r/m32, imm32 */
  or(destination: MemoryOperand<32>, source: Imm): void;
  /** LOCK OR r/m8, r8 */
  or(destination: MemoryOperand<8>, source: Register<"r8">): void;
  /** LOCK OR r/m16, r16 */
  or(destination: MemoryOperand<0 | 16>, source: Register<"r16">): void;
  /** LOCK OR r/m32, r32 */
  or(destination: MemoryOperand<32>, source: Register<"r32">): void;
  /** LOCK SBB r/m8, imm8 */
  sbb(destination: MemoryOperand<8>, source: Imm8): void;
  /** LOCK SBB r/m16, imm16 */
  sbb(destination: MemoryOperand<0 | 16>, source: Imm): void;
  /** LOCK SBB r/m32, imm32 */
  sbb(destination: MemoryOperand<32>, source: Imm): void;
  /** LOCK SBB r/m8, r8 */
  sbb(destination: MemoryOperand<8>, source: Register<"r8">): void;
  /** LOCK SBB r/m16, r16 */
  sbb(destination: MemoryOperand<0 | 16>, source: Register<"r16">): void;
  /** LOCK SBB r/m32, r32 */
  sbb(destination: MemoryOperand<32>, source: Register<"r32">): void;
  /** LOCK SUB r/m8, imm8 */
  sub(destination: MemoryOperand<8>, source: Imm8): void;
  /** LOCK SUB r/m16, imm16 */
  sub(destination: MemoryOperand<0 | 16>, source: Imm): void;
  /** LOCK SUB r/m32, imm32 */
  sub(destination: MemoryOperand<32>, source: Imm): void;
  /** LOCK SUB r/m8, r8 */
  sub(destination: MemoryOperand<8>, source: Register<"r8">): void;
  /** LOCK SUB r/m16, r16 */
  sub(destination: MemoryOperand<0 | 16>, source: Register<"r16">): void;
  /** LOCK SUB r/m32, r32 */
  sub(destination: MemoryOperand<32>, source: Register<"r32">): void;
  /** LOCK XADD r/m8, r8 */
  xadd(destination: MemoryOperand<8>, source: Register<"r8">): void;
  /** LOCK XADD r/m16, r16 */
  xadd(destination: MemoryOperand<0 | 16>, source: Register<"r16">): void;
  /** LOCK XADD r/m32, r32 */
  xadd(destination: MemoryOperand<32>, source: Register<"r32">): void;
  /** LOCK XCHG r/m8, r8 */
  xchg(destination: MemoryOperand<8>, source: Register<"r8">): void;
  /** LOCK XCHG r/m16, r16 */
  xchg(destination: MemoryOperand<0 | 16>, source: Register<"r16">): void;
  /** LOCK XCHG r/m32, r32 */
  xchg(destination: MemoryOperand<32>, source: Register<"r32">): void;
  /** LOCK XOR r/m8, imm8 */
  xor(destination: MemoryOperand<8>, source: Imm8): void;
  /** LOCK XOR r/m16, imm16 */
  xor(destination: MemoryOperand<0 | 16>, source: Imm): void;
  /** LOCK XOR r/m32, imm32 */
  xor(destination: MemoryOperand<32>, source: Imm): void;
  /** LOCK XOR r/m8, r8 */
  xor(destination: MemoryOperand<8>, source: Register<"r8">): void;
  /** LOCK XOR r/m16, r16 */
  xor(destination: MemoryOperand<0 | 16>, source: Register<"r16">): void;
  /** LOCK XOR r/m32, r32 */
  xor(destination: MemoryOperand<32>, source: Register<"r32">): void;
}

/** What REP, REPE and REPNE repeat. */
export interface StringMnemonics {
  /** CMPSB */
  cmpsb(): void;
  /** CMPSD */
  cmpsd(): void;
  /** CMPSW */
  cmpsw(): void;
  /** INSB */
  insb(): void;
  /** INSD */
  insd(): void;
  /** INSW */
  insw(): void;
  /** LODSB */
  lodsb(): void;
  /** LODSD */
  lodsd(): void;
  /** LODSW */
  lodsw(): void;
  /** MOVSB */
  movsb(): void;
  /** MOVSD */
  movsd(): void;
  /** MOVSW */
  movsw(): void;
  /** OUTSB */
  outsb(): void;
  /** OUTSD */
  outsd(): void;
  /** OUTSW */
  outsw(): void;
  /** SCASB */
  scasb(): void;
  /** SCASD */
  scasd(): void;
  /** SCASW */
  scasw(): void;
  /** STOSB */
  stosb(): void;
  /** STOSD */
  stosd(): void;
  /** STOSW */
  stosw(): void;
}
