// The ways a PC's software resets it: port CF9h (82371SB), port 92h (PS/2), and the keyboard controller's pulse (8042).
//
// There is no keyboard controller otherwise: its status says that it will take a command at once, so the code that turns on
// A20 through it does not wait for ever. A20 is always on.
import { BOARD_BASE } from "../memory/layout.ts";
import type { MachineWords, PortDevice } from "./device.ts";

export const RESET_CONTROL_PORT = 0xcf9;
export const SYSTEM_PORT_A = 0x92;
export const KEYBOARD_DATA = 0x60;
export const KEYBOARD_COMMAND = 0x64;

const RESET_CONTROL = BOARD_BASE / 4;
const A20_ON = 2;
const FAST_RESET = 1;
const RESET_CPU = 4;
const PULSE_RESET = 0xfe;

export interface ResetPortsWiring {
  /** Software resets the machine; `why` names the port. */
  reset(why: string): void;
}

export class ResetPorts implements PortDevice {
  readonly #i32: Int32Array;
  readonly #wiring: ResetPortsWiring;

  constructor(words: MachineWords, wiring: ResetPortsWiring) {
    this.#i32 = words.i32;
    this.#wiring = wiring;
  }

  reset(): void {
    this.#i32[RESET_CONTROL] = 0;
  }

  readPort(port: number): number {
    switch (port) {
      case RESET_CONTROL_PORT:
        return this.#i32[RESET_CONTROL];
      case SYSTEM_PORT_A:
        return A20_ON;
      case KEYBOARD_DATA:
      case KEYBOARD_COMMAND:
        return 0;
      default:
        return 0xff;
    }
  }

  writePort(port: number, value: number): void {
    if (port === RESET_CONTROL_PORT) {
      // The reset is the rising edge of bit 2.
      const before = this.#i32[RESET_CONTROL];
      this.#i32[RESET_CONTROL] = value & 0xe;
      if ((value & ~before & RESET_CPU) !== 0) this.#wiring.reset("port CF9h");
    } else if (port === SYSTEM_PORT_A) {
      if ((value & FAST_RESET) !== 0) this.#wiring.reset("port 92h");
    } else if (port === KEYBOARD_COMMAND) {
      if (value === PULSE_RESET) this.#wiring.reset("the keyboard controller");
    }
  }
}
