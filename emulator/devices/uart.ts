// One serial port: a 16550 UART (National Semiconductor PC16550D data sheet; AT register layout).
//
// The line has no speed: a byte written is sent at once, so the transmitter is always ready, and a byte received below the
// FIFO's trigger level counts as timed out at once. Modem inputs show a ready, connected peer.
import { UART_BASE } from "../memory/layout.ts";
import type { Line, MachineWords, PortDevice } from "./device.ts";

// Registers, by offset from the first port; bit 7 of the LCR (DLAB) turns 0 and 1 into the divisor latch.
const DATA = 0;
const INTERRUPT_ENABLE = 1;
const INTERRUPT_IDENTIFICATION = 2;
const LINE_CONTROL = 3;
const MODEM_CONTROL = 4;
const LINE_STATUS = 5;
const MODEM_STATUS = 6;
const SCRATCH = 7;

const IER_RECEIVED = 1;
const IER_TRANSMITTER = 2;
const IER_LINE_STATUS = 4;
const IER_MODEM_STATUS = 8;
const IIR_NONE = 1;
const IIR_MODEM_STATUS = 0;
const IIR_TRANSMITTER = 2;
const IIR_RECEIVED = 4;
const IIR_LINE_STATUS = 6;
const IIR_TIMEOUT = 0xc;
const IIR_FIFOS = 0xc0;
const FCR_ENABLE = 1;
const FCR_CLEAR_RECEIVER = 2;
const LCR_DLAB = 0x80;
const MCR_OUT2 = 8;
const MCR_LOOPBACK = 0x10;
const LSR_READY = 1;
const LSR_OVERRUN = 2;
const LSR_ERRORS = 0x1e;
const LSR_TRANSMITTER_EMPTY = 0x60;
const MSR_CONNECTED = 0xb0;
const MSR_RING = 0x40;

// Words of one port.
const IER = 0;
const FCR = 1;
const LCR = 2;
const MCR = 3;
const ERRORS = 4;
const MSR_DELTAS = 5;
const SCR = 6;
const DIVISOR = 7;
/** The "transmitter holding register empty" interrupt is pending: set as a byte leaves, cleared by reading the IIR. */
const TRANSMITTER_PENDING = 8;
const RECEIVED_HEAD = 9;
const RECEIVED_COUNT = 10;
const RECEIVED = 16;
const FIFO_DEPTH = 16;
const UART_WORDS = 64;
const TRIGGER_LEVELS = [1, 4, 8, 14];

export interface UartWiring {
  /** A byte leaves the port. */
  output(byte: number): void;
  interrupt: Line;
  /** There may be room for input that has waited for it. */
  room?(): void;
}

export interface UartOptions {
  /** Number of the port on its board (0 is COM1): which words it uses. */
  readonly index?: number;
  /** First of its eight I/O ports; 3F8h where not said. */
  readonly firstPort?: number;
  /** MCR.OUT2 gates the interrupt, as on most AT boards. */
  readonly out2GatesInterrupt?: boolean;
}

export class Uart implements PortDevice {
  readonly firstPort: number;
  readonly #i32: Int32Array;
  readonly #at: number;
  readonly #wiring: UartWiring;
  readonly #gated: boolean;

  constructor(words: MachineWords, wiring: UartWiring, options: UartOptions = {}) {
    this.#i32 = words.i32;
    this.#at = UART_BASE / 4 + (options.index ?? 0) * UART_WORDS;
    this.#wiring = wiring;
    this.firstPort = options.firstPort ?? 0x3f8;
    this.#gated = options.out2GatesInterrupt ?? false;
  }

  reset(): void {
    this.#i32.fill(0, this.#at, this.#at + UART_WORDS);
    this.#update();
  }

  /** How many bytes `receive` would take now. */
  get room(): number {
    const depth = (this.#word(FCR) & FCR_ENABLE) !== 0 ? FIFO_DEPTH : 1;
    return Math.max(depth - this.#word(RECEIVED_COUNT), 0);
  }

  /** Bytes arrive from outside, as many as there is room for; returns their number. In loopback the input is cut off. */
  receive(bytes: Uint8Array): number {
    if ((this.#word(MCR) & MCR_LOOPBACK) !== 0) return 0;
    const taken = Math.min(bytes.length, this.room);
    for (let i = 0; i < taken; i++) this.#push(bytes[i]);
    if (taken > 0) this.#update();
    return taken;
  }

  readPort(port: number): number {
    const register = port - this.firstPort;
    const latch = (this.#word(LCR) & LCR_DLAB) !== 0;
    switch (register) {
      case DATA:
        return latch ? this.#word(DIVISOR) & 0xff : this.#pop();
      case INTERRUPT_ENABLE:
        return latch ? this.#word(DIVISOR) >>> 8 : this.#word(IER);
      case INTERRUPT_IDENTIFICATION:
        return this.#identify();
      case LINE_CONTROL:
        return this.#word(LCR);
      case MODEM_CONTROL:
        return this.#word(MCR);
      case LINE_STATUS: {
        const ready = this.#word(RECEIVED_COUNT) > 0 ? LSR_READY : 0;
        const status = LSR_TRANSMITTER_EMPTY | this.#word(ERRORS) | ready;
        this.#set(ERRORS, 0);
        this.#update();
        return status;
      }
      case MODEM_STATUS: {
        const status = this.#modemInputs() | this.#word(MSR_DELTAS);
        this.#set(MSR_DELTAS, 0);
        this.#update();
        return status;
      }
      case SCRATCH:
        return this.#word(SCR);
      default:
        return 0xff;
    }
  }

  writePort(port: number, value: number): void {
    const register = port - this.firstPort;
    const latch = (this.#word(LCR) & LCR_DLAB) !== 0;
    switch (register) {
      case DATA:
        if (latch) this.#set(DIVISOR, (this.#word(DIVISOR) & 0xff00) | value);
        else this.#transmit(value);
        break;
      case INTERRUPT_ENABLE:
        if (latch) this.#set(DIVISOR, (this.#word(DIVISOR) & 0xff) | (value << 8));
        else this.#enable(value & 0xf);
        break;
      case INTERRUPT_IDENTIFICATION: // the FIFO control register when written
        this.#controlFifos(value);
        break;
      case LINE_CONTROL:
        this.#set(LCR, value);
        break;
      case MODEM_CONTROL:
        this.#controlModem(value & 0x1f);
        break;
      case SCRATCH:
        this.#set(SCR, value);
        break;
    }
  }

  // --- the two directions ---

  #transmit(byte: number): void {
    this.#set(TRANSMITTER_PENDING, 0);
    this.#update();
    if ((this.#word(MCR) & MCR_LOOPBACK) !== 0) this.#push(byte);
    else this.#wiring.output(byte);
    // Sent already: the line has been low in between, so an edge-triggered controller sees a new request.
    this.#set(TRANSMITTER_PENDING, 1);
    this.#update();
  }

  #push(byte: number): void {
    if (this.room === 0) {
      // With FIFOs the new byte is lost, without them it overwrites the one in the holding register.
      this.#set(ERRORS, this.#word(ERRORS) | LSR_OVERRUN);
      if ((this.#word(FCR) & FCR_ENABLE) === 0) this.#set(RECEIVED + this.#word(RECEIVED_HEAD), byte);
      return;
    }
    const count = this.#word(RECEIVED_COUNT);
    this.#set(RECEIVED + ((this.#word(RECEIVED_HEAD) + count) % FIFO_DEPTH), byte);
    this.#set(RECEIVED_COUNT, count + 1);
  }

  #pop(): number {
    const head = this.#word(RECEIVED_HEAD);
    const count = this.#word(RECEIVED_COUNT);
    const byte = this.#word(RECEIVED + head);
    if (count === 0) return 0;
    this.#set(RECEIVED + head, 0);
    this.#set(RECEIVED_HEAD, count === 1 ? 0 : (head + 1) % FIFO_DEPTH);
    this.#set(RECEIVED_COUNT, count - 1);
    this.#update();
    this.#wiring.room?.();
    return byte;
  }

  // --- control ---

  #enable(value: number): void {
    const newly = value & ~this.#word(IER);
    this.#set(IER, value);
    // Enabling the transmitter's interrupt while it is empty, as it always is, raises it.
    if ((newly & IER_TRANSMITTER) !== 0) this.#set(TRANSMITTER_PENDING, 1);
    this.#update();
  }

  #controlFifos(value: number): void {
    const changed = ((value ^ this.#word(FCR)) & FCR_ENABLE) !== 0;
    // The other bits take effect only with the FIFOs enabled; changing that clears them.
    this.#set(FCR, (value & FCR_ENABLE) !== 0 ? value & 0xc9 : 0);
    if (changed || (value & (FCR_ENABLE | FCR_CLEAR_RECEIVER)) === (FCR_ENABLE | FCR_CLEAR_RECEIVER)) {
      this.#i32.fill(0, this.#at + RECEIVED_HEAD, this.#at + RECEIVED + FIFO_DEPTH);
    }
    this.#update();
    this.#wiring.room?.();
  }

  #controlModem(value: number): void {
    const before = this.#modemInputs();
    this.#set(MCR, value);
    const after = this.#modemInputs();
    const edges = before ^ after;
    // CTS, DSR and DCD report any change; RI reports only its end.
    const deltas = ((edges & 0x30) >>> 4) | ((edges & 0x80) >>> 4) | ((edges & before & MSR_RING) >>> 4);
    this.#set(MSR_DELTAS, this.#word(MSR_DELTAS) | deltas);
    this.#update();
    this.#wiring.room?.();
  }

  /** CTS, DSR, RI and DCD: in loopback they are RTS, DTR, OUT1 and OUT2. */
  #modemInputs(): number {
    const mcr = this.#word(MCR);
    if ((mcr & MCR_LOOPBACK) === 0) return MSR_CONNECTED;
    return ((mcr & 2) << 3) | ((mcr & 1) << 5) | ((mcr & 0xc) << 4);
  }

  // --- interrupts ---

  /** The pending, enabled source of highest priority (table II of the data sheet). */
  #source(): number {
    const ier = this.#word(IER);
    if ((ier & IER_LINE_STATUS) !== 0 && (this.#word(ERRORS) & LSR_ERRORS) !== 0) return IIR_LINE_STATUS;
    const received = this.#word(RECEIVED_COUNT);
    if ((ier & IER_RECEIVED) !== 0 && received > 0) {
      const fcr = this.#word(FCR);
      return (fcr & FCR_ENABLE) === 0 || received >= TRIGGER_LEVELS[fcr >>> 6] ? IIR_RECEIVED : IIR_TIMEOUT;
    }
    if ((ier & IER_TRANSMITTER) !== 0 && this.#word(TRANSMITTER_PENDING) !== 0) return IIR_TRANSMITTER;
    if ((ier & IER_MODEM_STATUS) !== 0 && this.#word(MSR_DELTAS) !== 0) return IIR_MODEM_STATUS;
    return IIR_NONE;
  }

  #identify(): number {
    const source = this.#source();
    if (source === IIR_TRANSMITTER) {
      this.#set(TRANSMITTER_PENDING, 0);
      this.#update();
    }
    return source | ((this.#word(FCR) & FCR_ENABLE) !== 0 ? IIR_FIFOS : 0);
  }

  #update(): void {
    const open = !this.#gated || (this.#word(MCR) & (MCR_OUT2 | MCR_LOOPBACK)) === MCR_OUT2;
    this.#wiring.interrupt(open && this.#source() !== IIR_NONE);
  }

  #word(offset: number): number {
    return this.#i32[this.#at + offset];
  }

  #set(offset: number, value: number): void {
    this.#i32[this.#at + offset] = value;
  }
}
