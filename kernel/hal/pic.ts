// The two 8259s: moved away from the exceptions' vectors and silenced, as the I/O APIC takes their place (8259A data sheet).

import { al, proc } from "#asm";

const MASTER = 0x20;
const SLAVE = 0xa0;
/** ICW1: edge triggered, cascaded, ICW4 follows. */
const INITIALIZE = 0x11;
/** ICW2: vectors 30h to 3Fh. */
const MASTER_VECTORS = 0x30;
const SLAVE_VECTORS = 0x38;
/** ICW3: the slave is at input 2. */
const SLAVE_AT_2 = 1 << 2;
const AT_INPUT_2 = 2;
/** ICW4: for an 8086. */
const MODE_8086 = 0x01;
const ALL_MASKED = 0xff;

/** VOID (). */
export const HalpSilencePics = proc("HalpSilencePics", (a) => {
  for (const [port, value] of [
    [MASTER, INITIALIZE],
    [MASTER + 1, MASTER_VECTORS],
    [MASTER + 1, SLAVE_AT_2],
    [MASTER + 1, MODE_8086],
    [SLAVE, INITIALIZE],
    [SLAVE + 1, SLAVE_VECTORS],
    [SLAVE + 1, AT_INPUT_2],
    [SLAVE + 1, MODE_8086],
    [MASTER + 1, ALL_MASKED],
    [SLAVE + 1, ALL_MASKED],
  ] as const) {
    a.mov(al, value);
    a.out(port, al);
  }
  a.ret();
});
