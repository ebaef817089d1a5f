// What the kernel's routines cost when nobody contends: bytes, instructions and locked operations, measured on the free build.
//
//   node --conditions=ring0-source --import tsx tests/kernel/costs.ts    writes the table into kernel/README.md

import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import type { Procedure } from "#asm";
import {
  DISPATCH_LEVEL,
  KeAcquireInStackQueuedSpinLock,
  KeAcquireInStackQueuedSpinLockAtDpcLevel,
  KeAcquireSpinLock,
  KeAcquireSpinLockAtDpcLevel,
  KefAcquireSpinLockAtDpcLevel,
  KefReleaseSpinLockFromDpcLevel,
  KeInitializeSpinLock,
  KeInsertQueueDpc,
  KeReleaseInStackQueuedSpinLock,
  KeReleaseInStackQueuedSpinLockFromDpcLevel,
  KeReleaseSpinLock,
  KeReleaseSpinLockFromDpcLevel,
  KeRemoveQueueDpc,
  KeTestSpinLock,
  KeTryToAcquireSpinLockAtDpcLevel,
  KfAcquireSpinLock,
  KfLowerIrql,
  KfRaiseIrql,
  KfReleaseSpinLock,
  KLOCK_QUEUE_HANDLE,
  PASSIVE_LEVEL,
} from "#kernel";
import { type Argument, boot } from "../../tools/harness/index.ts";

const README = new URL("../../kernel/README.md", import.meta.url);
const FIRST_LINE = "| routine | bytes | instructions | locked |";

export interface Cost {
  readonly routine: string;
  /** Of the routine itself, without those it calls. */
  readonly bytes: number;
  /** From its first instruction to its RET, with those of the routines that it calls. */
  readonly instructions: number;
  readonly locked: number;
}

/** Every routine once, on a processor of its own: at PASSIVE_LEVEL those that raise, at DISPATCH_LEVEL those that do not. */
export function measureCosts(): readonly Cost[] {
  const nt = boot();
  const [processor] = nt.processors;
  const lock = nt.spinLock().address;
  const handle = nt.allocate(KLOCK_QUEUE_HANDLE);
  const oldIrql = nt.allocate(4);
  const dpc = nt.dpc().address;
  const cost = (routine: Procedure, ...args: Argument[]): Cost => {
    processor?.begin(routine, ...args);
    const { instructions } = nt.trace(() => processor?.finish());
    return {
      routine: routine.name,
      bytes: nt.image.symbolAt(nt.addressOf(routine))?.symbol.size ?? 0,
      instructions: instructions.length,
      locked: instructions.filter(({ locked }) => locked).length,
    };
  };
  return [
    cost(KfRaiseIrql, DISPATCH_LEVEL),
    cost(KfLowerIrql, PASSIVE_LEVEL),
    cost(KeInitializeSpinLock, lock),
    cost(KeTestSpinLock, lock),
    cost(KfAcquireSpinLock, lock),
    cost(KfReleaseSpinLock, lock, PASSIVE_LEVEL),
    cost(KeAcquireSpinLock, lock, oldIrql),
    cost(KeReleaseSpinLock, lock, PASSIVE_LEVEL),
    cost(KeAcquireInStackQueuedSpinLock, lock, handle),
    cost(KeReleaseInStackQueuedSpinLock, handle),
    cost(KfRaiseIrql, DISPATCH_LEVEL),
    cost(KefAcquireSpinLockAtDpcLevel, lock),
    cost(KefReleaseSpinLockFromDpcLevel, lock),
    cost(KeAcquireSpinLockAtDpcLevel, lock),
    cost(KeReleaseSpinLockFromDpcLevel, lock),
    cost(KeTryToAcquireSpinLockAtDpcLevel, lock),
    cost(KefReleaseSpinLockFromDpcLevel, lock),
    cost(KeAcquireInStackQueuedSpinLockAtDpcLevel, lock, handle),
    cost(KeReleaseInStackQueuedSpinLockFromDpcLevel, handle),
    cost(KeInsertQueueDpc, dpc, 0, 0),
    cost(KeRemoveQueueDpc, dpc),
  ].filter(({ routine }, index, all) => all.findIndex((one) => one.routine === routine) === index);
}

/** The table's lines. */
export function tableOf(costs: readonly Cost[]): string {
  const rows = costs.map(
    ({ routine, bytes, instructions, locked }) => `| ${routine} | ${bytes} | ${instructions} | ${locked} |`,
  );
  return [FIRST_LINE, "| --- | --- | --- | --- |", ...rows].join("\n");
}

/** The table as it stands in kernel/README.md. */
export function tableInReadme(text = readFileSync(README, "utf8")): string {
  const from = text.indexOf(FIRST_LINE);
  return text.slice(from, text.indexOf("\n\n", from));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const text = readFileSync(README, "utf8");
  writeFileSync(README, text.replace(tableInReadme(text), tableOf(measureCosts())));
}
