// The board: which device answers at which port and physical address, and which wire goes where (a PC with MP 1.4 wiring).
//
//   8254 channel 0 ── 8259 input 0, I/O APIC input 2      16550 COM1 ── 8259 input 4, I/O APIC input 4
//   8259 INTR ── LINT0 of the boot processor              I/O APIC, local APICs ── each other, by messages
//
// RAM is not found here: the processors reach it by themselves, and ask the board for every other physical address.
import type { Bus, Core } from "../cpu/core.ts";
import { CMOS_DATA, CMOS_INDEX, Cmos } from "../devices/cmos.ts";
import { DEBUG_CONSOLE_PORT, DEBUG_EXIT_PORT, DebugPorts, POST_PORT } from "../devices/debugports.ts";
import type { PortDevice } from "../devices/device.ts";
import { FirmwareConfiguration, FWCFG_DATA, FWCFG_SELECTOR } from "../devices/fwcfg.ts";
import { IoApic } from "../devices/ioapic.ts";
import { LocalApics } from "../devices/lapic.ts";
import { PIC_ELCR, PIC_MASTER, PIC_SLAVE, Pic } from "../devices/pic.ts";
import { DUE_PIT, PIT_PORT, Pit, SYSTEM_CONTROL_PORT } from "../devices/pit.ts";
import {
  KEYBOARD_COMMAND,
  KEYBOARD_DATA,
  RESET_CONTROL_PORT,
  ResetPorts,
  SYSTEM_PORT_A,
} from "../devices/resetports.ts";
import { Uart } from "../devices/uart.ts";
import * as L from "../memory/layout.ts";

/** What the board asks of the machine around it. */
export interface BoardHooks {
  /** The machine clock in ticks, the instructions of the current slice included. */
  now(): number;
  currentProcessor(): number;
  /** Something may have changed what interrupts this processor, or any, or a due time: look again after the current instruction. */
  stopSoon(processor?: number): void;
  /** The guest wrote `value` to the debug exit port. */
  guestExit(value: number): void;
  /** Software resets the machine; `why` names the way it did. */
  reset(why: string): void;
  /** An INIT reached a processor; its local APIC has been reset already. It may be the current one. */
  init(processor: number): void;
  /** A start-up message reached a processor that waited for one: it begins in real mode at vector * 4096. */
  sipi(processor: number, vector: number): void;
  notImplemented(name: string): void;
  /** A byte left the first serial port. */
  serial(byte: number): void;
  /** The first serial port may have room for input. */
  serialRoom(): void;
  /** A byte was written to the debug console. */
  debug(byte: number): void;
}

export interface BoardOptions {
  /** The serial port's OUT2 gates its interrupt, as on most AT boards. */
  readonly out2GatesInterrupt?: boolean;
  /** A ROM that ends at 4 GiB. (What of it also shows below 1 MiB lies in RAM pages that cannot be written.) */
  readonly rom?: Uint8Array;
}

type Width = 1 | 2 | 4;

const BOOT_PROCESSOR = 0;
const IOAPIC_ADDRESS = 0xfec00000 | 0;
const IRQ_PIT = 0;
const IRQ_COM1 = 4;
/** The timer is on this input of the I/O APIC; the other devices are on that of their IRQ number. */
const GSI_PIT = 2;
/** Bit 11 of IA32_APIC_BASE (10.4.4). */
const APIC_BASE_ENABLED = 0x800;
const PAGE_OFFSET = L.PAGE - 1;
const FOUR_GIB = 2 ** 32;
const ALL_ONES = { 1: 0xff, 2: 0xffff, 4: -1 } as const;

/** Everything outside the processors, wired together. */
export class Board implements Bus {
  readonly lapics: LocalApics;
  readonly ioapic: IoApic;
  readonly pic: Pic;
  readonly pit: Pit;
  readonly uart: Uart;
  readonly resetPorts: ResetPorts;
  readonly cmos: Cmos;
  readonly firmwareConfiguration: FirmwareConfiguration;
  readonly #rom: Uint8Array;
  readonly #core: Core;
  readonly #hooks: BoardHooks;
  readonly #processors: number;
  /** Who answers at a port: 0 for nobody, else an index into the devices + 1. */
  readonly #claims = new Uint8Array(0x10000);
  readonly #portDevices: PortDevice[] = [];

  constructor(core: Core, hooks: BoardHooks, options: BoardOptions = {}) {
    this.#core = core;
    this.#hooks = hooks;
    this.#processors = core.layout.processors;
    this.#rom = options.rom ?? new Uint8Array(0);
    const changed = (processor?: number) => hooks.stopSoon(processor);
    const notImplemented = (name: string) => hooks.notImplemented(name);

    this.lapics = new LocalApics(core, this.#processors, {
      nmi: (processor) => this.#setWord(processor, L.R_NMI_PENDING, 1),
      init: (processor) => hooks.init(processor),
      startup: (processor, vector) => {
        if (this.#word(processor, L.R_ACTIVITY) === L.WAIT_FOR_SIPI) hooks.sipi(processor, vector);
      },
      endOfInterrupt: (vector) => this.ioapic.endOfInterrupt(vector),
      changed,
      notImplemented,
    });
    this.ioapic = new IoApic(core, {
      send: (mode, vector, destination, logical, level) => {
        this.lapics.send(mode, vector, destination, logical, level);
      },
      notImplemented,
    });
    this.pic = new Pic(core, { output: (asserted) => this.lapics.setLint0(BOOT_PROCESSOR, asserted) });
    this.pit = new Pit(core, { interrupt: (asserted) => this.#interrupt(IRQ_PIT, GSI_PIT, asserted), changed });
    this.uart = new Uart(
      core,
      {
        output: (byte) => hooks.serial(byte),
        room: () => hooks.serialRoom(),
        interrupt: (asserted) => this.#interrupt(IRQ_COM1, IRQ_COM1, asserted),
      },
      { out2GatesInterrupt: options.out2GatesInterrupt },
    );
    this.resetPorts = new ResetPorts(core, { reset: (why) => hooks.reset(why) });
    this.cmos = new Cmos(core, core.layout.ramSize, { notImplemented });
    this.firmwareConfiguration = new FirmwareConfiguration(core);
    const debugPorts = new DebugPorts({ debug: (byte) => hooks.debug(byte) });

    this.#claim(this.pic, PIC_MASTER, 2);
    this.#claim(this.pic, PIC_SLAVE, 2);
    this.#claim(this.pic, PIC_ELCR, 2);
    this.#claim(this.pit, PIT_PORT, 4);
    this.#claim(this.pit, SYSTEM_CONTROL_PORT, 1);
    this.#claim(this.uart, this.uart.firstPort, 8);
    this.#claim(debugPorts, POST_PORT, 1);
    this.#claim(debugPorts, DEBUG_CONSOLE_PORT, 1);
    this.#claim(this.resetPorts, KEYBOARD_DATA, 1);
    this.#claim(this.resetPorts, KEYBOARD_COMMAND, 1);
    this.#claim(this.resetPorts, SYSTEM_PORT_A, 1);
    this.#claim(this.resetPorts, RESET_CONTROL_PORT, 1);
    this.#claim(this.cmos, CMOS_INDEX, 1);
    this.#claim(this.cmos, CMOS_DATA, 1);
    this.#claim(this.firmwareConfiguration, FWCFG_SELECTOR, 1);
    this.#claim(this.firmwareConfiguration, FWCFG_DATA, 1);
  }

  /** Power-on or hard reset of every device. The processors' own registers are not the board's. */
  reset(): void {
    for (let slot = 0; slot < L.DEVICE_DUE_SLOTS; slot++)
      this.#core.f64[L.DEVICE_DUE / 8 + slot] = Number.POSITIVE_INFINITY;
    for (let processor = 0; processor < this.#processors; processor++) this.lapics.reset(processor, "power-on");
    this.ioapic.reset();
    this.pit.reset();
    this.uart.reset();
    this.resetPorts.reset();
    this.cmos.reset();
    this.firmwareConfiguration.reset();
    // Last, so that the levels the devices came up with are no edges.
    this.pic.reset();
  }

  // --- what interrupts a processor, and when ---

  /** When the next device wants to be called (ticks), or Infinity. */
  nextDue(): number {
    const { f64 } = this.#core;
    let due = f64[DUE_PIT];
    for (let processor = 0; processor < this.#processors; processor++) {
      const apic = f64[apicDueIndex(processor)];
      if (apic < due) due = apic;
    }
    return due;
  }

  /** Calls every device whose due time has come, the 8254 first, then the local APICs in order. */
  fireDue(now: number): void {
    const { f64 } = this.#core;
    if (f64[DUE_PIT] <= now) this.pit.fire(now);
    for (let processor = 0; processor < this.#processors; processor++) {
      if (f64[apicDueIndex(processor)] <= now) this.lapics.fire(processor, now);
    }
  }

  /**
   * No processor can run: moves the machine clock from one due time to the next until `awake()`. False if none of them can
   * ever wake a processor. A device that has fired twice to no effect never has one: with the processors still, nothing
   * changes but by it, and twice shows both edges of a square wave.
   */
  passTime(awake: () => boolean): boolean {
    const { f64 } = this.#core;
    const fired = new Uint8Array(this.#processors + 1);
    const dueOf = (device: number) => f64[device === this.#processors ? DUE_PIT : apicDueIndex(device)];
    for (;;) {
      let due = Number.POSITIVE_INFINITY;
      for (let device = 0; device <= this.#processors; device++) {
        if (fired[device] < 2) due = Math.min(due, dueOf(device));
      }
      if (due === Number.POSITIVE_INFINITY) return false;
      const now = Math.max(due, f64[L.CLOCK / 8]);
      for (let device = 0; device <= this.#processors; device++) if (dueOf(device) <= now) fired[device]++;
      f64[L.CLOCK / 8] = now;
      this.fireDue(now);
      if (awake()) return true;
    }
  }

  /** A maskable interrupt waits that the processor would take if its IF allowed it. */
  interruptPending(processor: number): boolean {
    return this.lapics.deliverable(processor) >= 0 || this.#externalPending(processor);
  }

  /** The processor takes the interrupt that waits (there must be one): its vector. The local APIC's go before the 8259s'. */
  acknowledge(processor: number): number {
    const vector = this.lapics.acknowledge(processor);
    return vector >= 0 ? vector : this.pic.acknowledge();
  }

  nmiPending(processor: number): boolean {
    return this.#word(processor, L.R_NMI_PENDING) !== 0 && this.#word(processor, L.R_NMI_MASKED) === 0;
  }

  /** The processor takes the NMI: no other until its IRET. */
  acknowledgeNmi(processor: number): void {
    this.#setWord(processor, L.R_NMI_PENDING, 0);
    this.#setWord(processor, L.R_NMI_MASKED, 1);
  }

  #externalPending(processor: number): boolean {
    return processor === BOOT_PROCESSOR && this.lapics.acceptsExternal(processor);
  }

  #interrupt(irq: number, gsi: number, asserted: boolean): void {
    this.pic.setLine(irq, asserted);
    this.ioapic.setLine(gsi, asserted);
  }

  // --- physical addresses ---

  /**
   * The APICs' registers are 32 bits wide and 16 bytes apart. The manuals leave other accesses undefined; here a narrower
   * read gives the register's bytes, the 12 bytes behind a register read as 0, and a narrower or misaligned write is dropped.
   */
  readPhysical(address: number, width: Width): number {
    const page = address & ~PAGE_OFFSET;
    const offset = address & PAGE_OFFSET;
    const processor = this.#hooks.currentProcessor();
    if (page === this.#apicPage(processor)) {
      const value = (offset & 12) === 0 ? this.lapics.read(processor, offset & ~15, this.#hooks.now()) : 0;
      return bytesOf(value, offset & 3, width);
    }
    if (page === IOAPIC_ADDRESS) {
      return bytesOf((offset & 12) === 0 ? this.ioapic.read(offset & ~15) : 0, offset & 3, width);
    }
    const inRom = (address >>> 0) - (FOUR_GIB - this.#rom.length);
    return inRom < 0 || inRom + width > this.#rom.length ? ALL_ONES[width] : littleEndian(this.#rom, inRom, width);
  }

  writePhysical(address: number, width: Width, value: number): void {
    const page = address & ~PAGE_OFFSET;
    const offset = address & PAGE_OFFSET;
    const processor = this.#hooks.currentProcessor();
    if (page === this.#apicPage(processor)) {
      if (width !== 4 || (offset & 15) !== 0) return;
      if (!this.lapics.writeTimeless(processor, offset, value))
        this.lapics.write(processor, offset, value, this.#hooks.now());
    } else if (page === IOAPIC_ADDRESS) {
      // IOREGSEL holds eight bits, and software does write it as a byte.
      if ((width === 4 && (offset & 15) === 0) || offset === 0) this.ioapic.write(offset, value);
    }
  }

  apicBaseChanged(processor: number): void {
    const base = this.#word(processor, L.R_APIC_BASE);
    if ((base & APIC_BASE_ENABLED) === 0) this.#hooks.notImplemented("disabling the local APIC through IA32_APIC_BASE");
  }

  #apicPage(processor: number): number {
    return this.#word(processor, L.R_APIC_BASE) & ~PAGE_OFFSET;
  }

  // --- ports ---

  /** A wider access than a device's is split into bytes, low one first, as on the ISA bus; nobody's ports read as ones. */
  readPort(port: number, width: Width): number {
    const now = this.#hooks.now();
    if (width === 1) return this.#readByte(port, now);
    let value = 0;
    for (let i = 0; i < width; i++) value |= this.#readByte((port + i) & 0xffff, now) << (8 * i);
    return value;
  }

  /** The debug exit port takes the value whole, whatever its width, and fw_cfg's selector takes a word. */
  writePort(port: number, width: Width, value: number): void {
    if (port === FWCFG_SELECTOR && width === 2) {
      this.firmwareConfiguration.select(value);
      return;
    }
    if (port === DEBUG_EXIT_PORT) {
      this.#hooks.guestExit(width === 4 ? value >>> 0 : value & ALL_ONES[width]);
      return;
    }
    const now = this.#hooks.now();
    for (let i = 0; i < width; i++) this.#writeByte((port + i) & 0xffff, (value >>> (8 * i)) & 0xff, now);
  }

  #readByte(port: number, now: number): number {
    const claim = this.#claims[port];
    if (claim !== 0) return this.#portDevices[claim - 1].readPort(port, now);
    return port === DEBUG_EXIT_PORT ? 0 : 0xff;
  }

  #writeByte(port: number, value: number, now: number): void {
    const claim = this.#claims[port];
    if (claim !== 0) this.#portDevices[claim - 1].writePort(port, value, now);
  }

  #claim(device: PortDevice, first: number, count: number): void {
    let index = this.#portDevices.indexOf(device);
    if (index < 0) index = this.#portDevices.push(device) - 1;
    this.#claims.fill(index + 1, first, first + count);
  }

  #word(processor: number, offset: number): number {
    return this.#core.i32[this.#core.blockOf(processor) / 4 + offset];
  }

  #setWord(processor: number, offset: number, value: number): void {
    this.#core.i32[this.#core.blockOf(processor) / 4 + offset] = value;
  }
}

function apicDueIndex(processor: number): number {
  return (L.PROCESSOR_TIME + processor * L.PROCESSOR_TIME_SIZE + L.T_APIC_DUE) / 8;
}

/** The bytes of a register from `first` on, zero-extended; those beyond its end are 0. */
function bytesOf(register: number, first: number, width: Width): number {
  return width === 4 && first === 0 ? register : (register >>> (8 * first)) & ALL_ONES[width];
}

function littleEndian(bytes: Uint8Array, at: number, width: Width): number {
  let value = 0;
  for (let i = 0; i < width; i++) value |= bytes[at + i] << (8 * i);
  return value;
}
