// The byte strings the processor is asked about: random, the same ones on every run.

/** Bytes a string: one more than an instruction may have. */
export const stringLength = 16;

/** Opcodes after 0F whose meaning is in ModR/M: the rarest to be met by chance. */
const groups = [0x00, 0x01, 0xae, 0xba, 0xc7];

const prefixes = [0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];

/** Marsaglia's xorshift: 32 random bits a call. */
export function generator(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/**
 * `count` strings, laid end to end: one in four wholly random, the others with a few prefixes (now and then very many)
 * before a random opcode, half of them of the two-byte map, of which a few are groups.
 */
export function randomStrings(count: number, seed: number): Uint8Array {
  const random = generator(seed);
  const strings = new Uint8Array(count * stringLength);
  for (let i = 0; i < strings.length; i++) strings[i] = random() >>> 8;
  for (let i = 0; i < count; i++) {
    if (i % 4 === 0) continue;
    let at = i * stringLength;
    const many = random() % 64 === 0 ? 15 : 4;
    for (let n = (random() >>> 8) % many; n > 0; n--) strings[at++] = prefixes[(random() >>> 8) % prefixes.length]!;
    if (i % 2 === 0) strings[at++] = 0x0f;
    if (i % 16 === 6) strings[at] = groups[(random() >>> 8) % groups.length]!;
  }
  return strings;
}
