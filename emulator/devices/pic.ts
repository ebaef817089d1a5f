// The two 8259A interrupt controllers of the PC, the second on input 2 of the first (Intel 8259A data sheet; ELCR: 82371SB).
import { PIC_BASE } from "../memory/layout.ts";
import type { MachineWords, PortDevice } from "./device.ts";

export const PIC_MASTER = 0x20;
export const PIC_SLAVE = 0xa0;
export const PIC_ELCR = 0x4d0;

// Words of one chip. The IRR is not among them: it is the latched edges, or for level-triggered inputs the levels.
const LEVELS = 0;
const EDGES = 1;
const ISR = 2;
const IMR = 3;
/** Bit n: input n is level-triggered. */
const ELCR = 4;
const VECTOR_BASE = 5;
/** The initialisation word awaited (2 to 4), 0 in operation. */
const AWAITED = 6;
const ICW1 = 7;
const ICW4 = 8;
/** The input of lowest priority; 7 unless rotated. */
const LOWEST = 9;
const ROTATE_ON_AUTO_EOI = 10;
const READ_ISR = 11;
const POLL = 12;
const SPECIAL_MASK = 13;
const CHIP_WORDS = 32;

const ICW1_BIT = 0x10;
const ICW1_NEEDS_ICW4 = 1;
const ICW1_SINGLE = 2;
const ICW4_AUTO_EOI = 2;
const ICW4_SPECIAL_FULLY_NESTED = 0x10;
const OCW3_BIT = 8;

const MASTER = PIC_BASE / 4;
const SLAVE = MASTER + CHIP_WORDS;
const CASCADE = 2;
const SPURIOUS = 7;
/** Inputs the board wires as edges for good: timer, keyboard, cascade; RTC and coprocessor on the second chip. */
const ALWAYS_EDGE = [0x07, 0x21];

export interface PicWiring {
  /** INTR changes. */
  output(asserted: boolean): void;
}

export class Pic implements PortDevice {
  readonly #i32: Int32Array;
  readonly #wiring: PicWiring;
  /** Where the last reported INTR is kept: a word like any other. */
  readonly #intr = MASTER + CHIP_WORDS - 1;

  constructor(words: MachineWords, wiring: PicWiring) {
    this.#i32 = words.i32;
    this.#wiring = wiring;
  }

  /** Every input masked until software initialises the chips; the levels at the inputs are the devices' and stay. */
  reset(): void {
    for (const chip of [MASTER, SLAVE]) {
      const levels = this.#i32[chip + LEVELS];
      this.#i32.fill(0, chip, chip + CHIP_WORDS);
      this.#i32[chip + LEVELS] = levels;
      this.#i32[chip + IMR] = 0xff;
      this.#i32[chip + LOWEST] = 7;
    }
    this.#wiring.output(false);
  }

  /** INTR: an unmasked request outranks what is in service. */
  get output(): boolean {
    return this.#i32[this.#intr] !== 0;
  }

  /** A device changes the level at input `irq` (0 to 15). An edge lasts only as long as its level, as the data sheet asks. */
  setLine(irq: number, asserted: boolean): void {
    const chip = irq < 8 ? MASTER : SLAVE;
    const bit = 1 << (irq & 7);
    const was = (this.#i32[chip + LEVELS] & bit) !== 0;
    if (was === asserted) return;
    this.#i32[chip + LEVELS] ^= bit;
    if (asserted) this.#i32[chip + EDGES] |= bit;
    else this.#i32[chip + EDGES] &= ~bit;
    this.#update();
  }

  /** The interrupt acknowledge cycle: the vector of the request in turn, or a spurious input 7 if it has gone. */
  acknowledge(): number {
    const irq = this.#take(MASTER);
    let vector = this.#i32[MASTER + VECTOR_BASE] + irq;
    if (irq === CASCADE && this.#cascaded()) vector = this.#i32[SLAVE + VECTOR_BASE] + this.#take(SLAVE);
    this.#update();
    return vector;
  }

  readPort(port: number): number {
    if (port === PIC_ELCR || port === PIC_ELCR + 1) return this.#i32[chipOfElcr(port) + ELCR];
    const chip = chipOf(port);
    if (this.#i32[chip + POLL] !== 0) return this.#poll(chip);
    if ((port & 1) !== 0) return this.#i32[chip + IMR];
    return this.#i32[chip + READ_ISR] !== 0 ? this.#i32[chip + ISR] : this.#requests(chip);
  }

  writePort(port: number, value: number): void {
    if (port === PIC_ELCR || port === PIC_ELCR + 1) {
      this.#i32[chipOfElcr(port) + ELCR] = value & ~ALWAYS_EDGE[port - PIC_ELCR];
    } else {
      const chip = chipOf(port);
      if ((port & 1) !== 0) this.#writeData(chip, value);
      else if ((value & ICW1_BIT) !== 0) this.#initialise(chip, value);
      else if ((value & OCW3_BIT) !== 0) this.#operate(chip, value);
      else this.#endOfInterrupt(chip, value);
    }
    this.#update();
  }

  // --- command words ---

  /** ICW1 also forgets edges, masks, what is in service and rotation. Its level-trigger bit is the ELCR's business here. */
  #initialise(chip: number, value: number): void {
    const { [chip + LEVELS]: levels, [chip + ELCR]: elcr } = this.#i32;
    const intr = this.#i32[this.#intr];
    this.#i32.fill(0, chip, chip + CHIP_WORDS);
    this.#i32[this.#intr] = intr;
    this.#i32[chip + LEVELS] = levels;
    this.#i32[chip + ELCR] = elcr;
    this.#i32[chip + LOWEST] = 7;
    this.#i32[chip + ICW1] = value;
    this.#i32[chip + AWAITED] = 2;
  }

  /** ICW2 to ICW4 while initialising, else OCW1. ICW3 only repeats how the board is wired. */
  #writeData(chip: number, value: number): void {
    const icw1 = this.#i32[chip + ICW1];
    const last = (icw1 & ICW1_NEEDS_ICW4) !== 0 ? 4 : 0;
    switch (this.#i32[chip + AWAITED]) {
      case 2:
        this.#i32[chip + VECTOR_BASE] = value & 0xf8;
        this.#i32[chip + AWAITED] = (icw1 & ICW1_SINGLE) !== 0 ? last : 3;
        break;
      case 3:
        this.#i32[chip + AWAITED] = last;
        break;
      case 4:
        this.#i32[chip + ICW4] = value;
        this.#i32[chip + AWAITED] = 0;
        break;
      default:
        this.#i32[chip + IMR] = value;
    }
  }

  /** OCW3: which register reads show, polling, special mask mode. */
  #operate(chip: number, value: number): void {
    if ((value & 2) !== 0) this.#i32[chip + READ_ISR] = value & 1;
    if ((value & 4) !== 0) this.#i32[chip + POLL] = 1;
    if ((value & 0x40) !== 0) this.#i32[chip + SPECIAL_MASK] = (value >>> 5) & 1;
  }

  /** OCW2: ends of interrupt and rotation. */
  #endOfInterrupt(chip: number, value: number): void {
    const command = value >>> 5;
    const [rotate, specific, end] = [(command & 4) !== 0, (command & 2) !== 0, (command & 1) !== 0];
    if (!end && !specific) {
      this.#i32[chip + ROTATE_ON_AUTO_EOI] = rotate ? 1 : 0;
      return;
    }
    const input = specific ? value & 7 : this.#highest(chip, this.#unmaskedService(chip));
    if (end && input >= 0) this.#i32[chip + ISR] &= ~(1 << input);
    if (rotate && input >= 0) this.#i32[chip + LOWEST] = input;
  }

  // --- priorities ---

  #requests(chip: number): number {
    const elcr = this.#i32[chip + ELCR];
    const requests = (this.#i32[chip + LEVELS] & elcr) | (this.#i32[chip + EDGES] & ~elcr);
    if (chip === SLAVE) return requests;
    // The slave's INTR pulses with each of its acknowledge cycles, so following its level loses no edge.
    return (requests & ~(1 << CASCADE)) | (this.#inTurn(SLAVE) >= 0 ? 1 << CASCADE : 0);
  }

  /** The requested, unmasked input that outranks what is in service, or -1. */
  #inTurn(chip: number): number {
    if (this.#i32[chip + AWAITED] !== 0) return -1;
    const imr = this.#i32[chip + IMR];
    const input = this.#highest(chip, this.#requests(chip) & ~imr);
    if (input < 0) return -1;
    const isr = this.#i32[chip + ISR];
    // In special mask mode an input in service stands only in its own way.
    if (this.#i32[chip + SPECIAL_MASK] !== 0) {
      return this.#highest(chip, this.#requests(chip) & ~imr & ~isr);
    }
    const serving = this.#highest(chip, isr);
    if (serving < 0 || this.#rank(chip, input) < this.#rank(chip, serving)) return input;
    // Special fully nested: the slave may interrupt its own service with a request of higher rank.
    const nested = chip === MASTER && (this.#i32[chip + ICW4] & ICW4_SPECIAL_FULLY_NESTED) !== 0;
    return nested && input === CASCADE && serving === CASCADE ? input : -1;
  }

  /** Services the input in turn: into the ISR unless its end is automatic. A spurious one is input 7 and leaves no trace. */
  #take(chip: number): number {
    const input = this.#inTurn(chip);
    if (input < 0) return SPURIOUS;
    this.#i32[chip + EDGES] &= ~(1 << input);
    if ((this.#i32[chip + ICW4] & ICW4_AUTO_EOI) === 0) this.#i32[chip + ISR] |= 1 << input;
    else if (this.#i32[chip + ROTATE_ON_AUTO_EOI] !== 0) this.#i32[chip + LOWEST] = input;
    return input;
  }

  /** A read after the poll command is an acknowledge cycle that yields the input, with bit 7 if there is one. */
  #poll(chip: number): number {
    this.#i32[chip + POLL] = 0;
    const answer = this.#inTurn(chip) < 0 ? 0 : 0x80 | this.#take(chip);
    this.#update();
    return answer;
  }

  #cascaded(): boolean {
    return (this.#i32[MASTER + ICW1] & ICW1_SINGLE) === 0;
  }

  #unmaskedService(chip: number): number {
    const isr = this.#i32[chip + ISR];
    // A non-specific end in special mask mode passes over inputs that are masked.
    return this.#i32[chip + SPECIAL_MASK] !== 0 ? isr & ~this.#i32[chip + IMR] : isr;
  }

  /** Of a set of inputs the one of highest priority, or -1. */
  #highest(chip: number, inputs: number): number {
    if (inputs === 0) return -1;
    const lowest = this.#i32[chip + LOWEST];
    for (let i = 1; i <= 8; i++) {
      const input = (lowest + i) & 7;
      if (((inputs >>> input) & 1) !== 0) return input;
    }
    return -1;
  }

  #rank(chip: number, input: number): number {
    return (input - this.#i32[chip + LOWEST] - 1) & 7;
  }

  #update(): void {
    const asserted = this.#inTurn(MASTER) >= 0;
    if (asserted === this.output) return;
    this.#i32[this.#intr] = asserted ? 1 : 0;
    this.#wiring.output(asserted);
  }
}

function chipOf(port: number): number {
  return port < PIC_SLAVE ? MASTER : SLAVE;
}

function chipOfElcr(port: number): number {
  return port === PIC_ELCR ? MASTER : SLAVE;
}
