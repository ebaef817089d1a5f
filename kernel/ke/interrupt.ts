// Which routine serves which vector, and at which level.

import { al, data, dwords, type Procedure, proc } from "#asm";
import {
  APIC_ERROR_VECTOR,
  CLOCK_VECTOR,
  CLOCK2_LEVEL,
  deviceIrql,
  IPI_LEVEL,
  IPI_VECTOR,
  KEYBOARD_VECTOR,
  TEST_VECTORS,
  UART_VECTOR,
} from "../inc/irql.ts";
import { VECTORS } from "../inc/trap.ts";
import { KiClockInterrupt } from "./clock.ts";

/** BOOLEAN stdcall (Vector, TrapFrame). What serves a vector until somebody puts another routine into the table. */
export const KiDefaultServiceRoutine = proc("KiDefaultServiceRoutine", (a) => {
  a.mov(al, 1);
  a.ret(8);
});

/** The vectors of devices, of the clock and of other processors: level, and routine unless somebody puts another. */
export const servedVectors: ReadonlyMap<number, readonly [irql: number, routine: Procedure]> = new Map([
  ...[...TEST_VECTORS, UART_VECTOR, KEYBOARD_VECTOR].map(
    (vector) => [vector, [deviceIrql(vector), KiDefaultServiceRoutine]] as const,
  ),
  [CLOCK_VECTOR, [CLOCK2_LEVEL, KiClockInterrupt]],
  [IPI_VECTOR, [IPI_LEVEL, KiDefaultServiceRoutine]],
  [APIC_ERROR_VECTOR, [IPI_LEVEL, KiDefaultServiceRoutine]],
] as const);

/** KINTERRUPT_ENTRY for every vector. Whoever wants to serve one writes the address of a routine into its entry. */
export const KiInterruptTable = data(
  "KiInterruptTable",
  dwords(
    ...Array.from({ length: VECTORS }, (_, vector) => {
      const [irql, routine] = servedVectors.get(vector) ?? [0, KiDefaultServiceRoutine];
      return [routine, irql];
    }).flat(),
  ),
);
