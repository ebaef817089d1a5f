// Rules HW-04 and BC-05: how processors come into the kernel, and how the tool is left when it stops.

import { spawnSync } from "node:child_process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Instruction, Machine, type Observer } from "#emulator";
import {
  APIC_BASE,
  APIC_ICR_HIGH,
  APIC_ICR_LOW,
  APIC_SVR,
  HalpStallScaleFactor,
  KeActiveProcessors,
  KeStallExecutionProcessor,
  KfLowerIrql,
  KGDT_PCR,
  KPCR,
  KSEG0_BASE,
  linkKernel,
  SVR_ENABLE,
} from "#kernel";
import { ROOT } from "../../house/tree.ts";

const test = suite("rules of the start and the stop");

const FS = 4;
const MIB = 0x100000;
/** Instructions (a nanosecond each) after which the boot processor measures the time-stamp counter, and still does. */
const [CALIBRATING, CALIBRATED] = [20_000, 290_000];
/** Counts of the time-stamp counter in a microsecond. */
const TSC_MHZ = 1000;
const RET_4 = [0xc2, 0x04, 0x00];
const image = linkKernel({ include: [KeStallExecutionProcessor] });
const address = (symbol: typeof KeActiveProcessors | typeof KfLowerIrql): number => image.addressOf(symbol);

/** What a start of so many processors did against the rule, and the processors' pages and numbers at their first lower. */
function watchStart(processors: number) {
  const machine = Machine.boot(image, { processors, memory: 8 * MIB, commandLine: "noclock" });
  const { memory, board } = machine;
  memory.set(image.addressOf(KeStallExecutionProcessor) - KSEG0_BASE, RET_4); // nobody need be waited for
  const objections: string[] = [];
  const lowered = new Map<number, readonly [page: number, number: number, member: number]>();
  const active = (): number => memory.dword(address(KeActiveProcessors) - KSEG0_BASE);
  let high = 0;
  const observer: Observer = {
    before(number, eip, instruction: Instruction | null) {
      const { fs } = machine.processors[number]!;
      if (instruction?.memory && instruction.segment === FS && fs.selector !== KGDT_PCR)
        objections.push(`processor ${number} uses FS at ${image.nameAt(eip >>> 0)} before it is loaded`);
      if (eip >>> 0 !== address(KfLowerIrql) || lowered.has(number)) return;
      const page = fs.base >>> 0;
      const at = (offset: number): number => memory.dword(page - KSEG0_BASE + offset);
      lowered.set(number, [page, at(KPCR.Number.offset) & 0xff, at(KPCR.SetMember.offset)]);
      if (at(KPCR.SelfPcr.offset) !== page) objections.push(`processor ${number}: SelfPcr is not its page`);
      if ((board.lapics.read(number, APIC_SVR, machine.clock) & SVR_ENABLE) === 0)
        objections.push(`processor ${number} lowers with its local APIC disabled`);
    },
    write(physical, _, __, value) {
      if (physical >>> 0 === APIC_BASE + APIC_ICR_HIGH) high = value >>> 24;
      if (physical >>> 0 !== APIC_BASE + APIC_ICR_LOW || ((value >>> 8) & 7) !== 0) return;
      const everybody = 2 ** processors - 1;
      const targets = (value & 0xc0000) === 0 ? 1 << high : (value & 0xc0000) === 0x40000 ? 0 : everybody;
      if ((targets & ~active()) !== 0) objections.push(`vector ${value & 0xff} is sent to who does not take part yet`);
    },
  };
  machine.observe(observer);
  machine.run({ maxInstructions: CALIBRATING });
  machine.observe(null); // watched runs are slow, and the boot processor is alone with the clocks now
  machine.run({ maxInstructions: CALIBRATED });
  assert.is(memory.dword(image.addressOf(HalpStallScaleFactor) - KSEG0_BASE), 0, "measuring has ended unwatched");
  machine.observe(observer);
  const isStarted = (): boolean => machine.processors.every(({ activity }) => activity === "halted");
  for (let limit = CALIBRATED; !isStarted() && limit < 20_000_000; limit += 20_000)
    machine.run({ maxInstructions: limit });
  return { objections, lowered };
}

for (const processors of [1, 2, 3, 4, 8])
  test(`HW-04: every processor has its own KPCR, number and enabled local APIC before it first lowers (${processors})`, () => {
    const { objections, lowered } = watchStart(processors);
    assert.equal(objections, []);
    const [pages, numbers, members] = [0, 1, 2].map((part) => [...lowered.values()].map((known) => known[part]!));
    assert.equal(new Set(pages).size, processors);
    assert.equal(
      [...numbers!].sort((a, b) => a - b),
      Array.from({ length: processors }, (_, number) => number),
    );
    assert.equal(
      members,
      numbers!.map((number) => 1 << number),
    );
  });

test("the stall's scale is the time-stamp counter's frequency in MHz, or up to 1 % more", () => {
  const machine = Machine.boot(image, { processors: 1, memory: 8 * MIB, commandLine: "noclock" });
  machine.run({ maxInstructions: 1_000_000 });
  const scale = machine.memory.dword(image.addressOf(HalpStallScaleFactor) - KSEG0_BASE);
  assert.ok(scale >= TSC_MHZ && scale <= TSC_MHZ * 1.01, `${scale}`);
});

/** It comes in a tenth of these; a kernel that does not stop idles for ever. */
const WITHIN = ["--max-instructions", "20000000"];

test("BC-05: a STOP ends the command with status 6", () => {
  const { status, stdout } = spawnSync(
    process.execPath,
    [...process.execArgv, "tools/cli/main.ts", "run", "tools/programs/double-release.ts", ...WITHIN],
    { cwd: ROOT, encoding: "utf8" },
  );
  assert.match(stdout, /^\*\*\* STOP: 0x00000010 \(/m);
  assert.is(status, 6);
});

test.run();
