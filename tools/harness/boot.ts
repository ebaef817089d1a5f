// Boots the kernel with the harness in it, once for each kind, and hands out the machine as it was then.

import { type Image, link, Procedure } from "#asm";
import { Machine, type Snapshot } from "#emulator";
import * as kernel from "#kernel";
import { withoutStalls } from "./exploration/booted.ts";
import { HarnessEventCount, HarnessEvents, HarnessThread } from "./guest.ts";
import { CODE, copyTo, Nt } from "./nt.ts";

export interface HarnessOptions {
  /** 1 to 32; 1 unless given. */
  readonly processors?: number;
  /** With asserts in the machine code. */
  readonly checked?: boolean;
}

/** A kernel that has been booted before, and who has its machine now. */
interface Booted {
  readonly machine: Machine;
  readonly image: Image;
  readonly harness: Image;
  readonly snapshot: Snapshot;
  readonly serial: number[];
  nt: Nt | undefined;
}

const MIB = 0x100000;
const MEMORY = 8 * MIB;
const BOOT_LIMIT = 50_000_000;
const BOOT_STEP = 10_000;
const COMMAND_LINE = "noclock";

const images = new Map<boolean, Images>();
const booted = new Map<string, Booted>();

/**
 * The kernel, booted: every processor at PASSIVE_LEVEL in a thread of the harness, interrupts on, the 8254 silent, and
 * vectors with the service routines that the kernel has for them. The machine of the boot before with equal options is taken
 * back and that boot is over.
 */
export function boot({ processors = 1, checked = false }: HarnessOptions = {}): Nt {
  const key = `${processors} ${checked}`;
  const found = booted.get(key) ?? start(processors, checked);
  booted.set(key, found);
  found.nt?.end();
  found.machine.restore(found.snapshot);
  found.serial.length = 0;
  found.nt = new Nt(found.machine, found.image, found.harness, found.serial);
  found.nt.build = (make) => kernel.building({ checked }, make);
  return found.nt;
}

interface Images {
  readonly kernel: Image;
  readonly harness: Image;
}

/** The kernel with every routine of its library in it, and the harness's part beside it. */
function imagesOf(checked: boolean): Images {
  const known = images.get(checked);
  if (known) return known;
  const library = Object.values(kernel).filter((value) => value instanceof Procedure);
  const image = kernel.linkKernel({ checked, include: library });
  const include = [HarnessEvents, HarnessEventCount];
  const harness = link(HarnessThread, { base: CODE, multiboot: false, include, against: image });
  const made = { kernel: image, harness };
  images.set(checked, made);
  return made;
}

function start(processors: number, checked: boolean): Booted {
  const { kernel: image, harness } = imagesOf(checked);
  const serial: number[] = [];
  const machine = Machine.boot(image, {
    processors,
    memory: MEMORY,
    commandLine: COMMAND_LINE,
    name: "the kernel",
    serial: (byte) => serial.push(byte),
  });
  copyTo(machine, harness);
  const routine = image.addressOf(kernel.KiThreadRoutine) - kernel.KSEG0_BASE;
  machine.memory.setDword(routine, harness.addressOf(HarnessThread));
  const nt = new Nt(machine, image, harness, serial);
  const stallAgain = withoutStalls(machine, image);
  const isIdle = (): boolean => machine.processors.every(({ eip }) => nt.isThread(eip));
  for (let limit = BOOT_STEP; !isIdle(); limit += BOOT_STEP) {
    const { reason, detail } = machine.run({ maxInstructions: limit });
    if (reason === "budget" && limit < BOOT_LIMIT) continue;
    const places = nt.processors.map((processor) => nt.nameOf(processor.registers.eip)).join(", ");
    throw new Error(
      `harness: the kernel does not boot: ${reason} ${detail ?? ""}, processors at ${places}; ${nt.screen}`,
    );
  }
  stallAgain();
  return { machine, image, harness, snapshot: machine.snapshot(), serial, nt: undefined };
}
