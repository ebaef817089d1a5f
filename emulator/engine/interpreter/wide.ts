// 64-bit products and quotients from 32-bit parts, exact in doubles (SDM vol. 2: MUL IMUL DIV IDIV).
import { type Core, DE, G_REMAINDER } from "../../cpu/core.ts";

/** High 32 bits of the unsigned product. */
export function mulHighUnsigned(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const cross = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(cross / 0x10000)) | 0;
}

/** High 32 bits of the signed product. */
export function mulHighSigned(a: number, b: number): number {
  return (mulHighUnsigned(a, b) - (a < 0 ? b : 0) - (b < 0 ? a : 0)) | 0;
}

/** Divisions of high:low; they raise #DE on a zero divisor or a quotient that does not fit, and leave the remainder in G_REMAINDER. */
export function dividers(core: Core) {
  const { g } = core;

  const divideUnsigned = (high: number, low: number, divisor: number): number => {
    const d = divisor >>> 0;
    const h = high >>> 0;
    if (h >= d) {
      core.fault(DE, 0);
      return 0;
    }
    if (h === 0) {
      const n = low >>> 0;
      g[G_REMAINDER] = n % d;
      return (n / d) | 0;
    }
    // Two digits of 16 bits: every intermediate stays below 2^48.
    const first = h * 0x10000 + (low >>> 16);
    const q1 = Math.floor(first / d);
    const second = (first - q1 * d) * 0x10000 + (low & 0xffff);
    const q0 = Math.floor(second / d);
    g[G_REMAINDER] = second - q0 * d;
    return (q1 * 0x10000 + q0) | 0;
  };

  const divideSigned = (high: number, low: number, divisor: number): number => {
    const negativeDividend = high < 0;
    const negativeDivisor = divisor < 0;
    let h = high;
    let l = low;
    if (negativeDividend) {
      l = -l | 0;
      h = (~h + (l === 0 ? 1 : 0)) | 0;
    }
    const magnitude = divideUnsigned(h, l, negativeDivisor ? -divisor | 0 : divisor);
    if (g[2] !== 0) return 0;
    const negative = negativeDividend !== negativeDivisor;
    if (magnitude < 0 && !(negative && magnitude === -0x80000000)) {
      core.fault(DE, 0);
      return 0;
    }
    if (negativeDividend) g[G_REMAINDER] = -g[G_REMAINDER];
    return negative ? -magnitude | 0 : magnitude;
  };

  return { divideUnsigned, divideSigned };
}
