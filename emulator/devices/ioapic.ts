// The I/O APIC: 24 inputs, each with a redirection entry that says which message it sends (Intel 82093AA data sheet).
//
// An input is asserted or not; the polarity bit is stored and read back but nothing on this board needs inverting.
import { IOAPIC_BASE } from "../memory/layout.ts";
import type { MachineWords } from "./device.ts";

export const IOAPIC_INPUTS = 24;
/** Byte offsets of the two windows in its page. */
export const IOREGSEL = 0;
export const IOWIN = 0x10;

// Indirect registers.
const REGISTER_ID = 0;
const REGISTER_VERSION = 1;
const REGISTER_ARBITRATION = 2;
const REGISTER_TABLE = 0x10;

// Low word of a redirection entry.
const VECTOR = 0xff;
const MODE = 0x700;
const LOGICAL = 0x800;
const REMOTE_IRR = 0x4000;
const LEVEL = 0x8000;
const MASKED = 0x10000;
const WRITABLE = 0x1afff;
/** Delivery modes that are built or have a name of their own: fixed, lowest priority, SMI, NMI, INIT. */
const MODES_SENT = [0, 1, 2, 4, 5];
const MODE_EXTINT = 7;

// Words.
const AT = IOAPIC_BASE / 4;
const SELECT = AT;
const ID = AT + 1;
/** Bit n: input n is asserted. */
const INPUTS = AT + 2;
const TABLE = AT + 8;
const WORDS = 8 + 2 * IOAPIC_INPUTS;

/** Version 11h, whose highest entry is number 23. */
const VERSION = ((IOAPIC_INPUTS - 1) << 16) | 0x11;

export interface IoApicWiring {
  /** Sends a message to the local APICs; `mode` is a delivery mode, `destination` eight bits. */
  send(mode: number, vector: number, destination: number, logical: boolean, levelTriggered: boolean): void;
  notImplemented(name: string): void;
}

export class IoApic {
  readonly #i32: Int32Array;
  readonly #wiring: IoApicWiring;

  constructor(words: MachineWords, wiring: IoApicWiring) {
    this.#i32 = words.i32;
    this.#wiring = wiring;
  }

  /** Every input masked; the levels at the inputs are the other devices' and stay. */
  reset(): void {
    const inputs = this.#i32[INPUTS];
    this.#i32.fill(0, AT, AT + WORDS);
    this.#i32[INPUTS] = inputs;
    for (let gsi = 0; gsi < IOAPIC_INPUTS; gsi++) this.#i32[TABLE + 2 * gsi] = MASKED;
  }

  /** The 32-bit register window at byte `offset` of the page; what is reserved reads as 0. */
  read(offset: number): number {
    const select = this.#i32[SELECT];
    if (offset === IOREGSEL) return select;
    if (offset !== IOWIN) return 0;
    if (select === REGISTER_ID || select === REGISTER_ARBITRATION) return this.#i32[ID];
    if (select === REGISTER_VERSION) return VERSION;
    const entry = select - REGISTER_TABLE;
    return entry >= 0 && entry < 2 * IOAPIC_INPUTS ? this.#i32[TABLE + entry] : 0;
  }

  write(offset: number, value: number): void {
    if (offset === IOREGSEL) this.#i32[SELECT] = value & 0xff;
    else if (offset === IOWIN) this.#writeRegister(this.#i32[SELECT], value);
  }

  /**
   * A device changes the level at an input. An edge on a masked input is lost, as the data sheet has it; a level is seen
   * when the mask goes.
   */
  setLine(gsi: number, asserted: boolean): void {
    const bit = 1 << gsi;
    const was = (this.#i32[INPUTS] & bit) !== 0;
    if (asserted === was) return;
    this.#i32[INPUTS] ^= bit;
    if (!asserted) return;
    const low = this.#i32[TABLE + 2 * gsi];
    if ((low & LEVEL) !== 0) this.#evaluate(gsi);
    else if ((low & MASKED) === 0) this.#send(gsi);
  }

  /** An EOI message: level-triggered inputs that sent this vector may send again, and do if still asserted. */
  endOfInterrupt(vector: number): void {
    for (let gsi = 0; gsi < IOAPIC_INPUTS; gsi++) {
      const low = this.#i32[TABLE + 2 * gsi];
      if ((low & (LEVEL | REMOTE_IRR)) !== (LEVEL | REMOTE_IRR) || (low & VECTOR) !== vector) continue;
      this.#i32[TABLE + 2 * gsi] = low & ~REMOTE_IRR;
      this.#evaluate(gsi);
    }
  }

  #writeRegister(select: number, value: number): void {
    if (select === REGISTER_ID) this.#i32[ID] = value & 0x0f000000;
    const entry = select - REGISTER_TABLE;
    if (entry < 0 || entry >= 2 * IOAPIC_INPUTS) return;
    if ((entry & 1) !== 0) {
      this.#i32[TABLE + entry] = value & 0xff000000;
      return;
    }
    // An entry made edge-triggered waits for no EOI.
    const kept = (value & LEVEL) !== 0 ? this.#i32[TABLE + entry] & REMOTE_IRR : 0;
    this.#i32[TABLE + entry] = (value & WRITABLE) | kept;
    this.#evaluate(entry >>> 1);
  }

  /** Sends for a level-triggered input that is asserted, unmasked and not waiting for an EOI. */
  #evaluate(gsi: number): void {
    const low = this.#i32[TABLE + 2 * gsi];
    if ((low & (LEVEL | REMOTE_IRR | MASKED)) !== LEVEL || ((this.#i32[INPUTS] >>> gsi) & 1) === 0) return;
    this.#i32[TABLE + 2 * gsi] = low | REMOTE_IRR;
    this.#send(gsi);
  }

  #send(gsi: number): void {
    const low = this.#i32[TABLE + 2 * gsi];
    const mode = (low & MODE) >>> 8;
    if (!MODES_SENT.includes(mode)) {
      const name = mode === MODE_EXTINT ? "ExtINT delivery" : `delivery mode ${mode}`;
      this.#wiring.notImplemented(`${name} through the I/O APIC`);
      return;
    }
    const destination = this.#i32[TABLE + 2 * gsi + 1] >>> 24;
    this.#wiring.send(mode, low & VECTOR, destination, (low & LOGICAL) !== 0, (low & LEVEL) !== 0);
  }
}
