// Ports by which guests talk to whoever runs them: isa-debug-exit at F4h, the debug console at E9h, POST codes at 80h.
import type { PortDevice } from "./device.ts";

export const POST_PORT = 0x80;
export const DEBUG_CONSOLE_PORT = 0xe9;
export const DEBUG_EXIT_PORT = 0xf4;

export interface DebugPortsWiring {
  /** A byte for the debug console. */
  debug(byte: number): void;
}

/**
 * The debug console and the POST port. Reading E9h gives E9h, by which guests see that somebody listens. What is written to
 * port 80h lights no display; guests write there for the delay.
 */
export class DebugPorts implements PortDevice {
  readonly #wiring: DebugPortsWiring;

  constructor(wiring: DebugPortsWiring) {
    this.#wiring = wiring;
  }

  readPort(port: number): number {
    return port === DEBUG_CONSOLE_PORT ? 0xe9 : 0xff;
  }

  writePort(port: number, value: number): void {
    if (port === DEBUG_CONSOLE_PORT) this.#wiring.debug(value);
  }
}
