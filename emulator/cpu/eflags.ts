// EFLAGS with the status flags that are kept lazily put in place (SDM vol. 1, 3.4.3.1).
import { ADJUST, CARRY, OVERFLOW, PARITY, SIGN, ZERO } from "../isa/semantics/ops.ts";
import * as L from "../memory/layout.ts";

// V8 looks an imported constant up at every use; one of this module it knows.
const { R_EFLAGS, R_LAZY, R_FA, R_FB, R_FRES } = L;
const STATUS_FLAGS = CARRY | PARITY | ADJUST | ZERO | SIGN | OVERFLOW;
const AF = ADJUST;
/** Bit of R_LAZY that says subtraction, as a shift. */
const SUBTRACTION = 1;

/** Makes the function that gives EFLAGS of the processor whose block begins at a word of `i32`. */
export function eflagsReader(i32: Int32Array): (block: number) => number {
  return (block) => {
    const lazy = i32[block + R_LAZY];
    const flags = i32[block + R_EFLAGS];
    if ((lazy & STATUS_FLAGS) === 0) return flags;
    const a = i32[block + R_FA];
    const b = i32[block + R_FB];
    const r = i32[block + R_FRES];
    // Without branches: nobody can foresee what data decides. `s` is all ones after a subtraction, else zero.
    const s = -((lazy >>> SUBTRACTION) & 1);
    const x = a ^ s;
    const carries = (x & b) | ((x | b) & (r ^ ~s));
    const overflow = (a ^ r) & ((s & (a ^ r)) ^ r ^ b);
    const derived =
      (carries >>> 31) |
      (((0x9669 >>> ((r ^ (r >>> 4)) & 15)) & 1) << 2) |
      ((a ^ b ^ r) & AF) |
      ((~(r | -r) >>> 31) << 6) |
      ((r >>> 31) << 7) |
      ((overflow >>> 31) << 11);
    return (flags & ~(lazy & STATUS_FLAGS)) | (derived & lazy & STATUS_FLAGS);
  };
}
